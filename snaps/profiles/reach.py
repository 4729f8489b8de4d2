"""Reach of saliency: the lags that hold it (SNAP paper, section 5.2)."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from snaps.errors import InputError, check_number
from snaps.schema import COUNT, GROUP, LAG, SALIENCY, UNIT, layers_of


def saliency_by_lag(profiles: xr.Dataset | xr.DataTree) -> dict[str, xr.DataArray]:
    """Mean absolute saliency at every lag, layer by layer.

    The mean is taken over units and over all epochs of all groups, so that a group weighs as much as it has
    epochs. Layers differ in the scale of their saliency; what can be compared is how it falls off with the lag.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer, or a grouping's node with all its layers.

    Returns
    -------
    dict of str to DataArray of shape (lag,)
        By layer, in the order of the profiles; float64, with ``lag`` in seconds and the attribute ``layer``.

    Raises
    ------
    InputError
        If `profiles` are neither.

    Examples
    --------
    >>> profiles = xr.Dataset(
    ...     {
    ...         "activation": (("group", "unit", "lag"), [[[1.0, 1.0]], [[4.0, 1.0]]]),
    ...         "saliency": (("group", "unit", "lag"), [[[1.0, 0.0]], [[4.0, 0.0]]]),
    ...         "coverage": (("group", "lag"), [[2, 2], [1, 1]]),
    ...         "count": ("group", [2, 1]),
    ...         "unaligned": ("group", [0, 0]),
    ...     },
    ...     coords={"group": ["a", "b"], "lag": [0.0, 0.008]},
    ...     attrs={"layer": "input"},
    ... )
    >>> saliency_by_lag(profiles)["input"].values.tolist()  # (2 · 1 + 1 · 4) / 3
    [2.0, 0.0]
    """
    return {name: _curve(dataset, name) for name, dataset in layers_of(profiles).items()}


def used_lags(curves: Mapping[str, xr.DataArray], *, share: float = 0.95) -> xr.Dataset:
    """Shortest range of lags that holds a share of the saliency, layer by layer.

    Parameters
    ----------
    curves : mapping of str to DataArray of shape (lag,)
        What `saliency_by_lag` gives.
    share : float
        Share of the sum over all lags that the range holds at least, above 0 and at most 1.

    Returns
    -------
    Dataset with the dimension layer
        ``first`` and ``last``, the lags in seconds that the range begins and ends with (the first such range, if
        several are as short); ``held``, the share that it holds; ``n_used`` and ``n_lags``, the number of lags in
        it and in all; and ``used``, their ratio. Where saliency is 0 at every lag, or not finite, there is no
        range: lags and shares are NaN and ``n_used`` is 0.

    Raises
    ------
    InputError
        If `share` is no number above 0 and up to 1, or there are no curves.

    Examples
    --------
    >>> curve = xr.DataArray([0.0, 1.0, 8.0, 1.0, 0.0], dims="lag", coords={"lag": [-0.2, -0.1, 0.0, 0.1, 0.2]})
    >>> ranges = used_lags({"conv1": curve}, share=0.9)
    >>> [float(ranges[name].sel(layer="conv1")) for name in ("first", "last", "held", "used")]
    [-0.1, 0.0, 0.9, 0.4]
    """
    share = check_number("share", share, above=0, most=1)
    if not curves:
        raise InputError("there are no layers whose lags could be looked at")
    rows = [_range(curve, share) for curve in curves.values()]
    return xr.Dataset(
        {name: ("layer", [row[name] for row in rows]) for name in rows[0]},
        coords={"layer": list(curves)},
        attrs={"share": share},
    )


def _curve(dataset: xr.Dataset, name: str) -> xr.DataArray:
    means = dataset[SALIENCY].astype(np.float64).mean(UNIT, skipna=False)
    count = dataset[COUNT]
    # A group without epochs has no mean, and weighs nothing.
    total = (means.where(count > 0, 0.0) * count).sum(GROUP, skipna=False)
    curve = (total / max(1, int(count.sum()))).rename("saliency")
    return curve.assign_attrs({**dataset.attrs, "layer": name, "long_name": "mean absolute saliency"})


def _range(curve: xr.DataArray, share: float) -> dict[str, float]:
    values = np.asarray(curve.values, dtype=np.float64)
    total, n_lags = values.sum(), len(values)
    if not np.isfinite(total) or total <= 0:
        missing = dict.fromkeys(("first", "last", "held"), np.nan)
        return {**missing, "n_used": 0, "n_lags": n_lags, "used": np.nan}
    sums = np.concatenate([[0.0], np.cumsum(values)])
    # Sums of parts differ from the whole by rounding, which must not add a step.
    ends = np.searchsorted(sums, sums[:-1] + share * total * (1 - 1e-12))
    lengths = np.where(ends <= n_lags, ends - np.arange(n_lags), n_lags + 1)
    start = int(lengths.argmin())
    length = int(lengths[start])
    return {
        "first": float(curve[LAG][start]),
        "last": float(curve[LAG][start + length - 1]),
        "held": float(min(1.0, (sums[start + length] - sums[start]) / total)),
        "n_used": length,
        "n_lags": n_lags,
        "used": length / n_lags,
    }
