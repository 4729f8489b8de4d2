"""What a result does not depend on (section 8), and what it has to follow."""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snaps.datasets.recording import Interval, Recording
from tests.definitions.agreement import compute, drop_counts
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus

LAYERS = ("input", "conv1", "logits")
EXAMPLES = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
lengths = st.lists(st.integers(10, 70), min_size=2, max_size=6)
contexts = st.sampled_from([("recording", "same"), ("frame", "valid"), ("frame", "same")])


def assert_same_means(found: xr.DataTree, expected: xr.DataTree, *, tolerance: float = 1e-6) -> None:
    """Counts equal, means to the tolerance, relative to the largest value of the layer."""
    assert drop_counts(found) == drop_counts(expected)
    for path in (f"{grouping}/{layer}" for grouping in expected.children for layer in expected[grouping].children):
        one, other = found[path].to_dataset(), expected[path].to_dataset()
        assert one["group"].values.tolist() == other["group"].values.tolist()
        for name in ("count", "coverage", "unaligned"):
            np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=path)
        for name in ("activation", "saliency"):
            largest = np.nanmax(np.abs(other[name].values), initial=0)
            np.testing.assert_allclose(
                one[name].values, other[name].values, rtol=0, atol=tolerance * largest, err_msg=path
            )


def merged(parts: list[xr.DataTree], path: str) -> dict[str, dict[str, np.ndarray]]:
    """Group → totals of several runs, from their means and counts, as a user of the files merges them."""
    totals: dict[str, dict[str, Any]] = {}
    for part in parts:
        if path not in {node.path.lstrip("/") for node in part.leaves}:
            continue
        node = part[path].to_dataset()
        for group in node["group"].values.tolist():
            here = node.sel(group=group)
            values = {
                "count": here["count"].values,
                "unaligned": here["unaligned"].values,
                "coverage": here["coverage"].values,
                "activation": np.nan_to_num(here["activation"].values.astype(float)) * here["coverage"].values,
                "saliency": here["saliency"].values.astype(float) * here["count"].values,
            }
            mine = totals.setdefault(group, dict.fromkeys(values, 0))
            totals[group] = {name: mine[name] + values[name] for name in values}
    return totals


@EXAMPLES
@given(seed=st.integers(0, 999), lengths=lengths, cut=st.integers(1, 5), context=contexts)
def test_any_split_of_a_corpus_merges_to_the_whole(
    seed: int, lengths: list[int], cut: int, context: tuple[str, str]
) -> None:
    model = random_wav2letter(STACKS["odd kernels"], seed=seed, padding=context[1])
    corpus = random_corpus(seed, [*lengths, 40])
    options = {"groupings": ["phoneme", "speaker"], "context": context[0], "ignore": ()}
    whole = compute(model, corpus, **options)
    cut = min(cut, len(corpus) - 1)
    order = np.random.default_rng(seed).permutation(len(corpus))
    shuffled = [corpus[index] for index in order]
    parts = [compute(model, part, **options) for part in (shuffled[:cut], shuffled[cut:])]
    for path in (f"{grouping}/{layer}" for grouping in ("phoneme", "speaker") for layer in LAYERS):
        node, totals = whole[path].to_dataset(), merged(parts, path)
        assert node["group"].values.tolist() == sorted(totals)
        for row, group in enumerate(node["group"].values.tolist()):
            here, total = node.isel(group=row), totals[group]
            for name in ("count", "unaligned", "coverage"):
                np.testing.assert_array_equal(here[name].values, total[name])
            for name, number in (("activation", total["coverage"]), ("saliency", total["count"])):
                with np.errstate(invalid="ignore"):
                    mean = total[name] / number
                largest = np.nanmax(np.abs(node[name].values))
                np.testing.assert_allclose(here[name].values, mean, rtol=0, atol=1e-6 * largest)


@EXAMPLES
@given(seed=st.integers(0, 999), lengths=lengths, context=contexts)
def test_the_order_of_recordings_does_not_matter(seed: int, lengths: list[int], context: tuple[str, str]) -> None:
    model = random_wav2letter(STACKS["strides 2 and 1"], seed=seed, padding=context[1])
    corpus = random_corpus(seed, [*lengths, 50])
    options = {"groupings": ["phoneme", "predicted"], "context": context[0], "ignore": ()}
    assert_same_means(compute(model, corpus[::-1], **options), compute(model, corpus, **options))


@pytest.mark.parametrize("context", [("recording", "same"), ("frame", "valid"), ("frame", "same")])
def test_the_batch_size_does_not_matter(context: tuple[str, str]) -> None:
    model = random_wav2letter(STACKS["one-step layers"], padding=context[1])
    corpus = random_corpus(0, [16, 90, 15, 200, 17, 41])
    options = {"groupings": ["phoneme", "predicted", "speaker"], "context": context[0]}
    expected = compute(model, corpus, **options)
    for batch_size in (1, 7, 512):
        assert_same_means(compute(model, corpus, batch_size=batch_size, **options), expected)


