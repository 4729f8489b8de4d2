"""Comparison of networks: silhouettes, changes of clusters, similarity of layers, groups that moved."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from snaps.clustering import mean_silhouette
from snaps.errors import InputError, check_whole, one_of
from snaps.figures.axes import (
    MARKERS,
    SMALL,
    axes_of,
    axes_over_layers,
    color_bar,
    draw_percentiles,
    drawn,
    finish,
    finish_figure,
    finish_layers,
    in_legend,
    layer_names,
    name_ticks,
    verbatim,
)
from snaps.figures.clustering import CLUSTER_COLORS
from snaps.schema import GROUP

#: Label, colour map and smallest value of the measures of similarity.
ALIKE = {"rsa": ("RSA (Spearman's correlation)", "RdBu_r", -1.0), "cka": ("linear CKA", "YlGnBu", 0.0)}
CHANGES = {"changed": "changed pairs of groups", "adjusted_rand": "adjusted Rand index"}
#: Significance level; larger p-values are marked.
LEVEL = 0.05


def plot_model_silhouettes(
    silhouettes: xr.DataArray,
    ax: Axes | None = None,
    *,
    percentile: float | None = None,
    transferred: str | None = None,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the mean silhouettes of several networks over layers: a line for every network.

    The line of a network is dotted across layers that it lacks. It has a gap where a silhouette is undefined, and a
    cross at the lower edge marks the layer.

    Parameters
    ----------
    silhouettes : DataArray of shape (model, layer, percentile)
        Field ``silhouettes`` of a result of `snaps.compare_models`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    percentile : float, optional
        Percentile to show; the mean over all percentiles otherwise.
    transferred : str, optional
        Last layer with weights from another network; a dashed line follows it.
    title : str, optional
        Heading; the percentile otherwise.
    legend : bool
        Whether to add a legend.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If `silhouettes` has other dimensions, or there is no such percentile or layer.
    """
    layers = layer_names(silhouettes, {"model", "layer", "percentile"}, transferred)
    known = silhouettes["percentile"].values.tolist()
    if percentile is not None and percentile not in known:
        raise InputError(f"there is no percentile {percentile!r}; there are {one_of(known)}")
    values = mean_silhouette(silhouettes) if percentile is None else silhouettes.sel(percentile=percentile)
    ax = axes_over_layers(ax, layers)
    for place, name in enumerate(values["model"].values):
        line, there = values.sel(model=name).values, values["has_layer"].sel(model=name).values
        color, marker = CLUSTER_COLORS[place % len(CLUSTER_COLORS)], MARKERS[place % len(MARKERS)]
        ax.plot(np.flatnonzero(there), line[there], color=color, linestyle=":", linewidth=1.2)
        ax.plot(line, color=color, marker=marker, markersize=4.5, linewidth=1.6, label=in_legend(name))
    undefined = (values["has_layer"] & values.isnull()).any("model").values
    shown = "mean over percentiles" if percentile is None else f"{percentile:g}th percentile"
    return finish_layers(
        ax, layers, transferred=transferred, undefined=(undefined, "undefined in some network"), y="mean silhouette",
        title=shown if title is None else title, legend=SMALL if legend else None,
    )  # fmt: skip


