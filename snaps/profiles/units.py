"""Units of a layer that tell groups apart."""

import numpy as np
import xarray as xr

from snaps.errors import InputError, check_whole
from snaps.schema import GROUP, LAG, RANK, UNIT


def distinctive_units(values: xr.DataArray, *, number: int = 6) -> xr.DataArray:
    """Units whose values differ most between groups.

    For each unit, the variance over groups at every lag, averaged over lags. Lags that fewer than two groups
    cover count for nothing. Of contrasts, far lags that few epochs cover may win by noise alone; of SNAPs, which
    saliency masks, they do not.

    Parameters
    ----------
    values : DataArray of shape (group, unit, lag)
        What `snaps.snap`, `snaps.contrast` or `snaps.nap` gives, or an activation.
    number : int
        How many units to give at most.

    Returns
    -------
    DataArray of shape (unit,)
        The variances, largest first, in the squared unit of the values; ``unit`` are the numbers of the units.

    Raises
    ------
    InputError
        If `values` has other dimensions, fewer than two groups, or `number` is no whole number from 1.

    Examples
    --------
    >>> values = xr.DataArray([[[1.0], [5.0]], [[3.0], [5.0]]], dims=("group", "unit", "lag"))
    >>> distinctive_units(values, number=1).to_series().to_dict()
    {0: 1.0}
    """
    over = LAG if LAG in values.dims else RANK
    if set(values.dims) != {GROUP, UNIT, over}:
        raise InputError(f"the values have the dimensions {values.dims}; accepted are 'group', 'unit' and 'lag'")
    check_whole("number", number)
    if values.sizes[GROUP] < 2:
        raise InputError(f"units differ between groups where there are two or more; received {values.sizes[GROUP]}")
    covered = values.notnull().sum(GROUP) >= 2
    spread = values.var(GROUP).where(covered).mean(over).fillna(0.0).rename("variance")
    if UNIT not in spread.coords:
        spread = spread.assign_coords({UNIT: np.arange(spread.sizes[UNIT])})
    order = np.argsort(-spread.values, kind="stable")[: int(number)]
    return spread.isel({UNIT: order}).assign_attrs(long_name="variance between groups")
