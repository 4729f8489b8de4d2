"""Figures: one picture each. Those that fit into axes take and return Axes, the others return a Figure."""

from snaps.figures.clustermaps import plot_clustermap
from snaps.figures.files import draw_offscreen, save_figure
from snaps.figures.frames import plot_frame
from snaps.figures.maps import plot_snap, plot_snap_grid, reach
from snaps.figures.silhouettes import plot_silhouettes

__all__ = [
    "draw_offscreen",
    "plot_clustermap",
    "plot_frame",
    "plot_silhouettes",
    "plot_snap",
    "plot_snap_grid",
    "reach",
    "save_figure",
]
