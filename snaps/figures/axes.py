"""Parts that all figures share: axes, ticks, scales in Hz and ms, headings, legends, colour bars; figures as files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike

from snaps.errors import InputError, legible, one_of
from snaps.schema import FREQUENCY, GROUP, LAG, RANK, UNIT

MARKERS = "osD^vP*X"
#: Options of legends at the right of the axes, with a small font and with the font of the labels.
SMALL: Mapping[str, Any] = {"bbox_to_anchor": (1.0, 0.5), "fontsize": 8}
LARGE: Mapping[str, Any] = {"bbox_to_anchor": (1.01, 0.5)}
#: Ticks of a frequency axis, in Hz.
FREQUENCY_TICKS = (100, 500, 1000, 2000, 4000, 8000)
#: Largest number of characters of a label.
LONGEST_LABEL = 60
#: Invisible character before a label that a legend would otherwise leave out.
NAMED = "\u2060"


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


def finish_figure(figure: Figure, *, x: str = "", y: str = "", title: str | None = None) -> Figure:
    """Add labels and the heading of a figure with several panels, all as literal text, and return the figure."""
    for write, text, size in ((figure.supxlabel, x, 9), (figure.supylabel, y, 9), (figure.suptitle, title, 11)):
        if text:
            verbatim(write(text, fontsize=size))
    return figure


def name_ticks(axis: Axis, labels: ArrayLike, places: ArrayLike | None = None, **options: Any) -> None:
    """Label an axis with literal texts at the given places, or at 0, 1, 2 and so on."""
    names = [drawn(label) for label in np.asarray(labels, dtype=object)]
    axis.set_ticks(np.arange(len(names)) if places is None else np.asarray(places), names, **options)
    verbatim(*axis.get_ticklabels())


def color_bar(image: AxesImage, label: str, *, small: float | None = None, **place: Any) -> Colorbar:
    """Add a colour bar beside the axes of an image, or beside the axes ``ax``; `small` is a font size."""
    bar = image.axes.figure.colorbar(image, **{"ax": image.axes, "pad": 0.02, **place})
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


@dataclass(frozen=True)
class Horizontal:
    """Horizontal axis of a map.

    Attributes
    ----------
    values : array of shape (columns,)
        Position of every column.
    label : str
        Axis label, with its unit.
    step : float
        Width of a column.
    """

    values: np.ndarray
    label: str
    step: float

    @property
    def edges(self) -> tuple[float, float]:
        """Left edge of the first column and right edge of the last one."""
        return self.values[0] - self.step / 2, self.values[-1] + self.step / 2


def horizontal_of(values: xr.DataArray) -> Horizontal:
    """Horizontal axis of an array of shape (unit, other): in ms for lags and times, in steps or ranks otherwise.

    Raises
    ------
    InputError
        If the array is not two-dimensional with the dimension ``unit``.
    """
    others = [str(dim) for dim in values.dims if dim != UNIT]
    if UNIT not in values.dims or len(others) != 1:
        raise InputError(f"a map has the dimension 'unit' and one other; received {values.dims}")
    (dim,) = others
    size = values.sizes[dim]
    positions = np.asarray(values[dim].values, dtype=np.float64) if dim in values.coords else np.arange(size)
    in_seconds = dim in values.coords and dim != RANK and dim != "step"
    scale = 1000.0 if in_seconds else 1.0
    label = {LAG: "lag from the peak (ms)", RANK: "rank"}.get(dim, f"{dim} (ms)" if in_seconds else dim)
    step = float(values.attrs.get("step", 1.0)) if size == 1 else float(np.diff(positions).mean())
    return Horizontal(positions * scale, label, step * scale)


def draw_map(ax: Axes, values: xr.DataArray, *, cmap: Colormap, **limits: Any) -> AxesImage:
    """Draw an array of shape (unit, other) with its lowest unit at the bottom."""
    matrix = np.ma.masked_invalid(values.transpose(UNIT, ...).values)
    return ax.imshow(
        matrix, origin="lower", aspect="auto", interpolation="nearest", cmap=cmap.with_extremes(bad="0.85"),
        extent=(*horizontal_of(values).edges, -0.5, matrix.shape[0] - 0.5), **limits,
    )  # fmt: skip


def label_units(ax: Axes, values: xr.DataArray, *, label: bool = True) -> None:
    """Set the ticks of the vertical axis: frequencies in Hz if they are known, else numbers of units."""
    if FREQUENCY in values.coords:
        ticks = frequency_ticks(values[FREQUENCY].values)
        names = [f"{hertz / 1000:g}k" if hertz >= 1000 else f"{hertz:g}" for hertz in ticks]
        ax.set_yticks(list(ticks.values()), names)
        ax.minorticks_off()
    else:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        # Profiles of a selection of units keep their numbers.
        numbers = values[UNIT].values
        ax.yaxis.set_major_formatter(
            FuncFormatter(lambda y, _: str(numbers[round(y)]) if 0 <= round(y) < len(numbers) else "")
        )
    if label:
        ax.set_ylabel(vertical_label(values))


def vertical_label(values: xr.DataArray) -> str:
    """Label of the vertical axis."""
    return "frequency (Hz)" if FREQUENCY in values.coords else "unit"


def label_columns(ax: Axes, horizontal: Horizontal, *, label: bool = True, bins: int = 7) -> None:
    """Set the ticks of the horizontal axis."""
    if len(horizontal.values) == 1:
        ax.set_xticks(horizontal.values)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=bins, steps=[1, 2, 2.5, 4, 5, 10]))
    if label:
        ax.set_xlabel(horizontal.label)


def frequency_ticks(frequency: np.ndarray) -> dict[int, float]:
    """Positions of the ticks among units with these centre frequencies in Hz."""
    places = {hertz: frequency_place(frequency, hertz) for hertz in FREQUENCY_TICKS}
    ticks = {hertz: place for hertz, place in places.items() if place is not None}
    # Of labels that would touch, the one of the higher frequency stays.
    kept: dict[int, float] = {}
    for hertz, position in reversed(ticks.items()):
        if not kept or min(kept.values()) - position >= 0.055 * len(frequency):
            kept[hertz] = position
    return dict(reversed(kept.items()))


def frequency_place(frequency: np.ndarray, hertz: float) -> float | None:
    """Position of a frequency in Hz among units with these centre frequencies; None if it lies off the axis.

    A frequency up to one unit beyond the outermost one, such as the upper edge of the last mel band, lies at the edge.
    """
    if len(frequency) < 2 or not (np.diff(frequency) > 0).all():
        return None
    centres = np.concatenate([[2 * frequency[0] - frequency[1]], frequency, [2 * frequency[-1] - frequency[-2]]])
    # The tolerance keeps the tick at the end of the scale in spite of rounding.
    if not centres[0] <= hertz <= centres[-1] * (1 + 1e-3):
        return None
    place = np.interp(hertz, centres, np.arange(-1, len(frequency) + 1))
    return float(np.clip(place, -0.5, len(frequency) - 0.5))


def largest(values: xr.DataArray) -> float:
    """Largest absolute value, for a colour scale around zero; 1 if all values are 0 or not finite."""
    finite = np.abs(values.values[np.isfinite(values.values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def units_of(values: xr.DataArray, given: str | None = None) -> str:
    """Physical unit of the values: as given, else the attribute ``units``, else dB if the units have frequencies."""
    if given is not None:
        return given
    return str(values.attrs.get("units", "dB" if FREQUENCY in values.coords else ""))


def with_units(name: str, units: str) -> str:
    """Label of a scale with its physical unit.

    Examples
    --------
    >>> with_units("SNAP", "dB")
    'SNAP (dB)'
    """
    return f"{name} ({units})" if units else name


def drawn(label: object) -> str:
    """Label in a figure: control characters are escaped as in Python, and long labels are shortened.

    Examples
    --------
    >>> drawn("x" * 100)
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxx'
    """
    text = legible(str(label))
    return text if len(text) <= LONGEST_LABEL else f"{text[:40]}…{text[-15:]}"


def in_legend(label: object) -> str:
    """Label for a legend; `NAMED` comes first if it begins with an underscore, which matplotlib would leave out."""
    text = drawn(label)
    return NAMED + text if text.startswith("_") or not text else text


def verbatim(*texts: Text) -> None:
    """Show texts literally: a dollar sign does not begin a formula."""
    for text in texts:
        text.set_parse_math(False)
        text.set_text(legible(text.get_text().removeprefix(NAMED), keep="\n"))


def group_index(values: xr.DataArray, group: str) -> xr.DataArray:
    """Values of one group.

    Raises
    ------
    InputError
        If the array has no such group.
    """
    if GROUP not in values.dims or GROUP not in values.coords:
        raise InputError(f"the array has no labelled dimension 'group'; its dimensions are {values.dims}")
    labels = [str(label) for label in values[GROUP].values]
    if group not in labels:
        raise InputError(f"there is no group {group!r}; there are {one_of(labels)}")
    return values.isel({GROUP: labels.index(group)})
