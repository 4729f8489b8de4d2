import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snaps.errors import InputError
from snaps.profiles import saliency_by_lag, used_lags
from tests.profiles.build import from_epochs, random_dataset, random_epochs, random_tree


def curve(values: np.ndarray, step: float = 0.008) -> xr.DataArray:
    lags = (np.arange(len(values)) - len(values) // 2) * step
    return xr.DataArray(np.asarray(values, dtype=float), dims="lag", coords={"lag": lags})


def test_the_mean_is_that_over_all_epochs_and_units() -> None:
    labels = ["a"] * 7 + ["b"] * 2 + ["c"] * 3
    activation, saliency = random_epochs(3, labels)
    found = saliency_by_lag(from_epochs(activation, saliency, labels, attrs={"layer": "conv1"}))
    assert list(found) == ["conv1"]
    expected = [np.mean([abs(float(s)) for s in saliency[:, :, lag].ravel()]) for lag in range(saliency.shape[2])]
    np.testing.assert_allclose(found["conv1"].values, expected, rtol=1e-6)
    assert found["conv1"].dtype == np.float64
    assert found["conv1"].attrs["layer"] == "conv1"


def test_a_grouping_has_all_its_layers_in_their_order() -> None:
    tree = random_tree(layers=("input", "conv2", "conv1", "logits"))
    found = saliency_by_lag(tree["phoneme"])
    assert list(found) == ["input", "conv2", "conv1", "logits"]
    for layer, values in found.items():
        (alone,) = saliency_by_lag(tree[f"phoneme/{layer}"]).values()
        xr.testing.assert_identical(values, alone)


def slow_range(values: np.ndarray, share: float) -> tuple[int, int]:
    """The shortest run of steps with so much of the sum, the first of several."""
    spans = [
        (stop - start, start, stop - 1)
        for start, stop in itertools.combinations(range(len(values) + 1), 2)
        if values[start:stop].sum() >= share * values.sum() - 1e-12 * values.sum()
    ]
    _, first, last = min(spans)
    return first, last


@given(
    values=arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 1000)),
    share=st.sampled_from([0.3, 0.5, 0.95, 1.0]),
)
@settings(max_examples=150, deadline=None)
def test_the_range_is_the_shortest_that_holds_the_share(values: np.ndarray, share: float) -> None:
    if not values.any():
        return
    lags = curve(values)
    found = used_lags({"x": lags}, share=share).sel(layer="x")
    first, last = slow_range(values, share)
    assert float(found["first"]) == lags["lag"].values[first]
    assert float(found["last"]) == lags["lag"].values[last]
    assert int(found["n_used"]) == last - first + 1
    assert float(found["held"]) == pytest.approx(values[first : last + 1].sum() / values.sum())
    assert float(found["held"]) >= share - 1e-9
    assert float(found["used"]) == (last - first + 1) / len(values)


def test_rounding_adds_no_step() -> None:
    values = np.array([0.1] * 10)
    assert used_lags({"x": curve(values)}, share=0.3)["n_used"].item() == 3
    assert used_lags({"x": curve(np.array([0.0, *values, 0.0]))}, share=1.0)["n_used"].item() == 10


def test_without_saliency_there_is_no_range() -> None:
    dead = random_dataset()
    dead["saliency"] = xr.zeros_like(dead["saliency"])
    found = used_lags({"dead": saliency_by_lag(dead)["conv1"], "nan": curve(np.array([1.0, np.nan]))})
    assert np.isnan(found["first"].values).all()
    assert np.isnan(found["used"].values).all()
    assert found["n_used"].values.tolist() == [0, 0]
    assert found["n_lags"].values.tolist() == [5, 2]
    assert found.attrs["share"] == 0.95


def test_wrong_input_is_one_sentence() -> None:
    for share in (0, -1, 1.01, float("nan"), "all", True):
        with pytest.raises(InputError, match="accepted are numbers above 0 up to 1"):
            used_lags({"x": curve(np.ones(3))}, share=share)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there are no layers"):
        used_lags({})
    with pytest.raises(InputError, match="below it are 'input'"):
        saliency_by_lag(random_tree())
    with pytest.raises(InputError, match="is a list; accepted is a Dataset or a node"):
        saliency_by_lag([])  # type: ignore[arg-type]
