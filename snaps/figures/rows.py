"""Maps in rows of shared colours: one method beside another for the same groups (SNAP paper, Figure 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from snaps.errors import InputError, one_of
from snaps.figures.maps import between, draw_panel, value_label, vertical_label
from snaps.figures.marks import Marks, draw_marks
from snaps.figures.panels import bar_beside, inches, label_sides, name_panel, panel_axes, trim_ticks
from snaps.figures.scales import drawn, group_index, horizontal_of, largest, units_of, verbatim, with_units

Shared = Literal["row", "column", "panel", "all"]


@dataclass(frozen=True, eq=False)
class Panel:
    """One map of a picture: a group of what `snaps.snap`, `snaps.navai`, `snaps.contrast` or `snaps.nap` gives.

    Attributes
    ----------
    values : DataArray of shape (group, unit, lag)
        As `plot_snap` takes them.
    group : str
        Label of the group.
    name : str
        What is written into the map; the group otherwise.
    """

    values: xr.DataArray
    group: str
    name: str = ""


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
    """Draw groups, one below the other, as several methods show them, side by side.

    For NAvAI against SNAP as in Figure 4 of the SNAP paper, and for alignments against each other as in Figure 3
    of the NAvAI paper (there with ``shared="panel"``).

    Parameters
    ----------
    methods : mapping of str to DataArray of shape (group, unit, lag)
        What to show, by the heading of its column, e.g. ``{"NAvAI": snaps.navai(…), "SNAP": snaps.snap(…)}``.
    groups : sequence of str
        The groups to show, each of which every method has.
    shared : {"row", "column", "panel", "all"}
        Where a colour means the same value. Where it does not along a row, panels name their largest value.
    within : float, optional
        Seconds to both sides of the peak to show; all lags otherwise.
    units : str, optional
        Unit of the values for the colour bars; otherwise as in `plot_snap`.
    marks : mapping of str to sequence of float or Mark, optional
        As in `plot_snap`.
    title : str, optional
        Heading of the whole picture.

    Returns
    -------
    Figure
        Not known to pyplot, so that a notebook shows it once and nothing has to be closed.

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
    units: str | None = None,
    marks: Marks | None = None,
    title: str | None = None,
) -> Figure:
    """Draw rows of maps of any groups and origins, e.g. letters above phonemes as Figure 4 of the SNAP paper does.

    Parameters
    ----------
    rows : sequence of sequences of Panel
        The maps, row by row; rows may differ in length.
    names : sequence of str
        Names of the rows, written to their left; none if empty.
    headings : sequence of str
        Headings of the columns; none if empty.
    shared : {"row", "column", "panel", "all"}
        As in `plot_methods`.
    within, units, marks, title
        As in `plot_methods`.

    Returns
    -------
    Figure
        Not known to pyplot.

    Raises
    ------
    InputError
        If there is nothing to draw, names or headings are not as many as rows or columns, and as `plot_methods` does.
    """
    if shared not in get_args(Shared):
        raise InputError(f"shared is {shared!r}; accepted are {one_of(get_args(Shared))}")
    if not rows or not all(rows):
        raise InputError("there is nothing to draw: every row needs a map")
    across = max(map(len, rows))
    for what, given, expected in (("names", names, len(rows)), ("headings", headings, across)):
        if given and len(given) != expected:
            raise InputError(f"there are {len(given)} {what}; accepted are {expected}, or none")
    shown = [[between(group_index(panel.values, panel.group), within) for panel in row] for row in rows]
    limits = _limits(shown, shared)
    bars = shared in ("row", "all")
    figure, axes = panel_axes(
        len(rows),
        across,
        title=title,
        left=0.95 if names else 0.62,
        right=0.85 if bars else 0.12,
        head=0.22 if headings else 0.0,
        size=(1.9, 1.3),
        gaps=(0.06, 0.1),
    )
    for row, (panels, cut) in enumerate(zip(rows, shown, strict=True)):
        for column, (panel, values) in enumerate(zip(panels, cut, strict=True)):
            ax, horizontal = axes[row, column], horizontal_of(values)
            image = draw_panel(ax, values, limits[row, column], horizontal=horizontal)
            draw_marks(ax, values, marks=marks, group=panel.group)
            below = row + 1 == len(rows) or column >= len(rows[row + 1])
            trim_ticks(ax, values, horizontal=horizontal, below=below, left=column == 0)
            name_panel(ax, panel.name or panel.group, "" if bars else _scale(limits[row, column], panel, units))
        for ax in axes[row, len(panels) :]:
            ax.remove()
        if shared == "row":
            bar_beside(figure, image, _bar_label([panel.values for panel in panels], units), row=axes[row, 0])
    if shared == "all":
        bar_beside(figure, image, _bar_label([panel.values for row in rows for panel in row], units))
    for ax, heading in zip(axes[0], headings, strict=False):
        verbatim(ax.set_title(drawn(heading), fontsize=9, pad=7))
    for ax, name in zip(axes[:, 0], names, strict=False):
        at = (ax.get_position().y0 + ax.get_position().y1) / 2
        written = figure.text(inches(figure, 0.46), at, drawn(name), rotation=90, ha="center", va="center", fontsize=8)
        verbatim(written)
    label_sides(figure, horizontal_of(shown[-1][0]).label, vertical_label(rows[0][0].values))
    return figure


def _limits(shown: Sequence[Sequence[xr.DataArray]], shared: Shared) -> np.ndarray:
    """Value of the darkest red of every panel: (row, column), NaN where there is none."""
    result = np.full((len(shown), max(map(len, shown))), np.nan)
    for row, values in enumerate(shown):
        result[row, : len(values)] = [largest(value) for value in values]
    if shared == "panel":
        return result
    axis = {"row": 1, "column": 0, "all": None}[shared]
    return np.broadcast_to(np.nanmax(result, axis=axis, keepdims=True), result.shape)


def _scale(limit: float, panel: Panel, units: str | None) -> str:
    return f"±{limit:.3g} {units_of(panel.values) if units is None else units}".rstrip()


def _bar_label(values: Sequence[xr.DataArray], units: str | None) -> str:
    """Name the values of a colour bar's maps, with their unit where they have it in common."""
    names = dict.fromkeys(value_label(one, "") for one in values)
    common = set(map(units_of, values)) if units is None else {units}
    return with_units(" and ".join(names) if len(names) < 3 else "value", common.pop() if len(common) == 1 else "")
