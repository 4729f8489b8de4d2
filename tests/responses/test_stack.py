"""Stacks: the folded steps compute the network's result, and its gradient as autograd does."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from snaps.models import Wav2Letter
from snaps.responses import NotAStackError, Passage, stack_of
from tests.definitions.networks import randomised


class Functional(nn.Module):
    """Non-linearities as functions and methods, and a container inside a container."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm1d(6), nn.Sequential(nn.Conv1d(6, 8, 3, dilation=2, groups=2)))
        self.second = nn.Conv1d(8, 4, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.first(x), 0.2)
        x = F.dropout(x, 0.5, self.training)
        return torch.tanh(self.norm(self.second(x)).relu())


NETWORKS: dict[str, Any] = {
    "norm before": lambda: Wav2Letter(
        ["_", "a"], layers=[(5, 4, 2), (4, 3, 3), (2, 1, 1)], n_inputs=6, padding="valid"
    ),
    "norm after": lambda: Wav2Letter(
        ["_", "a"], layers=[(5, 4, 2), (4, 3, 1), (2, 2, 1)], n_inputs=6, norm="after", padding="valid"
    ),
    "dilation, groups, norms on both sides": lambda: nn.Sequential(
        nn.BatchNorm1d(6),
        nn.Conv1d(6, 9, 3, groups=3, dilation=2),
        nn.BatchNorm1d(9),
        nn.ReLU(),
        nn.Conv1d(9, 6, 4, stride=3, groups=3, bias=False),
        nn.BatchNorm1d(6),
        nn.ELU(),
        nn.Dropout(0.5),
        nn.Conv1d(6, 2, 1),
    ),
    "one unit after another": lambda: nn.Sequential(
        nn.Conv1d(6, 6, 5, groups=6), nn.PReLU(6), nn.Identity(), nn.Conv1d(6, 3, 2)
    ),
    "functions": Functional,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_and_backward(name: str) -> None:
    model = randomised(NETWORKS[name](), seed=1)
    stack = stack_of(model)
    x = torch.randn(3, 6, 41, requires_grad=True)
    expected = model(x)
    activations = stack.forward(x.detach())
    torch.testing.assert_close(activations[-1], expected.detach(), rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(expected)
    gradient = upstream
    for step, taken, output in reversed(list(zip(stack.steps[1:], activations, activations[1:], strict=False))):
        passage = Passage(step, (lambda a=taken: a,), lambda a=output: a)
        gradient = F.pad(gradient, (0, output.shape[-1] - gradient.shape[-1]))
        (gradient,) = step.gradient(gradient, passage)
    gradient = F.pad(gradient, (0, 41 - gradient.shape[-1]))
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, x, upstream)[0], rtol=1e-4, atol=1e-5)


def test_cones_are_computed_from_the_network() -> None:
    stack = stack_of(Wav2Letter(["_", "a"], width=4))
    assert (stack.receptive_field, stack.stride) == (206, 2)
    widths = [layer.width for layer in stack.layer_geometry(frame_steps=206).values()]
    assert widths == [206, 80, 74, 68, 62, 56, 50, 44, 38, 32, 1, 1, 1]


def test_one_output_depends_on_its_cone_alone() -> None:
    model = randomised(NETWORKS["dilation, groups, norms on both sides"](), seed=0)
    stack = stack_of(model)
    x = torch.randn(1, 6, stack.receptive_field + 5 * stack.stride, requires_grad=True)
    gradient = torch.autograd.grad(model(x)[0, :, 2].sum(), x)[0].abs().sum(1)[0]
    touched = torch.nonzero(gradient)[:, 0]
    assert int(touched.min()) >= 2 * stack.stride
    assert int(touched.max()) == 2 * stack.stride + stack.receptive_field - 1


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Conv1d(3, 4, 3), nn.MaxPool1d(2)), "MaxPool1d"),
        (nn.Sequential(nn.ReLU()), "Conv1d"),
        (nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4, track_running_stats=False)), "running"),
        (nn.GRU(3, 4), "GRU"),
    ],
)
def test_what_is_no_stack_says_why(model: nn.Module, words: str) -> None:
    with pytest.raises(NotAStackError, match=words):
        stack_of(model)


def test_normalisation_without_parameters_of_its_own() -> None:
    model = nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4, affine=False)).eval()
    model[1].running_mean.normal_()
    model[1].running_var.uniform_(0.5, 2.0)
    x = torch.randn(2, 3, 9)
    torch.testing.assert_close(stack_of(model).forward(x)[-1], model(x).detach(), rtol=1e-5, atol=1e-5)
