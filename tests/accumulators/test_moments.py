"""Running moments against NumPy on all epochs at once."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snaps.accumulators import GroupMoments, LayerMoments, bytes_per_group, sum_by_group

SHAPES = {"input": (3, 4), "logits": (2, 1)}


def members_of(labels: list) -> tuple[dict, torch.Tensor]:
    """Number of frames by group, and 1 where a frame belongs to one."""
    groups = [label for label in dict.fromkeys(labels) if label is not None]
    members = torch.tensor([[float(label == group) for label in labels] for group in groups]).reshape(-1, len(labels))
    return {("tier", group): labels.count(group) for group in groups}, members


def epochs(seed: int, number: int) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Values, coverage and saliency by layer."""
    generator = np.random.default_rng(seed)
    made = {}
    for name, (units, lags) in SHAPES.items():
        covered = generator.random((number, lags)) < 0.8
        values = generator.normal(3.0, 2.0, (number, units, lags)).astype(np.float32)
        made[name] = values * covered[:, None], covered, generator.random(values.shape).astype(np.float32)
    return made


def add(moments: GroupMoments, labels: list, of_layers: dict, chosen: slice) -> None:
    counts, members = members_of(labels[chosen])
    sums = {}
    for name, (values, covered, saliency) in of_layers.items():
        values, covered, saliency = (torch.from_numpy(array[chosen]) for array in (values, covered, saliency))
        window_of = torch.arange(len(values))
        sums[name] = LayerMoments(
            sum_by_group(members, values, covered=covered, window_of=window_of, variance=True),
            sum_by_group(members, saliency, variance=True),
            (members.sum(1)).long(),
        )
    moments.add(counts, sums)


def assert_is_one_pass(moments: GroupMoments, labels: list, of_layers: dict) -> None:
    present = sorted({label for label in labels if label is not None})
    assert set(moments.counts) == {("tier", label) for label in present}
    for name, (values, covered, saliency) in of_layers.items():
        result = moments.to_dataset("tier", name)
        assert list(result["group"].values) == present
        for row, label in enumerate(present):
            own = np.array([other == label for other in labels])
            assert int(result["count"][row]) == own.sum() == int(result["unaligned"][row])
            kept = values[own].astype(np.float64)
            np.testing.assert_array_equal(result["coverage"][row], covered[own].sum(0))
            for lag in range(kept.shape[-1]):
                some = kept[:, :, lag][covered[own][:, lag]]
                means, spread = result["activation"][row, :, lag], result["activation_variance"][row, :, lag]
                if len(some):
                    np.testing.assert_allclose(means, some.mean(0), rtol=1e-5)
                    np.testing.assert_allclose(spread, some.var(0), rtol=1e-5, atol=1e-6)
                else:
                    assert np.isnan(means).all()
                    assert np.isnan(spread).all()
            np.testing.assert_allclose(result["saliency"][row], saliency[own].astype(np.float64).mean(0), rtol=1e-5)


LABELS = st.lists(st.sampled_from(["s", "iy", "h#", None]), min_size=1, max_size=150)


@settings(max_examples=40, deadline=None)
@given(labels=LABELS, seed=st.integers(0, 99), data=st.data())
def test_any_split_and_merge_is_one_pass(labels: list, seed: int, data: st.DataObject) -> None:
    of_layers = epochs(seed, len(labels))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(labels)), max_size=4)))
    parts = []
    for begin, end in zip([0, *cuts], [*cuts, len(labels)], strict=True):
        part = GroupMoments(SHAPES, variance=True)
        if end > begin:
            add(part, labels, of_layers, slice(begin, end))
        parts.append(part)
    order = data.draw(st.permutations(parts))
    total = GroupMoments(SHAPES, variance=True)
    for part in order:
        total.merge(part)
    assert_is_one_pass(total, labels, of_layers)
    assert_is_one_pass(GroupMoments.from_arrays(total.to_arrays(), torch.device("cpu")), labels, of_layers)


def test_windows_that_frames_share_are_added_once_each() -> None:
    _, members = members_of(["a", "a", "b", "a"])
    windows = torch.tensor([[[1.0]], [[10.0]]])
    shared = sum_by_group(members, windows, window_of=torch.tensor([0, 1, 1, 0]), variance=True)
    single = sum_by_group(members, windows[[0, 1, 1, 0]], variance=True)
    assert shared.values.tolist() == single.values.tolist() == [[[12.0]], [[10.0]]]
    torch.testing.assert_close(shared.squares, single.squares)


def test_more_frames_than_float32_may_sum_are_summed_in_float64() -> None:
    assert sum_by_group(torch.ones(1, 64), torch.ones(64, 1, 1)).values.dtype == torch.float32
    assert sum_by_group(torch.ones(1, 65), torch.ones(65, 1, 1)).values.dtype == torch.float64


def test_totals_are_exact_over_many_batches() -> None:
    """Float32 totals would stand still at 2**24."""
    moments = GroupMoments({"input": (1, 1)})
    counts, members = members_of(["a"] * 64)
    for _ in range(40):
        sums = sum_by_group(members, torch.full((64, 1, 1), 2.0**18 + 1))
        moments.add(counts, {"input": LayerMoments(sums, sums, torch.zeros(1, dtype=torch.int64))})
    assert float(moments.layers["input"].saliency.values[0]) == 40 * 64 * (2.0**18 + 1)


def test_size_is_that_of_the_totals() -> None:
    moments = GroupMoments(SHAPES, variance=True)
    add(moments, ["a"], epochs(0, 1), slice(0, 1))
    taken = sum(
        tensor.nbytes
        for layer in moments.layers.values()
        for part in (layer.activation, layer.saliency)
        for tensor in (part.values[:1], part.number[:1], part.squares[:1])
    )
    assert bytes_per_group(SHAPES, variance=True) == taken
