"""Stacks that are no ``Wav2Letter`` in the recording context: dilation, groups, no bias, other functions."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import (
    ELU,
    BatchNorm1d,
    Conv1d,
    Dropout,
    Identity,
    LeakyReLU,
    Module,
    ReLU,
    Sequential,
    Tanh,
)

from tests.definitions.agreement import Case, check, compute
from tests.definitions.networks import randomised
from tests.definitions.recordings import random_corpus
from tests.reference.networks import ReferenceStack

SYMBOLS = ("x", "y", "z")

STACKS: dict[str, Callable[[], Module]] = {
    "dilation": lambda: Sequential(Conv1d(6, 5, 3, dilation=2), ReLU(), Conv1d(5, 3, 3, dilation=3)),
    "groups": lambda: Sequential(
        Conv1d(6, 8, 4, groups=2, stride=2), ReLU(), Conv1d(8, 4, 3, groups=4), ReLU(), Conv1d(4, 3, 1)
    ),
    "no bias": lambda: Sequential(Conv1d(6, 4, 5, bias=False), LeakyReLU(0.2), Conv1d(4, 3, 2, bias=False)),
    "normalised after": lambda: Sequential(
        Conv1d(6, 4, 4, stride=3), BatchNorm1d(4), ReLU(), Conv1d(4, 3, 3), BatchNorm1d(3)
    ),
    "normalised before": lambda: Sequential(
        BatchNorm1d(6), Conv1d(6, 4, 4), Dropout(0.5), ReLU(), BatchNorm1d(4), Conv1d(4, 3, 3, stride=2)
    ),
    "smooth": lambda: Sequential(Conv1d(6, 4, 3), Tanh(), Identity(), Conv1d(4, 4, 2), ELU(), Conv1d(4, 3, 2)),
    "nested": lambda: Sequential(
        Sequential(Conv1d(6, 4, 3), ReLU()), Sequential(BatchNorm1d(4), Sequential(Conv1d(4, 3, 4, stride=2)))
    ),
    "in place": lambda: Sequential(Conv1d(6, 4, 3), ReLU(inplace=True), Conv1d(4, 3, 3)),
    "linear": lambda: Sequential(Conv1d(6, 3, 5, stride=2)),
}


def case(stack: str) -> Callable[[int], Case]:
    def build(seed: int) -> Case:
        model = randomised(STACKS[stack](), seed=seed)
        field = ReferenceStack(model).geometry.receptive_field
        return model, random_corpus(seed, [field, field + 1, field - 1, 70])

    return build


def layers_of(stack: str) -> list[str]:
    return ReferenceStack(STACKS[stack]()).layers


@pytest.mark.parametrize("rule", ["product", "max", "unaligned"])
@pytest.mark.parametrize("stack", STACKS)
def test_every_module_is_a_layer(stack: str, rule: str) -> None:
    check(case(stack), context="recording", symbols=SYMBOLS, layers=layers_of(stack), peak=rule)


@pytest.mark.parametrize("batch_size", [1, 7, 512])
@pytest.mark.parametrize("stack", ["dilation", "groups", "normalised before"])
def test_batch_sizes(stack: str, batch_size: int) -> None:
    check(case(stack), symbols=SYMBOLS, layers=layers_of(stack), batch_size=batch_size)


@pytest.mark.parametrize("stack", ["dilation", "groups"])
def test_longer_frames(stack: str) -> None:
    check(case(stack), symbols=SYMBOLS, layers=layers_of(stack), frame_steps=25)


def test_a_target_of_its_own() -> None:
    def evidence(logits: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(logits, dim=-1)[:, 1]

    check(case("groups"), symbols=SYMBOLS, layers=layers_of("groups"), target=evidence)


def test_the_context_may_be_chosen() -> None:
    """``auto`` plays whole recordings to a stack, and frames to what is none."""

    class Branching(Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = Conv1d(6, 3, 3), Conv1d(6, 3, 3)

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return self.left(features) * torch.sigmoid(self.right(features))

    options = {"groupings": ["predicted"], "symbols": SYMBOLS, "frame_steps": 9, "frame_hop": 2}
    corpus = random_corpus(0, [30])
    stack = randomised(Sequential(Conv1d(6, 4, 9, stride=2), ReLU(), Conv1d(4, 3, 1)), seed=0)
    for model, chosen in ((stack, "recording"), (Branching(), "frame")):
        found = compute(model, corpus, context="auto", **options)
        expected = compute(model, corpus, context=chosen, **options)
        assert found["predicted/input"].to_dataset().equals(expected["predicted/input"].to_dataset())
