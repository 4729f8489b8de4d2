"""Pictures as files."""

import os
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def figure_of(drawn: Axes) -> Figure:
    """The figure that axes stand in, let go of by pyplot, for a page or a file.

    Parameters
    ----------
    drawn : Axes
        What a function of this room gave.

    Returns
    -------
    Figure
        The whole figure, also where the axes stand in a part of it.
    """
    figure = drawn.get_figure(root=True)
    assert figure is not None
    plt.close(figure)
    return figure


def save_figure(drawn: Axes | Figure, path: str | os.PathLike[str], *, dpi: float = 150) -> Path:
    """Write a picture to a file, and let go of it.

    Parameters
    ----------
    drawn : Axes or Figure
        What a function of this room gave.
    path : path
        File to write; its ending says in which format, e.g. ``.png`` or ``.pdf``.
    dpi : float
        Dots per inch, for formats that consist of dots.

    Returns
    -------
    Path
        The file.
    """
    target = Path(path)
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert figure is not None
    figure.savefig(target, dpi=dpi, bbox_inches="tight")
    # Pyplot keeps what it has made, and a long run makes many.
    plt.close(figure)
    return target


def draw_offscreen() -> None:
    """Open no window from now on, whatever the machine has: pictures become files alone."""
    plt.switch_backend("agg")
