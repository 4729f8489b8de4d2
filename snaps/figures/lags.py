"""Saliency over lag, layer by layer: how much of the receptive field is used (SNAP paper, section 5.2)."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from snaps.figures.scales import drawn, horizontal_of, label_columns, verbatim
from snaps.profiles import used_lags
from snaps.schema import LAG, UNIT

#: Height of a curve in its row.
RISE = 0.78


def plot_saliency_by_lag(
    curves: Mapping[str, xr.DataArray],
    ax: Axes | None = None,
    *,
    share: float = 0.95,
    title: str | None = None,
) -> Axes:
    """Draw how saliency falls off with the lag: a row for every layer, from the first at the top.

    Every curve is scaled to its own largest value. A thin line below it says at which lags there can be saliency,
    a thick one is the shortest range that holds `share` of it, with its ends in milliseconds at the right.

    Parameters
    ----------
    curves : mapping of str to DataArray of shape (lag,)
        What `snaps.profiles.saliency_by_lag` gives.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    share : float
        Share of the saliency that the thick line holds, above 0 and at most 1.
    title : str, optional
        Heading; what the thick line means otherwise.

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
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 1.1 + 0.36 * len(curves)), layout="constrained")
    shades = colormaps["viridis"](np.linspace(0.05, 0.8, len(curves)))
    widest = max(curves.values(), key=lambda curve: float(abs(curve[LAG]).max()))
    for row, (curve, color) in enumerate(zip(curves.values(), shades, strict=True)):
        span = ranges.isel(layer=row)
        lags, values = 1000 * curve[LAG].values, np.asarray(curve.values, dtype=np.float64)
        top = float(np.nanmax(values, initial=0.0))
        base = -float(row)
        ax.plot(lags[[0, -1]], [base, base], color="0.8", linewidth=1, zorder=1)
        if int(span["n_used"]) == 0:
            verbatim(_note(ax, base, "no saliency"))
            continue
        heights = base + RISE * values / top
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
    verbatim(*(ax.set_yticks(-np.arange(len(curves)), list(map(drawn, curves))) and ax.get_yticklabels()))
    ax.set_ylim(-len(curves) + 0.7, 1.0)
    horizontal = horizontal_of(widest.expand_dims(UNIT))
    label_columns(ax, horizontal)
    if len(horizontal.values) > 1:
        ax.set_xlim(*horizontal.edges)
    ax.set_ylabel("layer")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    heading = f"mean saliency; thick: the shortest range with {100 * share:g} % of it" if title is None else title
    verbatim(ax.set_title(heading, fontsize=10, loc="left"))
    return ax


def _note(ax: Axes, base: float, text: str) -> plt.Text:
    """Write to the right of a row."""
    return ax.text(1.01, base + 0.02, text, transform=ax.get_yaxis_transform(), fontsize=8, va="bottom", color="0.25")
