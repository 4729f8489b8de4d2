"""Scales and text of figures: frequencies in Hz, lags in ms, units of values, labels without formulas."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from snaps.errors import InputError, legible, one_of
from snaps.schema import FREQUENCY, GROUP, LAG, RANK, UNIT

#: Ticks of a frequency axis, in Hz.
FREQUENCY_TICKS = (100, 500, 1000, 2000, 4000, 8000)
#: Largest number of characters of a label.
LONGEST_LABEL = 60
#: Invisible character before a label that a legend would otherwise leave out.
NAMED = "\u2060"


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


def draw_map(ax: Axes, values: xr.DataArray, *, cmap: Colormap, vmin: float, vmax: float) -> AxesImage:
    """Draw an array of shape (unit, other) with its lowest unit at the bottom."""
    matrix = np.ma.masked_invalid(values.transpose(UNIT, ...).values)
    return ax.imshow(
        matrix, origin="lower", aspect="auto", interpolation="nearest", vmin=vmin, vmax=vmax,
        extent=(*horizontal_of(values).edges, -0.5, matrix.shape[0] - 0.5), cmap=cmap.with_extremes(bad="0.85"),
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
