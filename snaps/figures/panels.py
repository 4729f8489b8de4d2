"""Several maps in one figure, e.g. the same groups by several methods (SNAP paper, Figure 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError, check_choice
from snaps.figures.axes import (
    color_bar,
    drawn,
    finish_figure,
    group_index,
    horizontal_of,
    label_columns,
    label_units,
    units_of,
    verbatim,
    vertical_label,
    with_units,
)
from snaps.figures.maps import between, draw_panel, limit_of, value_label
from snaps.figures.marks import Marks, draw_marks
from snaps.schema import GROUP

Shared = Literal["row", "column", "panel", "all"]


@dataclass(frozen=True, eq=False)
class Panel:
    """One map of a figure: a group of a result of `snaps.snap`, `snaps.navai`, `snaps.contrast` or `snaps.nap`.

    Attributes
    ----------
    values : DataArray of shape (group, unit, lag)
        As `plot_snap` takes them.
    group : str
        Label of the group.
    name : str
        Text in the map; the group otherwise.
    """

    values: xr.DataArray
    group: str
    name: str = ""


def plot_snap_grid(
    snap: xr.DataArray,
    groups: Sequence[str] | None = None,
    *,
    shared: bool = True,
    columns: int | None = None,
    within: float | None = None,
    vmax: float | None = None,
    units: str | None = None,
    marks: Marks | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the SNAPs of several groups side by side.

    Parameters
    ----------
    snap : DataArray of shape (group, unit, lag)
        As `plot_snap` takes it.
    groups : sequence of str, optional
        Groups to show, in this order; all otherwise.
    shared : bool
        Whether all panels share one colour scale. Otherwise every panel has its own scale and names its largest value.
    columns : int, optional
        Panels side by side; chosen by the number of groups otherwise.
    within : float, optional
        Seconds to both sides of the peak to show; all lags otherwise. See `reach`.
    vmax : float, optional
        Value of the darkest red; the largest of the panels that share a scale otherwise.
    units : str, optional
        As in `plot_snap`.
    marks : mapping of str to sequence of float or Mark, optional
        As in `plot_snap`.
    title : str, optional
        Heading of the figure.

    Returns
    -------
    Figure
        Not registered with pyplot: a notebook shows it once, and it needs no closing.

    Raises
    ------
    InputError
        If a group does not exist, `groups` is empty, no lag lies `within`, or `marks` do not fit, see `plot_snap`.
    """
    chosen = [str(label) for label in (snap[GROUP].values if groups is None else groups)]
    # A little wider than high, and at most eight columns, which fit a page.
    fitting = len(chosen) if len(chosen) <= 4 else int(np.clip(np.ceil(np.sqrt(len(chosen) * 1.3)), 4, 8))
    across = columns or max(1, fitting)
    rows = [[Panel(snap, group) for group in chosen[start : start + across]] for start in range(0, len(chosen), across)]
    scale: Shared = "all" if shared else "panel"
    return plot_panels(rows, shared=scale, within=within, vmax=vmax, units=units, marks=marks, title=title)


def plot_methods(
    methods: Mapping[str, xr.DataArray],
    groups: Sequence[str],
    *,
    shared: Shared = "row",
    within: float | None = None,
    units: str | None = None,
    marks: Marks | None = None,
    title: str | None = None,
) -> Figure:
    """Draw maps of groups by several methods: a row for each group, a column for each method.

    Figure 4 of the SNAP paper compares NAvAI and SNAP in this way, Figure 3 of the NAvAI paper compares alignments
    (with ``shared="panel"``).

    Parameters
    ----------
    methods : mapping of str to DataArray of shape (group, unit, lag)
        Values by the heading of their column, e.g. ``{"NAvAI": snaps.navai(…), "SNAP": snaps.snap(…)}``.
    groups : sequence of str
        Groups to show; every method must have all of them.
    shared : {"row", "column", "panel", "all"}
        Panels that share one colour scale. If those of a row do not, every panel names its largest value.
    within : float, optional
        Seconds to both sides of the peak to show; all lags otherwise.
    units : str, optional
        Unit of the values for the colour bars; otherwise as in `plot_snap`.
    marks : mapping of str to sequence of float or Mark, optional
        As in `plot_snap`.
    title : str, optional
        Heading of the figure.

    Returns
    -------
    Figure
        Not registered with pyplot: a notebook shows it once, and it needs no closing.

    Raises
    ------
    InputError
        If there are no methods or groups, a method lacks a group, and as `plot_snap` does.

    Examples
    --------
    >>> methods = {"NAvAI": snaps.navai(profiles["predicted/input"]), "SNAP": snaps.snap(profiles["predicted/input"])}
    ... # doctest: +SKIP
    >>> plot_methods(methods, ["a", "e", "t"])  # doctest: +SKIP
    """
    rows = [[Panel(values, str(group)) for values in methods.values()] for group in groups]
    headings = list(map(str, methods))
    return plot_panels(rows, headings=headings, shared=shared, within=within, units=units, marks=marks, title=title)


