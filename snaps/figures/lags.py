"""Curves over lag: saliency of every layer (SNAP paper, section 5.2), and values of single units."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError, one_of
from snaps.figures.axes import (
    SMALL,
    axes_of,
    drawn,
    finish,
    finish_figure,
    group_index,
    horizontal_of,
    in_legend,
    label_columns,
    name_ticks,
    verbatim,
)
from snaps.figures.clustering import CLUSTER_COLORS
from snaps.figures.maps import between, value_label
from snaps.profiles import distinctive_units, used_lags
from snaps.schema import GROUP, LAG, UNIT

#: Height of a curve in its row.
RISE = 0.78
#: Number of solid lines with different colours; as many more are dashed.
COLORS = len(CLUSTER_COLORS)
#: Number of groups drawn in colour if the caller names none.
CHOSEN = 6
OTHERS = "0.82"


def plot_saliency_by_lag(
    curves: Mapping[str, xr.DataArray], ax: Axes | None = None, *, share: float = 0.95, title: str | None = None
) -> Axes:
    """Draw mean saliency over lag: a row for every layer, the first at the top.

    Every curve is scaled to its own largest value. A thin line below it covers all lags of the layer, a thick one
    the shortest range that holds `share` of the saliency; the ends of that range are at the right, in milliseconds.

    Parameters
    ----------
    curves : mapping of str to DataArray of shape (lag,)
        Result of `snaps.profiles.saliency_by_lag`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    share : float
        Share of the saliency that the thick line holds, above 0 and at most 1.
    title : str, optional
        Heading; an explanation of the thick line otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        As `snaps.profiles.used_lags` does.
    """
    ranges = used_lags(curves, share=share)
    ax = axes_of(ax, 7.2, 1.1 + 0.36 * len(curves))
    shades = colormaps["viridis"](np.linspace(0.05, 0.8, len(curves)))
    widest = max(curves.values(), key=lambda curve: float(abs(curve[LAG]).max()))
    for row, (curve, color) in enumerate(zip(curves.values(), shades, strict=True)):
        span = ranges.isel(layer=row)
        lags, values = 1000 * curve[LAG].values, np.asarray(curve.values, dtype=np.float64)
        base = -float(row)
        ax.plot(lags[[0, -1]], [base, base], color="0.8", linewidth=1, zorder=1)
        if int(span["n_used"]) == 0:
            _note(ax, base, "no saliency")
            continue
        heights = base + RISE * values / float(np.nanmax(values, initial=0.0))
        if len(lags) > 1:
            ax.fill_between(lags, base, heights, color=color, alpha=0.3, linewidth=0, zorder=2 - 0.01 * row)
        else:
            ax.vlines(lags, base, heights, color=color, linewidth=1.2)
        ax.plot(lags, heights, color=color, linewidth=1.2, marker="" if len(lags) > 1 else "o", markersize=3)
        first, last = 1000 * float(span["first"]), 1000 * float(span["last"])
        ax.plot([first, last], [base, base], color=color, linewidth=3.2, solid_capstyle="butt", zorder=3)
        reach = f"{first:.0f} … {last:.0f} ms" if len(lags) > 1 else "a single lag"
        _note(ax, base, reach.replace("-", "−"))
    ax.axvline(0, color="0.2", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.55, zorder=0)
    name_ticks(ax.yaxis, list(curves), -np.arange(len(curves)))
    ax.set_ylim(-len(curves) + 0.7, 1.0)
    horizontal = horizontal_of(widest.expand_dims(UNIT))
    label_columns(ax, horizontal)
    if len(horizontal.values) > 1:
        ax.set_xlim(*horizontal.edges)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    heading = f"mean saliency; thick: the shortest range with {100 * share:g} % of it" if title is None else title
    return finish(ax, y="layer", title=heading, fontsize=10, loc="left")


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
    """Draw the values of one unit over lag: a line for every group.

    Parameters
    ----------
    values : DataArray of shape (group, unit, lag)
        Result of `snaps.snap`, `snaps.contrast` or `snaps.nap`, or activations.
    unit : int
        Number of the unit.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    groups : sequence of str, optional
        Groups drawn in colour and named, 18 at most; otherwise the six with the largest absolute values in this unit.
    others : bool
        Whether to draw the other groups as thin grey lines.
    within : float, optional
        Seconds to show on both sides of the peak; all lags otherwise.
    units : str, optional
        Physical unit of the values; otherwise as in `plot_snap`.
    title : str, optional
        Heading; the unit and its layer otherwise.
    legend : bool
        Whether to add a legend.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If a unit or group does not exist, there are too many groups, or no lag lies `within`.
    """
    shown = between(_selected(values, [unit]), within)
    chosen = _chosen(shown, groups)
    ax = axes_of(ax, 6.0, 3.4)
    _draw(ax, shown, chosen, others=others)
    label_columns(ax, horizontal_of(shown.isel({GROUP: 0})))
    layer = str(values.attrs.get("layer", ""))
    if title is None:
        title = f"unit {unit} · {drawn(layer)}" if layer else f"unit {unit}"
    return finish(ax, y=drawn(value_label(values, units)), title=title, legend=SMALL if legend else None)


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
    """Draw several units of a layer over lag, a panel each, with one scale.

    Parameters
    ----------
    values : DataArray of shape (group, unit, lag)
        As in `plot_unit`.
    chosen : sequence of int, optional
        Numbers of the units; otherwise those that differ most between groups at the lags shown, see
        `snaps.profiles.distinctive_units`.
    groups : sequence of str, optional
        As in `plot_unit`; otherwise the six with the largest absolute values in any of these units.
    number : int
        Number of units to draw if `chosen` is None.
    others, within, units
        As in `plot_unit`.
    columns : int
        Number of panels side by side.
    title : str, optional
        Heading; the layer otherwise.

    Returns
    -------
    Figure
        Not registered with pyplot: a notebook shows it once, and it needs no closing.

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
    heading = drawn(values.attrs.get("layer", "")) if title is None else title
    return finish_figure(figure, x=horizontal.label, y=drawn(value_label(values, units)), title=heading)


