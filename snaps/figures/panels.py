"""Many small maps in one picture: where they lie, how they are named, and their colour bars."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from snaps.figures.scales import Horizontal, drawn, label_bar, label_columns, label_units, verbatim


def columns_for(number: int) -> int:
    """Panels side by side: a little wider than high, and no more than fit a page."""
    return number if number <= 4 else int(np.clip(np.ceil(np.sqrt(number * 1.3)), 4, 8))


def panel_axes(
    down: int,
    across: int,
    *,
    title: str | None = None,
    left: float = 0.62,
    right: float = 0.12,
    head: float = 0.0,
    size: tuple[float, float] = (1.45, 1.05),
    gaps: tuple[float, float] = (0.06, 0.08),
) -> tuple[Figure, np.ndarray]:
    """Make a figure with axes of shape (down, across).

    Parameters
    ----------
    down, across : int
        Number of rows and columns.
    title : str, optional
        Heading of the whole picture.
    left, right, head : float
        Inches to the left, to the right, and above the panels for their headings.
    size : tuple of float
        Width and height of a panel and its gap, in inches.
    gaps : tuple of float
        Gaps between columns and rows, as shares of a panel.
    """
    bottom, top = 0.5, (0.45 if title else 0.12) + head
    width, height = size[0] * across + left + right, size[1] * down + bottom + top
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
            "wspace": gaps[0],
            "hspace": gaps[1],
        },
    )
    if title:
        verbatim(figure.suptitle(title, fontsize=11, y=1 - 0.12 / height, va="top"))
    return figure, axes


def trim_ticks(ax: Axes, values: xr.DataArray, *, horizontal: Horizontal, below: bool, left: bool) -> None:
    """Mark the axes of a small panel, with numbers only at the edges of the picture."""
    label_units(ax, values, label=False)
    label_columns(ax, horizontal, label=False, bins=4)
    if len(horizontal.values) > 1:
        # A number at the very edge would touch that of the panel beside it.
        margin = 0.07 * (horizontal.edges[1] - horizontal.edges[0])
        first, last = horizontal.edges[0] + margin, horizontal.edges[1] - margin
        ticks = ax.xaxis.get_major_locator().tick_values(first, last)
        ax.set_xticks([tick for tick in ticks if first <= tick <= last])
    ax.tick_params(labelbottom=below, labelleft=left, labelsize=6.5, length=2, pad=1.5)


def label_sides(figure: Figure, horizontal: str, vertical: str) -> None:
    """Name what lies along the axes of all panels, once."""
    figure.supxlabel(horizontal, fontsize=9, y=inches(figure, 0.1, vertical=True))
    figure.supylabel(vertical, fontsize=9, x=inches(figure, 0.1))


def name_panel(ax: Axes, group: str, scale: str = "") -> None:
    """Write the name of a panel into its left corner, and what its colours mean into the right one."""
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.2}
    verbatim(ax.text(0.03, 0.95, drawn(group), transform=ax.transAxes, va="top", fontsize=8.5, weight="bold", bbox=box))
    if scale:
        verbatim(ax.text(0.97, 0.95, drawn(scale), transform=ax.transAxes, va="top", ha="right", fontsize=6, bbox=box))


def bar_beside(figure: Figure, image: AxesImage, label: str, *, row: Axes | None = None) -> None:
    """Draw a colour bar at the right edge of the picture, beside all panels or beside those of one row."""
    height = figure.get_figheight()
    middle, tall = 0.5, min(0.76, 3.0 / height)
    if row is not None:
        box = row.get_position()
        middle, tall = (box.y0 + box.y1) / 2, 0.86 * box.height
    place = figure.add_axes((1 - inches(figure, 0.72), middle - tall / 2, inches(figure, 0.12), tall))
    bar = figure.colorbar(image, cax=place)
    label_bar(bar, label, fontsize=8 if row is None else 7)
    bar.ax.tick_params(labelsize=7 if row is None else 6, length=2)
    bar.outline.set_visible(False)


def inches(figure: Figure, length: float, *, vertical: bool = False) -> float:
    """Length in inches as a share of the figure's width or height."""
    return length / (figure.get_figheight() if vertical else figure.get_figwidth())
