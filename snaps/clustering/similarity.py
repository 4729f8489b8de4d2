"""Similarity of layers of two networks: distances between groups (RSA) and activations (CKA)."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from snaps.clustering.distances import OTHER_GROUP, RESOLUTION
from snaps.errors import InputError, check_whole, one_of
from snaps.schema import ACTIVATION, COVERAGE, GROUP, LAG, dataset_of

LAYER, OTHER_LAYER = "layer", "layer_"
#: Sums that differ by less count as equal, so that rounding does not decide whether a permutation is as high.
TOLERANCE = 1e-12


def compare_distances(
    first: Mapping[str, xr.DataArray], second: Mapping[str, xr.DataArray], *, n_permutations: int = 999, seed: int = 0
) -> xr.Dataset:
    """Correspondence of all layers of two networks by representational similarity analysis.

    Spearman's correlation, with mean ranks on ties, between the distances of all pairs ``i < j`` of groups in
    the one layer and in the other. The networks must share the groups, not the layers or units. The test is
    Mantel's: it permutes the groups of the second network, rows and columns of the matrix together. The p-value
    is (1 + k) / (1 + n), where k of n permutations give a correlation that is at least as high as the observed one.
    All layers are tested with the same permutations.

    Parameters
    ----------
    first, second : mapping of str to DataArray of shape (groups, groups)
        Distances of every layer by its name, from `distances`. Groups are matched by name.
    n_permutations : int
        Number of permutations, n; 0 for no test.
    seed : int
        Seed of the permutations.

    Returns
    -------
    Dataset with the dimensions layer and ``layer_``
        ``rsa``, from −1 to 1, and ``p_value``; layers of the first network lie along ``layer``, those of the
        second along ``layer_``. NaN where all distances of a layer are equal, or one is undefined; p-values
        are NaN without a test too.

    Raises
    ------
    InputError
        If the groups differ, there are fewer than three, or an option is not accepted.

    Examples
    --------
    >>> from snaps.clustering import distances
    >>> values = xr.DataArray([[0.0], [1.0], [5.0]], dims=("group", "unit"), coords={"group": ["a", "b", "c"]})
    >>> result = compare_distances({"conv1": distances(values)}, {"conv1": distances(2 * values)})
    >>> round(result["rsa"].item(), 3)
    1.0
    """
    groups = _shared_groups([*first.values(), *second.values()])
    rows, columns = np.triu_indices(len(groups), k=1)
    ranked = [
        _standardised_ranks(np.stack([_ordered(square, groups)[rows, columns] for square in squares.values()]))
        for squares in (first, second)
    ]
    matrices = np.zeros((len(second), len(groups), len(groups)))
    matrices[:, rows, columns] = matrices[:, columns, rows] = ranked[1]
    found = _permuted(ranked[0], matrices, (rows, columns), n_permutations, seed).rename(observed="rsa")
    found = found.drop_vars("chance").assign_coords({LAYER: list(first), OTHER_LAYER: list(second)})
    return found.assign_attrs(long_name="Spearman correlation of distances", n_permutations=n_permutations, seed=seed)


def compare_activations(
    first: Mapping[str, xr.Dataset | xr.DataTree],
    second: Mapping[str, xr.Dataset | xr.DataTree],
    *,
    n_permutations: int = 999,
    seed: int = 0,
) -> xr.Dataset:
    """Similarity of the activations of all layers of two networks, by linear centred kernel alignment.

    A group's mean activation, flattened over units and lags, is one row of X in the one layer and of Y in the
    other; columns are centred over groups, every group counting alike. CKA is ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) in
    Frobenius norms (Kornblith et al., 2019), computed from the products between groups. It does not change when
    units are rotated or multiplied by a common factor. A lag that some group does not cover is left out of its
    layer. With few groups and many units CKA is far from 0 even between unrelated layers: ``chance`` is its mean
    over permuted groups, and the p-value that of `compare_distances`.

    Parameters
    ----------
    first, second : mapping of str to Dataset or DataTree
        Profiles of every layer by its name. Groups are matched by name.
    n_permutations : int
        Number of permutations; 0 for no test.
    seed : int
        Seed of the permutations.

    Returns
    -------
    Dataset with the dimensions layer and ``layer_``
        ``cka``, from 0 to 1, ``chance`` and ``p_value``; layers of the first network lie along ``layer``, those
        of the second along ``layer_``. NaN where a layer is the same for all groups, or has no lag that all of
        them cover.

    Raises
    ------
    InputError
        If the groups differ, there are fewer than three, or an option is not accepted.
    """
    layers = [{name: dataset_of(profiles) for name, profiles in network.items()} for network in (first, second)]
    groups = _shared_groups([*layers[0].values(), *layers[1].values()])
    grams = [np.stack([_gram(dataset, groups) for dataset in network.values()]) for network in layers]
    rows, columns = np.triu_indices(len(groups))
    # The matrices are symmetric: entries off the diagonal count twice.
    weighted = grams[0][:, rows, columns] * np.where(rows == columns, 1.0, 2.0)
    found = _permuted(weighted, grams[1], (rows, columns), n_permutations, seed).rename(observed="cka")
    found = found.assign_coords({LAYER: list(first), OTHER_LAYER: list(second)})
    return found.assign_attrs(long_name="linear CKA of activations", n_permutations=n_permutations, seed=seed)


def moved_groups(first: xr.DataArray, second: xr.DataArray) -> xr.DataArray:
    """Change of every group's position among the other groups between two layers.

    One minus Spearman's correlation, with mean ranks on ties, between a group's distances to all other groups
    in the one layer and in the other: 0 where their order is the same, 1 where the two orders are unrelated,
    2 where the order is reversed.

    Parameters
    ----------
    first, second : DataArray of shape (groups, groups)
        Distances, from `distances`. Groups are matched by name.

    Returns
    -------
    DataArray of shape (group,)
        From 0 to 2; groups are sorted by name. NaN where all distances of a group are equal, or one is undefined.

    Raises
    ------
    InputError
        If the groups differ, or there are fewer than three.
    """
    groups = _shared_groups([first, second])
    others = ~np.eye(len(groups), dtype=bool)
    ranked = [
        _standardised_ranks(_ordered(square, groups)[others].reshape(len(groups), -1)) for square in (first, second)
    ]
    return xr.DataArray(
        1 - np.clip((ranked[0] * ranked[1]).sum(axis=1), -1, 1),
        dims=GROUP,
        coords={GROUP: groups},
        name="moved",
        attrs={"long_name": "1 − Spearman correlation of the distances to all other groups"},
    )


def layer_moves(
    first: Mapping[str, xr.DataArray], second: Mapping[str, xr.DataArray], partners: Mapping[str, str]
) -> xr.Dataset:
    """Moves of all groups between every layer and its partner, and their ranks; NaN and rank 0 where undefined."""
    from scipy.stats import rankdata

    rows = [
        moved_groups(square, second[partners[layer]] if layer in partners else xr.full_like(square, np.nan))
        for layer, square in first.items()
    ]
    moved = xr.concat(rows, xr.Variable(LAYER, list(first)))
    # Moves that are equal but for rounding are ranked in the order of the groups' names.
    ranks = rankdata(-moved.values.round(12), method="ordinal", axis=1, nan_policy="omit")
    return xr.Dataset(
        {"moved": moved, "rank": (moved.dims, np.nan_to_num(ranks).astype(np.int64))},
        coords={"matched": (LAYER, [partners.get(layer, "") for layer in first])},
    )


def lag_counts(layers: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Number of lags of every layer, and of those that all groups cover, which `compare_activations` uses."""
    covered = [_covered(dataset) for dataset in layers.values()]
    numbers = {"n_lags": [len(lags) for lags in covered], "n_covered": [int(lags.sum()) for lags in covered]}
    return xr.Dataset({name: (LAYER, values) for name, values in numbers.items()}, coords={LAYER: list(layers)})


