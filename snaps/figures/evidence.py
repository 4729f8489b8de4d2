"""Whether saliency can be believed: curves of pixel flipping, randomisation, and profiles against chance."""

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from snaps.errors import InputError, one_of
from snaps.figures.layers import MARKERS, finish_axes
from snaps.figures.scales import drawn, in_legend, verbatim

#: Lines of the orders of pixel flipping.
ORDER_STYLES = {"most": ("-", "most relevant first"), "least": ("--", "least relevant first")}


def plot_flipping(
    flipping: xr.Dataset, ax: Axes | None = None, *, measure: str = "accuracy", title: str | None = None
) -> Axes:
    """Draw accuracy or score against the share of bins that are flipped, with 95 % bands (thesis, Figure 6.3).

    Parameters
    ----------
    flipping : Dataset
        The part ``flipping`` of what `snaps.evaluate_faithfulness` gives.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    measure : {"accuracy", "score"}
        What to draw.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If it is no such dataset, or there is no such measure.
    """
    _need(flipping, {"accuracy", "score", "accuracy_area"}, "flipping")
    if measure not in ("accuracy", "score"):
        raise InputError(f"measure is {measure!r}; accepted are 'accuracy', 'score'")
    if ax is None:
        _, ax = plt.subplots(figsize=(7.4, 3.8), layout="constrained")
    across = flipping["percentage"].values
    for place, method in enumerate(flipping["saliency"].values):
        for order, (style, _) in ORDER_STYLES.items():
            one = flipping.sel(saliency=method, order=order)
            color = f"C{place}"
            ax.plot(across, one[measure], style, color=color, label=in_legend(method) if order == "most" else None)
            ax.fill_between(across, one[f"{measure}_low"], one[f"{measure}_high"], color=color, alpha=0.12, linewidth=0)
    random = flipping.isel(saliency=0).sel(order="random")
    ax.plot(across, random[measure], ":", color="0.3", label="at random")
    ax.fill_between(across, random[f"{measure}_low"], random[f"{measure}_high"], color="0.3", alpha=0.12, linewidth=0)
    for style, words in ORDER_STYLES.values():
        ax.plot([], [], style, color="0.5", label=words)
    ax.set_xlabel("bins flipped (%)")
    ax.set_ylabel("share of frames predicted as before" if measure == "accuracy" else "mean score of the target")
    if measure == "accuracy":
        ax.set_ylim(-0.02, 1.02)
    ax.set_xlim(0, across[-1])
    legend = ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    verbatim(*legend.get_texts())
    if title is not None:
        verbatim(ax.set_title(title))
    return ax


def plot_randomization(randomization: xr.Dataset, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw how much saliency stays the same as a network is randomised from the top down.

    Solid lines are rank correlations of saliency, dotted ones those of its absolute value. A method that stays near 1
    does not depend on what the network has learned.

    Parameters
    ----------
    randomization : Dataset
        The part ``randomization`` of what `snaps.evaluate_faithfulness` gives.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If it is no such dataset.
    """
    _need(randomization, {"correlation", "correlation_absolute"}, "randomization")
    layers = ["original", *map(str, randomization["randomised"].values)]
    if ax is None:
        _, ax = plt.subplots(figsize=(max(6.4, 3.4 + 0.45 * len(layers)), 3.6), layout="constrained")
    for place, method in enumerate(randomization["saliency"].values):
        one = randomization.sel(saliency=method)
        marker = MARKERS[place % len(MARKERS)]
        ax.plot(
            [1, *one["correlation"].values], color=f"C{place}", marker=marker, markersize=4, label=in_legend(method)
        )
        ax.plot([1, *one["correlation_absolute"].values], ":", color=f"C{place}", linewidth=1)
    ax.plot([], [], ":", color="0.5", label="of the absolute value")
    finish_axes(ax, layers, "rank correlation", title=title)
    ax.set_xlabel("randomised from the output down to")
    return ax


def plot_profile_null(
    profiles: xr.Dataset, ax: Axes | None = None, *, measure: str = "energy", method: str | None = None,
    title: str | None = None,
) -> Axes:  # fmt: skip
    """Draw contrast energy or silhouettes over layers, aligned and not, against shuffled alignments.

    Parameters
    ----------
    profiles : Dataset
        The part ``profiles`` of what `snaps.evaluate_faithfulness` gives.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    measure : {"energy", "silhouette"}
        What to draw; energy is drawn relative to the mean of the shuffled alignments.
    method : str, optional
        Saliency method; None for the first.
    title : str, optional
        Heading; the method otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If it is no such dataset, or there is no such measure or method.
    """
    _need(profiles, {"energy", "energy_null", "silhouette", "silhouette_null"}, "profiles")
    if measure not in ("energy", "silhouette"):
        raise InputError(f"measure is {measure!r}; accepted are 'energy', 'silhouette'")
    methods = [str(name) for name in profiles["saliency"].values]
    if method is not None and method not in methods:
        raise InputError(f"there is no method {method!r}; there are {one_of(methods)}")
    one = profiles.sel(saliency=method or methods[0])
    layers = [str(layer) for layer in one["layer"].values]
    null = one[f"{measure}_null"].transpose("shuffle", "layer").values
    scale = null.mean(axis=0) if measure == "energy" else np.ones(len(layers))
    scale = np.where(scale == 0, 1, scale)
    if ax is None:
        _, ax = plt.subplots(figsize=(max(6.0, 3.0 + 0.45 * len(layers)), 3.6), layout="constrained")
    places = np.arange(len(layers))
    ax.fill_between(places, (null / scale).min(axis=0), (null / scale).max(axis=0), color="0.85", label="shuffled")
    ax.plot(places, (null / scale).mean(axis=0), color="0.6", linewidth=1)
    for alignment, color, marker in (("aligned", "tab:blue", "o"), ("unaligned", "tab:orange", "s")):
        values = one[measure].sel(alignment=alignment).values / scale
        ax.plot(places, values, color=color, marker=marker, markersize=4.5, label=alignment)
    label = "contrast energy, shuffled = 1" if measure == "energy" else "mean silhouette"
    finish_axes(ax, layers, label, title=title or drawn(method or methods[0]))
    return ax


def _need(dataset: xr.Dataset, names: set[str], part: str) -> None:
    missing = sorted(names - set(map(str, getattr(dataset, "data_vars", ()))))
    if missing:
        raise InputError(f"the part {part!r} of an evaluation of faithfulness lacks {one_of(missing)}")
