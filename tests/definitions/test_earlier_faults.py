"""Faults of earlier code for these methods, one test each, so that they do not come back."""

import numpy as np
import pytest
import torch

import snaps
from snaps.datasets.recording import Interval, Recording
from tests.definitions.agreement import compute
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import reference_contrast

CONTEXTS = pytest.mark.parametrize("context", ["recording", "frame"])
RULES = pytest.mark.parametrize("rule", ["product", "signed-product", "max", "min", "mean", "unaligned"])


@CONTEXTS
@RULES
def test_the_unit_axis_is_not_shifted(rule: str, context: str) -> None:
    """Unit ``u`` holds ``u + 1`` throughout, wherever the peak is: shifting happens in time alone."""
    model = random_wav2letter(STACKS["strides 2 and 1"], n_inputs=7, padding="valid")
    ramp = np.arange(1.0, 8.0)[:, None]
    recordings = [
        Recording(f"r{i}", np.tile(ramp, (1, 40)), tiers={"phoneme": [Interval(0, 1, "aa")]}) for i in range(3)
    ]
    profiles = compute(model, recordings, groupings=["phoneme"], peak=rule, context=context, ignore=())
    node = profiles["phoneme/input"]
    covered = node["coverage"].values[0] > 0
    activation = node["activation"].values[0]
    np.testing.assert_array_equal(activation[:, covered], np.tile(ramp, (1, covered.sum())))
    assert np.isnan(activation[:, ~covered]).all()


@CONTEXTS
@RULES
def test_edges_do_not_fade(rule: str, context: str) -> None:
    """A constant recording has the same mean at every lag that anything covers, out to the last one."""
    model = random_wav2letter(STACKS["kernel nine"], padding="valid")
    recording = Recording("r", np.full((6, 60), 50.0), tiers={"phoneme": [Interval(0, 1, "aa")]})
    profiles = compute(model, [recording], groupings=["phoneme"], peak=rule, context=context, ignore=())
    for layer in ("input", "conv1", "conv2", "logits"):
        node = profiles[f"phoneme/{layer}"]
        activation, covered = node["activation"].values[0], node["coverage"].values[0] > 0
        assert covered.any()
        largest = np.abs(activation[:, covered]).max()
        assert np.ptp(activation[:, covered], axis=1).max() <= 2e-6 * largest
    if rule == "unaligned":
        return
    count, coverage = node["count"].values[0], profiles["phoneme/input"]["coverage"].values[0]
    assert coverage.max() <= count
    assert coverage.min() < count, "the recording's ends have to be part of this test"


@CONTEXTS
def test_the_data_sets_mean_is_weighted_by_frames(context: str) -> None:
    """The grand mean is that over all epochs, not over groups, which are as unequal as can be here."""
    model = random_wav2letter(STACKS["odd kernels"], padding="valid")
    (recording,) = random_corpus(0, [120])
    tiers = {
        "phoneme": [Interval(0.0, 0.1, "rare"), Interval(0.1, 9.0, "common")],
        "all": [Interval(0, 9, "one")],
    }
    labelled = Recording("r", recording.features, tiers=tiers)
    profiles = compute(model, [labelled], groupings=["phoneme", "all"], context=context)
    for layer in ("input", "conv1", "logits"):
        node, whole = profiles[f"phoneme/{layer}"], profiles[f"all/{layer}"]
        counts = node["count"].values
        assert counts.max() > 4 * counts.min()
        contrast = snaps.contrast(node).values
        expected = node["activation"].values - whole["activation"].values
        np.testing.assert_allclose(contrast, expected, atol=1e-5 * np.nanmax(np.abs(expected)))
        by_groups = snaps.contrast(node, weighting="groups").values
        arrays = {name: node[name].values.astype(np.float64) for name in ("activation", "coverage", "saliency")}
        np.testing.assert_allclose(by_groups, reference_contrast(arrays, "groups"), atol=1e-5)
        assert np.nanmax(np.abs(by_groups - contrast)) > 1e-3


@CONTEXTS
@pytest.mark.parametrize("norm", ["before", "after"])
def test_normalisation_is_not_taken_for_identity(norm: str, context: str) -> None:
    """The last normalisation is linear in the score: twice its weight is twice the saliency below it."""
    options = {"groupings": ["all"], "context": context, "ignore": (), "peak": "unaligned", "target": "a"}
    recording = Recording("r", random_corpus(0, [40])[0].features, tiers={"all": [Interval(0, 9, "one")]})
    model = random_wav2letter(STACKS["odd kernels"], norm=norm, padding="valid")
    before = compute(model, [recording], **options)["all/input"]["saliency"].values
    last_norm = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm1d)][-1]
    with torch.no_grad():
        last_norm.weight.mul_(2.0)
    doubled = compute(model, [recording], **options)["all/input"]["saliency"].values
    np.testing.assert_allclose(doubled, 2 * before, rtol=1e-4, atol=1e-6 * before.max())


@CONTEXTS
def test_all_layers_come_from_one_pass(context: str) -> None:
    """Profiles of a layer are the same whether it is asked for alone or with all others."""
    model, corpus = random_wav2letter(STACKS["one-step layers"], padding="valid"), random_corpus(0, [30, 40])
    everything = compute(model, corpus, groupings=["phoneme"], context=context)
    for layer in everything["phoneme"].children:
        alone = compute(model, corpus, groupings=["phoneme"], context=context, layers=[layer])
        for name in ("activation", "saliency", "coverage", "count", "unaligned"):
            np.testing.assert_allclose(
                alone[f"phoneme/{layer}"][name].values,
                everything[f"phoneme/{layer}"][name].values,
                rtol=1e-5,
                atol=1e-6,
            )