def _covered(dataset: xr.Dataset) -> np.ndarray:
    """Whether all groups cover each lag: shape (lag,)."""
    return np.asarray((dataset[COVERAGE] > 0).all(GROUP).values)


def _permuted(
    first: np.ndarray, second: np.ndarray, at: tuple[np.ndarray, np.ndarray], n_permutations: int, seed: int
) -> xr.Dataset:
    """Permutation test of sums of products of entries of symmetric matrices: ``observed``, ``chance``, ``p_value``.

    `first` has the entries `at` as (layer, entry), `second` whole matrices as (other layer, group, group). Groups of
    the second are permuted; ``chance`` is the mean over permutations.
    """
    check_whole("n_permutations", n_permutations, least=0)
    rng = np.random.default_rng(check_whole("seed", seed, least=0))
    rows, columns = at

    def sums(order: np.ndarray) -> np.ndarray:
        return first @ second[:, order[rows], order[columns]].T

    observed = sums(np.arange(second.shape[1]))
    higher, total = np.ones_like(observed), np.zeros_like(observed)
    for _ in range(n_permutations):
        shuffled = sums(rng.permutation(second.shape[1]))
        higher += shuffled >= observed - TOLERANCE
        total += shuffled
    # A comparison with NaN is false and would give a p-value.
    known = np.isfinite(observed) & (n_permutations > 0)
    values = {
        "observed": np.clip(observed, -1, 1),
        "chance": np.where(known, total / max(n_permutations, 1), np.nan),
        "p_value": np.where(known, higher / (1 + n_permutations), np.nan),
    }
    return xr.Dataset({name: ((LAYER, OTHER_LAYER), array) for name, array in values.items()})


