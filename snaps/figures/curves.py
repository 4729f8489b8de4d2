"""Learning curves."""

from collections.abc import Mapping

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from snaps.errors import InputError
from snaps.figures.layers import MARKERS
from snaps.figures.scales import in_legend, verbatim


def plot_learning_curves(
    curves: Mapping[str, pd.DataFrame], ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Draw the symbol error rate of the speakers set aside over epochs, a line for every network.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        ``snaps.train(…).history`` by the names of networks.
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
        If there is none, or one has no error rates.
    """
    if not curves or any(not {"epoch", "error_rate"} <= set(curve.columns) for curve in curves.values()):
        raise InputError("learning curves have the columns epoch and error_rate; received others, or none")
    if ax is None:
        _, ax = plt.subplots(figsize=(7.0, 3.4), layout="constrained")
    for place, (name, curve) in enumerate(curves.items()):
        marker = MARKERS[place % len(MARKERS)]
        ax.plot(curve["epoch"], 100 * curve["error_rate"], marker=marker, markersize=3.5, label=in_legend(name))
    ax.set_xlabel("epoch")
    ax.set_ylabel("symbol error rate (%)")
    ax.set_ylim(bottom=0)
    ax.grid(color="0.93")
    ax.set_axisbelow(True)
    legend = ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    verbatim(*legend.get_texts())
    if title is not None:
        verbatim(ax.set_title(title))
    return ax
