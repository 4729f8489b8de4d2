"""Faithfulness of saliency: pixel flipping, randomised networks, and profiles against shuffled alignments."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from snaps.errors import check_choice
from snaps.figures.axes import LARGE, MARKERS, SMALL, axes_of, axes_over_layers, drawn, finish, finish_layers, in_legend

#: Line style and name of the orders of pixel flipping.
ORDER_STYLES = {"most": ("-", "most relevant first"), "least": ("--", "least relevant first")}


def plot_flipping(
    flipping: xr.Dataset, ax: Axes | None = None, *, measure: str = "accuracy", title: str | None = None
) -> Axes:
    """Draw accuracy or score over the share of flipped bins, with 95 % bands (thesis, Figure 6.3).

    Parameters
    ----------
    flipping : Dataset
        Part ``flipping`` of the result of `snaps.evaluate_faithfulness`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    measure : {"accuracy", "score"}
        Quantity to draw.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If there is no such measure.
    """
    check_choice("measure", measure, ("accuracy", "score"))
    ax = axes_of(ax, 7.4, 3.8)
    across = flipping["percentage"].values

    def draw(one: xr.Dataset, style: str, color: str, label: str | None) -> None:
        ax.plot(across, one[measure], style, color=color, label=label)
        ax.fill_between(across, one[f"{measure}_low"], one[f"{measure}_high"], color=color, alpha=0.12, linewidth=0)

    for place, method in enumerate(flipping["saliency"].values):
        for order, (style, _) in ORDER_STYLES.items():
            label = in_legend(method) if order == "most" else None
            draw(flipping.sel(saliency=method, order=order), style, f"C{place}", label)
    draw(flipping.isel(saliency=0).sel(order="random"), ":", "0.3", "at random")
    for style, words in ORDER_STYLES.values():
        ax.plot([], [], style, color="0.5", label=words)
    if measure == "accuracy":
        ax.set_ylim(-0.02, 1.02)
    ax.set_xlim(0, across[-1])
    label = "share of frames predicted as before" if measure == "accuracy" else "mean score of the target"
    return finish(ax, x="bins flipped (%)", y=label, title=title, legend=LARGE)


def plot_randomization(randomization: xr.Dataset, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the rank correlation of saliency with the original's while a network is randomised from the output down.

    Solid lines are correlations of saliency, dotted ones those of its absolute value. A method that stays near 1
    does not depend on the learned weights.

    Parameters
    ----------
    randomization : Dataset
        Part ``randomization`` of the result of `snaps.evaluate_faithfulness`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.
    """
    layers = ["original", *map(str, randomization["randomised"].values)]
    ax = axes_over_layers(ax, layers, least=6.4, margin=3.4)
    for place, method in enumerate(randomization["saliency"].values):
        one, color, marker = randomization.sel(saliency=method), f"C{place}", MARKERS[place % len(MARKERS)]
        ax.plot([1, *one["correlation"].values], color=color, marker=marker, markersize=4, label=in_legend(method))
        ax.plot([1, *one["correlation_absolute"].values], ":", color=color, linewidth=1)
    ax.plot([], [], ":", color="0.5", label="of the absolute value")
    across = "randomised from the output down to"
    return finish_layers(ax, layers, x=across, y="rank correlation", title=title, legend=SMALL)


def plot_profile_null(
    profiles: xr.Dataset, ax: Axes | None = None, *, measure: str = "energy", method: str | None = None,
    title: str | None = None,
) -> Axes:  # fmt: skip
    """Draw contrast energy or silhouettes over layers: aligned, unaligned, and with shuffled alignments.

    Parameters
    ----------
    profiles : Dataset
        Part ``profiles`` of the result of `snaps.evaluate_faithfulness`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    measure : {"energy", "silhouette"}
        Quantity to draw; energy is relative to the mean of the shuffled alignments.
    method : str, optional
        Saliency method; the first one otherwise.
    title : str, optional
        Heading; the method otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If there is no such measure or method.
    """
    check_choice("measure", measure, ("energy", "silhouette"))
    methods = [str(name) for name in profiles["saliency"].values]
    method = methods[0] if method is None else method
    check_choice("method", method, methods)
    one = profiles.sel(saliency=method)
    layers = [str(layer) for layer in one["layer"].values]
    null = one[f"{measure}_null"].transpose("shuffle", "layer").values
    scale = null.mean(axis=0) if measure == "energy" else np.ones(len(layers))
    scale = np.where(scale == 0, 1, scale)
    null = null / scale
    ax = axes_over_layers(ax, layers, least=6.0, margin=3.0)
    ax.fill_between(range(len(layers)), null.min(axis=0), null.max(axis=0), color="0.85", label="shuffled")
    ax.plot(null.mean(axis=0), color="0.6", linewidth=1)
    for alignment, color, marker in (("aligned", "tab:blue", "o"), ("unaligned", "tab:orange", "s")):
        values = one[measure].sel(alignment=alignment).values / scale
        ax.plot(values, color=color, marker=marker, markersize=4.5, label=alignment)
    label = "contrast energy, shuffled = 1" if measure == "energy" else "mean silhouette"
    return finish_layers(ax, layers, y=label, title=title or drawn(method), legend=SMALL)
