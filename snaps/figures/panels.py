"""Many small maps in one picture: one method beside another for the same groups (SNAP paper, Figure 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from snaps.errors import InputError, check_choice
from snaps.figures.axes import color_bar
from snaps.figures.maps import between, draw_panel, limit_of, value_label
from snaps.figures.marks import Marks, draw_marks
from snaps.figures.scales import (
    drawn,
    group_index,
    horizontal_of,
    label_columns,
    label_units,
    largest,
    units_of,
    verbatim,
    vertical_label,
    with_units,
)
from snaps.schema import GROUP

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
        Whether a colour means the same value everywhere. Otherwise every panel has a scale of its own, and
        names its largest value.
    columns : int, optional
        Panels side by side; chosen by the number of groups otherwise.
    within : float, optional
        Seconds to both sides of the peak to show; all lags otherwise. See `reach`.
    vmax : float, optional
        Value of the darkest red where the scale is shared; the largest of the groups shown otherwise.
    units : str, optional
        As in `plot_snap`.
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
        If a group does not exist, none is asked for, no lag lies `within`, and as `plot_snap` does for `marks`.
    """
    chosen = [str(label) for label in (snap[GROUP].values if groups is None else groups)]
    if not chosen:
        raise InputError("there are no groups to draw")
    panels = [between(group_index(snap, group), within) for group in chosen]
    limit = limit_of(xr.concat(panels, dim="panel", join="exact", coords="minimal", compat="override"), vmax)
    # A little wider than high, and no more than fit a page.
    fitting = len(panels) if len(panels) <= 4 else int(np.clip(np.ceil(np.sqrt(len(panels) * 1.3)), 4, 8))
    across = min(len(panels), columns or fitting)
    figure, axes = panel_axes(-(-len(panels) // across), across, title=title, right=0.85 if shared else 0.12)
    for index, (group, values) in enumerate(zip(chosen, panels, strict=True)):
        ax = axes[index // across, index % across]
        own = limit if shared else largest(values)
        image = draw_panel(ax, values, own)
        draw_marks(ax, values, marks=marks, group=group)
        trim_ticks(ax, values, below=index + across >= len(panels), left=index % across == 0)
        name_panel(ax, group, "" if shared else f"±{own:.3g}")
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    label_sides(figure, panels[0])
    if shared:
        bar_beside(figure, image, value_label(snap, units))
    return figure


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
    check_choice("shared", shared, get_args(Shared))
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
        len(rows), across, title=title, left=0.95 if names else 0.62, right=0.85 if bars else 0.12,
        head=0.22 if headings else 0.0, size=(1.9, 1.3), gaps=(0.06, 0.1),
    )  # fmt: skip
    for row, (panels, cut) in enumerate(zip(rows, shown, strict=True)):
        for column, (panel, values) in enumerate(zip(panels, cut, strict=True)):
            ax, limit = axes[row, column], limits[row, column]
            image = draw_panel(ax, values, limit)
            draw_marks(ax, values, marks=marks, group=panel.group)
            trim_ticks(ax, values, below=row + 1 == len(rows) or column >= len(rows[row + 1]), left=column == 0)
            scale = f"±{limit:.3g} {units_of(panel.values) if units is None else units}".rstrip()
            name_panel(ax, panel.name or panel.group, "" if bars else scale)
        for ax in axes[row, len(panels) :]:
            ax.remove()
        if shared == "row":
            bar_beside(figure, image, _bar_label([panel.values for panel in panels], units), row=axes[row, 0])
    if shared == "all":
        bar_beside(figure, image, _bar_label([panel.values for row in rows for panel in row], units))
    for ax, heading in zip(axes[0], headings, strict=False):
        verbatim(ax.set_title(drawn(heading), fontsize=9, pad=7))
    for ax, name in zip(axes[:, 0], names, strict=False):
        at = (0.46 / figure.get_figwidth(), (ax.get_position().y0 + ax.get_position().y1) / 2)
        verbatim(figure.text(*at, drawn(name), rotation=90, ha="center", va="center", fontsize=8))
    label_sides(figure, shown[-1][0], rows[0][0].values)
    return figure


def panel_axes(
    down: int,
    across: int,
    *,
    title: str | None = None,
    left: float = 0.62,
    right: float = 0.12,
    head: float = 0.0,
    size: tuple[float, float] = (1.45, 1.05),
    gaps: tuple[float, float] = (0.06, 0.08),
) -> tuple[Figure, np.ndarray]:
    """Make a figure with axes of shape (down, across).

    Parameters
    ----------
    down, across : int
        Number of rows and columns.
    title : str, optional
        Heading of the whole picture.
    left, right, head : float
        Inches to the left, to the right, and above the panels for their headings.
    size : tuple of float
        Width and height of a panel and its gap, in inches.
    gaps : tuple of float
        Gaps between columns and rows, as shares of a panel.
    """
    bottom, top = 0.5, (0.45 if title else 0.12) + head
    width, height = size[0] * across + left + right, size[1] * down + bottom + top
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height, *gaps)
    if title:
        verbatim(figure.suptitle(title, fontsize=11, y=1 - 0.12 / height, va="top"))
    return figure, figure.subplots(down, across, squeeze=False)


def trim_ticks(ax: Axes, values: xr.DataArray, *, below: bool, left: bool) -> None:
    """Mark the axes of a small panel, with numbers only at the edges of the picture."""
    horizontal = horizontal_of(values)
    label_units(ax, values, label=False)
    label_columns(ax, horizontal, label=False, bins=4)
    if len(horizontal.values) > 1:
        # A number at the very edge would touch that of the panel beside it.
        margin = 0.07 * (horizontal.edges[1] - horizontal.edges[0])
        first, last = horizontal.edges[0] + margin, horizontal.edges[1] - margin
        ticks = ax.xaxis.get_major_locator().tick_values(first, last)
        ax.set_xticks([tick for tick in ticks if first <= tick <= last])
    ax.tick_params(labelbottom=below, labelleft=left, labelsize=6.5, length=2, pad=1.5)


def label_sides(figure: Figure, values: xr.DataArray, whole: xr.DataArray | None = None) -> None:
    """Name what lies along the axes of all panels, once."""
    figure.supxlabel(horizontal_of(values).label, fontsize=9, y=0.1 / figure.get_figheight())
    figure.supylabel(vertical_label(values if whole is None else whole), fontsize=9, x=0.1 / figure.get_figwidth())


def name_panel(ax: Axes, group: str, scale: str = "") -> None:
    """Write the name of a panel into its left corner, and what its colours mean into the right one."""
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.2}
    verbatim(ax.text(0.03, 0.95, drawn(group), transform=ax.transAxes, va="top", fontsize=8.5, weight="bold", bbox=box))
    if scale:
        verbatim(ax.text(0.97, 0.95, drawn(scale), transform=ax.transAxes, va="top", ha="right", fontsize=6, bbox=box))


