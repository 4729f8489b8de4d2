"""Frames longer than the receptive field ("Longer frames")."""

import pytest

from tests.definitions.agreement import check, compute, decided, wav2letter_case
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import ReferenceNetwork


@pytest.mark.parametrize("extra", [1, 2, 3, 5, 12, 31])
@pytest.mark.parametrize("stack", ["odd kernels", "strides 2 and 3", "one-step layers"])
def test_recording_context(stack: str, extra: int) -> None:
    frame_steps = ReferenceNetwork(random_wav2letter(STACKS[stack])).geometry.receptive_field + extra
    check(wav2letter_case(STACKS[stack], frame_steps=frame_steps), frame_steps=frame_steps)


@pytest.mark.parametrize("extra", [1, 5, 12])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stack", ["strides 2 and 1", "kernels of one"])
def test_frame_context(stack: str, padding: str, extra: int) -> None:
    frame_steps = ReferenceNetwork(random_wav2letter(STACKS[stack])).geometry.receptive_field + extra
    case = wav2letter_case(STACKS[stack], frame_steps=frame_steps, padding=padding)
    check(case, context="frame", frame_steps=frame_steps)


@pytest.mark.parametrize("rule", ["min", "unaligned"])
def test_with_other_peaks(rule: str) -> None:
    check(wav2letter_case(STACKS["odd kernels"], frame_steps=26), frame_steps=26, peak=rule)


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_frames_shorter_than_a_layers_step_leave_it_no_lag(context: str) -> None:
    """By definition (6) ``F = 1 // 2 = 0`` gives no lag at the logits; groups and counts are there."""
    model = random_wav2letter([(3, 1, 1), (4, 1, 2)], n_inputs=6)
    profiles = compute(model, random_corpus(0, [9, 4]), groupings=["predicted"], context=context, ignore=())
    node = profiles["predicted/logits"]
    assert node.sizes["lag"] == 0
    assert int(node["count"].sum()) == 5 + 2
    assert profiles["predicted/input"].sizes["lag"] == 1


def test_networks_of_different_depth_see_the_same_frames() -> None:
    """As many frames and the same labels, though their receptive fields differ."""
    shallow, _ = decided(wav2letter_case([(4, 6, 2), (4, 3, 1)], frame_steps=30), frame_steps=30, ignore=())
    deep, _ = decided(wav2letter_case([(4, 6, 2), (4, 7, 1), (4, 5, 1)], frame_steps=30), frame_steps=30, ignore=())
    corpus = shallow[1]
    counts = [
        compute(model, corpus, groupings=["phoneme"], frame_steps=30, ignore=())["phoneme/input"]["count"]
        for model in (shallow[0], deep[0])
    ]
    assert counts[0].identical(counts[1])
