"""Chosen units of a hidden layer over lag: one panel a unit, one line a group."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError, one_of
from snaps.figures.clustermaps import CLUSTER_COLORS
from snaps.figures.layers import place_legend
from snaps.figures.maps import between, value_label
from snaps.figures.scales import drawn, group_index, horizontal_of, in_legend, label_columns, verbatim
from snaps.profiles import distinctive_units
from snaps.schema import GROUP, UNIT

#: Lines that are told apart by colour; the next as many are dashed.
COLORS = len(CLUSTER_COLORS)
#: Groups that are chosen where none are named.
CHOSEN = 6
OTHERS = "0.82"


def plot_unit(
    values: xr.DataArray,
    unit: int,
    ax: Axes | None = None,
    *,
    groups: Sequence[str] | None = None,
    others: bool = True,
    within: float | None = None,
    units: str | None = None,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw one unit's values over lag: a line for every group.

    Parameters
    ----------
    values : DataArray of shape (group, unit, lag)
        What `snaps.snap`, `snaps.contrast` or `snaps.nap` gives, or an activation.
    unit : int
        Number of the unit.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    groups : sequence of str, optional
        Groups that have a colour and a name, 18 at most; otherwise the six that reach furthest from zero in this
        unit.
    others : bool
        Whether the other groups are drawn too, as thin grey lines.
    within : float, optional
        Seconds to both sides of the peak to show; all lags otherwise.
    units : str, optional
        Unit of the values; otherwise as in `plot_snap`.
    title : str, optional
        The unit and its layer otherwise.
    legend : bool
        Whether to add a legend.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If there is no such unit or group, there are too many groups, or no lag lies `within`.
    """
    shown = between(_selected(values, [unit]), within)
    chosen = _chosen(shown, groups)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
    _draw(ax, shown, chosen, others=others)
    layer = str(values.attrs.get("layer", ""))
    verbatim(
        ax.set_title(title if title is not None else (f"unit {unit} · {drawn(layer)}" if layer else f"unit {unit}"))
    )
    horizontal = horizontal_of(shown.isel({GROUP: 0}))
    label_columns(ax, horizontal)
    ax.set_ylabel(drawn(value_label(values, units)))
    verbatim(ax.yaxis.label)
    if legend:
        place_legend(ax)
    return ax


