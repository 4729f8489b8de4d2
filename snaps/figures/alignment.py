"""Alignment accuracy: offsets, contingency tables, aligners side by side (SNAP paper, Figures 2, 3, A1 to A3)."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError
from snaps.figures.axes import LARGE, axes_of, color_bar, finish, finish_figure, name_ticks

#: Names of the criteria of accuracy in figures and tables.
CRITERION_NAMES = {
    "centre": "at the centre",
    "aligned": "at the peak",
    "window": "near the peak",
    "ceiling": "in the frame",
}
#: Share of frames with the largest offsets that figures leave out, as in the paper.
LONGEST_OFFSETS = 0.05


def order_by_largest_share(table: xr.DataArray) -> list[str]:
    """Predicted symbols by their largest share of one annotated symbol, in descending order (Figure 3).

    Parameters
    ----------
    table : DataArray of shape (symbol, annotated)
        Numbers of frames.
    """
    shares = table / table.sum("annotated")
    order = np.argsort(-shares.max("annotated").values, kind="stable")
    return [str(symbol) for symbol in table["symbol"].values[order]]


def plot_contingency(
    table: xr.DataArray, ax: Axes | None = None, *, order: Sequence[str] | None = None, title: str | None = None
) -> Axes:
    """Draw shares of annotated symbols for every predicted symbol: white for none, black for all frames (Figure 3).

    Parameters
    ----------
    table : DataArray of shape (symbol, annotated)
        ``evaluate_alignment(…)["table"]`` at one moment, in numbers of frames.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    order : sequence of str, optional
        Predicted symbols from top to bottom; by their largest share otherwise. Annotated symbols have the same order.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.
    """
    rows = order_by_largest_share(table) if order is None else list(order)
    there = [str(label) for label in table["annotated"].values[table.sum("symbol").values > 0]]
    columns = [label for label in rows if label in there] + [label for label in there if label not in rows]
    counts = table.transpose("symbol", "annotated").sel(symbol=rows)
    shares = (counts / counts.sum("annotated")).sel(annotated=columns)
    ax = axes_of(ax, 2.4 + 0.16 * len(columns), 1.6 + 0.16 * len(rows))
    image = ax.imshow(shares.values, cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    name_ticks(ax.xaxis, [label or "(none)" for label in columns], rotation=90, fontsize=7)
    name_ticks(ax.yaxis, rows, fontsize=7)
    color_bar(image, "share of frames").outline.set_visible(True)
    return finish(ax, x="annotated", y="predicted", title=title)


def plot_offsets(evaluation: xr.Dataset, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the distance from the peak to the predicted symbol's annotation: a row for each symbol (Figure 2, right).

    Every row is scaled to its largest number; rows are ordered by mean offset, and the longest 5 % of all offsets are
    left out. The first column counts frames in which the symbol is not annotated.

    Parameters
    ----------
    evaluation : Dataset
        Result of `snaps.evaluate_alignment` for one aligner.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If the evaluation has no offsets, because the network predicts other symbols than the tier has.
    """
    offsets = _offsets(evaluation)
    order = np.argsort(evaluation["mean_offset_by_symbol"].fillna(np.inf).values, kind="stable")
    scaled = (offsets / np.maximum(offsets.max("offset"), 1)).values[order]
    ax = axes_of(ax, 5.2, 1.6 + 0.16 * len(order))
    image = ax.imshow(scaled, cmap="viridis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    _mark_offsets(ax, offsets)
    name_ticks(ax.yaxis, evaluation["symbol"].values[order], fontsize=7)
    color_bar(image, "frames, scaled by row").outline.set_visible(True)
    return finish(ax, y="predicted", title=title)


def plot_offset_histogram(evaluation: xr.Dataset, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the distance from the peak to the predicted symbol's annotation over all frames (Figure 2, left).

    Parameters
    ----------
    evaluation : Dataset
        Result of `snaps.evaluate_alignment` for one aligner.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    title : str, optional
        Heading; the accuracies otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If the evaluation has no offsets.
    """
    offsets = _offsets(evaluation)
    shares = offsets.sum("symbol").values / max(int(evaluation["offsets"].sum()), 1)
    ax = axes_of(ax, 5.2, 2.8)
    ax.bar(range(len(shares)), shares, color=["0.6", *["tab:blue"] * (len(shares) - 1)], width=0.9)
    _mark_offsets(ax, offsets)
    if title is None:
        accuracies = evaluation["accuracy"].to_series().items()
        title = "; ".join(f"{CRITERION_NAMES[str(name)]} {share:.1%}" for name, share in accuracies)
    return finish(ax, y="share of frames", title=title, fontsize=9)


def plot_alignment(evaluation: xr.Dataset, *, across: int = 2, title: str | None = None) -> Figure:
    """Draw the offsets of an evaluation, and its contingency tables before and after alignment (Figures 2 and A1).

    Parameters
    ----------
    evaluation : Dataset
        Result of `snaps.evaluate_alignment` for one aligner; without accuracies, only the tables are drawn.
    across : {1, 2}
        Number of panels side by side; 1 suits a narrow page.
    title : str, optional
        Heading.

    Returns
    -------
    Figure
        Offsets, if there are any, and the tables.
    """
    table = evaluation["table"]
    order = order_by_largest_share(table.sel(moment="after"))
    rows, columns = table.sizes["symbol"], int((table.sum(["moment", "symbol"]) > 0).sum())
    cell = 0.15 if across == 2 else 0.115
    judged = "offsets" in evaluation
    n_rows = (4 if judged else 2) // across
    heights = [1.8 + cell * rows] * n_rows
    if judged and across == 1:
        heights[0] = 2.6
    figure = Figure(figsize=(across * (2.0 + cell * max(columns, 30)), sum(heights)), layout="constrained")
    panels = list(figure.subplots(n_rows, across, squeeze=False, height_ratios=heights).flat)
    if judged:
        plot_offset_histogram(evaluation, panels[0], title="offset of all frames" if across == 1 else None)
        plot_offsets(evaluation, panels[1], title="offset by symbol")
    for ax, moment, words in zip(panels[-2:], ("before", "after"), ("at the centre", "at the peak"), strict=True):
        plot_contingency(table.sel(moment=moment), ax, order=order, title=f"annotation {words}")
    return finish_figure(figure, title=title)


def plot_aligners(comparison: xr.Dataset, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the accuracies of several aligners with confidence intervals, the best at the top.

    Parameters
    ----------
    comparison : Dataset
        Result of `snaps.profiling.compare_aligners`.
    ax : Axes, optional
        Axes to draw on; new ones otherwise.
    title : str, optional
        Heading.

    Returns
    -------
    Axes
        The axes drawn on.
    """
    order = rank_aligners(comparison)
    ax = axes_of(ax, 7.0, 1.6 + 0.28 * len(order))
    for criterion, marker, color in (("aligned", "o", "tab:blue"), ("window", "s", "tab:orange")):
        found = comparison.sel(criterion=criterion, aligner=order)
        middle = found["accuracy"].values
        ends = np.stack([middle - found["accuracy_low"].values, found["accuracy_high"].values - middle])
        ax.errorbar(
            middle, range(len(order)), xerr=np.nan_to_num(np.maximum(ends, 0)), fmt=marker, color=color, capsize=2.5,
            markersize=5, label=CRITERION_NAMES[criterion],
        )  # fmt: skip
    for criterion, color, style, label in (
        ("centre", "0.5", ":", "at the centre, unaligned"),
        ("ceiling", "0.3", "--", "in the frame (ceiling)"),
    ):
        most = float(comparison["accuracy"].sel(criterion=criterion).max())
        ax.axvline(most, color=color, linestyle=style, label=label)
    name_ticks(ax.yaxis, order)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.grid(axis="x", color="0.92")
    ax.set_axisbelow(True)
    return finish(ax, x="share of frames whose predicted symbol is annotated there", title=title, legend=LARGE)


def rank_aligners(comparison: xr.Dataset) -> list[str]:
    """Names of aligners by accuracy at the peak, in descending order."""
    accuracy = comparison["accuracy"].sel(criterion="aligned")
    order = np.argsort(-accuracy.values, kind="stable")
    return [str(name) for name in comparison["aligner"].values[order]]


def _offsets(evaluation: xr.Dataset) -> xr.DataArray:
    """Numbers of frames, of shape (symbol, offset), without the longest offsets."""
    if "offsets" not in evaluation or set(evaluation["offsets"].dims) != {"symbol", "offset"}:
        raise InputError("offsets are those of one aligner, and of a network that predicts the tier's own symbols")
    offsets = evaluation["offsets"].transpose("symbol", "offset")
    total = np.cumsum(offsets.sum("symbol").values)
    last = max(1, int(np.searchsorted(total / max(total[-1], 1), 1 - LONGEST_OFFSETS)))
    return offsets.isel(offset=slice(last + 1))


def _mark_offsets(ax: Axes, offsets: xr.DataArray) -> None:
    """Label the offsets in milliseconds; the first column counts frames without the symbol."""
    last = offsets.sizes["offset"] - 1
    places = [0, *range(1, last + 1, max(1, -(-last // 6)))]
    milliseconds = offsets["offset_ms"].values
    ax.set_xticks(places, ["absent", *(f"{milliseconds[place]:g}" for place in places[1:])])
    ax.set_xlabel("offset (ms)")
