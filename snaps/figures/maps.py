"""Maps over units and lags: SNAPs (SNAP paper, Figures 4, A4 to A6), and one frame (NAvAI paper, Figure 2)."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from snaps.errors import InputError, check_number
from snaps.figures.axes import (
    axes_of,
    color_bar,
    draw_map,
    drawn,
    finish,
    group_index,
    horizontal_of,
    label_columns,
    label_units,
    largest,
    units_of,
    with_units,
)
from snaps.figures.marks import Marks, draw_marks
from snaps.schema import LAG, UNIT

#: Red above 0, blue below, white at 0; suitable for all kinds of colour vision.
DIVERGING = "RdBu_r"
RAISES, LOWERS = "#c8102e", "#1f5fc4"
PEAK = "#e69f00"
#: The darkest grey is not black, so that colours on top of it remain distinct.
GREYS = ListedColormap(colormaps["Greys"](np.linspace(0, 0.75, 256)), name="pale greys")


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
    """Draw the SNAP of one group: red above the grand mean, blue below, white at zero.

    Parameters
    ----------
    snap : DataArray of shape (group, unit, lag)
        Result of `snaps.snap`, `snaps.contrast`, `snaps.navai` or `snaps.nap`. The vertical axis is in Hz if there is
        a coordinate ``frequency``, else it has the numbers of units.
    group : str
        Label of the group.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    vmax : float, optional
        Value of the darkest red; its negative is the darkest blue. The largest absolute value otherwise.
    within : float, optional
        Seconds to show on both sides of the peak; all lags otherwise. See `reach`.
    units : str, optional
        Physical unit for the colour bar; otherwise the attribute ``units``, or dB if there is a frequency.
    title : str, optional
        Heading; the group and the layer otherwise.
    marks : mapping of str to sequence of float or Mark, optional
        Frequencies to mark, by group, e.g. ``{"iy": [270, 2290]}`` in Hz, `snaps.figures.formants()` or
        `snaps.figures.BURSTS`.
    colorbar : bool
        Whether to add a colour bar.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If there is no such group, no lag lies `within`, or marks are not frequencies or the axis is not in Hz.
    """
    values = between(group_index(snap, group), within)
    limit = limit_of(values, vmax)
    ax = axes_of(ax, 5.6, 3.6)
    image = draw_panel(ax, values, limit)
    draw_marks(ax, values, marks=marks, group=group)
    label_units(ax, values)
    label_columns(ax, horizontal_of(values))
    if colorbar:
        color_bar(image, value_label(snap, units), fraction=0.06)
    layer = str(snap.attrs.get("layer", ""))
    heading = f"{drawn(group)} · {drawn(layer)}" if layer else drawn(group)
    return finish(ax, title=heading if title is None else title)


def plot_frame(
    activation: xr.DataArray,
    saliency: xr.DataArray,
    ax: Axes | None = None,
    *,
    peak: float | None = None,
    unit: int | None = None,
    units: str | None = None,
    title: str | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw the spectrogram of one frame in grey, its saliency in red and blue, and the peak.

    Red marks values that raise the score of the target when they increase (for a relevance: that speak for it), blue
    values that lower it. Stronger saliency is more opaque.

    Parameters
    ----------
    activation : DataArray of shape (unit, time) or (unit, lag)
        Spectrogram, with a coordinate in seconds along the second dimension and ``frequency`` along the first, if
        known.
    saliency : DataArray of the same dimensions
        Signed saliency; it may cover only a part of the frame, such as the cone.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    peak : float, optional
        Peak in seconds on the axis of `activation`.
    unit : int, optional
        Unit at which the importance has its maximum.
    units : str, optional
        Physical unit of the spectrogram for the colour bar; otherwise as in `plot_snap`.
    title : str, optional
        Heading, e.g. the predicted symbol.
    colorbar : bool
        Whether to add a colour bar for the spectrogram.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If an array has other dimensions, or the numbers of units differ.
    """
    horizontal, over = horizontal_of(activation), horizontal_of(saliency)
    if activation.sizes[UNIT] != saliency.sizes[UNIT]:
        raise InputError(f"the activation has {activation.sizes[UNIT]} units and the saliency {saliency.sizes[UNIT]}")
    ax = axes_of(ax, 7.2, 3.6)
    image = draw_map(ax, activation, cmap=GREYS)
    # The exponent makes weak values visible beside a strong one.
    values = np.nan_to_num(saliency.transpose(UNIT, ...).values.astype(np.float64))
    colors = np.where(values[..., np.newaxis] > 0, to_rgb(RAISES), to_rgb(LOWERS))
    opacity = 0.9 * (np.abs(values) / largest(saliency)) ** 0.7
    ax.imshow(
        np.dstack([colors, opacity]), origin="lower", aspect="auto", interpolation="nearest", zorder=2,
        extent=(*over.edges, -0.5, saliency.sizes[UNIT] - 0.5),
    )  # fmt: skip
    handles: list[Artist] = [Patch(color=RAISES, label="saliency above 0"), Patch(color=LOWERS, label="below 0")]
    if peak is not None:
        at = peak * 1000
        cased = [withStroke(linewidth=3, foreground="white", alpha=0.8)]
        handles.append(ax.axvline(at, color=PEAK, linewidth=1.4, zorder=3, label="peak", path_effects=cased))
        if unit is not None:
            for color, width in (("white", 3.0), (PEAK, 1.6)):
                ax.scatter(at, unit, s=80, facecolors="none", edgecolors=color, linewidths=width, zorder=4)
    ax.set_xlim(*horizontal.edges)
    label_units(ax, activation)
    label_columns(ax, horizontal)
    ax.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=8,
        handlelength=1.2, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    if colorbar:
        color_bar(image, with_units("activation", units_of(activation, units)), fraction=0.05)
    return finish(ax, title=title, loc="left")


