"""Distances between groups with dendrogram and clusters (SNAP paper, Figures 6, 7, 9 and 10)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from snaps.clustering import Clustering
from snaps.figures.scales import drawn, verbatim
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
#: Inches that a dendrogram and the colours of the clusters take, and those free at the left and at the top.
DENDROGRAM, COLORS, LEFT, TOP = 1.35, 0.2, 0.1, 0.42


@dataclass(frozen=True)
class _Layout:
    """Sizes in inches, but for the font's, which is in points."""

    heat: float
    labels: float
    font: float

    @classmethod
    def of(cls, labels: Sequence[str], size: float | None) -> "_Layout":
        """Fit the sizes to the number and the length of the labels, or to the width of the figure."""
        longest = max(map(len, labels))
        heat = float(np.clip(0.15 * len(labels), 3.2, 21.0))
        if size is not None:
            # The labels' own share depends on the font, so that the map takes what they are likely to leave.
            heat = max(1.0, size - LEFT - DENDROGRAM - COLORS - 0.15 - 0.06 * longest)
        font = float(np.clip(0.8 * 72 * heat / len(labels), 3.0, 10.0))
        return cls(heat=heat, labels=0.15 + 0.64 * font / 72 * longest, font=font)

    @property
    def inner(self) -> float:
        """Map, colours and dendrogram, without labels and margins."""
        return self.heat + COLORS + DENDROGRAM

    @property
    def width(self) -> float:
        """Width of the figure."""
        return LEFT + self.inner + self.labels

    @property
    def height(self) -> float:
        """Height of the figure."""
        return TOP + self.inner + self.labels


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
        Width of the figure in inches, about; by the number of groups otherwise.

    Returns
    -------
    Figure
        Not known to pyplot, so that a notebook shows it once and nothing has to be closed.
    """
    import seaborn as sns

    labels = [drawn(label) for label in clustering.distances[GROUP].values]
    layout = _Layout.of(labels, size)
    colors = cluster_colors(clustering)
    of_groups = [colors[int(number)] for number in clustering.labels.values]
    with warnings.catch_warnings():
        # Dendrograms of a dead layer have no height, which is no news.
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high")
        grid = sns.clustermap(
            pd.DataFrame(clustering.distances.values),
            row_linkage=clustering.linkage,
            col_linkage=clustering.linkage,
            row_colors=of_groups,
            col_colors=of_groups,
            cmap="mako",
            vmin=0,
            figsize=(layout.width, layout.height),
            dendrogram_ratio=(DENDROGRAM / layout.inner, DENDROGRAM / layout.inner),
            colors_ratio=(COLORS / layout.inner, COLORS / layout.inner),
            xticklabels=True,
            yticklabels=True,
            tree_kws={"linewidths": 0.9, "colors": "0.3"},
        )
    # Seaborn's margins are shares of the figure; labels and title need inches.
    grid.gs.update(
        left=LEFT / layout.width,
        right=1 - layout.labels / layout.width,
        bottom=layout.labels / layout.height,
        top=1 - TOP / layout.height,
    )
    # Seaborn would take labels for formulas, so that they come when it is done.
    ordered = [labels[leaf] for leaf in grid.dendrogram_row.reordered_ind]
    for axis, rotation in ((grid.ax_heatmap.xaxis, 90), (grid.ax_heatmap.yaxis, 0)):
        axis.set_ticklabels(ordered)
        axis.set_tick_params(labelsize=layout.font, length=0, pad=2, labelrotation=rotation)
        verbatim(*axis.get_ticklabels())
    grid.ax_heatmap.set(xlabel="", ylabel="")
    for ax in (grid.ax_row_colors, grid.ax_col_colors):
        ax.set(xticks=[], yticks=[])
    metric = str(clustering.distances.attrs.get("metric", ""))
    tall = DENDROGRAM - 0.4
    grid.ax_cbar.set_position(
        (
            0.22 / layout.width,
            1 - (tall + TOP + 0.12) / layout.height,
            0.14 / layout.width,
            tall / layout.height,
        )
    )
    grid.ax_cbar.set_ylabel(f"{drawn(metric)} distance".strip(), fontsize=8)
    grid.ax_cbar.tick_params(labelsize=7, length=2)
    grid.ax_col_dendrogram.axhline(clustering.threshold, color=CUT, linewidth=1, linestyle="--")
    grid.ax_row_dendrogram.axvline(clustering.threshold, color=CUT, linewidth=1, linestyle="--")
    _frame_clusters(grid.ax_heatmap, clustering, colors)
    heading = _heading(clustering) if title is None else title
    # A character is about half as wide as it is high.
    fits = 72 * layout.width / (0.58 * max(1, len(heading)))
    verbatim(grid.figure.suptitle(heading, fontsize=min(11.0, fits), y=1 - 0.1 / layout.height, va="top"))
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
        [*([drawn(layer)] if layer else []), f"percentile {clustering.percentile:g}", number + alone, score]
    )
