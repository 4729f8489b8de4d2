"""The frame that all figures share: axes, ticks, headings, legends and colour bars, and pictures as files."""

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
#: Legends to the right of the axes, in a smaller font and in that of the labels.
SMALL: Mapping[str, Any] = {"bbox_to_anchor": (1.0, 0.5), "fontsize": 8}
LARGE: Mapping[str, Any] = {"bbox_to_anchor": (1.01, 0.5)}


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """Axes to draw on: those given, or new ones of so many inches."""
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
    """Write the names of the axes, the heading and the legend as they are, and give the axes back."""
    for write, text, options in ((ax.set_xlabel, x, {}), (ax.set_ylabel, y, {}), (ax.set_title, title, heading)):
        if text is not None:
            verbatim(write(text, **options))
    if legend is not None:
        verbatim(*ax.legend(frameon=False, loc="center left", **legend).get_texts())
    return ax


def name_ticks(axis: Axis, labels: ArrayLike, places: ArrayLike | None = None, **options: Any) -> None:
    """Write labels along an axis as they are, one at each place; at 0, 1, 2 and so on otherwise."""
    names = [drawn(label) for label in np.asarray(labels, dtype=object)]
    axis.set_ticks(np.arange(len(names)) if places is None else np.asarray(places), names, **options)
    verbatim(*axis.get_ticklabels())


def color_bar(image: AxesImage, label: str, *, small: float | None = None, **place: Any) -> Colorbar:
    """Add a colour bar beside the axes of an image, or in those given as ``cax``; `small` is the size of its font."""
    beside: dict[str, Any] = {} if "cax" in place else {"ax": image.axes, "pad": 0.02}
    bar = image.axes.figure.colorbar(image, **beside, **place)
    bar.set_label(drawn(label), parse_math=False, fontsize=small or plt.rcParams["axes.labelsize"])
    bar.outline.set_visible(False)
    if small:
        bar.ax.tick_params(labelsize=small - 1, length=2)
    return bar


def layers_of(values: xr.DataArray, dims: set[str], transferred: str | None = None) -> list[str]:
    """Names of the layers of an array.

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
    """Axes for lines over so many layers, with room for a legend at the right."""
    return axes_of(ax, max(least, margin + 0.45 * len(layers)), 3.6)


def draw_percentiles(ax: Axes, values: xr.DataArray) -> None:
    """Draw a line over layers for every percentile, from an array of shape (layer, percentile)."""
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
    """Name the layers below, mark a depth of transfer and layers where something is undefined, and finish the axes.

    Parameters
    ----------
    ax : Axes
        Where lines over layers are drawn.
    layers : sequence of str
        Their names.
    transferred : str, optional
        The last layer that was taken over from another network: a dashed line is drawn behind it.
    undefined : (array of shape (layer,), str), optional
        Layers that have a cross at the lower edge, and what the legend says of it.
    **frame
        As `finish` takes it.
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
    """The figure that axes stand in, let go of by pyplot, for a page or a file.

    Parameters
    ----------
    drawn : Axes
        What a function of this room gave.

    Returns
    -------
    Figure
        The whole figure, also where the axes stand in a part of it.
    """
    figure = drawn.get_figure(root=True)
    assert figure is not None
    plt.close(figure)
    return figure


def save_figure(drawn: Axes | Figure, path: str | os.PathLike[str], *, dpi: float = 150) -> Path:
    """Write a picture to a file, and let go of it.

    Parameters
    ----------
    drawn : Axes or Figure
        What a function of this room gave.
    path : path
        File to write; its ending says in which format, e.g. ``.png`` or ``.pdf``.
    dpi : float
        Dots per inch, for formats that consist of dots.

    Returns
    -------
    Path
        The file.
    """
    # Pyplot keeps what it has made, and a long run makes many.
    figure = drawn if isinstance(drawn, Figure) else figure_of(drawn)
    figure.savefig(path, dpi=dpi, bbox_inches="tight")
    return Path(path)


def draw_offscreen() -> None:
    """Open no window from now on, whatever the machine has: pictures become files alone."""
    plt.switch_backend("agg")