def plot_units(
    values: xr.DataArray,
    chosen: Sequence[int] | None = None,
    *,
    groups: Sequence[str] | None = None,
    number: int = 6,
    others: bool = True,
    within: float | None = None,
    units: str | None = None,
    columns: int = 3,
    title: str | None = None,
) -> Figure:
    """Draw several units of a layer over lag, a panel each, on one scale.

    Parameters
    ----------
    values : DataArray of shape (group, unit, lag)
        As `plot_unit` takes them.
    chosen : sequence of int, optional
        Numbers of the units; otherwise those that differ most between groups at the lags shown, see
        `snaps.profiles.distinctive_units`.
    groups : sequence of str, optional
        As in `plot_unit`; otherwise the six that reach furthest from zero in any of these units.
    number : int
        How many units to choose if none are named.
    others, within, units
        As in `plot_unit`.
    columns : int
        Panels side by side.
    title : str, optional
        Heading; the layer otherwise.

    Returns
    -------
    Figure
        Not known to pyplot, so that a notebook shows it once and nothing has to be closed.

    Raises
    ------
    InputError
        If no units are named or `columns` is below 1, and as `plot_unit` and `distinctive_units` do.
    """
    cut = between(values, within)
    wanted = distinctive_units(cut, number=number)[UNIT].values.tolist() if chosen is None else list(chosen)
    if not wanted or columns < 1:
        raise InputError(f"there are {len(wanted)} units to draw in {columns!r} columns; accepted is 1 or more of both")
    shown = _selected(cut, wanted)
    named = _chosen(shown, groups)
    across = min(columns, len(wanted))
    down = -(-len(wanted) // across)
    figure = Figure(figsize=(1.5 + 2.4 * across, 0.7 + 1.75 * down), layout="constrained")
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    horizontal = horizontal_of(shown.isel({GROUP: 0}))
    for place, (ax, unit) in enumerate(zip(grid.flat, wanted, strict=False)):
        _draw(ax, shown.isel({UNIT: [place]}), named, others=others)
        ax.set_title(f"unit {unit}", fontsize=9, pad=3)
        label_columns(ax, horizontal, label=False, bins=5)
        ax.tick_params(labelsize=7, length=2, labelbottom=place + across >= len(wanted))
    handles = grid[0, 0].get_legend_handles_labels()
    for ax in grid.flat[len(wanted) :]:
        ax.remove()
    verbatim(*figure.legend(*handles, loc="outside right center", frameon=False, fontsize=8).get_texts())
    figure.supxlabel(horizontal.label, fontsize=9)
    verbatim(figure.supylabel(drawn(value_label(values, units)), fontsize=9))
    heading = drawn(values.attrs.get("layer", "")) if title is None else title
    if heading:
        verbatim(figure.suptitle(heading, fontsize=11))
    return figure


def _draw(ax: Axes, values: xr.DataArray, named: Sequence[str], *, others: bool) -> None:
    """Draw the lines of one unit, from an array of shape (group, 1, lag)."""
    lines = values.isel({UNIT: 0})
    positions = horizontal_of(values.isel({GROUP: 0})).values
    marker = "" if len(positions) > 1 else "o"
    ax.axhline(0, color="0.75", linewidth=0.7, zorder=0)
    if values.dims[-1] == "lag" and len(positions) > 1:
        ax.axvline(0, color="0.2", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.55, zorder=0)
    for place, group in enumerate(named):
        ax.plot(
            positions,
            group_index(lines, group).values,
            color=CLUSTER_COLORS[place % COLORS],
            linestyle="-" if place < COLORS else "--",
            linewidth=1.4,
            marker=marker,
            markersize=4,
            zorder=3,
            label=in_legend(group),
        )
    rest = [str(label) for label in lines[GROUP].values if str(label) not in named] if others else []
    for place, group in enumerate(rest):
        label = f"{len(rest)} other" + ("" if len(rest) == 1 else "s") if place == 0 else None
        values_of = group_index(lines, group).values
        ax.plot(positions, values_of, color=OTHERS, linewidth=0.6, marker=marker, markersize=3, zorder=1, label=label)
    ax.spines[["top", "right"]].set_visible(False)


def _selected(values: xr.DataArray, wanted: Sequence[int]) -> xr.DataArray:
    """Choose units by their numbers."""
    if UNIT not in values.dims or GROUP not in values.dims:
        raise InputError(f"the values have the dimensions {values.dims}; accepted are 'group', 'unit' and 'lag'")
    numbers = values[UNIT].values.tolist() if UNIT in values.coords else list(range(values.sizes[UNIT]))
    for unit in wanted:
        if unit not in numbers:
            known = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 12 else one_of(numbers)
            raise InputError(f"there is no unit {unit!r}; there are {known}")
    return values.isel({UNIT: [numbers.index(unit) for unit in wanted]}).transpose(GROUP, UNIT, ...)


def _chosen(shown: xr.DataArray, groups: Sequence[str] | None) -> list[str]:
    if groups is not None:
        if len(groups) > 2 * COLORS:
            raise InputError(f"there are {len(groups)} groups to tell apart; accepted are {2 * COLORS} at most")
        for group in groups:
            group_index(shown, group)
        return [str(group) for group in groups]
    furthest = np.nan_to_num(np.nanmax(np.abs(shown.fillna(0).values), axis=(1, 2)))
    order = np.argsort(-furthest, kind="stable")[:CHOSEN]
    return [str(label) for label in shown[GROUP].values[np.sort(order)]]
