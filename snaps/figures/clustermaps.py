"""Distances between groups with dendrogram and clusters (SNAP paper, Figures 6, 7, 9 and 10)."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from snaps.clustering import Clustering
from snaps.figures.scales import verbatim
from snaps.schema import GROUP

#: Colours of clusters (Okabe and Ito, with two of Tol's): told apart by readers with any colour vision.
CLUSTER_COLORS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#882255",
    "#44aa99",
)
SINGLETON = "#bbbbbb"
CUT = "#d55e00"
#: Inches that a dendrogram takes.
DENDROGRAM = 1.35


def plot_clustermap(clustering: Clustering, *, title: str | None = None, size: float | None = None) -> Figure:
    """Draw the distances between groups, ordered by the dendrogram, with clusters marked.

    Clusters of two groups and more have a colour beside and above the map and a frame on its diagonal;
    singletons are grey. A dashed line across the dendrogram shows where it was cut.

    Parameters
    ----------
    clustering : Clustering
        What `snaps.cluster` gives.
    title : str, optional
        Heading; percentile, number of clusters and silhouette otherwise.
    size : float, optional
        Width and height in inches; by the number of groups otherwise.

    Returns
    -------
    Figure
        Not known to pyplot, so that a notebook shows it once and nothing has to be closed.
    """
    import seaborn as sns

    labels = [str(label) for label in clustering.distances[GROUP].values]
    side = float(np.clip(3.6 + 0.15 * len(labels), 5.5, 24.0)) if size is None else size
    colors = cluster_colors(clustering)
    of_groups = [colors[int(number)] for number in clustering.labels.values]
    with warnings.catch_warnings():
        # Dendrograms of a dead layer have no height, which is no news.
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high")
        grid = sns.clustermap(
            pd.DataFrame(clustering.distances.values, index=labels, columns=labels),
            row_linkage=clustering.linkage,
            col_linkage=clustering.linkage,
            row_colors=of_groups,
            col_colors=of_groups,
            cmap="mako",
            vmin=0,
            figsize=(side, side),
            dendrogram_ratio=DENDROGRAM / side,
            colors_ratio=0.2 / side,
            xticklabels=True,
            yticklabels=True,
            tree_kws={"linewidths": 0.9, "colors": "0.3"},
        )
    # Seaborn's margins are shares of the figure; labels and title need inches.
    longest = max(map(len, labels))
    cell = 72 * (side - DENDROGRAM - 0.8 - 0.06 * longest) / len(labels)
    font = float(np.clip(0.8 * cell, 3.0, 10.0))
    after = 0.15 + 0.62 * font / 72 * longest
    grid.gs.update(left=0.1 / side, right=1 - after / side, bottom=after / side, top=1 - 0.42 / side)
    for axis, rotation in ((grid.ax_heatmap.xaxis, 90), (grid.ax_heatmap.yaxis, 0)):
        axis.set_tick_params(labelsize=font, length=0, pad=2, labelrotation=rotation)
        verbatim(*axis.get_ticklabels())
    grid.ax_heatmap.set(xlabel="", ylabel="")
    for ax in (grid.ax_row_colors, grid.ax_col_colors):
        ax.set(xticks=[], yticks=[])
    metric = str(clustering.distances.attrs.get("metric", ""))
    height = DENDROGRAM - 0.4
    grid.ax_cbar.set_position((0.22 / side, 1 - (height + 0.55) / side, 0.14 / side, height / side))
    grid.ax_cbar.set_ylabel(f"{metric} distance".strip(), fontsize=8)
    grid.ax_cbar.tick_params(labelsize=7, length=2)
    grid.ax_col_dendrogram.axhline(clustering.threshold, color=CUT, linewidth=1, linestyle="--")
    grid.ax_row_dendrogram.axvline(clustering.threshold, color=CUT, linewidth=1, linestyle="--")
    _frame_clusters(grid.ax_heatmap, clustering, colors)
    heading = _heading(clustering) if title is None else title
    verbatim(grid.figure.suptitle(heading, fontsize=11, y=1 - 0.1 / side, va="top"))
    plt.close(grid.figure)
    return grid.figure


def cluster_colors(clustering: Clustering) -> dict[int, str]:
    """Colour of every cluster: grey for singletons, the others in turn along the dendrogram."""
    colors: dict[int, str] = {}
    for number, members in clustering.clusters.items():
        used = sum(color != SINGLETON for color in colors.values())
        colors[number] = SINGLETON if len(members) == 1 else CLUSTER_COLORS[used % len(CLUSTER_COLORS)]
    return colors


def _frame_clusters(ax: Axes, clustering: Clustering, colors: dict[int, str]) -> None:
    start = 0
    for number, members in clustering.clusters.items():
        if len(members) > 1:
            ax.add_patch(
                Rectangle(
                    (start, start),
                    len(members),
                    len(members),
                    fill=False,
                    edgecolor=colors[number],
                    linewidth=1.8,
                    clip_on=False,
                )
            )
        start += len(members)


def _heading(clustering: Clustering) -> str:
    sizes: Sequence[int] = [len(members) for members in clustering.clusters.values()]
    singletons = sum(size == 1 for size in sizes)
    score = (
        f"silhouette undefined: {clustering.undefined}"
        if clustering.undefined
        else f"silhouette {clustering.silhouette:.2f}"
    )
    number = f"{len(sizes)} cluster" + ("" if len(sizes) == 1 else "s")
    alone = f" ({singletons} singleton{'' if singletons == 1 else 's'})" if singletons else ""
    layer = clustering.distances.attrs.get("layer")
    return ", ".join(
        [*([str(layer)] if layer else []), f"percentile {clustering.percentile:g}", number + alone, score]
    )
