"""SNAPs as maps of frequency and lag (SNAP paper, Figures 4 and A4 to A6)."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from snaps.errors import InputError
from snaps.figures.marks import Marks, draw_marks
from snaps.figures.panels import bar_beside, columns_for, label_sides, name_panel, panel_axes, trim_ticks
from snaps.figures.scales import (
    Horizontal,
    draw_map,
    drawn,
    group_index,
    horizontal_of,
    label_bar,
    label_columns,
    label_units,
    largest,
    units_of,
    verbatim,
    with_units,
)
from snaps.schema import FREQUENCY, GROUP, LAG

#: Red above, blue below, white at zero; told apart by readers with any colour vision.
DIVERGING = "RdBu_r"


def plot_snap(
    snap: xr.DataArray,
    group: str,
    ax: Axes | None = None,
    *,
    vmax: float | None = None,
    within: float | None = None,
    units: str | None = None,
    title: str | None = None,
    marks: Marks | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw one group's SNAP: red where it lies above the grand mean, blue where below, white at zero.

    Parameters
    ----------
    snap : DataArray of shape (group, unit, lag)
        What `snaps.snap`, `snaps.contrast`, `snaps.navai` or `snaps.nap` gives. The vertical axis is in Hz
        where the coordinate ``frequency`` is known, else it counts units.
    group : str
        Label of the group.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    vmax : float, optional
        Value of the darkest red, and with a minus of the darkest blue; the group's largest otherwise.
    within : float, optional
        Seconds to both sides of the peak to show; all lags otherwise. See `reach`.
    units : str, optional
        Unit of the values for the colour bar. Otherwise the attribute ``units``, or dB where units have a
        frequency.
    title : str, optional
        The group and, in hidden layers, the layer otherwise.
    marks : mapping of str to sequence of float or Mark, optional
        Frequencies to point at, by group, e.g. ``{"iy": [270, 2290]}`` in Hz, `snaps.figures.formants()` or
        `snaps.figures.BURSTS`. Groups that it lacks have none.
    colorbar : bool
        Whether to add a colour bar.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If there is no such group, no lag lies `within`, or `marks` are no frequencies or find no axis in Hz.
    """
    values = between(group_index(snap, group), within)
    limit = limit_of(values, vmax)
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    horizontal = horizontal_of(values)
    image = draw_panel(ax, values, limit, horizontal=horizontal)
    draw_marks(ax, values, marks=marks, group=group)
    label_units(ax, values)
    label_columns(ax, horizontal)
    layer = str(snap.attrs.get("layer", ""))
    heading = title if title is not None else (f"{drawn(group)} · {drawn(layer)}" if layer else drawn(group))
    verbatim(ax.set_title(heading))
    if colorbar:
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.06)
        label_bar(bar, value_label(snap, units))
        bar.outline.set_visible(False)
    return ax


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
    chosen = [str(label) for label in snap[GROUP].values] if groups is None else [str(g) for g in groups]
    if not chosen:
        raise InputError("there are no groups to draw")
    panels = [between(group_index(snap, group), within) for group in chosen]
    limit = limit_of(xr.concat(panels, dim="panel", join="exact", coords="minimal", compat="override"), vmax)
    horizontal = horizontal_of(panels[0])
    across = min(len(panels), columns or columns_for(len(panels)))
    down = -(-len(panels) // across)
    figure, axes = panel_axes(down, across, title=title, right=0.85 if shared else 0.12)
    image = None
    for index, (group, values) in enumerate(zip(chosen, panels, strict=True)):
        ax = axes[index // across, index % across]
        own = limit if shared else largest(values)
        image = draw_panel(ax, values, own, horizontal=horizontal)
        draw_marks(ax, values, marks=marks, group=group)
        trim_ticks(ax, values, horizontal=horizontal, below=index + across >= len(panels), left=index % across == 0)
        name_panel(ax, group, "" if shared else f"±{own:.3g}")
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    label_sides(figure, horizontal.label, vertical_label(snap))
    if shared and image is not None:
        bar_beside(figure, image, value_label(snap, units))
    return figure


def reach(snap: xr.DataArray, *, share: float = 0.01) -> float:
    """How far from the peak values reach a share of the largest, in seconds.

    SNAPs drop to zero away from the peak (SNAP paper, section 5.2). Small panels show more of them without
    these ends: pass the result as `within` to `plot_snap` or `plot_snap_grid`.

    Parameters
    ----------
    snap : DataArray of shape (group, unit, lag)
        What `snaps.snap` gives.
    share : float
        Smallest absolute value that counts, as a share of the largest.

    Returns
    -------
    float
        The largest absolute lag with such a value; of all lags where all values are 0.
    """
    others = [dim for dim in snap.dims if dim != LAG]
    lags = abs(snap[LAG])
    counts = (abs(snap) >= share * largest(snap)).any(others)
    return float(lags.where(counts).max()) if bool(counts.any()) else float(lags.max())


def draw_panel(ax: Axes, values: xr.DataArray, limit: float, *, horizontal: Horizontal) -> AxesImage:
    """Draw an array of shape (unit, lag) in colours from -`limit` to `limit`, with the peak marked."""
    image = draw_map(ax, values, cmap=DIVERGING, vmin=-limit, vmax=limit, horizontal=horizontal)
    if LAG in values.dims and values.sizes[LAG] > 1:
        # Thin and pale, since what is narrowest lies right behind it; the triangle says where to look.
        ax.axvline(0, color="0.2", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.55, label="peak")
        ax.plot(0, 1, marker="v", color="0.2", markersize=3.5, transform=ax.get_xaxis_transform(), clip_on=False)
    for spine in ax.spines.values():
        spine.set_color("0.6")
        spine.set_linewidth(0.6)
    return image


def between(values: xr.DataArray, within: float | None) -> xr.DataArray:
    """Cut values to the lags that lie `within` so many seconds of the peak, if that is asked for.

    Raises
    ------
    InputError
        If no lag does.
    """
    if within is None or LAG not in values.dims:
        return values
    # A microsecond takes up rounding.
    kept = np.flatnonzero(np.abs(values[LAG].values) <= within + 1e-6)
    if not kept.size:
        raise InputError(
            f"no lag lies within {within!r} s of the peak; there are {values[LAG].values[0]:g} to "
            f"{values[LAG].values[-1]:g} s"
        )
    return values.isel({LAG: kept})


def limit_of(values: xr.DataArray, vmax: float | None) -> float:
    """Value of the darkest red: what is asked for, or the largest.

    Raises
    ------
    InputError
        If what is asked for is not above 0.
    """
    if vmax is None:
        return largest(values)
    if not vmax > 0:
        raise InputError(f"vmax is {vmax!r}; accepted are numbers above 0")
    return float(vmax)


def value_label(values: xr.DataArray, units: str | None) -> str:
    """Label of the colours, with their unit."""
    return with_units(str(values.attrs.get("long_name", "value")), units_of(values) if units is None else units)


def vertical_label(values: xr.DataArray) -> str:
    """Label of the vertical axis."""
    return "frequency (Hz)" if FREQUENCY in values.coords else "unit"
