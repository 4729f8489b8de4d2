import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from snaps.errors import InputError
from snaps.profiles import contrast, grand_mean, nap, navai, snap
from tests.profiles.build import from_epochs, node_attributes, random_dataset, random_epochs, random_tree


def slow_contrast(dataset: xr.Dataset, weighting: str) -> np.ndarray:
    """Definition 9, a value at a time."""
    activation = dataset["activation"].values.astype(float)
    coverage = dataset["coverage"].values
    result = np.full(activation.shape, np.nan)
    for unit in range(activation.shape[1]):
        for lag in range(activation.shape[2]):
            covered = [group for group in range(len(activation)) if coverage[group, lag] > 0]
            if not covered:
                continue
            means = [activation[group, unit, lag] for group in covered]
            weights = [coverage[group, lag] if weighting == "frames" else 1 for group in covered]
            grand = sum(m * w for m, w in zip(means, weights, strict=True)) / sum(weights)
            for group in covered:
                result[group, unit, lag] = activation[group, unit, lag] - grand
    return result


def slow_snap(dataset: xr.Dataset, weighting: str) -> np.ndarray:
    """Definition 10, a value at a time."""
    values, saliency = slow_contrast(dataset, weighting), dataset["saliency"].values.astype(float)
    result = np.zeros(values.shape)
    for group in range(len(values)):
        largest = saliency[group].max()
        for unit in range(values.shape[1]):
            for lag in range(values.shape[2]):
                if saliency[group, unit, lag] != 0:
                    result[group, unit, lag] = values[group, unit, lag] * saliency[group, unit, lag] / largest
    return result


@pytest.mark.parametrize("weighting", ["frames", "groups"])
@pytest.mark.parametrize("seed", range(3))
def test_contrast_and_snap_equal_their_definitions(seed: int, weighting: str) -> None:
    dataset = random_dataset(seed, n_epochs=12)
    assert bool(dataset["activation"].isnull().any())
    np.testing.assert_allclose(contrast(dataset, weighting).values, slow_contrast(dataset, weighting), rtol=1e-12)
    np.testing.assert_allclose(snap(dataset, weighting).values, slow_snap(dataset, weighting), rtol=1e-12)


@pytest.mark.parametrize("weighting", ["frames", "groups"])
@pytest.mark.parametrize("seed", range(3))
def test_the_papers_zero_padding_is_a_mean_over_padded_epochs(seed: int, weighting: str) -> None:
    """Epochs padded with 0 where they are not covered, and divided by their number (SNAP paper, section 3.3)."""
    labels = ["abc"[number % 3] for number in range(12)]
    activation, saliency = random_epochs(seed, labels)
    dataset = from_epochs(activation, saliency, labels)
    padded = np.nan_to_num(activation.astype(float))
    means = np.stack([padded[np.array(labels) == group].mean(axis=0) for group in dataset["group"].values])
    grand = padded.mean(axis=0) if weighting == "frames" else means.mean(axis=0)
    np.testing.assert_allclose(grand_mean(dataset, weighting, uncovered="zero").values, grand, rtol=1e-5, atol=1e-6)
    found = contrast(dataset, weighting, uncovered="zero")
    np.testing.assert_allclose(found.values, means - grand, rtol=1e-5, atol=1e-6)
    mask = dataset["saliency"] / dataset["saliency"].max(("unit", "lag"))
    expected = (found * mask.astype(float)).where(dataset["saliency"] != 0, 0)
    np.testing.assert_allclose(snap(dataset, weighting, uncovered="zero").values, expected.values, rtol=1e-6)


@pytest.mark.parametrize("uncovered", ["leave-out", "zero"])
@pytest.mark.parametrize("weighting", ["frames", "groups"])
def test_a_contrast_is_what_is_left_of_the_grand_mean(weighting: str, uncovered: str) -> None:
    dataset = random_dataset(3, n_epochs=12)
    mean = grand_mean(dataset, weighting, uncovered=uncovered)
    assert mean.dims == ("unit", "lag") and mean.attrs["uncovered"] == uncovered
    weights = dataset["coverage"] if uncovered == "leave-out" else dataset["count"]
    if weighting == "groups":
        weights = (weights > 0).astype(int)
    rest = (contrast(dataset, weighting, uncovered=uncovered).fillna(0) * weights).sum("group")
    np.testing.assert_allclose(rest.values, 0, atol=1e-5)


def test_frames_weigh_by_their_number_unless_groups_are_asked_for() -> None:
    """Earlier code took the unweighted mean, which moves all profiles when groups are unequal."""
    activation = np.array([1.0, 1, 1, 5])[:, None, None].astype(np.float32)
    dataset = from_epochs(activation, np.ones_like(activation), ["a", "a", "a", "b"])
    assert contrast(dataset).values.ravel().tolist() == [-1, 3]
    assert contrast(dataset, "groups").values.ravel().tolist() == [-2, 2]