def plot_panels(
    rows: Sequence[Sequence[Panel]],
    *,
    names: Sequence[str] = (),
    headings: Sequence[str] = (),
    shared: Shared = "row",
    within: float | None = None,
    vmax: float | None = None,
    units: str | None = None,
    marks: Marks | None = None,
    title: str | None = None,
) -> Figure:
    """Draw rows of maps of any groups and profiles, e.g. letters above phonemes as in Figure 4 of the SNAP paper.

    Parameters
    ----------
    rows : sequence of sequences of Panel
        Maps, row by row; rows may differ in length.
    names : sequence of str
        Names of the rows, at their left; none if empty.
    headings : sequence of str
        Headings of the columns; none if empty.
    shared : {"row", "column", "panel", "all"}
        As in `plot_methods`.
    within, units, marks, title
        As in `plot_methods`.
    vmax : float, optional
        Value of the darkest red in all panels; the largest of the panels that share colours otherwise.

    Returns
    -------
    Figure
        Not known to pyplot.

    Raises
    ------
    InputError
        If there is nothing to draw, names or headings are not as many as rows or columns, and as `plot_methods` does.
    """
    check_choice("shared", shared, get_args(Shared))
    if not rows or not all(rows):
        raise InputError("there is nothing to draw: every row needs a map")
    across = max(map(len, rows))
    for what, given, expected in (("names", names, len(rows)), ("headings", headings, across)):
        if given and len(given) != expected:
            raise InputError(f"there are {len(given)} {what}; accepted are {expected}, or none")
    shown = [[between(group_index(panel.values, panel.group), within) for panel in row] for row in rows]
    limits = _limits(shown, shared, vmax)
    bars = shared in ("row", "all")
    # Inches for a map, and for labels and colour bars beside the maps.
    width, height = (1.9, 1.3) if across <= 4 else (1.45, 1.05)
    figure = Figure(figsize=(width * across + (1.4 if bars else 0.7), height * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), across, squeeze=False)
    for row, (panels, cut) in enumerate(zip(rows, shown, strict=True)):
        for column, (panel, values) in enumerate(zip(panels, cut, strict=True)):
            ax, limit = axes[row, column], limits[row, column]
            image = draw_panel(ax, values, limit)
            draw_marks(ax, values, marks=marks, group=panel.group, small=True)
            _trim_ticks(ax, values, below=row + 1 == len(rows) or column >= len(rows[row + 1]), left=column == 0)
            scale = f"±{limit:.3g} {units_of(panel.values, units)}".rstrip()
            _name_panel(ax, panel.name or panel.group, "" if bars else scale)
        for ax in axes[row, len(panels) :]:
            ax.set_axis_off()
        if shared == "row":
            color_bar(image, _bar_label(panels, units), small=7, ax=axes[row], aspect=10, shrink=0.9)
    if shared == "all":
        label = _bar_label([panel for row in rows for panel in row], units)
        color_bar(image, label, small=8, ax=axes, shrink=0.8, aspect=8 * len(rows))
    for ax, heading in zip(axes[0], headings, strict=False):
        verbatim(ax.set_title(drawn(heading), fontsize=9))
    for ax, name in zip(axes[:, 0], names, strict=False):
        verbatim(ax.set_ylabel(drawn(name), fontsize=8))
    return finish_figure(figure, x=horizontal_of(shown[-1][0]).label, y=vertical_label(shown[0][0]), title=title)


def _trim_ticks(ax: Axes, values: xr.DataArray, *, below: bool, left: bool) -> None:
    """Set the ticks of a small panel, with numbers only at the edges of the figure."""
    horizontal = horizontal_of(values)
    label_units(ax, values, label=False)
    label_columns(ax, horizontal, label=False, bins=4)
    if len(horizontal.values) > 1:
        # A number at the very edge would touch that of the next panel.
        first, last = np.interp((0.07, 0.93), (0, 1), horizontal.edges)
        ticks = ax.xaxis.get_major_locator().tick_values(first, last)
        ax.set_xticks([tick for tick in ticks if first <= tick <= last])
    ax.tick_params(labelbottom=below, labelleft=left, labelsize=6.5, length=2, pad=1.5)


def _name_panel(ax: Axes, name: str, scale: str) -> None:
    """Write the name of a panel into its upper left corner, and the value of its darkest colours into the right one."""
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.2}
    verbatim(ax.text(0.03, 0.95, drawn(name), transform=ax.transAxes, va="top", fontsize=8.5, weight="bold", bbox=box))
    if scale:
        verbatim(ax.text(0.97, 0.95, drawn(scale), transform=ax.transAxes, va="top", ha="right", fontsize=6, bbox=box))


def _limits(shown: Sequence[Sequence[xr.DataArray]], shared: Shared, vmax: float | None) -> np.ndarray:
    """Value of the darkest red of every panel: (row, column), NaN where there is no panel."""
    result = np.full((len(shown), max(map(len, shown))), np.nan)
    for row, values in enumerate(shown):
        result[row, : len(values)] = [limit_of(value, vmax) for value in values]
    if shared == "panel":
        return result
    axis = {"row": 1, "column": 0, "all": None}[shared]
    return np.broadcast_to(np.nanmax(result, axis=axis, keepdims=True), result.shape)


def _bar_label(panels: Sequence[Panel], units: str | None) -> str:
    """Label of the colour bar of several panels, with the unit of the values if it is the same in all of them."""
    names = dict.fromkeys(value_label(panel.values, "") for panel in panels)
    common = {units_of(panel.values, units) for panel in panels}
    return with_units(" and ".join(names) if len(names) < 3 else "value", common.pop() if len(common) == 1 else "")
