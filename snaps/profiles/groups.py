"""Groups merged into coarser ones, or left out, from the file alone."""

import json
from collections.abc import Callable, Mapping
from typing import overload

import numpy as np
import xarray as xr

from snaps.errors import InputError, one_of
from snaps.schema import (
    ACTIVATION,
    ACTIVATION_VARIANCE,
    COUNT,
    COVERAGE,
    DTYPES,
    GROUP,
    LAG,
    LEFT_OUT,
    SALIENCY,
    SALIENCY_VARIANCE,
    UNALIGNED,
    UNIT,
    dataset_of,
    json_text,
)


@overload
def regroup(profiles: xr.Dataset, mapping: Mapping[str, str]) -> xr.Dataset: ...
@overload
def regroup(profiles: xr.DataTree, mapping: Mapping[str, str]) -> xr.Dataset | xr.DataTree: ...
def regroup(profiles: xr.Dataset | xr.DataTree, mapping: Mapping[str, str]) -> xr.Dataset | xr.DataTree:
    """Merge groups into coarser ones, exactly as if the corpus had been grouped so from the start.

    Means are weighted by the number of epochs behind them, counts are added, and variances follow the law of
    total variance. Groups that the mapping lacks, or maps to an empty label, are left out; the attribute
    ``left_out`` lists them.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer, or a grouping's node, whose layers are all regrouped.
    mapping : mapping of str to str
        From the labels at hand to the new ones. Labels that do not occur are passed over.

    Returns
    -------
    Dataset or DataTree
        A Dataset for one layer, a tree of the same layers for a grouping's node; groups are sorted.

    Raises
    ------
    InputError
        If the mapping covers none of the groups, or maps to something other than text.

    Examples
    --------
    >>> coarse = regroup(profiles["phoneme"], {"s": "fricative", "z": "fricative"})  # doctest: +SKIP
    >>> coarse["conv1"]["count"].sel(group="fricative")  # doctest: +SKIP
    """
    for old, new in mapping.items():
        if not isinstance(new, str):
            raise InputError(f"the mapping gives {new!r} for the group {old!r}; accepted is text")
    return _each_layer(profiles, lambda dataset: _regroup_dataset(dataset, mapping))


@overload
def filter_groups(profiles: xr.Dataset, *, min_count: int = 1) -> xr.Dataset: ...
@overload
def filter_groups(profiles: xr.DataTree, *, min_count: int = 1) -> xr.Dataset | xr.DataTree: ...
def filter_groups(profiles: xr.Dataset | xr.DataTree, *, min_count: int = 1) -> xr.Dataset | xr.DataTree:
    """Leave out groups of few epochs.

    What is computed from the result knows nothing of the groups left out: the grand mean of `contrast` is
    then that of the groups that remain.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer, or a grouping's node.
    min_count : int
        Smallest number of epochs with which a group is kept.

    Returns
    -------
    Dataset or DataTree
        The same without the groups left out, which the attribute ``left_out`` lists as JSON text.

    Raises
    ------
    InputError
        If no group is large enough, or `min_count` is no whole number from 0.
    """
    if isinstance(min_count, bool) or not isinstance(min_count, int | np.integer) or min_count < 0:
        raise InputError(f"min_count is {min_count!r}; accepted are whole numbers from 0")
    return _each_layer(profiles, lambda dataset: _filter_dataset(dataset, int(min_count)))


def left_out(dataset: xr.Dataset) -> list[str]:
    """List the groups that `regroup` and `filter_groups` left out of a dataset."""
    return list(json.loads(dataset.attrs.get(LEFT_OUT, "[]")))


def _each_layer(
    profiles: xr.Dataset | xr.DataTree, change: Callable[[xr.Dataset], xr.Dataset]
) -> xr.Dataset | xr.DataTree:
    if isinstance(profiles, xr.DataTree) and not profiles.has_data and profiles.children:
        # The root has groupings as children, and those hold no data: dataset_of says what lies below.
        changed = {name: change(dataset_of(child)) for name, child in profiles.children.items()}
        tree = xr.DataTree.from_dict(changed, name=profiles.name)
        tree.attrs.update(profiles.attrs)
        return tree
    return change(dataset_of(profiles))


def _filter_dataset(dataset: xr.Dataset, min_count: int) -> xr.Dataset:
    kept = (dataset[COUNT] >= min_count).values
    if not kept.any():
        largest = int(dataset[COUNT].max()) if dataset.sizes[GROUP] else 0
        raise InputError(f"no group has {min_count} epochs or more (min_count); the largest has {largest}")
    gone = [str(label) for label in dataset[GROUP].values[~kept]]
    return _without(dataset.isel({GROUP: np.flatnonzero(kept)}), gone)


def _without(dataset: xr.Dataset, gone: list[str]) -> xr.Dataset:
    listed = sorted({*left_out(dataset), *gone})
    return dataset.assign_attrs({LEFT_OUT: json_text(listed)}) if listed else dataset


def _regroup_dataset(dataset: xr.Dataset, mapping: Mapping[str, str]) -> xr.Dataset:
    labels = [str(label) for label in dataset[GROUP].values]
    targets = [mapping.get(label, "") for label in labels]
    gone = [label for label, target in zip(labels, targets, strict=True) if not target]
    names = sorted({target for target in targets if target})
    if not names:
        raise InputError(
            f"the mapping covers none of the groups: it maps {one_of(sorted(map(str, mapping)))}; "
            f"the groups are {one_of(labels)}"
        )
    members = [[index for index, target in enumerate(targets) if target == name] for name in names]
    arrays = {
        str(name): variable.transpose(GROUP, *(dim for dim in (UNIT, LAG) if dim in variable.dims)).values
        for name, variable in dataset.data_vars.items()
        if name in DTYPES
    }
    merged = [_merged({name: values[rows] for name, values in arrays.items()}) for rows in members]
    coords = {name: coord for name, coord in dataset.coords.items() if GROUP not in coord.dims}
    result = xr.Dataset(
        {
            name: (
                tuple(dim for dim in (GROUP, UNIT, LAG) if dim in dataset[name].dims),
                np.stack([group[name] for group in merged]).astype(dataset[name].dtype),
                dataset[name].attrs,
            )
            for name in arrays
        },
        coords={GROUP: (GROUP, np.array(names, dtype=str), dataset[GROUP].attrs), **coords},
        attrs=dataset.attrs,
    )
    return _without(result, gone)


def _merged(group: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Moments of one new group from those of its members, which lie along the first axis."""
    coverage, count = group[COVERAGE], group[COUNT]
    result = {name: group[name].sum(axis=0) for name in (COVERAGE, COUNT, UNALIGNED)}
    for mean, variance, weights in (
        (ACTIVATION, ACTIVATION_VARIANCE, coverage[:, np.newaxis, :]),
        (SALIENCY, SALIENCY_VARIANCE, count[:, np.newaxis, np.newaxis]),
    ):
        means = group[mean].astype(np.float64)
        result[mean] = _weighted_mean(means, weights)
        if variance in group:
            # Law of total variance: mean of the variances plus variance of the means.
            spread = group[variance].astype(np.float64) + (means - result[mean]) ** 2
            result[variance] = _weighted_mean(spread, weights)
    return result


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the first axis; NaN where all weights are 0."""
    total = np.where(weights > 0, values * weights, 0.0).sum(axis=0)
    number = weights.sum(axis=0)
    return np.divide(total, number, out=np.full_like(total, np.nan), where=np.broadcast_to(number > 0, total.shape))
