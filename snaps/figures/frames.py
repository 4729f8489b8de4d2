"""One frame's spectrogram with its saliency over it (NAvAI paper, Figure 2)."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from snaps.errors import InputError
from snaps.figures.scales import (
    draw_map,
    horizontal_of,
    label_bar,
    label_columns,
    label_units,
    largest,
    units_of,
    verbatim,
    with_units,
)
from snaps.schema import UNIT

RAISES, LOWERS = "#c8102e", "#1f5fc4"
PEAK = "#e69f00"
#: Loud is dark but not black, so that colours over it can be told apart.
GREYS = ListedColormap(colormaps["Greys"](np.linspace(0, 0.75, 256)), name="pale greys")


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
    """Draw one frame's spectrogram in grey, its saliency over it in red and blue, and the peak.

    Red are values that raise the score of the target when they grow (or, for a relevance, that speak for
    it), blue those that lower it; the stronger the saliency, the more opaque the colour.

    Parameters
    ----------
    activation : DataArray of shape (unit, time) or (unit, lag)
        The spectrogram, with its coordinate in seconds along the second dimension and ``frequency`` along the
        first, if known.
    saliency : DataArray of the same dimensions
        The saliency, with a sign. It may cover a part of the frame alone, as a cone does.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    peak : float, optional
        Where the frame is aligned, in seconds on the axis of `activation`.
    unit : int, optional
        Unit at which the importance has its maximum.
    units : str, optional
        Unit of the spectrogram for the colour bar. Otherwise the attribute ``units``, or dB where units have
        a frequency.
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
        If the arrays are no maps, or their units differ in number.
    """
    horizontal, over = horizontal_of(activation), horizontal_of(saliency)
    if activation.sizes[UNIT] != saliency.sizes[UNIT]:
        raise InputError(f"the activation has {activation.sizes[UNIT]} units and the saliency {saliency.sizes[UNIT]}")
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
    finite = activation.values[np.isfinite(activation.values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    image = draw_map(ax, activation, cmap=GREYS, vmin=low, vmax=high, horizontal=horizontal)
    left, right = over.edges
    ax.imshow(
        _overlay(saliency),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(left, right, -0.5, saliency.sizes[UNIT] - 0.5),
        zorder=2,
    )
    handles: list[Artist] = [Patch(color=RAISES, label="saliency above 0"), Patch(color=LOWERS, label="below 0")]
    if peak is not None:
        at = peak * 1000
        cased = [withStroke(linewidth=3, foreground="white", alpha=0.8)]
        line = ax.axvline(at, color=PEAK, linewidth=1.4, zorder=3, label="peak", path_effects=cased)
        handles.append(line)
        if unit is not None:
            for color, width in (("white", 3.0), (PEAK, 1.6)):
                ax.scatter(at, unit, s=80, facecolors="none", edgecolors=color, linewidths=width, zorder=4)
    ax.set_xlim(*horizontal.edges)
    label_units(ax, activation)
    label_columns(ax, horizontal)
    if title is not None:
        verbatim(ax.set_title(title, loc="left"))
    ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=3,
        frameon=False,
        fontsize=8,
        handlelength=1.2,
        columnspacing=1.2,
        borderaxespad=0.2,
    )
    if colorbar:
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.05)
        label_bar(bar, with_units("activation", units_of(activation) if units is None else units))
        bar.outline.set_visible(False)
    return ax


def _overlay(saliency: xr.DataArray) -> np.ndarray:
    """Red and blue with an opacity that grows with the magnitude: (unit, column, 4)."""
    values = np.nan_to_num(saliency.transpose(UNIT, ...).values.astype(np.float64))
    image = np.empty((*values.shape, 4))
    image[..., :3] = np.where(values[..., np.newaxis] > 0, to_rgb(RAISES), to_rgb(LOWERS))
    # The exponent lets weaker values be seen beside a single strong one.
    image[..., 3] = 0.9 * (np.abs(values) / largest(saliency)) ** 0.7
    return image