def _note(ax: Axes, base: float, text: str) -> None:
    """Write to the right of a row."""
    ax.text(1.01, base + 0.02, text, transform=ax.get_yaxis_transform(), fontsize=8, va="bottom", color="0.25")


def _draw(ax: Axes, values: xr.DataArray, named: Sequence[str], *, others: bool) -> None:
    """Draw the lines of one unit from an array of shape (group, 1, lag)."""
    lines = values.isel({UNIT: 0})
    positions = horizontal_of(values.isel({GROUP: 0})).values
    marker = "" if len(positions) > 1 else "o"
    ax.axhline(0, color="0.75", linewidth=0.7, zorder=0)
    if LAG in lines.dims and len(positions) > 1:
        ax.axvline(0, color="0.2", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.55, zorder=0)
    for place, group in enumerate(named):
        ax.plot(
            positions, group_index(lines, group).values, color=CLUSTER_COLORS[place % COLORS],
            linestyle="-" if place < COLORS else "--", linewidth=1.4, marker=marker, markersize=4, zorder=3,
            label=in_legend(group),
        )  # fmt: skip
    rest = lines.values[~np.isin(lines[GROUP].values.astype(str), named)]
    if others and len(rest):
        first, *_ = ax.plot(positions, rest.T, color=OTHERS, linewidth=0.6, marker=marker, markersize=3, zorder=1)
        first.set_label(f"{len(rest)} other" + ("" if len(rest) == 1 else "s"))
    ax.spines[["top", "right"]].set_visible(False)


def _selected(values: xr.DataArray, wanted: Sequence[int]) -> xr.DataArray:
    """Values of the units with these numbers: shape (group, unit, lag)."""
    ordered = values.transpose(GROUP, UNIT, ...)
    numbers = ordered[UNIT].values.tolist()
    for unit in wanted:
        if unit not in numbers:
            raise InputError(f"there is no unit {unit!r}; there are {one_of(numbers)}")
    return ordered.isel({UNIT: [numbers.index(unit) for unit in wanted]})


def _chosen(shown: xr.DataArray, groups: Sequence[str] | None) -> list[str]:
    """Groups to draw in colour: those given, or those with the largest absolute values."""
    if groups is not None:
        if len(groups) > 2 * COLORS:
            raise InputError(f"there are {len(groups)} groups to tell apart; accepted are {2 * COLORS} at most")
        return [str(group) for group in groups]
    furthest = abs(shown).max(shown.dims[1:]).fillna(0).values
    order = np.argsort(-furthest, kind="stable")[:CHOSEN]
    return [str(label) for label in shown[GROUP].values[np.sort(order)]]