@pytest.mark.parametrize("context", [("recording", "same"), ("frame", "valid"), ("frame", "same")])
def test_the_same_run_twice_is_the_same_bit_for_bit(context: tuple[str, str]) -> None:
    model, corpus = random_wav2letter(STACKS["kernel nine"], padding=context[1]), random_corpus(0, [60, 80])
    options = {"groupings": ["phoneme"], "context": context[0]}
    first, second = (compute(model, corpus, **options) for _ in range(2))
    for layer in first["phoneme"].children:
        assert first[f"phoneme/{layer}"].to_dataset().equals(second[f"phoneme/{layer}"].to_dataset())


@EXAMPLES
@given(seed=st.integers(0, 999), renamed=st.permutations(["aa", "iy", "s", "t"]))
def test_renaming_groups_permutes_the_results(seed: int, renamed: list[str]) -> None:
    names = dict(zip(["aa", "iy", "s", "t"], renamed, strict=True))
    corpus = random_corpus(seed, [60, 45])
    other = [
        Recording(
            r.id,
            r.features,
            tiers={"phoneme": [Interval(a, b, names.get(label, label)) for a, b, label in r.tiers["phoneme"]]},
        )
        for r in corpus
    ]
    model = random_wav2letter(STACKS["odd kernels"], seed=seed)
    before, after = (compute(model, c, groupings=["phoneme"], ignore=()) for c in (corpus, other))
    for layer in LAYERS:
        old, new = before[f"phoneme/{layer}"].to_dataset(), after[f"phoneme/{layer}"].to_dataset()
        assert new["group"].values.tolist() == sorted(names[group] for group in old["group"].values.tolist())
        for group in old["group"].values.tolist():
            before_it, after_it = old.sel(group=group), new.sel(group=names[group])
            for name in ("count", "coverage", "unaligned"):
                np.testing.assert_array_equal(after_it[name].values, before_it[name].values)
            for name in ("activation", "saliency"):
                largest = np.nanmax(np.abs(old[name].values))
                np.testing.assert_allclose(after_it[name].values, before_it[name].values, rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize("rule", ["max", "min", "mean", "unaligned"])
@pytest.mark.parametrize("context", ["recording", "frame"])
def test_units_never_move(rule: str, context: str) -> None:
    """Input units in another order, with the weights that read them: the input's profile follows alone.

    Not for the product rules: their smoothing looks at neighbouring units.
    """
    order = [3, 0, 5, 1, 4, 2]
    model, other = (random_wav2letter(STACKS["odd kernels"], padding="valid") for _ in range(2))
    with torch.no_grad():
        norm = other.norm1
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            values.copy_(values[order].clone())
        other.conv1.weight.copy_(other.conv1.weight[:, order].clone())
    corpus = random_corpus(0, [60, 30])
    reordered = [Recording(r.id, r.features[order], tiers=r.tiers) for r in corpus]
    options = {"groupings": ["phoneme"], "peak": rule, "context": context}
    before, after = compute(model, corpus, **options), compute(other, reordered, **options)
    for layer in ("input", "conv1", "conv2", "logits"):
        expected, found = before[f"phoneme/{layer}"].to_dataset(), after[f"phoneme/{layer}"].to_dataset()
        if layer == "input":
            expected = expected.isel(unit=order)
        for name in ("activation", "saliency"):
            largest = np.nanmax(np.abs(expected[name].values))
            np.testing.assert_allclose(found[name].values, expected[name].values, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_a_corpus_heard_twice_has_twice_the_counts(context: str) -> None:
    model, corpus = random_wav2letter(STACKS["stride 3"], padding="valid"), random_corpus(0, [70, 40])
    once = compute(model, corpus, groupings=["phoneme"], context=context)
    twice = compute(model, corpus * 2, groupings=["phoneme"], context=context)
    for layer in LAYERS:
        one, two = once[f"phoneme/{layer}"], twice[f"phoneme/{layer}"]
        for name in ("count", "coverage", "unaligned"):
            np.testing.assert_array_equal(two[name].values, 2 * one[name].values)
        for name in ("activation", "saliency"):
            largest = np.nanmax(np.abs(one[name].values))
            np.testing.assert_allclose(two[name].values, one[name].values, rtol=0, atol=1e-6 * largest)


def test_any_indexable_corpus_will_do() -> None:
    """A corpus of its own class, with name and fingerprint, gives what a list of its recordings gives."""

    class Indexed:
        name = "indexed"
        fingerprint = "0123"

        def __init__(self, recordings: list[Recording]) -> None:
            self.recordings = recordings

        def __len__(self) -> int:
            return len(self.recordings)

        def __getitem__(self, index: int) -> Recording:
            if not 0 <= index < len(self.recordings):
                raise IndexError(index)
            return self.recordings[index]

    model, corpus = random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [40, 9, 8])
    listed = compute(model, corpus, groupings=["phoneme"])
    indexed = compute(model, Indexed(corpus), groupings=["phoneme"])
    assert_same_means(indexed, listed, tolerance=0)
    assert "indexed" in str(indexed.attrs["corpus"])
    assert "0123" in str(indexed.attrs["corpus"])
