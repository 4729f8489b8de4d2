"""Aligners and peak rules: accepted options, and the contract of every rule in the dictionary."""

import pytest
import torch

from snaps.alignment import PEAK_RULES, SALIENCY_METHODS, Aligner, Sensitivity, Unaligned, find_peaks, smooth
from snaps.errors import InputError
from tests.alignment.runs import by_graph, by_stack, windows
from tests.definitions.networks import STACKS, random_wav2letter


@pytest.mark.parametrize("name", PEAK_RULES)
def test_every_rule_gives_importance_over_steps(name: str) -> None:
    saliency, activation = torch.randn(2, 5, 4, 7)
    importance = PEAK_RULES[name].importance(saliency.clone(), activation.clone())
    assert importance.shape[0] == 5
    assert importance.shape[2] == 7
    assert importance.shape[1] in (1, 4)
    zeros = PEAK_RULES[name].importance(torch.zeros(5, 4, 7), activation)
    peaks = find_peaks(zeros)
    assert peaks.unaligned.all()
    assert (peaks.step == 3).all()


@pytest.mark.parametrize("name", PEAK_RULES)
def test_rules_leave_what_they_are_given(name: str) -> None:
    saliency, activation = torch.randn(2, 5, 4, 7)
    kept = saliency.clone(), activation.clone()
    PEAK_RULES[name].importance(saliency, activation)
    assert torch.equal(saliency, kept[0])
    assert torch.equal(activation, kept[1])


def test_smoothing_by_hand() -> None:
    values = torch.tensor([[[4.0, 8.0], [12.0, 16.0]]])
    assert smooth(values).tolist() == [[[10.0, 6.0], [7.0, 4.0]]]


@pytest.mark.parametrize("name", ["sensitivity", "gradient-times-activation"])
def test_gradients_are_the_same_through_a_stack_as_through_the_graph(name: str) -> None:
    method = SALIENCY_METHODS[name]()
    model = random_wav2letter(STACKS["strides 2 and 1"], padding="valid")
    features = torch.randn(6, 50)
    expected = by_graph(model, windows(model, features), method)
    for alone in (False, True):
        for layer, saliency in by_stack(model, features, method, alone=alone).items():
            torch.testing.assert_close(saliency, expected[layer], rtol=1e-4, atol=1e-6)


def test_defaults() -> None:
    assert Aligner() == Aligner(saliency=Sensitivity(), peak="product", mask=None)
    assert Aligner(mask=Sensitivity()).methods == (Sensitivity(),)
    assert Unaligned().describe() == {"name": "Unaligned", "saliency": {"name": "Sensitivity"}}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"peak": "largest"}, r"'largest'.*'product'.*'signed-product'.*'max'.*'min'.*'mean'"),
        ({"peak": 3}, "3"),
        ({"saliency": Sensitivity}, r"Sensitivity\(\)"),
        ({"mask": "sensitivity"}, "mask"),
    ],
)
def test_what_is_no_aligner(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Aligner(**options)
