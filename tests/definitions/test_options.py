"""Features as large as decibels, some units alone, masks of another method, runs that keep nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

import snaps
from snaps.alignment import Sensitivity
from snaps.datasets.recording import Recording
from snaps.errors import InputError
from tests.definitions.agreement import Case, assert_close, check, compute, drop_counts
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus

CONTEXTS = pytest.mark.parametrize(
    ("context", "padding"), [("recording", "same"), ("frame", "valid"), ("frame", "same")]
)


@CONTEXTS
def test_decibels(context: str, padding: str) -> None:
    """Features around 80 that vary by 5, many frames a group: means and variances stay as exact as others."""

    def build(seed: int) -> Case:
        model = random_wav2letter(STACKS["strides 2 and 1"], seed=seed, padding=padding)
        with torch.no_grad():
            model.norm1.running_mean.fill_(80.0)
            model.norm1.running_var.fill_(25.0)
        corpus = [
            Recording(r.id, 80 + 5 * r.features, tiers=r.tiers, attributes=r.attributes)
            for r in random_corpus(seed, [300, 200])
        ]
        return model, corpus

    check(build, context=context, variance=True, ignore=(), groupings=["phoneme", "word"])


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_some_units_alone(context: str) -> None:
    """They are those of a run with all units, peaks included."""
    model, corpus = random_wav2letter(STACKS["odd kernels"], padding="valid"), random_corpus(0, [60, 30])
    options = {"groupings": ["phoneme"], "context": context, "variance": True}
    everything = compute(model, corpus, **options)
    some = compute(model, corpus, units={"conv1": [0, 3], "input": [5]}, **options)
    for layer, units in (("input", [5]), ("conv1", [0, 3]), ("conv2", slice(None))):
        expected = everything[f"phoneme/{layer}"].to_dataset().isel(unit=units)
        for name in expected.data_vars:
            found = some[f"phoneme/{layer}"][name]
            assert_close(found.values, expected[name].values, where=f"{layer} {name}", tolerance=1e-6)


@pytest.mark.parametrize(("units", "mentioned"), [({"conv1": [0, 99]}, "99"), ({"conv9": [0]}, "conv9")])
def test_units_that_do_not_exist(units: dict[str, list[int]], mentioned: str) -> None:
    with pytest.raises(InputError, match=mentioned):
        compute(
            random_wav2letter(STACKS["odd kernels"]),
            random_corpus(0, [30]),
            groupings=["phoneme"],
            units=units,
        )


@dataclass(frozen=True)
class Doubled(Sensitivity):
    """Sensitivity of twice the score, turned around."""

    def at_logits(self, logits: torch.Tensor, target: Any) -> torch.Tensor:
        return -2 * super().at_logits(logits, target)

    def of_run(self, run: Any) -> dict[str, torch.Tensor]:
        return {name: -2 * found for name, found in super().of_run(run).items()}


@CONTEXTS
def test_the_mask_may_be_of_another_method(context: str, padding: str) -> None:
    """The peak is that of the first method, the mean absolute saliency that of the mask."""
    model, corpus = random_wav2letter(STACKS["strides 2 and 1"], padding=padding), random_corpus(0, [60, 30])
    options = {"groupings": ["phoneme"], "context": context, "progress": False}
    for peak in ("product", "max"):
        plain = snaps.compute_profiles(model, corpus, aligner=snaps.Aligner(peak=peak), **options)
        masked = snaps.compute_profiles(model, corpus, aligner=snaps.Aligner(peak=peak, mask=Doubled()), **options)
        for layer in ("input", "conv1", "logits"):
            one, two = plain[f"phoneme/{layer}"], masked[f"phoneme/{layer}"]
            for name in ("coverage", "count", "unaligned"):
                np.testing.assert_array_equal(two[name].values, one[name].values)
            assert_close(two["activation"].values, one["activation"].values, where=f"{peak} {layer}", tolerance=1e-6)
            np.testing.assert_allclose(two["saliency"].values, 2 * one["saliency"].values, rtol=1e-6)


def test_the_default_peak_is_that_of_the_method() -> None:
    assert snaps.Aligner(saliency=snaps.Sensitivity()).peak in (None, "product")
    assert snaps.Unaligned(saliency=snaps.Sensitivity()) == snaps.Unaligned()


@CONTEXTS
def test_a_run_that_keeps_nothing_says_so(context: str, padding: str) -> None:
    """No group is left, and the drop log knows where the frames went."""
    model, corpus = random_wav2letter(STACKS["odd kernels"], padding=padding), random_corpus(0, [30, 3])
    options = {"groupings": ["phoneme"], "context": context}
    ignored = compute(model, corpus, ignore=("a", "b", "c", "_"), **options)
    assert ignored["phoneme/input"].sizes["group"] == 0
    assert drop_counts(ignored)["ignored"] == {"phoneme": 30 - 9 + 1}
    short = compute(model, random_corpus(0, [3, 8]), **options)
    assert short["phoneme/logits"].sizes["group"] == 0
    assert drop_counts(short)["short"] == {"phoneme": 2}


@CONTEXTS
def test_a_recording_without_any_step_is_short(context: str, padding: str) -> None:
    empty = Recording("empty", np.zeros((6, 0)))
    model = random_wav2letter(STACKS["odd kernels"], padding=padding)
    profiles = compute(model, [empty, *random_corpus(0, [30])], groupings=["phoneme"], context=context)
    assert drop_counts(profiles)["short"] == {"phoneme": 1}
