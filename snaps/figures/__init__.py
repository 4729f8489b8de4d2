"""Figures: one picture each. Those that fit into axes take and return Axes, the others return a Figure."""

from snaps.figures.alignments import (
    plot_aligners,
    plot_alignment,
    plot_contingency,
    plot_offset_histogram,
    plot_offsets,
)
from snaps.figures.clustermaps import plot_clustermap
from snaps.figures.comparisons import plot_changes, plot_layer_matrix, plot_moved
from snaps.figures.curves import plot_learning_curves
from snaps.figures.evidence import plot_flipping, plot_profile_null, plot_randomization
from snaps.figures.files import draw_offscreen, figure_of, save_figure
from snaps.figures.frames import plot_frame
from snaps.figures.lags import plot_saliency_by_lag
from snaps.figures.maps import plot_snap, plot_snap_grid, reach
from snaps.figures.marks import BURSTS, Mark, formants
from snaps.figures.rows import Panel, plot_methods, plot_panels
from snaps.figures.silhouettes import plot_model_silhouettes, plot_silhouette_panels, plot_silhouettes
from snaps.figures.units import plot_unit, plot_units

__all__ = [
    "BURSTS",
    "Mark",
    "Panel",
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
    "reach",
    "save_figure",
]
