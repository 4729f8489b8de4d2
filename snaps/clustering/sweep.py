"""Mean silhouettes over layers and percentiles (definition 12)."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snaps.clustering.clusters import Clustering, cut, link, undefined_groups
from snaps.clustering.distances import Distance, distances, resolve_distance
from snaps.errors import InputError, check_number, one_of
from snaps.profiles import Uncovered, Weighting
from snaps.schema import layers_of

#: Percentiles of the pairwise distances at which the SNAP paper cuts (section 4.3.3).
PERCENTILES = (87, 90, 93, 96)


def silhouette_sweep(
    profiles: xr.DataTree | xr.Dataset,
    *,
    percentiles: Sequence[float] = PERCENTILES,
    metric: str | Distance = "euclidean",
    weighting: Weighting = "frames",
    uncovered: Uncovered = "leave-out",
) -> xr.DataArray:
    """Mean silhouette of the clusters of every layer, at every percentile.

    Parameters
    ----------
    profiles : DataTree or Dataset
        A grouping's node, ``profiles["phoneme"]``, with one child a layer; or one layer alone.
    percentiles : sequence of float
        Percentiles of the pairwise distances at which the dendrograms are cut.
    metric : str or Distance
        A name in `DISTANCES`, or an object.
    weighting, uncovered : str
        How the grand mean of the SNAPs is taken, see `snaps.profiles.contrast`.

    Returns
    -------
    DataArray of shape (layer, percentile)
        Mean silhouettes, layers in the order of the tree; NaN where undefined. Coordinates are ``n_clusters`` (0
        where a distance is undefined) and ``undefined``, the reason why a cell is NaN, empty elsewhere. The
        attribute ``undefined`` lists all reasons in one text.

    Raises
    ------
    InputError
        If there are fewer than two groups, no layers, or an option is not accepted.
    """
    distance = resolve_distance(metric)
    chosen = check_percentiles(percentiles)
    squares = {
        layer: distances(dataset, metric=distance, weighting=weighting, uncovered=uncovered)
        for layer, dataset in layers_of(profiles).items()
    }
    found = clusterings_of(squares, chosen)
    return sweep_of(squares, found, chosen).assign_attrs(metric=distance.name, weighting=weighting, uncovered=uncovered)


def clusterings_of(squares: Mapping[str, xr.DataArray], percentiles: Sequence[float]) -> dict[str, list[Clustering]]:
    """Clusterings of every layer at every percentile; a layer with an undefined distance has none.

    Raises
    ------
    InputError
        If there are fewer than two groups.
    """
    found: dict[str, list[Clustering]] = {layer: [] for layer in squares}
    for layer, square in squares.items():
        if not undefined_groups(square):
            tree = link(square)
            found[layer] = [cut(square, tree, percentile=percentile) for percentile in percentiles]
    return found


def sweep_of(
    squares: Mapping[str, xr.DataArray], clusterings: Mapping[str, list[Clustering]], percentiles: Sequence[float]
) -> xr.DataArray:
    """Silhouettes of the clusterings of every layer, in the form of `silhouette_sweep`."""
    shape = (len(squares), len(percentiles))
    values, numbers = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    reasons = np.full(shape, "", dtype=object)
    for row, (layer, square) in enumerate(squares.items()):
        found = clusterings[layer]
        if not found:
            reasons[row] = f"the {square.attrs['metric']} distance is undefined for {one_of(undefined_groups(square))}"
        for column, result in enumerate(found):
            values[row, column], numbers[row, column] = result.silhouette, result.n_clusters
            reasons[row, column] = result.undefined
    cells = [
        f"{layer} at {percentile:g}: {reason}"
        for layer, row in zip(squares, reasons, strict=True)
        for percentile, reason in zip(percentiles, row, strict=True)
        if reason
    ]
    dims = ("layer", "percentile")
    return xr.DataArray(
        values,
        dims=dims,
        coords={
            "layer": list(squares),
            "percentile": list(percentiles),
            "n_clusters": (dims, numbers),
            "undefined": (dims, reasons.astype(str)),
        },
        name="silhouette",
        attrs={"long_name": "mean silhouette", "undefined": "; ".join(cells)},
    )


def check_percentiles(percentiles: Sequence[float]) -> list[float]:
    """Percentiles as a list, after a check.

    Raises
    ------
    InputError
        If there are none, or one is not a number from 0 to 100.
    """
    for percentile in percentiles:
        check_number("percentile", percentile, least=0, most=100)
    if not len(percentiles):
        raise InputError("percentiles is empty; accepted are numbers from 0 up to 100")
    return list(percentiles)


def mean_silhouette(sweep: xr.DataArray) -> xr.DataArray:
    """Mean over the percentiles of a sweep, the SNAP paper's score of a layer (section 4.3.3).

    A layer with an undefined cell has no mean, because a mean over fewer percentiles is not comparable.

    Parameters
    ----------
    sweep : DataArray of shape (layer, percentile)
        Result of `silhouette_sweep`.

    Returns
    -------
    DataArray of shape (layer,)
        The mean, NaN where any percentile is undefined.
    """
    return sweep.mean("percentile", skipna=False)
