"""SNAPs as maps of frequency and lag (SNAP paper, Figures 4 and A4 to A6)."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from snaps.errors import InputError
from snaps.figures.scales import (
    Horizontal,
    draw_map,
    group_index,
    horizontal_of,
    label_columns,
    label_units,
    largest,
    units_of,
    verbatim,
    with_units,
)
from snaps.schema import GROUP, LAG

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
    colorbar : bool
        Whether to add a colour bar.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If there is no such group, or no lag lies `within`.
    """
    values = _between(group_index(snap, group), within)
    limit = _limit(values, vmax)
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    horizontal = horizontal_of(values)
    image = _draw(ax, values, limit, horizontal)
    label_units(ax, values)
    label_columns(ax, horizontal)
    layer = str(snap.attrs.get("layer", ""))
    heading = title if title is not None else (f"{group} · {layer}" if layer else group)
    verbatim(ax.set_title(heading))
    if colorbar:
        name = str(snap.attrs.get("long_name", "value"))
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.06)
        bar.set_label(with_units(name, units_of(snap) if units is None else units))
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
    title : str, optional
        Heading of the whole picture.

    Returns
    -------
    Figure
        Not known to pyplot, so that a notebook shows it once and nothing has to be closed.

    Raises
    ------
    InputError
        If a group does not exist, none is asked for, or no lag lies `within`.
    """
    chosen = [str(label) for label in snap[GROUP].values] if groups is None else [str(g) for g in groups]
    if not chosen:
        raise InputError("there are no groups to draw")
    panels = [_between(group_index(snap, group), within) for group in chosen]
    limit = _limit(xr.concat(panels, dim="panel", join="exact", coords="minimal", compat="override"), vmax)
    horizontal = horizontal_of(panels[0])
    across = min(len(panels), columns or _columns(len(panels)))
    down = -(-len(panels) // across)
    figure, axes = _panels(down, across, title=title, bar=shared)
    image = None
    for index, (group, values) in enumerate(zip(chosen, panels, strict=True)):
        ax = axes[index // across, index % across]
        own = limit if shared else largest(values)
        image = _draw(ax, values, own, horizontal)
        bottom = index + across >= len(panels)
        label_units(ax, values, label=False)
        label_columns(ax, horizontal, label=False, bins=4)
        ax.tick_params(labelbottom=bottom, labelleft=index % across == 0, labelsize=6.5, length=2, pad=1.5)
        _name(ax, group, "" if shared else f"±{own:.3g}")
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    figure.supxlabel(horizontal.label, fontsize=9, y=_inches(figure, 0.1, vertical=True))
    figure.supylabel("frequency (Hz)" if "frequency" in snap.coords else "unit", fontsize=9, x=_inches(figure, 0.1))
    name = with_units(str(snap.attrs.get("long_name", "value")), units_of(snap) if units is None else units)
    if shared and image is not None:
        _shared_bar(figure, image, name)
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


def _draw(ax: Axes, values: xr.DataArray, limit: float, horizontal: Horizontal) -> AxesImage:
    image = draw_map(ax, values, cmap=DIVERGING, vmin=-limit, vmax=limit, horizontal=horizontal)
    if LAG in values.dims and values.sizes[LAG] > 1:
        # Thin and pale, since what is narrowest lies right behind it; the triangle says where to look.
        ax.axvline(0, color="0.2", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.55, label="peak")
        ax.plot(0, 1, marker="v", color="0.2", markersize=3.5, transform=ax.get_xaxis_transform(), clip_on=False)
    for spine in ax.spines.values():
        spine.set_color("0.6")
        spine.set_linewidth(0.6)
    return image


def _between(values: xr.DataArray, within: float | None) -> xr.DataArray:
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


def _limit(values: xr.DataArray, vmax: float | None) -> float:
    if vmax is None:
        return largest(values)
    if not vmax > 0:
        raise InputError(f"vmax is {vmax!r}; accepted are numbers above 0")
    return float(vmax)


def _columns(number: int) -> int:
    """Panels side by side: a little wider than high, and no more than fit a page."""
    return number if number <= 4 else int(np.clip(np.ceil(np.sqrt(number * 1.3)), 4, 8))


def _panels(down: int, across: int, *, title: str | None, bar: bool) -> tuple[Figure, np.ndarray]:
    left, right, bottom, top = 0.62, 0.85 if bar else 0.12, 0.5, 0.45 if title else 0.12
    width, height = 1.45 * across + left + right, 1.05 * down + bottom + top
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(
        down,
        across,
        squeeze=False,
        gridspec_kw={
            "left": left / width,
            "right": 1 - right / width,
            "bottom": bottom / height,
            "top": 1 - top / height,
            "wspace": 0.06,
            "hspace": 0.08,
        },
    )
    if title:
        verbatim(figure.suptitle(title, fontsize=11, y=1 - 0.12 / height, va="top"))
    return figure, axes


def _name(ax: Axes, group: str, scale: str) -> None:
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.2}
    verbatim(ax.text(0.03, 0.95, group, transform=ax.transAxes, va="top", fontsize=8.5, weight="bold", bbox=box))
    if scale:
        ax.text(0.97, 0.95, scale, transform=ax.transAxes, va="top", ha="right", fontsize=6, bbox=box)


def _shared_bar(figure: Figure, image: AxesImage, label: str) -> None:
    height = figure.get_figheight()
    tall = min(0.76, 3.0 / height)
    place = figure.add_axes((1 - _inches(figure, 0.72), 0.5 - tall / 2, _inches(figure, 0.12), tall))
    bar = figure.colorbar(image, cax=place)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)


def _inches(figure: Figure, inches: float, *, vertical: bool = False) -> float:
    return inches / (figure.get_figheight() if vertical else figure.get_figwidth())
