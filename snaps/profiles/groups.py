"""Merge groups into coarser ones, or leave groups out, from the file alone."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

import numpy as np
import xarray as xr

from snaps.errors import InputError, check_type, check_whole, one_of
from snaps.schema import (
    ACTIVATION,
    ACTIVATION_VARIANCE,
    COUNT,
    COVERAGE,
    DTYPES,
    GROUP,
    LEFT_OUT,
    SALIENCY,
    SALIENCY_VARIANCE,
    UNALIGNED,
    dataset_of,
    decode_attributes,
    json_text,
    layers_of,
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
        check_type(f"the new label of the group {old!r}", new, str, accepted="a text")
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
    least = check_whole("min_count", min_count, least=0)
    return _each_layer(profiles, lambda dataset: _filter_dataset(dataset, least))


def left_out(dataset: xr.Dataset) -> list[str]:
    """List the groups that `regroup` and `filter_groups` left out of a dataset."""
    return list(decode_attributes(dataset.attrs).get(LEFT_OUT, []))


def _each_layer(
    profiles: xr.Dataset | xr.DataTree, change: Callable[[xr.Dataset], xr.Dataset]
) -> xr.Dataset | xr.DataTree:
    if not isinstance(profiles, xr.DataTree) or profiles.has_data or not profiles.children:
        return change(dataset_of(profiles))
    tree = xr.DataTree.from_dict(
        {name: change(dataset) for name, dataset in layers_of(profiles).items()}, name=profiles.name
    )
    tree.attrs.update(profiles.attrs)
    return tree


def _filter_dataset(dataset: xr.Dataset, min_count: int) -> xr.Dataset:
    kept = (dataset[COUNT] >= min_count).values
    if not kept.any():
        largest = int(dataset[COUNT].max()) if dataset.sizes[GROUP] else 0
        raise InputError(f"no group has {min_count} epochs or more (min_count); the largest has {largest}")
    return _without(dataset.isel({GROUP: kept}), dataset[GROUP].values[~kept])


def _without(dataset: xr.Dataset, gone: Iterable[str]) -> xr.Dataset:
    listed = sorted({*left_out(dataset), *map(str, gone)})
    return dataset.assign_attrs({LEFT_OUT: json_text(listed)}) if listed else dataset


def _regroup_dataset(dataset: xr.Dataset, mapping: Mapping[str, str]) -> xr.Dataset:
    labels = [str(label) for label in dataset[GROUP].values]
    targets = np.array([mapping.get(label, "") for label in labels], dtype=str)
    kept = targets != ""
    if not kept.any():
        raise InputError(
            f"the mapping covers none of the groups: it maps {one_of(sorted(map(str, mapping)))}; "
            f"the groups are {one_of(labels)}"
        )
    known = dataset[[name for name in dataset.data_vars if name in DTYPES]]
    members = known.assign_coords({GROUP: (GROUP, targets, dataset[GROUP].attrs)}).isel({GROUP: kept})
    merged = _merged(members)
    for name, values in merged.items():
        merged[name] = (
            values.astype(dataset[name].dtype).transpose(*dataset[name].dims).assign_attrs(dataset[name].attrs)
        )
    coords = {name: coord for name, coord in dataset.coords.items() if GROUP not in coord.dims}
    result = xr.Dataset({name: merged[name] for name in members.data_vars}, attrs=dataset.attrs).assign_coords(coords)
    result[GROUP].attrs = dataset[GROUP].attrs
    return _without(result.sortby(GROUP), np.array(labels)[~kept])


def _merged(members: xr.Dataset) -> dict[Any, xr.DataArray]:
    """Moments of the new groups from those of their members, which bear the new groups' labels."""
    result = {name: members[name].groupby(GROUP).sum() for name in (COVERAGE, COUNT, UNALIGNED)}
    for mean, variance, weights in (
        (ACTIVATION, ACTIVATION_VARIANCE, members[COVERAGE]),
        (SALIENCY, SALIENCY_VARIANCE, members[COUNT]),
    ):
        means = members[mean].astype(np.float64)
        result[mean] = _weighted_mean(means, weights)
        if variance in members:
            # Law of total variance: mean of the variances plus variance of the means.
            distance = means - result[mean].sel({GROUP: members[GROUP].values})
            result[variance] = _weighted_mean(members[variance].astype(np.float64) + distance**2, weights)
    return result


def _weighted_mean(values: xr.DataArray, weights: xr.DataArray) -> xr.DataArray:
    """Mean over the members of each group; NaN where all weights are 0."""
    total = (values.where(weights > 0, 0.0) * weights).groupby(GROUP).sum(skipna=False)
    number = weights.groupby(GROUP).sum()
    return total / number.where(number > 0)
