"""Contrast, SNAP, NAvAI and NAP: what sets a group apart (definitions 9 to 11)."""

import warnings
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from snaps.errors import InputError, check_choice
from snaps.schema import (
    ACTIVATION,
    COUNT,
    COVERAGE,
    GROUP,
    INPUT_LAYER,
    LAG,
    RANK,
    SALIENCY,
    UNIT,
    Provenance,
    dataset_of,
)

Weighting = Literal["frames", "groups"]
Uncovered = Literal["leave-out", "zero"]


def grand_mean(
    profiles: xr.Dataset | xr.DataTree, weighting: Weighting = "frames", *, uncovered: Uncovered = "leave-out"
) -> xr.DataArray:
    """Mean activation over all groups of a grouping, at every unit and lag (definition 9).

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer.
    weighting, uncovered
        As `contrast` has them.

    Returns
    -------
    DataArray of shape (unit, lag)
        Float64, in the unit of the activation; NaN where no epoch is covered.

    Raises
    ------
    InputError
        As `contrast` does.
    """
    dataset = dataset_of(profiles)
    result = _mean_over_groups(*_means(dataset, uncovered), weighting).transpose(UNIT, LAG).rename("grand_mean")
    return _described(result, dataset, long_name="grand mean", weighting=weighting, uncovered=uncovered)


def contrast(
    profiles: xr.Dataset | xr.DataTree, weighting: Weighting = "frames", *, uncovered: Uncovered = "leave-out"
) -> xr.DataArray:
    """Group activation minus grand mean, at every unit and lag (definition 9).

    The grand mean at a lag is the mean over all covered epochs of the grouping, so that a frequent group
    weighs more than a rare one (SNAP paper, section 3.3: "the average over the complete data set"). With
    ``weighting="groups"`` it is the mean of the group means.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer.
    weighting : {"frames", "groups"}
        What counts alike in the grand mean: every frame, or every group.
    uncovered : {"leave-out", "zero"}
        Whether epochs without a value at a lag are left out of the mean there, or count as 0, as the SNAP paper pads
        its epochs: the mean is then ``activation · coverage / count``.

    Returns
    -------
    DataArray of shape (group, unit, lag)
        Float64, in the unit of the activation; NaN where no epoch of the group is covered, with ``"zero"`` where the
        group has no epoch.

    Raises
    ------
    InputError
        If `profiles` holds no profiles of one layer, or `weighting` or `uncovered` is another word.

    Examples
    --------
    >>> profiles = xr.Dataset(
    ...     {
    ...         "activation": (("group", "unit", "lag"), [[[1.0]], [[4.0]]]),
    ...         "saliency": (("group", "unit", "lag"), [[[0.5]], [[0.5]]]),
    ...         "coverage": (("group", "lag"), [[2], [1]]),
    ...         "count": ("group", [2, 1]),
    ...         "unaligned": ("group", [0, 0]),
    ...     },
    ...     coords={"group": ["a", "b"], "lag": [0.0]},
    ... )
    >>> contrast(profiles).values.ravel().tolist()  # the grand mean is (2 · 1 + 1 · 4) / 3 = 2
    [-1.0, 2.0]
    >>> contrast(profiles, weighting="groups").values.ravel().tolist()
    [-1.5, 1.5]
    """
    dataset = dataset_of(profiles)
    means, number = _means(dataset, uncovered)
    result = (means - _mean_over_groups(means, number, weighting)).where(number > 0).transpose(GROUP, UNIT, LAG)
    long_name = "contrast"
    return _described(result.rename("contrast"), dataset, long_name=long_name, weighting=weighting, uncovered=uncovered)


def snap(
    profiles: xr.Dataset | xr.DataTree, weighting: Weighting = "frames", *, uncovered: Uncovered = "leave-out"
) -> xr.DataArray:
    """Saliency-adjusted neuron activation profile of every group (definition 10).

    ``contrast · saliency / max(saliency)``, where the maximum is that of the group over units and lags, and
    0 where the saliency is 0 (SNAP paper, section 3.3).

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer.
    weighting, uncovered
        As `contrast` has them.

    Returns
    -------
    DataArray of shape (group, unit, lag)
        Float64, in the unit of the activation.

    Raises
    ------
    InputError
        As `contrast` does.
    """
    dataset = dataset_of(profiles)
    saliency = dataset[SALIENCY].astype(np.float64)
    largest = saliency.max((UNIT, LAG))
    mask = saliency / largest.where(largest > 0)
    # Without saliency a value is 0, also where no epoch is covered and the contrast is NaN.
    result = (
        (contrast(dataset, weighting, uncovered=uncovered) * mask).where(saliency != 0, 0.0).transpose(GROUP, UNIT, LAG)
    )
    return _described(result.rename("snap"), dataset, long_name="SNAP", weighting=weighting, uncovered=uncovered)


