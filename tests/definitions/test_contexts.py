"""Profiles of both contexts, both paddings and both places of the normalisation, against the reference."""

import pytest

from tests.definitions.agreement import check, wav2letter_case
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus

NORMS = pytest.mark.parametrize("norm", ["before", "after"])


@NORMS
@pytest.mark.parametrize("stack", STACKS)
def test_recording_context(stack: str, norm: str) -> None:
    check(wav2letter_case(STACKS[stack], norm=norm))


@NORMS
@pytest.mark.parametrize("stack", STACKS)
def test_frame_context_without_padding(stack: str, norm: str) -> None:
    check(wav2letter_case(STACKS[stack], norm=norm, padding="valid"), context="frame")


@NORMS
@pytest.mark.parametrize("stack", STACKS)
def test_frame_context_with_padding(stack: str, norm: str) -> None:
    check(wav2letter_case(STACKS[stack], norm=norm, padding="same"), context="frame")


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_recording_context_never_pads(padding: str) -> None:
    check(wav2letter_case(STACKS["even kernels"], padding=padding), seed=3)


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_variance(context: str) -> None:
    check(wav2letter_case(STACKS["strides 2 and 1"], padding="valid"), context=context, variance=True)


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_blank_is_a_group_where_nothing_is_ignored(context: str) -> None:
    check(wav2letter_case(STACKS["one-step layers"]), context=context, ignore=())


def test_other_symbols_may_be_ignored() -> None:
    check(wav2letter_case(STACKS["odd kernels"]), ignore=("a", "c"))


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_some_layers_alone(context: str) -> None:
    case = wav2letter_case(STACKS["one-step layers"], padding="valid")
    check(case, context=context, layers=["conv3", "input"])
    check(case, context=context, layers=["logits"])


@pytest.mark.parametrize("step", [0.01, 1.0])
def test_steps_of_other_lengths(step: float) -> None:
    check(lambda seed: (random_wav2letter(STACKS["stride 3"], seed=seed), random_corpus(seed, [80], step=step)))