def _shared_groups(arrays: list[xr.DataArray] | list[xr.Dataset]) -> list[str]:
    """Sorted groups, which must be the same everywhere."""
    if not arrays:
        raise InputError("there are no layers to compare")
    groups = [sorted(str(label) for label in array[GROUP].values) for array in arrays]
    for other in groups[1:]:
        if other != groups[0]:
            raise InputError(
                f"layers of different groups do not compare: {one_of(sorted(set(groups[0]) - set(other)))} only in "
                f"one, {one_of(sorted(set(other) - set(groups[0])))} only in the other"
            )
    if len(groups[0]) < 3:
        raise InputError(f"comparing layers takes at least three groups; received {one_of(groups[0])}")
    return groups[0]


def _ordered(square: xr.DataArray, groups: list[str]) -> np.ndarray:
    ordered = square.sel({GROUP: groups, OTHER_GROUP: groups}).transpose(GROUP, OTHER_GROUP)
    return np.asarray(ordered.values, dtype=np.float64)


def _standardised_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of each row with mean 0 and norm 1, whose product is Spearman's correlation; NaN where it is undefined."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    defined = np.isfinite(values).all(axis=1) & ranks.any(axis=1)
    ranks[~defined] = np.nan
    return ranks / np.linalg.norm(ranks, axis=1, keepdims=True)


def _gram(dataset: xr.Dataset, groups: list[str]) -> np.ndarray:
    """Gram matrix of the groups' centred activations, with norm 1; NaN where all groups are equal."""
    activation = dataset[ACTIVATION].sel({GROUP: groups}).transpose(GROUP, LAG, ...).values
    vectors = activation[:, _covered(dataset)].reshape(len(groups), -1).astype(np.float64)
    size = (vectors**2).sum()
    vectors -= vectors.mean(axis=0)
    gram = vectors @ vectors.T
    # Differences below the resolution of float32 count as 0.
    if not np.trace(gram) > RESOLUTION**2 * size:
        return np.full_like(gram, np.nan)
    return gram / np.linalg.norm(gram)
