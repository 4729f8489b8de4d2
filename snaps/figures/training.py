"""Learning curves of networks."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from snaps.figures.axes import LARGE, MARKERS, axes_of, finish, in_legend


def plot_learning_curves(
    curves: Mapping[str, pd.DataFrame], ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Draw the symbol error rate on the validation speakers over epochs: a line for every network.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        ``snaps.train(…).history`` by the name of the network.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.
    """
    ax = axes_of(ax, 7.0, 3.4)
    for place, (name, curve) in enumerate(curves.items()):
        marker = MARKERS[place % len(MARKERS)]
        ax.plot(curve["epoch"], 100 * curve["error_rate"], marker=marker, markersize=3.5, label=in_legend(name))
    ax.set_ylim(bottom=0)
    ax.grid(color="0.93")
    ax.set_axisbelow(True)
    return finish(ax, x="epoch", y="symbol error rate (%)", title=title, legend=LARGE)
