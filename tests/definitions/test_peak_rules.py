"""Every peak rule, in every context, and what happens on ties and where nothing matters."""

import numpy as np
import pytest
import torch

from snaps.datasets.recording import Interval, Recording
from tests.definitions.agreement import Case, assert_agrees, check, compute, wav2letter_case
from tests.definitions.networks import STACKS, SYMBOLS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import reference_profiles

RULES = ("product", "signed-product", "max", "min", "mean", "unaligned")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("context", ["recording", "frame"])
@pytest.mark.parametrize("stack", ["strides 2 and 1", "one-step layers", "kernel nine"])
def test_rules(rule: str, context: str, stack: str) -> None:
    check(wav2letter_case(STACKS[stack], padding="valid", norm="after"), peak=rule, context=context, seed=1)


@pytest.mark.parametrize("rule", RULES)
def test_rules_in_padded_frames(rule: str) -> None:
    check(wav2letter_case(STACKS["strides 2 and 3"]), peak=rule, context="frame", seed=2)


@pytest.mark.parametrize("rule", RULES)
def test_rules_where_activations_are_negative(rule: str) -> None:
    """Inputs and logits below 0 tell ``product`` from ``signed-product``."""

    def build(seed: int) -> Case:
        corpus = [
            Recording(r.id, r.features - 6.0, tiers=r.tiers, attributes=r.attributes)
            for r in random_corpus(seed, [40, 23])
        ]
        return random_wav2letter(STACKS["odd kernels"], seed=seed), corpus

    check(build, peak=rule)


@pytest.mark.parametrize("context", ["recording", "frame"])
@pytest.mark.parametrize("rule", RULES)
def test_layers_that_nothing_depends_on_stay_at_the_middle(rule: str, context: str) -> None:
    """A dead second layer: below it saliency is 0 everywhere, so its frames are counted as unaligned."""
    model = random_wav2letter(STACKS["one-step layers"], padding="valid")
    with torch.no_grad():
        model.conv2.weight.zero_()
        model.conv2.bias.fill_(0.5)
        for norm in (module for name, module in model.named_children() if name.startswith("norm")):
            norm.bias.clamp_(min=0.1)
    corpus = random_corpus(0, [30, 17])
    reference = reference_profiles(model, corpus, groupings=["phoneme"], peak=rule, context=context, ignore=())
    profiles = compute(model, corpus, groupings=["phoneme"], peak=rule, context=context, ignore=())
    assert_agrees(profiles, reference)
    for layer in ("input", "conv1"):
        node = profiles[f"phoneme/{layer}"]
        assert (node["saliency"].values == 0).all()
        expected = 0 if rule == "unaligned" else node["count"].values
        np.testing.assert_array_equal(node["unaligned"].values, expected)


@pytest.mark.parametrize("rule", ["product", "signed-product"])
def test_a_layer_that_never_fires_has_no_peak(rule: str) -> None:
    """Activation 0 everywhere: the product is 0 although the saliency is not."""
    model = random_wav2letter(STACKS["odd kernels"], norm="before")
    with torch.no_grad():
        model.conv1.bias.fill_(-1e4)
    corpus = random_corpus(1, [30])
    groupings, options = ["phoneme"], {"ignore": (), "peak": rule}
    reference = reference_profiles(model, corpus, groupings=groupings, **options)
    profiles = compute(model, corpus, groupings=groupings, **options)
    assert_agrees(profiles, reference)
    node = profiles["phoneme/conv1"]
    np.testing.assert_array_equal(node["unaligned"].values, node["count"].values)
    assert (node["activation"].values == 0).all()


def _summing_network(kernel: int, *, padding: str) -> torch.nn.Module:
    """Two layers that add up ``kernel`` steps; every number in it is exact in float32."""
    model = random_wav2letter([(2, kernel, 1), (len(SYMBOLS), 1, 1)], n_inputs=2, padding=padding)
    with torch.no_grad():
        for norm in (module for module in model.modules() if isinstance(module, torch.nn.BatchNorm1d)):
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0)
            norm.eps = 0.0
            norm.weight.fill_(1.0)
            norm.bias.zero_()
        model.conv1.weight.fill_(1.0)
        model.conv1.bias.zero_()
        model.conv2.weight.zero_()
        model.conv2.weight[0] = 1.0
        model.conv2.bias.zero_()
    return model


def _constant_recording(n_steps: int, value: float) -> Recording:
    features = np.full((2, n_steps), value, dtype=np.float32)
    return Recording("r", features, tiers={"phoneme": [Interval(0.0, 10.0, "aa")]})


@pytest.mark.parametrize("context", ["recording", "frame"])
@pytest.mark.parametrize("rule", ["product", "signed-product", "max", "mean", "min"])
def test_the_first_step_wins_on_ties(rule: str, context: str) -> None:
    """Constant input and equal weights: every step but the smoothed last one is as important as any other."""
    model = _summing_network(4, padding="valid")
    recording = _constant_recording(10, 2.0)
    options = {"groupings": ["phoneme"], "peak": rule, "context": context}
    assert_agrees(compute(model, [recording], **options), reference_profiles(model, [recording], **options))
    saliency = compute(model, [recording], **options)["phoneme/input"]["saliency"].isel(group=0, unit=0)
    np.testing.assert_array_equal(saliency.values[saliency["lag"].values >= 0], [2, 2])
    np.testing.assert_array_equal(saliency.values[saliency["lag"].values < 0], [0, 0])


def test_a_tie_between_neighbours_that_smoothing_made() -> None:
    """In a padded frame the smoothed one-hot saliency of the logits ties at two steps: the earlier wins."""
    model = _summing_network(4, padding="same")
    with torch.no_grad():
        model.conv1.weight.zero_()
        model.conv2.bias.copy_(torch.tensor([3.0, 1.0, 1.0, 1.0]))
    options = {"groupings": ["phoneme"], "context": "frame"}
    recording = _constant_recording(6, 2.0)
    reference = reference_profiles(model, [recording], **options)
    assert reference.peaks["logits"] == [1, 1, 1]
    assert_agrees(compute(model, [recording], **options), reference)