def plot_silhouette_panels(
    silhouettes: xr.DataArray, *, transferred: str | None = None, title: str | None = None
) -> Figure:
    """Draw the silhouettes of several networks: a panel for every percentile and one for their mean.

    Parameters
    ----------
    silhouettes : DataArray of shape (model, layer, percentile)
        Field ``silhouettes`` of a result of `snaps.compare_models`.
    transferred : str, optional
        Last layer with weights from another network; a dashed line follows it.
    title : str, optional
        Heading.

    Returns
    -------
    Figure
        Not registered with pyplot: a notebook shows it once, and it needs no closing.

    Raises
    ------
    InputError
        As `plot_model_silhouettes` does.
    """
    layers = layer_names(silhouettes, {"model", "layer", "percentile"}, transferred)
    percentiles = silhouettes["percentile"].values.tolist()
    panels = [*percentiles, None] if len(percentiles) > 1 else percentiles
    columns = min(len(panels), 3 if len(layers) <= 8 else 2)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(columns * max(2.8, 1.0 + 0.3 * len(layers)), 0.5 + 2.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    handles: dict[str, Artist] = {}
    for ax, percentile in zip(grid.flat, panels, strict=False):
        plot_model_silhouettes(silhouettes, ax, percentile=percentile, transferred=transferred, legend=False)
        ax.title.set_fontsize(10)
        ax.tick_params(labelsize=8)
        handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    for ax in grid[:, 1:].flat:
        ax.set_ylabel("")
    for ax in grid.flat[: len(panels) - columns]:
        ax.set_xlabel("")
    spare = grid.flat[len(panels) :]
    for ax in spare:
        ax.set_axis_off()
    # The legend takes a free place in the last row of panels, or a line below them.
    place = {"loc": "center"} if len(spare) else {"loc": "outside lower center", "ncols": 4}
    owner = spare[0] if len(spare) else figure
    verbatim(*owner.legend(handles.values(), handles, frameon=False, fontsize=9, **place).get_texts())
    return finish_figure(figure, title=title)


def plot_changes(
    changes: xr.DataArray, ax: Axes | None = None, *, title: str | None = None, legend: bool = True
) -> Axes:
    """Draw the change between clusterings over layers: a line for every percentile.

    Parameters
    ----------
    changes : DataArray of shape (layer, percentile)
        Variable ``changed`` or ``adjusted_rand`` of a result of `snaps.compare_models`: of one pair of networks from
        its field ``changes``, or of one network, from the second layer on, from its field ``successive``.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
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
        If `changes` has other dimensions.
    """
    layers = layer_names(changes, {"layer", "percentile"})
    ax = axes_over_layers(ax, layers)
    draw_percentiles(ax, changes)
    undefined = (changes.isnull().any("percentile").values, "undefined at some percentile")
    label = CHANGES.get(str(changes.name), str(changes.name or "change"))
    finish_layers(ax, layers, undefined=undefined, y=label, title=title, legend=SMALL if legend else None)
    if changes.name == "changed":
        top = max(np.nanmax(changes.values, initial=0.0), 0.1)
        ax.set_ylim(-0.03 * top, 1.12 * top)
    return ax


def plot_layer_matrix(
    matrix: xr.DataArray,
    ax: Axes | None = None,
    *,
    p_values: xr.DataArray | None = None,
    title: str | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw the similarity of the layers of two networks: a row for each layer of the first network.

    A frame marks the most similar layer of every row, a cross marks cells with a p-value above 0.05. Grey cells are
    undefined.

    Parameters
    ----------
    matrix : DataArray of shape (layer, other layer)
        Variable ``rsa`` or ``cka`` of one pair of networks, from `snaps.clustering.ModelComparison.between`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    p_values : DataArray of shape (layer, other layer), optional
        p-values of the cells.
    title : str, optional
        Heading.
    colorbar : bool
        Whether to add a colour bar.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If `matrix` has other dimensions.
    """
    rows = layer_names(matrix, {"layer", "layer_"})
    columns = [str(layer) for layer in matrix["layer_"].values]
    values = matrix.transpose("layer", "layer_").values
    label, cmap, least = ALIKE.get(str(matrix.name), ("", "YlGnBu", 0.0))
    ax = axes_of(ax, 2.6 + 0.33 * len(columns), 1.5 + 0.33 * len(rows))
    _draw_cells(ax, values, rows, columns, label=label if colorbar else None, cmap=cmap, vmin=least, vmax=1.0)
    for row in np.flatnonzero(np.isfinite(values).any(axis=1)):
        corner = (int(np.nanargmax(values[row])) - 0.5, row - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=1.4, zorder=3, clip_on=False))
    if p_values is not None:
        above = np.argwhere(p_values.transpose("layer", "layer_").values > LEVEL)
        # Dark crosses on light ones are visible on any colour.
        for color, width in (("white", 2.4), ("0.25", 0.9)):
            ax.plot(*above.T[::-1], "x", color=color, markersize=3.5, markeredgewidth=width, alpha=0.9)
    if {"first", "second"} <= set(matrix.coords):
        first, second = (f"layer of {drawn(matrix[name].item())}" for name in ("first", "second"))
        finish(ax, y=first, x=second)
    return finish(ax, title=title, fontsize=11)


def plot_moved(
    moved: xr.DataArray, ax: Axes | None = None, *, most: int = 20, title: str | None = None, colorbar: bool = True
) -> Axes:
    """Draw the groups that moved most between two networks over layers, the largest mean at the top.

    Parameters
    ----------
    moved : DataArray of shape (layer, group)
        Variable ``moved`` of one pair of networks, from `snaps.clustering.ModelComparison.between`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    most : int
        Number of groups to show.
    title : str, optional
        Heading.
    colorbar : bool
        Whether to add a colour bar.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If `moved` has other dimensions, or `most` is no whole number from 1.
    """
    layers = layer_names(moved, {"layer", GROUP})
    check_whole("most", most)
    means = moved.mean("layer").fillna(-1.0).values
    shown = moved.transpose(GROUP, "layer").isel({GROUP: np.argsort(-means, kind="stable")[:most]})
    labels = [str(label) for label in shown[GROUP].values]
    ax = axes_of(ax, 2.8 + 0.36 * len(layers), 1.4 + 0.21 * len(labels))
    vmax = max(1.0, float(np.nanmax(shown.values, initial=0.0)))
    label = "moved (1 − Spearman's correlation)" if colorbar else None
    _draw_cells(ax, shown.values, labels, layers, label=label, cmap="magma_r", vmin=0.0, vmax=vmax)
    return finish(ax, x="layer", title=title, fontsize=11)


def _draw_cells(
    ax: Axes, values: np.ndarray, rows: list[str], columns: list[str], *, label: str | None, cmap: str, **limits: Any
) -> None:
    """Draw a matrix with labels, undefined cells in grey, and a colour bar if there is a label for it."""
    colors = colormaps[cmap].with_extremes(bad="0.85")
    image = ax.imshow(np.ma.masked_invalid(values), cmap=colors, aspect="auto", interpolation="nearest", **limits)
    name_ticks(ax.xaxis, columns, rotation=90 if max(len(drawn(name)) for name in columns) > 2 else 0, fontsize=8)
    name_ticks(ax.yaxis, rows, fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if label is not None:
        color_bar(image, label, small=8, fraction=0.05)
