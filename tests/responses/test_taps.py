"""Taps: activations and gradients of layers, and that every hook is removed."""

import pytest
import torch
from torch import nn

from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.responses import execution_order, tap


class Branching(nn.Module):
    """Not a sequence; one layer gives no steps."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv1d(3, 4, 3), nn.Conv1d(3, 4, 3)
        self.bend = nn.ReLU(inplace=True)
        self.read = nn.Linear(4, 2)
        self.never = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.read(self.bend(self.left(x) + self.right(x)).mean(-1))


def hooks_of(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


def test_gradients_are_those_of_the_chain_rule() -> None:
    torch.manual_seed(0)
    model, x = Branching(), torch.randn(5, 3, 9)
    with tap(model, ["input", "left", "bend", "logits"]) as taps:
        logits = taps.run(x)
        assert [tuple(a.shape) for a in taps.activations.values()] == [(5, 3, 9), (5, 4, 7), (5, 4, 7), (5, 2, 1)]
        gradients = torch.autograd.grad(logits[:, 1, 0].sum(), list(taps.activations.values()))
    sums = model.left(x) + model.right(x)
    at_bend = model.read.weight[1][None, :, None].expand(5, 4, 7) / 7
    torch.testing.assert_close(gradients[2], at_bend)
    torch.testing.assert_close(gradients[1], at_bend * (sums > 0))
    expected = nn.functional.conv_transpose1d(at_bend * (sums > 0), model.left.weight + model.right.weight)
    torch.testing.assert_close(gradients[0], expected)
    torch.testing.assert_close(taps.activations["left"], model.left(x))


@pytest.mark.parametrize(
    "ending",
    ["success", "wrong layer", "exception inside", "layer that never runs", "wrong units", "wrong units, order"],
)
def test_nothing_is_left_behind(ending: str) -> None:
    model = Branching().train()
    model.right.eval()
    x = torch.randn(2, 3, 9)
    if ending == "success":
        with tap(model, ["left", "logits"]) as taps:
            taps.run(x)
            assert not model.training
    elif ending == "wrong layer":
        with pytest.raises(InputError, match=r"'conv9'.*left.*right"), tap(model, ["left", "conv9"]):
            pass
    elif ending == "layer that never runs":
        with pytest.raises(InputError, match="never"), tap(model, ["left", "never"]) as taps:
            taps.run(x)
    elif ending == "wrong units":
        with pytest.raises(InputError, match="cannot run on frames of 2 units"), tap(model, ["left", "bend"]) as taps:
            taps.run(x[:, :2])
    elif ending == "unknown order":
        with pytest.raises(RuntimeError, match="channels"):
            execution_order(model, x[:, :2])
    else:
        with pytest.raises(RuntimeError, match="inside"), tap(model, ["left", "bend"]) as taps:
            taps.run(x)
            raise RuntimeError("inside")
    assert hooks_of(model) == 0
    assert [m.training for m in model.modules()] == [True, True, False, True, True, True]
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_the_input_stays_as_it_is() -> None:
    class Changing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mul_(2.0)

    x = torch.ones(2, 3, 4)
    with tap(Changing()) as taps:
        taps.run(x)
        assert torch.equal(taps.activations["input"], torch.ones(2, 3, 4))
    assert torch.equal(x, torch.ones(2, 3, 4))


def test_wav2letter_names_its_own_layers() -> None:
    model = Wav2Letter(["_", "a"], layers=[(4, 5, 2), (2, 3, 1)], n_inputs=3)
    with tap(model) as taps:
        assert taps.layers == ("input", "conv1", "logits")
    with tap(model, ["conv1", "logits"]) as taps:
        logits = taps.run(torch.randn(2, 3, 11))
    assert bool((taps.activations["conv1"] >= 0).all()), "conv1 is the layer behind its non-linearity"
    torch.testing.assert_close(taps.activations["logits"], logits)
