"""Silhouettes over the layers of a network (SNAP paper, Figures 5 and 8)."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from snaps.clustering import mean_silhouette
from snaps.errors import InputError, one_of
from snaps.figures.scales import verbatim

MARKERS = "osD^vP*X"


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
    if transferred is not None and transferred not in layers:
        raise InputError(f"there is no layer {transferred!r}; there are {one_of(layers)}")
    if ax is None:
        _, ax = plt.subplots(figsize=(max(5.0, 2.2 + 0.45 * len(layers)), 3.6), layout="constrained")
    positions = np.arange(len(layers))
    percentiles = sweep["percentile"].values
    shades = colormaps["viridis"](np.linspace(0.05, 0.85, len(percentiles)))
    for column, percentile in enumerate(percentiles):
        ax.plot(
            positions,
            sweep.values[:, column],
            color=shades[column],
            marker=MARKERS[column % len(MARKERS)],
            markersize=4.5,
            linewidth=1.2,
            alpha=0.9,
            label=f"{percentile:g}th percentile",
        )
    if len(percentiles) > 1:
        ax.plot(positions, mean_silhouette(sweep).values, color="black", linewidth=3.5, label="mean", zorder=1.9)
    if transferred is not None:
        ax.axvline(
            layers.index(transferred) + 0.5,
            color="0.4",
            linestyle="--",
            linewidth=1,
            label="transferred up to here",
        )
    undefined = np.flatnonzero(np.isnan(sweep.values).any(axis=1))
    if undefined.size:
        ax.plot(
            undefined,
            np.zeros(undefined.size),
            linestyle="none",
            marker="x",
            color="0.35",
            markersize=5,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            zorder=5,
            label="undefined at some percentile",
        )
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    crowded = max(map(len, layers)) * len(layers) > 40
    verbatim(
        *ax.set_xticks(positions, layers, rotation=40 if crowded else 0, ha="right" if crowded else "center")
        and ax.get_xticklabels()
    )
    ax.set_xlim(-0.5, len(layers) - 0.5)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.set_xlabel("layer")
    ax.set_ylabel("mean silhouette")
    ax.grid(axis="y", color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if title is not None:
        verbatim(ax.set_title(title))
    if legend:
        ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax
