"""Figures: functions that draw on axes take and return Axes, those with several panels return a Figure."""

from snaps.figures.alignment import (
    CRITERION_NAMES,
    plot_aligners,
    plot_alignment,
    plot_contingency,
    plot_offset_histogram,
    plot_offsets,
    rank_aligners,
)
from snaps.figures.axes import draw_offscreen, figure_of, save_figure
from snaps.figures.clustering import SINGLETON, cluster_colors, plot_clustermap, plot_silhouettes
from snaps.figures.faithfulness import plot_flipping, plot_profile_null, plot_randomization
from snaps.figures.lags import plot_saliency_by_lag, plot_unit, plot_units
from snaps.figures.maps import plot_frame, plot_snap, reach
from snaps.figures.marks import BURSTS, Mark, Marks, formants
from snaps.figures.networks import (
    plot_changes,
    plot_layer_matrix,
    plot_model_silhouettes,
    plot_moved,
    plot_silhouette_panels,
)
from snaps.figures.panels import Panel, Shared, plot_methods, plot_panels, plot_snap_grid
from snaps.figures.training import plot_learning_curves

__all__ = [
    "BURSTS",
    "CRITERION_NAMES",
    "SINGLETON",
    "Mark",
    "Marks",
    "Panel",
    "Shared",
    "cluster_colors",
    "draw_offscreen",
    "figure_of",
    "formants",
    "plot_aligners",
    "plot_alignment",
    "plot_changes",
    "plot_clustermap",
    "plot_contingency",
    "plot_flipping",
    "plot_frame",
    "plot_layer_matrix",
    "plot_learning_curves",
    "plot_methods",
    "plot_model_silhouettes",
    "plot_moved",
    "plot_offset_histogram",
    "plot_offsets",
    "plot_panels",
    "plot_profile_null",
    "plot_randomization",
    "plot_saliency_by_lag",
    "plot_silhouette_panels",
    "plot_silhouettes",
    "plot_snap",
    "plot_snap_grid",
    "plot_unit",
    "plot_units",
    "rank_aligners",
    "reach",
    "save_figure",
]