def navai(
    profiles: xr.Dataset | xr.DataTree, weighting: Weighting = "frames", *, uncovered: Uncovered = "leave-out"
) -> xr.DataArray:
    """Normalised average of aligned inputs: the contrast of the layer ``input`` (definition 11).

    The NAvAI paper (section 3.5) aligns at the smallest or largest sensitivity, or at the largest relevance:
    ``Aligner(peak="min")``, ``Aligner(peak="max")``. How the profiles at hand were aligned is in the result's
    attribute ``aligner``; an average of inputs aligned in another way is computed all the same.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of the layer ``input``.
    weighting, uncovered
        As `contrast` has them.

    Returns
    -------
    DataArray of shape (group, unit, lag)
        Float64, in the unit of the input (dB for spectrograms).

    Raises
    ------
    InputError
        If the profiles are those of another layer, and as `contrast` does.
    """
    dataset = dataset_of(profiles)
    layer = dataset.attrs.get("layer", INPUT_LAYER)
    if layer != INPUT_LAYER:
        raise InputError(f"NAvAI is defined for the layer 'input'; received profiles of the layer {layer!r}")
    result = contrast(dataset, weighting, uncovered=uncovered)
    return _described(result.rename("navai"), dataset, long_name="NAvAI", weighting=weighting, uncovered=uncovered)


def nap(
    profiles: xr.Dataset | xr.DataTree, weighting: Weighting = "frames", *, uncovered: Uncovered = "leave-out"
) -> xr.DataArray:
    """Neuron activation profile: the contrast of unaligned epochs, sorted over time in every unit (definition 11).

    Sorting takes the place of an alignment (SNAP paper, section 3.2): what remains of time is the rank.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer, computed with ``Unaligned()``. Others are accepted with a `UserWarning`.
    weighting, uncovered
        As `contrast` has them.

    Returns
    -------
    DataArray of shape (group, unit, rank)
        Float64, ascending along ``rank``; uncovered lags are NaN and come last.

    Raises
    ------
    InputError
        As `contrast` does.
    """
    dataset = dataset_of(profiles)
    name = Provenance.of(dataset).aligner.get("name", "Unaligned")
    if name != "Unaligned":
        warnings.warn(
            f"NAP is defined for epochs that were not aligned; these profiles were aligned by {name}: "
            "compute them with aligner=Unaligned()",
            UserWarning,
            stacklevel=2,
        )
    values = contrast(dataset, weighting, uncovered=uncovered)
    ranked = values.drop_vars(LAG).rename({LAG: RANK}).assign_coords({RANK: np.arange(values.sizes[LAG])})
    result = ranked.copy(data=np.sort(values.values, axis=values.get_axis_num(LAG)))
    return _described(result.rename("nap"), dataset, long_name="NAP", weighting=weighting, uncovered=uncovered)


def _means(dataset: xr.Dataset, uncovered: Uncovered) -> tuple[xr.DataArray, xr.DataArray]:
    """Group means, and the number of epochs of each: the covered ones, or all with 0 where they are not covered."""
    check_choice("uncovered", uncovered, get_args(Uncovered))
    activation, coverage = dataset[ACTIVATION].astype(np.float64), dataset[COVERAGE]
    if uncovered == "leave-out":
        return activation, coverage
    number = dataset[COUNT].broadcast_like(coverage)
    return activation.where(coverage > 0, 0.0) * coverage / number.where(number > 0), number


def _mean_over_groups(means: xr.DataArray, number: xr.DataArray, weighting: Weighting) -> xr.DataArray:
    """Mean of group means, weighted by their epochs or each alike; NaN where no group has an epoch."""
    check_choice("weighting", weighting, get_args(Weighting))
    weights = number if weighting == "frames" else (number > 0).astype(np.int64)
    # An uncovered mean is NaN and weighs nothing; NaN times zero would still be NaN.
    total = (means.where(number > 0, 0.0) * weights).sum(GROUP, skipna=False)
    return total / weights.sum(GROUP).where(lambda sums: sums > 0)


def _described(values: xr.DataArray, dataset: xr.Dataset, **attributes: Any) -> xr.DataArray:
    """Give `values` the attributes of their profiles, the activation's unit, and `attributes`."""
    units = dataset[ACTIVATION].attrs.get("units")
    return values.assign_attrs({**dataset.attrs, **({"units": units} if units is not None else {}), **attributes})