def bar_beside(figure: Figure, image: AxesImage, label: str, *, row: Axes | None = None) -> None:
    """Draw a colour bar at the right edge of the picture, beside all panels or beside those of one row."""
    width, height = figure.get_size_inches()
    middle, tall = 0.5, min(0.76, 3.0 / height)
    if row is not None:
        box = row.get_position()
        middle, tall = (box.y0 + box.y1) / 2, 0.86 * box.height
    place = figure.add_axes((1 - 0.72 / width, middle - tall / 2, 0.12 / width, tall))
    color_bar(image, label, small=8 if row is None else 7, cax=place)


def _limits(shown: Sequence[Sequence[xr.DataArray]], shared: Shared) -> np.ndarray:
    """Value of the darkest red of every panel: (row, column), NaN where there is none."""
    result = np.full((len(shown), max(map(len, shown))), np.nan)
    for row, values in enumerate(shown):
        result[row, : len(values)] = [largest(value) for value in values]
    if shared == "panel":
        return result
    axis = {"row": 1, "column": 0, "all": None}[shared]
    return np.broadcast_to(np.nanmax(result, axis=axis, keepdims=True), result.shape)


def _bar_label(values: Sequence[xr.DataArray], units: str | None) -> str:
    """Name the values of a colour bar's maps, with their unit where they have it in common."""
    names = dict.fromkeys(value_label(one, "") for one in values)
    common = set(map(units_of, values)) if units is None else {units}
    return with_units(" and ".join(names) if len(names) < 3 else "value", common.pop() if len(common) == 1 else "")
