import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from snaps.errors import InputError
from snaps.profiles import contrast, filter_groups, regroup, snap
from tests.profiles.build import from_epochs, random_dataset, random_epochs, random_tree

FINE = ("s", "z", "iy", "ih", "h#", "é")


@given(
    labels=st.lists(st.sampled_from(FINE), min_size=1, max_size=14),
    mapping=st.dictionaries(st.sampled_from(FINE), st.sampled_from(["fricative", "vowel", "ü"]), min_size=1),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_regrouping_equals_grouping_so_from_the_start(labels: list[str], mapping: dict[str, str], seed: int) -> None:
    activation, saliency = random_epochs(seed, labels, n_units=2, n_lags=3)
    unaligned = (np.random.default_rng(seed).random(len(labels)) < 0.3).tolist()
    fine = from_epochs(activation, saliency, labels, unaligned=unaligned, variance=True)
    kept = [index for index, label in enumerate(labels) if label in mapping]
    if not kept:
        with pytest.raises(InputError, match="the mapping covers none of the groups"):
            regroup(fine, mapping)
        return
    expected = from_epochs(
        activation[kept],
        saliency[kept],
        [mapping[labels[index]] for index in kept],
        unaligned=[unaligned[index] for index in kept],
        variance=True,
    )
    result = regroup(fine, mapping)
    assert result["group"].values.tolist() == expected["group"].values.tolist()
    for name in ("coverage", "count", "unaligned"):
        np.testing.assert_array_equal(result[name].values, expected[name].values)
        assert result[name].dtype == np.int64
    for name in ("activation", "saliency", "activation_variance", "saliency_variance"):
        assert result[name].dtype == np.float32
        np.testing.assert_allclose(result[name].values, expected[name].values, rtol=1e-5, atol=1e-6)
    left = sorted(set(labels) - set(mapping))
    assert json.loads(result.attrs.get("left_out", "[]")) == left


def test_regrouping_to_the_same_names_changes_nothing() -> None:
    dataset = random_dataset(variance=True)
    result = regroup(dataset, {label: label for label in "abcde"})
    xr.testing.assert_identical(result, dataset)


def test_regrouping_in_two_steps_equals_one() -> None:
    dataset = random_dataset(n_epochs=60)
    twice = regroup(regroup(dataset, {"a": "x", "b": "x", "c": "y", "d": "y"}), {"x": "all", "y": "all"})
    once = regroup(dataset, dict.fromkeys("abcd", "all"))
    xr.testing.assert_allclose(twice, once, rtol=1e-6)
    assert twice.attrs == once.attrs
    assert once.attrs["left_out"] == '["e"]'


def test_the_grand_mean_survives_regrouping() -> None:
    dataset = random_dataset(n_epochs=60, n_lags=1)
    fine, coarse = contrast(dataset), contrast(regroup(dataset, dict(zip("abcde", "xxxyy", strict=True))))
    means = [dataset["activation"] - fine, regroup(dataset, dict.fromkeys("abcde", "x"))["activation"]]
    np.testing.assert_allclose(means[0].values[0], means[1].values[0], rtol=1e-5, atol=1e-6)
    assert coarse.sizes["group"] == 2


def test_a_grouping_gives_a_tree_of_the_same_layers_and_one_layer_a_dataset() -> None:
    tree = random_tree()
    result = regroup(tree["phoneme"], {"a": "x", "b": "x", "é": "y"})
    assert isinstance(result, xr.DataTree)
    assert list(result.children) == ["input", "conv1", "conv2", "logits"]
    assert result["input"]["group"].values.tolist() == ["x", "y"]
    assert "frequency" in result["input"].coords
    assert result["conv1"].attrs["layer"] == "conv1"
    one = regroup(tree["phoneme/conv1"], {"a": "x", "b": "x", "é": "y"})
    assert isinstance(one, xr.Dataset)
    xr.testing.assert_identical(one, result["conv1"].to_dataset())
    assert snap(result["conv1"]).sizes["group"] == 2


def test_labels_that_do_not_occur_are_passed_over_and_empty_ones_leave_out() -> None:
    result = regroup(random_dataset(), {"a": "x", "b": "", "nowhere": "y"})
    assert result["group"].values.tolist() == ["x"]
    assert json.loads(result.attrs["left_out"]) == ["b", "c", "d", "e"]


def test_wrong_mappings_are_one_sentence() -> None:
    with pytest.raises(InputError, match="it maps 'q'; the groups are 'a', 'b', 'c', 'd', 'e'"):
        regroup(random_dataset(), {"q": "x"})
    with pytest.raises(InputError, match="the new label of the group 'a' is a int; accepted is a text"):
        regroup(random_dataset(), {"a": 3})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="holds no profiles of one layer"):
        regroup(random_tree(), {"a": "x"})


def test_small_groups_are_left_out_and_listed() -> None:
    labels = ["a"] * 5 + ["h#"] * 2 + ["é"]
    dataset = from_epochs(*random_epochs(0, labels), labels)
    assert filter_groups(dataset)["group"].values.tolist() == ["a", "h#", "é"]
    assert "left_out" not in filter_groups(dataset).attrs
    result = filter_groups(dataset, min_count=2)
    assert result["group"].values.tolist() == ["a", "h#"]
    assert json.loads(result.attrs["left_out"]) == ["é"]
    again = filter_groups(result, min_count=5)
    assert json.loads(again.attrs["left_out"]) == ["h#", "é"]


def test_the_layers_of_a_grouping_are_filtered_alike() -> None:
    node = random_tree()["phoneme"]
    layers = {name: layer.to_dataset().assign(count=("group", np.arange(8))) for name, layer in node.children.items()}
    result = filter_groups(xr.DataTree.from_dict(layers), min_count=6)
    assert isinstance(result, xr.DataTree)
    assert [layer["group"].values.tolist() for layer in result.children.values()] == [["iy+f", "é"]] * 4


def test_wrong_counts_are_one_sentence() -> None:
    with pytest.raises(InputError, match=r"no group has 1000 epochs or more \(min_count\); the largest has "):
        filter_groups(random_dataset(), min_count=1000)
    with pytest.raises(InputError, match=r"min_count is 2\.5; accepted are whole numbers from 0"):
        filter_groups(random_dataset(), min_count=2.5)  # type: ignore[arg-type]