def reach(snap: xr.DataArray, *, share: float = 0.01) -> float:
    """Largest distance from the peak, in seconds, of a value that is at least a share of the largest value.

    SNAPs drop to zero away from the peak (SNAP paper, section 5.2). Pass the result as `within` to `plot_snap` or
    `plot_snap_grid` to leave out the empty ends.

    Parameters
    ----------
    snap : DataArray of shape (group, unit, lag)
        Result of `snaps.snap`.
    share : float
        Share of the largest absolute value.

    Returns
    -------
    float
        Largest absolute lag with such a value; the largest of all lags if all values are 0.
    """
    others = [dim for dim in snap.dims if dim != LAG]
    lags = abs(snap[LAG])
    counts = (abs(snap) >= share * largest(snap)).any(others)
    return float(lags.where(counts).max()) if bool(counts.any()) else float(lags.max())


def draw_panel(ax: Axes, values: xr.DataArray, limit: float) -> AxesImage:
    """Draw an array of shape (unit, lag) in colours from -`limit` to `limit`, with the peak marked."""
    image = draw_map(ax, values, cmap=colormaps[DIVERGING], vmin=-limit, vmax=limit)
    if LAG in values.dims and values.sizes[LAG] > 1:
        # The line is thin and pale because narrow structures lie at the peak; the triangle makes it visible.
        ax.axvline(0, color="0.2", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.55, label="peak")
        ax.plot(0, 1, marker="v", color="0.2", markersize=3.5, transform=ax.get_xaxis_transform(), clip_on=False)
    ax.spines[:].set(color="0.6", linewidth=0.6)
    return image


def between(values: xr.DataArray, within: float | None) -> xr.DataArray:
    """Values at lags `within` so many seconds of the peak; all values if it is None.

    Raises
    ------
    InputError
        If there is no such lag.
    """
    if within is None or LAG not in values.dims:
        return values
    # A tolerance of one microsecond allows for rounding.
    kept = np.flatnonzero(np.abs(values[LAG].values) <= within + 1e-6)
    if not kept.size:
        raise InputError(
            f"no lag lies within {within!r} s of the peak; there are {values[LAG].values[0]:g} to "
            f"{values[LAG].values[-1]:g} s"
        )
    return values.isel({LAG: kept})


def limit_of(values: xr.DataArray, vmax: float | None) -> float:
    """Value of the darkest red: `vmax`, which must be above 0, or the largest absolute value."""
    return largest(values) if vmax is None else check_number("vmax", vmax, above=0)


def value_label(values: xr.DataArray, units: str | None) -> str:
    """Label of a scale of the values, with their physical unit."""
    return with_units(str(values.attrs.get("long_name", "value")), units_of(values, units))
