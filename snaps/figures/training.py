"""Learning curves."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from snaps.errors import InputError
from snaps.figures.axes import LARGE, MARKERS, axes_of, finish
from snaps.figures.scales import in_legend


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
    ax = axes_of(ax, 7.0, 3.4)
    for place, (name, curve) in enumerate(curves.items()):
        marker = MARKERS[place % len(MARKERS)]
        ax.plot(curve["epoch"], 100 * curve["error_rate"], marker=marker, markersize=3.5, label=in_legend(name))
    ax.set_ylim(bottom=0)
    ax.grid(color="0.93")
    ax.set_axisbelow(True)
    return finish(ax, x="epoch", y="symbol error rate (%)", title=title, legend=LARGE)
