"""Running moments against NumPy on all epochs at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snaps.accumulators import GroupingMoments, LayerShape, LayerSums, assign, bytes_per_group, sum_by_group

SHAPES = {"input": LayerShape(3, 4), "logits": LayerShape(2, 1)}


def epochs(seed: int, number: int) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Values, coverage and saliency by layer."""
    generator = np.random.default_rng(seed)
    made = {}
    for name, shape in SHAPES.items():
        covered = generator.random((number, shape.lags)) < 0.8
        values = generator.normal(3.0, 2.0, (number, shape.units, shape.lags)).astype(np.float32)
        made[name] = values * covered[:, None], covered, generator.random(values.shape).astype(np.float32)
    return made


def add(moments: GroupingMoments, labels: list, of_layers: dict, chosen: slice) -> None:
    assignment = assign(labels[chosen])
    sums = {}
    for name, (values, covered, saliency) in of_layers.items():
        values, covered, saliency = (torch.from_numpy(array[chosen]) for array in (values, covered, saliency))
        window_of = torch.arange(len(values))
        sums[name] = LayerSums(
            sum_by_group(assignment.members, values, covered=covered, window_of=window_of, variance=moments.variance),
            sum_by_group(assignment.members, saliency, variance=moments.variance),
            (assignment.members.sum(1)).long(),
        )
    moments.update(assignment, sums)


def assert_is_one_pass(moments: GroupingMoments, labels: list, of_layers: dict) -> None:
    present = [label for label in dict.fromkeys(labels) if label is not None]
    assert set(moments.counts) == set(present)
    for name, (values, covered, saliency) in of_layers.items():
        result = moments.result(name)
        means, spread = result.activation.mean(), result.activation.variance()
        for row, label in enumerate(moments.counts):
            own = np.array([other == label for other in labels])
            assert moments.counts[label] == own.sum()
            assert int(result.unaligned[row]) == own.sum()
            kept = np.where(covered[own][:, None], values[own].astype(np.float64), np.nan)
            np.testing.assert_array_equal(result.activation.number[row].numpy(), covered[own].sum(0))
            for lag in range(kept.shape[-1]):
                some = kept[:, :, lag][covered[own][:, lag]]
                if len(some):
                    np.testing.assert_allclose(means[row, :, lag], some.mean(0), rtol=1e-5)
                    np.testing.assert_allclose(spread[row, :, lag], some.var(0), rtol=1e-5, atol=1e-6)
                else:
                    assert np.isnan(means[row, :, lag]).all()
                    assert np.isnan(spread[row, :, lag]).all()
            own_saliency = saliency[own].astype(np.float64)
            np.testing.assert_allclose(result.saliency.mean()[row], own_saliency.mean(0), rtol=1e-5)


LABELS = st.lists(st.sampled_from(["s", "iy", "h#", None]), min_size=1, max_size=150)


@settings(max_examples=40, deadline=None)
@given(labels=LABELS, seed=st.integers(0, 99), data=st.data())
def test_any_split_and_merge_is_one_pass(labels: list, seed: int, data: st.DataObject) -> None:
    of_layers = epochs(seed, len(labels))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(labels)), max_size=4)))
    parts = []
    for begin, end in zip([0, *cuts], [*cuts, len(labels)], strict=True):
        part = GroupingMoments(SHAPES, variance=True)
        if end > begin:
            add(part, labels, of_layers, slice(begin, end))
        parts.append(part)
    order = data.draw(st.permutations(parts))
    total = GroupingMoments(SHAPES, variance=True)
    for part in order:
        total.merge(part)
    assert_is_one_pass(total, labels, of_layers)


def test_windows_that_frames_share_are_added_once_each() -> None:
    assignment = assign(["a", "a", "b", "a"])
    windows = torch.tensor([[[1.0]], [[10.0]]])
    shared = sum_by_group(assignment.members, windows, window_of=torch.tensor([0, 1, 1, 0]), variance=True)
    single = sum_by_group(assignment.members, windows[[0, 1, 1, 0]], variance=True)
    assert shared.values.tolist() == single.values.tolist() == [[[12.0]], [[10.0]]]
    torch.testing.assert_close(shared.squares, single.squares)


def test_more_frames_than_float32_may_sum_are_summed_in_float64() -> None:
    assert sum_by_group(torch.ones(1, 64), torch.ones(64, 1, 1)).values.dtype == torch.float32
    assert sum_by_group(torch.ones(1, 65), torch.ones(65, 1, 1)).values.dtype == torch.float64


def test_totals_are_exact_over_many_batches() -> None:
    """Float32 totals would stand still at 2**24."""
    moments = GroupingMoments({"input": LayerShape(1, 1)})
    assignment = assign(["a"] * 64)
    for _ in range(40):
        sums = sum_by_group(assignment.members, torch.full((64, 1, 1), 2.0**18 + 1))
        moments.update(assignment, {"input": LayerSums(sums, sums, torch.zeros(1, dtype=torch.int64))})
    assert float(moments.result("input").saliency.values) == 40 * 64 * (2.0**18 + 1)


def test_size_is_that_of_the_totals() -> None:
    moments = GroupingMoments(SHAPES, variance=True)
    add(moments, ["a"], epochs(0, 1), slice(0, 1))
    taken = sum(
        tensor.nbytes
        for layer in moments.layers.values()
        for part in (layer.activation, layer.saliency)
        for tensor in (part.values[:1], part.number[:1], part.squares[:1])
    )
    assert bytes_per_group(SHAPES, variance=True) == taken


def test_variance_that_was_not_asked_for_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="variance=True"):
        sum_by_group(torch.ones(1, 2), torch.ones(2, 1, 1)).variance()
