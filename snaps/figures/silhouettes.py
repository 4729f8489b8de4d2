"""Silhouettes over the layers of a network (SNAP paper, Figures 5 and 8)."""

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.clustering import mean_silhouette
from snaps.errors import InputError, one_of
from snaps.figures.clustermaps import CLUSTER_COLORS
from snaps.figures.layers import (
    MARKERS,
    check_depth,
    draw_percentiles,
    finish_axes,
    labelled_layers,
    mark_depth,
    mark_undefined,
    new_axes,
)
from snaps.figures.scales import in_legend, verbatim


def plot_silhouettes(
    sweep: xr.DataArray,
    ax: Axes | None = None,
    *,
    transferred: str | None = None,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw mean silhouettes over layers: a line for every percentile, and their mean in bold.

    Where a silhouette is undefined a line has a gap, and a cross at the lower edge says so; the mean is
    there where all percentiles are.

    Parameters
    ----------
    sweep : DataArray of shape (layer, percentile)
        What `snaps.silhouette_sweep` gives.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    transferred : str, optional
        The last layer that was taken over from another network: a dashed line is drawn behind it.
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
    if set(sweep.dims) != {"layer", "percentile"}:
        raise InputError(f"a sweep has the dimensions layer and percentile; received {sweep.dims}")
    sweep = sweep.transpose("layer", "percentile")
    layers = [str(layer) for layer in sweep["layer"].values]
    check_depth(layers, transferred)
    ax = new_axes(layers) if ax is None else ax
    draw_percentiles(ax, sweep)
    if sweep.sizes["percentile"] > 1:
        mean = mean_silhouette(sweep).values
        ax.plot(np.arange(len(layers)), mean, color="black", linewidth=3.5, label="mean", zorder=1.9)
    mark_depth(ax, layers, transferred)
    mark_undefined(ax, np.isnan(sweep.values).any(axis=1), "undefined at some percentile")
    finish_axes(ax, layers, "mean silhouette", title=title, legend=legend)
    return ax


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

    Across layers that a network lacks its line is dotted; where a silhouette is undefined the line has a gap, and
    a cross at the lower edge says so.

    Parameters
    ----------
    silhouettes : DataArray of shape (model, layer, percentile)
        What a comparison by `snaps.compare_models` has as ``silhouettes``.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    percentile : float, optional
        Percentile to show; the mean over all of them otherwise.
    transferred : str, optional
        The last layer that was taken over from another network: a dashed line is drawn behind it.
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
    layers = labelled_layers(silhouettes, {"model", "layer", "percentile"})
    check_depth(layers, transferred)
    known = silhouettes["percentile"].values.tolist()
    if percentile is not None and percentile not in known:
        raise InputError(f"there is no percentile {percentile!r}; there are {one_of(known)}")
    values = mean_silhouette(silhouettes) if percentile is None else silhouettes.sel(percentile=percentile)
    values = values.transpose("model", "layer")
    ax = new_axes(layers) if ax is None else ax
    undefined = np.zeros(len(layers), dtype=bool)
    for place, (name, line) in enumerate(zip(values["model"].values, values.values, strict=True)):
        there = _present(silhouettes.sel(model=name))
        undefined |= there & np.isnan(line)
        color = CLUSTER_COLORS[place % len(CLUSTER_COLORS)]
        ax.plot(np.flatnonzero(there), line[there], color=color, linestyle=":", linewidth=1.2)
        ax.plot(
            np.arange(len(layers)),
            np.where(there, line, np.nan),
            color=color,
            marker=MARKERS[place % len(MARKERS)],
            markersize=4.5,
            linewidth=1.6,
            label=in_legend(name),
        )
    mark_depth(ax, layers, transferred)
    mark_undefined(ax, undefined, "undefined in some network")
    shown = "mean over percentiles" if percentile is None else f"{percentile:g}th percentile"
    finish_axes(ax, layers, "mean silhouette", title=shown if title is None else title, legend=legend)
    return ax


def plot_silhouette_panels(
    silhouettes: xr.DataArray, *, transferred: str | None = None, title: str | None = None
) -> Figure:
    """Draw the silhouettes of several networks, one panel for every percentile and one for their mean.

    Parameters
    ----------
    silhouettes : DataArray of shape (model, layer, percentile)
        What a comparison by `snaps.compare_models` has as ``silhouettes``.
    transferred : str, optional
        The last layer that was taken over from another network: a dashed line is drawn behind it.
    title : str, optional
        Heading.

    Returns
    -------
    Figure
        Not known to pyplot, so that a notebook shows it once and nothing has to be closed.

    Raises
    ------
    InputError
        As `plot_model_silhouettes` does.
    """
    layers = labelled_layers(silhouettes, {"model", "layer", "percentile"})
    check_depth(layers, transferred)
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
    # Below the panels, or in the place of one where there are too few to fill the last row.
    drawn = (
        spare[0].legend(handles.values(), handles, loc="center", frameon=False, fontsize=9)
        if len(spare)
        else figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    )
    verbatim(*drawn.get_texts())
    if title is not None:
        verbatim(figure.suptitle(title, fontsize=11))
    return figure


def _present(silhouettes: xr.DataArray) -> np.ndarray:
    """Whether a network has each layer (layer,)."""
    if "has_layer" in silhouettes.coords:
        return np.asarray(silhouettes["has_layer"].values)
    return np.ones(silhouettes.sizes["layer"], dtype=bool)
