import numpy as np
import pytest
import xarray as xr

from snaps.errors import InputError
from snaps.profiles import contrast, distinctive_units, nap, snap
from tests.profiles.build import random_dataset


def slow_variance(values: np.ndarray) -> np.ndarray:
    """Variance over the covered groups at each lag, mean over the lags that two groups cover: (unit,)."""
    result = []
    for unit in range(values.shape[1]):
        at_lags = [[value for value in values[:, unit, lag] if not np.isnan(value)] for lag in range(values.shape[2])]
        result.append(np.mean([np.var(covered) for covered in at_lags if len(covered) > 1]))
    return np.array(result)


@pytest.mark.parametrize("seed", range(3))
def test_units_come_in_the_order_of_their_variance(seed: int) -> None:
    values = contrast(random_dataset(seed, n_units=7, n_epochs=12))
    expected = slow_variance(values.values)
    found = distinctive_units(values, number=5)
    assert found["unit"].values.tolist() == np.argsort(-expected, kind="stable")[:5].tolist()
    np.testing.assert_allclose(found.values, np.sort(expected)[::-1][:5], rtol=1e-10)
    xr.testing.assert_allclose(found, distinctive_units(values.transpose(), number=5))


def test_units_keep_their_numbers_and_ties_their_order() -> None:
    values = xr.DataArray(np.zeros((3, 4, 2)), dims=("group", "unit", "lag"), coords={"unit": [8, 3, 90, 41]})
    assert distinctive_units(values, number=9)["unit"].values.tolist() == [8, 3, 90, 41]
    values[0, 2] = 1.0
    assert distinctive_units(values, number=1)["unit"].values.tolist() == [90]


@pytest.mark.filterwarnings("ignore:NAP is defined")
def test_snaps_and_naps_have_distinctive_units() -> None:
    dataset = random_dataset()
    assert distinctive_units(snap(dataset)).sizes == {"unit": 4}
    assert distinctive_units(nap(dataset), number=2).sizes == {"unit": 2}


def test_wrong_input_is_one_sentence() -> None:
    values = snap(random_dataset())
    with pytest.raises(InputError, match="accepted are 'group', 'unit' and 'lag'"):
        distinctive_units(values.isel(unit=0))
    with pytest.raises(InputError, match="number is 0; accepted are whole numbers from 1"):
        distinctive_units(values, number=0)
    with pytest.raises(InputError, match="where there are two or more; received 1"):
        distinctive_units(values.isel(group=[0]))
