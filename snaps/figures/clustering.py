"""Clustermaps with dendrograms (SNAP paper, Figures 6, 7, 9, 10), and silhouettes over layers (Figures 5 and 8)."""

import warnings

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from snaps.clustering import Clustering, mean_silhouette
from snaps.figures.axes import (
    SMALL,
    axes_over_layers,
    draw_percentiles,
    drawn,
    finish_layers,
    layer_names,
    name_ticks,
    verbatim,
)
from snaps.schema import GROUP

#: Colours of clusters (Okabe and Ito, and two by Tol), suitable for all kinds of colour vision.
CLUSTER_COLORS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"),
    *("#d55e00", "#f0e442", "#882255", "#44aa99"),
)
SINGLETON = "#bbbbbb"
CUT = "#d55e00"
#: Inches for a dendrogram, for the colours of the clusters, and for the left and upper margins.
DENDROGRAM, COLORS, LEFT, TOP = 1.35, 0.2, 0.1, 0.42


def plot_clustermap(clustering: Clustering, *, title: str | None = None, size: float | None = None) -> Figure:
    """Draw the distances between groups in the order of the dendrogram, and mark the clusters.

    Clusters of at least two groups have a colour at the left and at the top and a frame on the diagonal; singletons
    are grey. A dashed line across the dendrogram marks the threshold.

    Parameters
    ----------
    clustering : Clustering
        Result of `snaps.cluster`.
    title : str, optional
        Heading; percentile, number of clusters and silhouette otherwise.
    size : float, optional
        Approximate width of the figure in inches; it follows from the number of groups otherwise.

    Returns
    -------
    Figure
        Not registered with pyplot: a notebook shows it once, and it needs no closing.
    """
    import seaborn as sns

    labels = [drawn(label) for label in clustering.distances[GROUP].values]
    # All sizes are in inches. The space for labels depends on their font, which depends on the size of the map.
    longest = max(map(len, labels))
    heat = float(np.clip(0.15 * len(labels), 3.2, 21.0))
    if size is not None:
        heat = max(1.0, size - LEFT - DENDROGRAM - COLORS - 0.15 - 0.06 * longest)
    font = float(np.clip(0.8 * 72 * heat / len(labels), 3.0, 10.0))
    beside, inner = 0.15 + 0.64 * font / 72 * longest, heat + COLORS + DENDROGRAM
    width, height = LEFT + inner + beside, TOP + inner + beside
    colors = cluster_colors(clustering)
    of_groups = [colors[int(number)] for number in clustering.labels.values]
    with warnings.catch_warnings():
        # The dendrogram of a layer without differences has no height.
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high")
        grid = sns.clustermap(
            pd.DataFrame(clustering.distances.values),
            row_linkage=clustering.linkage, col_linkage=clustering.linkage, row_colors=of_groups, col_colors=of_groups,
            cmap="mako", vmin=0, figsize=(width, height),
            dendrogram_ratio=(DENDROGRAM / inner, DENDROGRAM / inner), colors_ratio=(COLORS / inner, COLORS / inner),
            xticklabels=True, yticklabels=True, tree_kws={"linewidths": 0.9, "colors": "0.3"},
        )  # fmt: skip
    # Seaborn's margins are shares of the figure, but labels and heading need fixed sizes.
    grid.gs.update(left=LEFT / width, right=1 - beside / width, bottom=beside / height, top=1 - TOP / height)
    # Seaborn would parse labels as formulas, so they are set afterwards.
    ordered = [labels[leaf] for leaf in grid.dendrogram_row.reordered_ind]
    for axis, rotation in ((grid.ax_heatmap.xaxis, 90), (grid.ax_heatmap.yaxis, 0)):
        name_ticks(axis, ordered, axis.get_ticklocs())
        axis.set_tick_params(labelsize=font, length=0, pad=2, labelrotation=rotation)
    tall = DENDROGRAM - 0.4
    grid.ax_cbar.set_position((0.22 / width, 1 - (tall + TOP + 0.12) / height, 0.14 / width, tall / height))
    metric = str(clustering.distances.attrs.get("metric", ""))
    grid.ax_cbar.set_ylabel(f"{drawn(metric)} distance".strip(), fontsize=8)
    grid.ax_cbar.tick_params(labelsize=7, length=2)
    grid.ax_col_dendrogram.axhline(clustering.threshold, color=CUT, linewidth=1, linestyle="--")
    grid.ax_row_dendrogram.axvline(clustering.threshold, color=CUT, linewidth=1, linestyle="--")
    start = 0
    for number, members in clustering.clusters.items():
        if (n := len(members)) > 1:
            frame = Rectangle((start, start), n, n, fill=False, edgecolor=colors[number], linewidth=1.8, clip_on=False)
            grid.ax_heatmap.add_patch(frame)
        start += n
    heading = _heading(clustering) if title is None else title
    # A character is about half as wide as it is high.
    fits = 72 * width / (0.58 * max(1, len(heading)))
    verbatim(grid.figure.suptitle(heading, fontsize=min(11.0, fits), y=1 - 0.1 / height, va="top"))
    plt.close(grid.figure)
    return grid.figure


def cluster_colors(clustering: Clustering) -> dict[int, str]:
    """Colour of every cluster: grey for singletons, `CLUSTER_COLORS` in the order of the dendrogram for others."""
    colors: dict[int, str] = {}
    for number, members in clustering.clusters.items():
        used = sum(color != SINGLETON for color in colors.values())
        colors[number] = SINGLETON if len(members) == 1 else CLUSTER_COLORS[used % len(CLUSTER_COLORS)]
    return colors


def plot_silhouettes(
    sweep: xr.DataArray,
    ax: Axes | None = None,
    *,
    transferred: str | None = None,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw mean silhouettes over layers: a line for every percentile, and a bold line for their mean.

    Lines have a gap where a silhouette is undefined, and a cross at the lower edge marks the layer. The mean needs all
    percentiles.

    Parameters
    ----------
    sweep : DataArray of shape (layer, percentile)
        Result of `snaps.silhouette_sweep`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    transferred : str, optional
        Last layer with weights from another network; a dashed line follows it.
    title : str, optional
        Heading.
    legend : bool
        Whether to add a legend.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If `sweep` has other dimensions, or there is no layer `transferred`.
    """
    layers = layer_names(sweep, {"layer", "percentile"}, transferred)
    ax = axes_over_layers(ax, layers)
    draw_percentiles(ax, sweep)
    if sweep.sizes["percentile"] > 1:
        ax.plot(mean_silhouette(sweep).values, color="black", linewidth=3.5, label="mean", zorder=1.9)
    undefined = (sweep.isnull().any("percentile").values, "undefined at some percentile")
    return finish_layers(
        ax, layers, transferred=transferred, undefined=undefined, y="mean silhouette", title=title,
        legend=SMALL if legend else None,
    )  # fmt: skip


def _heading(clustering: Clustering) -> str:
    sizes = [len(members) for members in clustering.clusters.values()]
    alone, layer = sizes.count(1), clustering.distances.attrs.get("layer")
    number = f"{len(sizes)} cluster" + ("" if len(sizes) == 1 else "s")
    singletons = f" ({alone} singleton{'' if alone == 1 else 's'})" if alone else ""
    reason = clustering.undefined
    score = f"silhouette undefined: {reason}" if reason else f"silhouette {clustering.silhouette:.2f}"
    parts = [f"percentile {clustering.percentile:g}", number + singletons, score]
    return ", ".join([drawn(layer), *parts] if layer else parts)
