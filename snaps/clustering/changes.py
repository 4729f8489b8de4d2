"""Change between two clusterings of the same groups (definition 13)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from snaps.clustering.clusters import Clustering
from snaps.errors import InputError, one_of
from snaps.schema import GROUP


@dataclass(frozen=True)
class ClusteringChange:
    """Change between two clusterings.

    Attributes
    ----------
    changed : float
        Fraction of the pairs of groups that are together in one clustering and apart in the other: 1 − Rand
        index. 0 for equal clusterings, at most 1.
    adjusted_rand : float
        Adjusted Rand index: 1 for equal clusterings, 0 on average for random ones, at least −0.5.
    n_groups : int
        Number of groups compared.
    """

    changed: float
    adjusted_rand: float
    n_groups: int


def compare_clusterings(a: Clustering | xr.DataArray, b: Clustering | xr.DataArray) -> ClusteringChange:
    """Compare two clusterings of the same groups, e.g. of two layers or of two networks.

    The SNAP paper reports the changed pairs between layers 4 and 5 (section 5.3.2).

    Parameters
    ----------
    a, b : Clustering or DataArray of shape (group,)
        Clusterings, or their labels. Groups are matched by name; the numbers of clusters do not matter.

    Returns
    -------
    ClusteringChange
        Fraction of changed pairs, and the adjusted Rand index.

    Raises
    ------
    InputError
        If the groups differ, naming those that do, or there are fewer than two.

    Examples
    --------
    >>> groups = {"group": ["a", "b", "c"]}
    >>> one = xr.DataArray([1, 1, 2], dims="group", coords=groups)
    >>> other = xr.DataArray([1, 2, 2], dims="group", coords=groups)
    >>> round(compare_clusterings(one, other).changed, 3)  # a-b and b-c changed, a-c did not
    0.667
    """
    from sklearn.metrics import adjusted_rand_score, rand_score

    labels = [clustering.labels if isinstance(clustering, Clustering) else clustering for clustering in (a, b)]
    if not all(isinstance(of_groups, xr.DataArray) and of_groups.coords.keys() >= {GROUP} for of_groups in labels):
        raise InputError("a clustering is a Clustering, or its labels: a DataArray over 'group' with labelled groups")
    one, other = (of_groups.to_series() for of_groups in labels)
    only_one, only_other = one.index.difference(other.index), other.index.difference(one.index)
    if len(only_one) or len(only_other):
        raise InputError(
            f"clusterings of different groups do not compare: {one_of(only_one)} only in the first, "
            f"{one_of(only_other)} only in the second"
        )
    if len(one) < 2:
        raise InputError(f"comparing clusterings takes at least two groups; received {one_of(one.index)}")
    other = other[one.index]
    return ClusteringChange(1 - float(rand_score(one, other)), float(adjusted_rand_score(one, other)), len(one))


def layer_changes(
    clusterings: Mapping[str, list[Clustering]],
    others: Mapping[str, list[Clustering]],
    partners: Mapping[str, str],
    *,
    percentiles: Sequence[float],
) -> xr.Dataset:
    """Change between the clusterings of every layer and those of its partner, NaN for a layer without one."""
    values = np.full((2, len(clusterings), len(percentiles)), np.nan)
    for row, (layer, own) in enumerate(clusterings.items()):
        for column, (a, b) in enumerate(zip(own, others.get(partners.get(layer, ""), []), strict=False)):
            change = compare_clusterings(a, b)
            values[:, row, column] = change.changed, change.adjusted_rand
    dims = ("layer", "percentile")
    return xr.Dataset(
        {"changed": (dims, values[0]), "adjusted_rand": (dims, values[1])},
        coords={
            "layer": list(clusterings),
            "percentile": list(percentiles),
            "matched": ("layer", [partners.get(layer, "") for layer in clusterings]),
        },
    )