def test_the_grand_mean_is_that_of_the_covered_epochs() -> None:
    """Earlier code padded with zeros and still divided by all examples."""
    activation = np.array([[2.0, 2], [4, np.nan], [6, 6]], dtype=np.float32)[:, None, :]
    dataset = from_epochs(activation, np.nan_to_num(activation), ["a", "b", "c"])
    expected = [[-2, -2], [0, np.nan], [2, 2]]
    np.testing.assert_array_equal(contrast(dataset).values[:, 0], expected)
    np.testing.assert_array_equal(contrast(dataset, weighting="groups").values[:, 0], expected)


def test_a_lag_that_no_epoch_covers_is_nan_in_the_contrast_and_zero_in_the_snap() -> None:
    activation = np.array([[1.0, np.nan], [3.0, np.nan]], dtype=np.float32)[:, None, :]
    saliency = np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32)[:, None, :]
    dataset = from_epochs(activation, saliency, ["a", "b"])
    assert np.isnan(contrast(dataset).values[..., 1]).all()
    np.testing.assert_array_equal(snap(dataset).values[:, 0], [[-1, 0], [1, 0]])


def test_a_dead_layer_has_a_snap_of_zeros() -> None:
    dataset = random_dataset()
    dataset["saliency"] = xr.zeros_like(dataset["saliency"])
    assert (snap(dataset).values == 0).all()


@given(order=st.permutations(range(5)), weighting=st.sampled_from(["frames", "groups"]))
@settings(max_examples=20, deadline=None)
def test_permuted_and_renamed_groups_permute_and_rename_the_result(order: list[int], weighting: str) -> None:
    dataset = random_dataset()
    renamed = dataset.isel(group=list(order)).assign_coords(group=[f"new{index}" for index in order])
    one, other = snap(dataset, weighting), snap(renamed, weighting)
    np.testing.assert_allclose(other.values, one.values[list(order)], rtol=1e-12, atol=1e-12)
    assert other["group"].values.tolist() == [f"new{index}" for index in order]


def test_a_node_a_leaf_and_a_dataset_give_the_same() -> None:
    tree = random_tree()
    xr.testing.assert_identical(snap(tree["phoneme/conv1"]), snap(tree["phoneme/conv1"].to_dataset()))


def test_results_are_labelled_and_float64() -> None:
    result = snap(random_tree()["phoneme/input"])
    assert result.dims == ("group", "unit", "lag")
    assert result.dtype == np.float64
    assert {"group", "lag", "frequency"} <= set(result.coords)
    assert result.attrs["layer"] == "input"
    assert result.attrs["long_name"] == "SNAP"
    assert result.attrs["weighting"] == "frames"


def test_the_unit_of_the_activation_is_handed_on() -> None:
    dataset = random_dataset()
    assert "units" not in contrast(dataset).attrs
    dataset["activation"].attrs["units"] = "dB"
    assert contrast(dataset).attrs["units"] == snap(dataset).attrs["units"] == "dB"


def test_navai_is_the_contrast_of_the_input() -> None:
    dataset = random_dataset(layer="input")
    np.testing.assert_array_equal(navai(dataset).values, contrast(dataset).values)
    with pytest.raises(InputError, match="received profiles of the layer 'conv1'"):
        navai(random_dataset(layer="conv1"))


def unaligned(seed: int = 0) -> xr.Dataset:
    return random_dataset(seed, attrs=node_attributes("conv1", aligner="Unaligned"))


@pytest.mark.filterwarnings("error")
def test_nap_sorts_every_unit_over_time_with_uncovered_lags_last() -> None:
    dataset = unaligned(2)
    values, result = slow_contrast(dataset, "frames"), nap(dataset)
    assert result.dims == ("group", "unit", "rank")
    assert "lag" not in result.coords
    assert result["rank"].values.tolist() == list(range(5))
    assert np.isnan(values).any()
    for group in range(values.shape[0]):
        for unit in range(values.shape[1]):
            finite = sorted(value for value in values[group, unit] if not np.isnan(value))
            expected = finite + [np.nan] * (values.shape[2] - len(finite))
            np.testing.assert_allclose(result.values[group, unit], expected, rtol=1e-12)


def test_nap_warns_of_aligned_epochs() -> None:
    with pytest.warns(UserWarning, match=r"aligned by Aligner: compute them with aligner=Unaligned\(\)"):
        nap(random_dataset())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("aligner", [None, json.dumps({"name": "Unaligned"})])
def test_nap_does_not_warn_where_nothing_says_that_epochs_were_aligned(aligner: str | None) -> None:
    dataset = random_dataset()
    del dataset.attrs["aligner"]
    found = nap(dataset if aligner is None else dataset.assign_attrs(aligner=aligner))
    assert found.dims == ("group", "unit", "rank")


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="weighting is 'epochs'; accepted are 'frames', 'groups'"):
        contrast(random_dataset(), weighting="epochs")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="uncovered is 'nan'; accepted are 'leave-out', 'zero'"):
        snap(random_dataset(), uncovered="nan")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'/phoneme' holds no profiles of one layer; below it are 'input'"):
        snap(random_tree()["phoneme"])
    with pytest.raises(InputError, match="lack the variable 'saliency'"):
        snap(random_dataset().drop_vars("saliency"))


def test_random_epochs_have_uncovered_ends() -> None:
    activation, saliency = random_epochs(0, ["a"] * 20)
    assert np.isnan(activation).any()
    assert (saliency[np.isnan(activation)] == 0).all()
