"""Complete linkage of groups, cut at a percentile of their distances, with silhouettes (definition 12)."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from snaps.clustering.distances import Distance, distances
from snaps.errors import InputError, check_number, one_of
from snaps.profiles import Uncovered, Weighting
from snaps.schema import GROUP


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters of the groups of one layer.

    Attributes
    ----------
    labels : DataArray of shape (group,)
        Number of each group's cluster, from 1, in the order in which clusters follow each other along the
        dendrogram.
    linkage : array of shape (groups − 1, 4)
        SciPy's linkage matrix.
    order : tuple of str
        Groups as the leaves of the dendrogram.
    threshold : float
        Distance at which the dendrogram was cut.
    percentile : float
        Percentile of the pairwise distances at which the threshold lies.
    silhouettes : DataArray of shape (group,)
        Silhouette of every group; 0 for a singleton, NaN if undefined.
    silhouette : float
        Mean of the silhouettes, NaN if undefined.
    undefined : str
        Reason why the silhouette is undefined; empty if it is defined.
    distances : DataArray of shape (groups, groups)
        Pairwise distances; the second dimension is called ``group_``.
    """

    labels: xr.DataArray = field(repr=False)
    linkage: np.ndarray = field(repr=False)
    order: tuple[str, ...] = field(repr=False)
    threshold: float
    percentile: float
    silhouettes: xr.DataArray = field(repr=False)
    silhouette: float
    undefined: str
    distances: xr.DataArray = field(repr=False)

    @property
    def n_clusters(self) -> int:
        """Number of clusters, singletons included."""
        return int(self.labels.max())

    @property
    def clusters(self) -> dict[int, tuple[str, ...]]:
        """Groups of every cluster by its number, in the order of the dendrogram."""
        numbers = dict(zip(self.labels[GROUP].values.tolist(), self.labels.values.tolist(), strict=True))
        return {
            number: tuple(label for label in self.order if numbers[label] == number)
            for number in range(1, self.n_clusters + 1)
        }


def cluster(
    profiles: xr.Dataset | xr.DataTree | xr.DataArray,
    *,
    percentile: float = 96,
    metric: str | Distance = "euclidean",
    weighting: Weighting = "frames",
    uncovered: Uncovered = "leave-out",
) -> Clustering:
    """Cluster the groups of one layer by their SNAPs (definition 12).

    Distances between flattened SNAPs, complete linkage, cut at a percentile of the pairwise distances: groups
    are together where their cophenetic distance is at most the threshold (SNAP paper, section 4.3.3). Which of several
    equal distances is linked first follows from the labels of the groups in ascending order, not from the order in
    which they are given. A layer whose groups do not differ by more than float32 resolves, see
    `snaps.clustering.distances`, is one cluster without a silhouette, and ``undefined`` says so.

    Parameters
    ----------
    profiles : Dataset, DataTree or DataArray
        Profiles of one layer; or an array with the dimension ``group``, whose values are compared as they
        are, e.g. of `nap`.
    percentile : float
        From 0 to 100. The paper takes 87, 90, 93 and 96.
    metric : str or Distance
        A name in `DISTANCES`, or an object.
    weighting, uncovered : str
        How the grand mean of the SNAPs is taken, see `snaps.profiles.contrast`.

    Returns
    -------
    Clustering
        Labels, linkage, silhouettes and distances.

    Raises
    ------
    InputError
        If there are fewer than two groups, a distance is undefined, or an option is not accepted.

    Examples
    --------
    >>> values = xr.DataArray(
    ...     [[0.0], [1.0], [8.0], [9.0]], dims=("group", "unit"), coords={"group": ["a", "b", "y", "z"]}
    ... )
    >>> result = cluster(values, percentile=40)
    >>> result.clusters
    {1: ('a', 'b'), 2: ('y', 'z')}
    >>> round(result.silhouette, 3)
    0.875
    """
    check_number("percentile", percentile, least=0, most=100)
    square = distances(profiles, metric=metric, weighting=weighting, uncovered=uncovered)
    return cut(square, link(square), percentile=percentile)


def link(square: xr.DataArray) -> np.ndarray:
    """Complete linkage of a square matrix of distances; ties are broken by the labels of the groups, ascending.

    Returns
    -------
    array of shape (groups − 1, 4)
        SciPy's linkage matrix, whose leaves are numbered as the groups of `square`.

    Raises
    ------
    InputError
        If there are fewer than two groups, or a distance is not finite.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    labels = square[GROUP].values.astype(str)
    if len(labels) < 2:
        raise InputError(f"clustering takes at least two groups; received {one_of(labels.tolist())}")
    if broken := undefined_groups(square):
        raise InputError(
            f"the {square.attrs.get('metric', '')} distance is undefined for the groups {one_of(broken)}; "
            "leave them out, or take metric='euclidean'"
        )
    order = np.argsort(labels, kind="stable")
    tree = linkage(squareform(square.values[np.ix_(order, order)], checks=False), method="complete")
    nodes = np.concatenate([order, np.arange(len(order), 2 * len(order) - 1)])
    tree[:, :2] = nodes[tree[:, :2].astype(int)]
    return tree


def cut(square: xr.DataArray, tree: np.ndarray, *, percentile: float) -> Clustering:
    """Cut a linkage of all groups at a percentile of their distances, and score the clusters."""
    from scipy.cluster.hierarchy import fcluster, leaves_list
    from scipy.spatial.distance import squareform

    threshold = float(np.percentile(squareform(square.values, checks=False), percentile))
    leaves = leaves_list(tree)
    found = fcluster(tree, t=threshold, criterion="distance")
    labels = 1 + pd.factorize(found[leaves])[0][np.argsort(leaves)]  # numbers in the order of the dendrogram
    silhouettes, undefined = _silhouettes(square.values, labels)
    groups = {GROUP: square[GROUP].values}
    return Clustering(
        labels=xr.DataArray(labels, dims=GROUP, coords=groups, name="cluster"),
        linkage=tree,
        order=tuple(str(label) for label in square[GROUP].values[leaves]),
        threshold=threshold,
        percentile=float(percentile),
        silhouettes=xr.DataArray(silhouettes, dims=GROUP, coords=groups, name="silhouette"),
        silhouette=float(silhouettes.mean()),
        undefined=undefined,
        distances=square,
    )


def undefined_groups(square: xr.DataArray) -> list[str]:
    """Groups whose distances to all others are undefined; if there is none, groups with any undefined distance."""
    lost = (~np.isfinite(square.values)).sum(axis=1)
    worst = lost >= max(1, len(lost) - 1)
    return [str(label) for label in square[GROUP].values[worst if worst.any() else lost > 0]]


def _silhouettes(square: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, str]:
    """Silhouette of every group, and the reason if silhouettes are undefined."""
    from sklearn.metrics import silhouette_samples

    number = len(np.unique(labels))
    if not square.any():
        undefined = "there is one cluster, for the groups do not differ"
    elif number == 1:
        undefined = "there is one cluster"
    elif number == len(labels):
        undefined = "there are only singletons"
    else:
        return np.asarray(silhouette_samples(square, labels, metric="precomputed")), ""
    return np.full(len(labels), np.nan), undefined
