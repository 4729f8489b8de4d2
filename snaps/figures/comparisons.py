"""Networks against each other: changes between clusterings, layers against layers, groups that moved."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from snaps.errors import InputError
from snaps.figures.layers import draw_percentiles, finish_axes, labelled_layers, mark_undefined, new_axes
from snaps.figures.scales import drawn, verbatim
from snaps.schema import GROUP

#: Correlations around zero, and shares from 0 to 1.
DIVERGING, SEQUENTIAL = "RdBu_r", "YlGnBu"
UNDEFINED = "0.85"
#: p-values above this are marked.
LEVEL = 0.05


def plot_changes(
    changes: xr.DataArray, ax: Axes | None = None, *, title: str | None = None, legend: bool = True
) -> Axes:
    """Draw how much clusterings change over layers: a line for every percentile.

    Parameters
    ----------
    changes : DataArray of shape (layer, percentile)
        ``changed`` or ``adjusted_rand`` of a comparison by `snaps.compare_models`: of one pair of networks from
        its ``changes``, or of one network from its ``successive``, from its second layer on.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    title : str, optional
        Heading.
    legend : bool
        Whether to add a legend.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If `changes` has other dimensions.
    """
    layers = labelled_layers(changes, {"layer", "percentile"})
    ax = new_axes(layers) if ax is None else ax
    draw_percentiles(ax, changes)
    mark_undefined(ax, changes.isnull().any("percentile").values, "undefined at some percentile")
    label = {"changed": "changed pairs of groups", "adjusted_rand": "adjusted Rand index"}.get(
        str(changes.name), str(changes.name or "change")
    )
    finish_axes(ax, layers, label, title=title, legend=legend)
    if changes.name == "changed":
        top = np.nanmax(changes.values, initial=0.0)
        ax.set_ylim(-0.03 * max(top, 0.1), 1.12 * max(top, 0.1))
    return ax


def plot_layer_matrix(
    matrix: xr.DataArray,
    ax: Axes | None = None,
    *,
    p_values: xr.DataArray | None = None,
    title: str | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw how alike the layers of two networks are: layers of the first from top to bottom.

    In every row the layer that is most alike has a frame. Cells in grey are undefined; a cross marks those whose
    p-value is above 0.05.

    Parameters
    ----------
    matrix : DataArray of shape (layer, other layer)
        ``rsa`` or ``cka`` of one pair of networks, as ``between`` of a comparison by `snaps.compare_models`
        gives it.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    p_values : DataArray of shape (layer, other layer), optional
        p-values of the cells.
    title : str, optional
        Heading.
    colorbar : bool
        Whether to add a colour bar.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If `matrix` has other dimensions.
    """
    rows = labelled_layers(matrix, {"layer", "layer_"})
    columns = [str(layer) for layer in matrix["layer_"].values]
    values = matrix.transpose("layer", "layer_").values
    if ax is None:
        size = (2.6 + 0.33 * len(columns), 1.5 + 0.33 * len(rows))
        _, ax = plt.subplots(figsize=size, layout="constrained")
    around_zero = matrix.name == "rsa"
    image = _heat(
        ax, values, vmin=-1.0 if around_zero else 0.0, vmax=1.0, cmap=DIVERGING if around_zero else SEQUENTIAL
    )
    _name_cells(ax, rows, columns)
    for row in np.flatnonzero(np.isfinite(values).any(axis=1)):
        column = int(np.nanargmax(values[row]))
        ax.add_patch(
            plt.Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=1.4, zorder=3, clip_on=False
            )
        )
    if p_values is not None:
        above = np.argwhere(p_values.transpose("layer", "layer_").values > LEVEL)
        # Dark on light, so that crosses are seen on any colour.
        for color, width in (("white", 2.4), ("0.25", 0.9)):
            ax.plot(
                *above.T[::-1],
                linestyle="none",
                marker="x",
                color=color,
                markersize=3.5,
                markeredgewidth=width,
                alpha=0.9,
            )
    if "first" in matrix.coords and "second" in matrix.coords:
        verbatim(
            ax.set_ylabel(f"layer of {drawn(matrix['first'].item())}"),
            ax.set_xlabel(f"layer of {drawn(matrix['second'].item())}"),
        )
    if title is not None:
        verbatim(ax.set_title(title, fontsize=11))
    if colorbar:
        _bar(ax, image, {"rsa": "RSA (Spearman's correlation)", "cka": "linear CKA"}.get(str(matrix.name), ""))
    return ax


def plot_moved(
    moved: xr.DataArray, ax: Axes | None = None, *, most: int = 20, title: str | None = None, colorbar: bool = True
) -> Axes:
    """Draw the groups that moved most between two networks, over layers, those with the largest mean at the top.

    Parameters
    ----------
    moved : DataArray of shape (layer, group)
        ``moved`` of one pair of networks, as ``between`` of a comparison by `snaps.compare_models` gives it.
    ax : Axes, optional
        Where to draw; new ones otherwise.
    most : int
        Number of groups to show.
    title : str, optional
        Heading.
    colorbar : bool
        Whether to add a colour bar.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InputError
        If `moved` has other dimensions, or `most` is no whole number from 1.
    """
    layers = labelled_layers(moved, {"layer", GROUP})
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError(f"most is {most!r}; accepted are whole numbers from 1")
    means = moved.mean("layer").fillna(-1.0).values
    shown = moved.transpose(GROUP, "layer").isel({GROUP: np.argsort(-means, kind="stable")[:most]})
    labels = [str(label) for label in shown[GROUP].values]
    if ax is None:
        size = (2.8 + 0.36 * len(layers), 1.4 + 0.21 * len(labels))
        _, ax = plt.subplots(figsize=size, layout="constrained")
    image = _heat(
        ax, shown.values, vmin=0.0, vmax=max(1.0, float(np.nanmax(shown.values, initial=0.0))), cmap="magma_r"
    )
    _name_cells(ax, labels, layers)
    ax.set_xlabel("layer")
    if title is not None:
        verbatim(ax.set_title(title, fontsize=11))
    if colorbar:
        _bar(ax, image, "moved (1 − Spearman's correlation)")
    return ax


def _heat(ax: Axes, values: np.ndarray, *, vmin: float, vmax: float, cmap: str) -> AxesImage:
    colors = colormaps[cmap].with_extremes(bad=UNDEFINED)
    return ax.imshow(
        np.ma.masked_invalid(values), cmap=colors, vmin=vmin, vmax=vmax, aspect="auto", interpolation="nearest"
    )


def _name_cells(ax: Axes, rows: list[str], columns: list[str]) -> None:
    rows, columns = list(map(drawn, rows)), list(map(drawn, columns))
    ax.set_xticks(np.arange(len(columns)), columns, rotation=90 if max(map(len, columns)) > 2 else 0, fontsize=8)
    ax.set_yticks(np.arange(len(rows)), rows, fontsize=8)
    verbatim(*ax.get_xticklabels(), *ax.get_yticklabels())
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _bar(ax: Axes, image: AxesImage, label: str) -> None:
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.05)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)
