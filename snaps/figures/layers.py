"""Axes along the layers of a network: their names, lines over them, and what is undefined."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from snaps.errors import InputError, one_of
from snaps.figures.scales import drawn, verbatim

MARKERS = "osD^vP*X"


def new_axes(layers: Sequence[str]) -> Axes:
    """Axes of their own for lines over so many layers, with room for a legend at the right."""
    _, ax = plt.subplots(figsize=(max(5.0, 2.2 + 0.45 * len(layers)), 3.6), layout="constrained")
    return ax


def draw_percentiles(ax: Axes, values: xr.DataArray) -> None:
    """Draw a line over layers for every percentile, from an array of shape (layer, percentile)."""
    percentiles = values["percentile"].values
    shades = colormaps["viridis"](np.linspace(0.05, 0.85, len(percentiles)))
    for column, percentile in enumerate(percentiles):
        ax.plot(
            np.arange(values.sizes["layer"]),
            values.transpose("layer", "percentile").values[:, column],
            color=shades[column],
            marker=MARKERS[column % len(MARKERS)],
            markersize=4.5,
            linewidth=1.2,
            alpha=0.9,
            label=f"{percentile:g}th percentile",
        )


def mark_depth(ax: Axes, layers: Sequence[str], transferred: str | None) -> None:
    """Draw a dashed line behind the last layer that was taken over from another network, if there is one."""
    if transferred is not None:
        behind = layers.index(transferred) + 0.5
        ax.axvline(behind, color="0.4", linestyle="--", linewidth=1, label="transferred up to here")


def check_depth(layers: Sequence[str], transferred: str | None) -> None:
    """Refuse a last layer of a transfer that does not exist.

    Raises
    ------
    InputError
        Naming the layers there are.
    """
    if transferred is not None and transferred not in layers:
        raise InputError(f"there is no layer {transferred!r}; there are {one_of(layers)}")


def mark_undefined(ax: Axes, undefined: np.ndarray, label: str) -> None:
    """Mark layers at which something is undefined with a cross at the lower edge; `undefined` is (layer,)."""
    places = np.flatnonzero(undefined)
    if places.size:
        ax.plot(
            places,
            np.zeros(places.size),
            linestyle="none",
            marker="x",
            color="0.35",
            markersize=5,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            zorder=5,
            label=label,
        )


def finish_axes(ax: Axes, layers: Sequence[str], label: str, *, title: str | None = None, legend: bool = True) -> None:
    """Name the layers below and the values at the left, with a line at 0."""
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    layers = [drawn(layer) for layer in layers]
    crowded = max(map(len, layers)) * len(layers) > 40
    verbatim(
        *ax.set_xticks(
            np.arange(len(layers)), layers, rotation=40 if crowded else 0, ha="right" if crowded else "center"
        )
        and ax.get_xticklabels()
    )
    ax.set_xlim(-0.5, len(layers) - 0.5)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.set_xlabel("layer")
    ax.set_ylabel(label)
    ax.grid(axis="y", color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if title is not None:
        verbatim(ax.set_title(title))
    if legend:
        place_legend(ax)


def place_legend(ax: Axes) -> None:
    """Explain lines and marks to the right of the axes."""
    legend = ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    verbatim(*legend.get_texts())


def labelled_layers(values: xr.DataArray, dims: set[str]) -> list[str]:
    """Names of the layers of an array.

    Raises
    ------
    InputError
        If the array has other dimensions.
    """
    if set(values.dims) != dims:
        raise InputError(f"the array has the dimensions {values.dims}; accepted are {one_of(sorted(dims))}")
    return [str(layer) for layer in values["layer"].values]
