"""Parts that all figures share: axes, ticks, headings, legends, colour bars; and figures as files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from snaps.errors import InputError, one_of
from snaps.figures.scales import drawn, verbatim

MARKERS = "osD^vP*X"
#: Options of legends at the right of the axes, with a small font and with the font of the labels.
SMALL: Mapping[str, Any] = {"bbox_to_anchor": (1.0, 0.5), "fontsize": 8}
LARGE: Mapping[str, Any] = {"bbox_to_anchor": (1.01, 0.5)}


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """Given axes, or new ones; width and height are in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def finish(
    ax: Axes,
    *,
    x: str | None = None,
    y: str | None = None,
    title: str | None = None,
    legend: Mapping[str, Any] | None = None,
    **heading: Any,
) -> Axes:
    """Add labels of the axes, the heading and the legend, all as literal text, and return the axes."""
    for write, text, options in ((ax.set_xlabel, x, {}), (ax.set_ylabel, y, {}), (ax.set_title, title, heading)):
        if text is not None:
            verbatim(write(text, **options))
    if legend is not None:
        verbatim(*ax.legend(frameon=False, loc="center left", **legend).get_texts())
    return ax


def name_ticks(axis: Axis, labels: ArrayLike, places: ArrayLike | None = None, **options: Any) -> None:
    """Label an axis with literal texts at the given places, or at 0, 1, 2 and so on."""
    names = [drawn(label) for label in np.asarray(labels, dtype=object)]
    axis.set_ticks(np.arange(len(names)) if places is None else np.asarray(places), names, **options)
    verbatim(*axis.get_ticklabels())


def color_bar(image: AxesImage, label: str, *, small: float | None = None, **place: Any) -> Colorbar:
    """Add a colour bar beside the axes of an image, or in the axes ``cax``; `small` is a font size."""
    beside: dict[str, Any] = {} if "cax" in place else {"ax": image.axes, "pad": 0.02}
    bar = image.axes.figure.colorbar(image, **beside, **place)
    bar.set_label(drawn(label), parse_math=False, fontsize=small or plt.rcParams["axes.labelsize"])
    bar.outline.set_visible(False)
    if small:
        bar.ax.tick_params(labelsize=small - 1, length=2)
    return bar


def layer_names(values: xr.DataArray, dims: set[str], transferred: str | None = None) -> list[str]:
    """Names of the layers of an array, after a check of its dimensions.

    Raises
    ------
    InputError
        If the array has other dimensions, or there is no layer `transferred`.
    """
    if set(values.dims) != dims:
        raise InputError(f"the array has the dimensions {values.dims}; accepted are {one_of(sorted(dims))}")
    layers = [str(layer) for layer in values["layer"].values]
    if transferred is not None and transferred not in layers:
        raise InputError(f"there is no layer {transferred!r}; there are {one_of(layers)}")
    return layers


def axes_over_layers(ax: Axes | None, layers: Sequence[str], *, least: float = 5.0, margin: float = 2.2) -> Axes:
    """Axes for lines over layers, with space for a legend at the right; `least` and `margin` are in inches."""
    return axes_of(ax, max(least, margin + 0.45 * len(layers)), 3.6)


def draw_percentiles(ax: Axes, values: xr.DataArray) -> None:
    """Draw a line over layers for every percentile of an array of shape (layer, percentile)."""
    values = values.transpose("percentile", "layer")
    shades = colormaps["viridis"](np.linspace(0.05, 0.85, len(values)))
    for place, (line, percentile) in enumerate(zip(values.values, values["percentile"].values, strict=True)):
        ax.plot(
            line, color=shades[place], marker=MARKERS[place % len(MARKERS)], markersize=4.5, linewidth=1.2, alpha=0.9,
            label=f"{percentile:g}th percentile",
        )  # fmt: skip


def finish_layers(
    ax: Axes,
    layers: Sequence[str],
    *,
    transferred: str | None = None,
    undefined: tuple[np.ndarray, str] | None = None,
    **frame: Any,
) -> Axes:
    """Label the layers, mark the last transferred layer and layers with undefined values, and finish the axes.

    Parameters
    ----------
    ax : Axes
        Axes with lines over layers.
    layers : sequence of str
        Names of the layers.
    transferred : str, optional
        Last layer with weights from another network; a dashed line follows it.
    undefined : (array of shape (layer,), str), optional
        Layers with a cross at the lower edge, and its label in the legend.
    **frame
        As in `finish`.
    """
    if transferred is not None:
        behind = layers.index(transferred) + 0.5
        ax.axvline(behind, color="0.4", linestyle="--", linewidth=1, label="transferred up to here")
    if undefined is not None and undefined[0].any():
        places = np.flatnonzero(undefined[0])
        ax.plot(
            places, np.zeros(places.size), linestyle="none", marker="x", color="0.35", markersize=5,
            transform=ax.get_xaxis_transform(), clip_on=False, zorder=5, label=undefined[1],
        )  # fmt: skip
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    crowded = max(len(drawn(layer)) for layer in layers) * len(layers) > 40
    name_ticks(ax.xaxis, layers, rotation=40 if crowded else 0, ha="right" if crowded else "center")
    ax.set_xlim(-0.5, len(layers) - 0.5)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.grid(axis="y", color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, **{"x": "layer", **frame})


def figure_of(drawn: Axes) -> Figure:
    """Figure of axes, for a page or a file; pyplot closes it.

    Parameters
    ----------
    drawn : Axes
        Result of a function of this room.

    Returns
    -------
    Figure
        The whole figure, also if the axes are in a subfigure.
    """
    figure = drawn.get_figure(root=True)
    assert figure is not None
    plt.close(figure)
    return figure


def save_figure(drawn: Axes | Figure, path: str | os.PathLike[str], *, dpi: float = 150) -> Path:
    """Write a figure to a file, and close it.

    Parameters
    ----------
    drawn : Axes or Figure
        Result of a function of this room.
    path : path
        File to write; its ending gives the format, e.g. ``.png`` or ``.pdf``.
    dpi : float
        Dots per inch, for raster formats.

    Returns
    -------
    Path
        The file.
    """
    # Pyplot keeps every open figure in memory.
    figure = drawn if isinstance(drawn, Figure) else figure_of(drawn)
    figure.savefig(path, dpi=dpi, bbox_inches="tight")
    return Path(path)


def draw_offscreen() -> None:
    """Draw without windows from now on, for programs that only write files."""
    plt.switch_backend("agg")
