"""Layers of any network: their order, several names of one result, and networks with hooks."""

from typing import Any

import pytest
import torch
from torch import nn

from snaps.alignment import LRP, Sensitivity
from snaps.errors import InputError
from snaps.responses import FrameOptions, LayerResponse, execution_order, make_responder
from tests.definitions.networks import STACKS, random_wav2letter, randomised

FRAMES = {"recording": FrameOptions(), "frame": FrameOptions("frame", frame_steps=9, frame_hop=1)}


class HeadFirst(nn.Module):
    """Defines its output layer before the others, and has a submodule called ``sequence``."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv1d(4, 3, 3)
        self.bend = nn.ReLU()
        self.sequence = nn.Sequential(nn.Conv1d(6, 4, 5), nn.BatchNorm1d(4))
        self.unused = nn.Conv1d(6, 4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.bend(self.sequence(x)))


def responses(model: nn.Module, context: str, layers: list[str], method: Any) -> dict[str, LayerResponse]:
    options = FrameOptions(**{**vars(FRAMES[context]), "layers": layers})
    responder = make_responder(model, options, n_inputs=6, methods=(method,))
    torch.manual_seed(0)
    (piece,) = responder.play(torch.rand(6, 12))
    found = {
        response.geometry.name: response
        for response in piece.respond(torch.arange(2), lambda logits: logits[:, 0], (method,))
    }
    assert set(found) == {geometry.name for geometry in responder.layers}
    return {geometry.name: found[geometry.name] for geometry in responder.layers}


@pytest.mark.parametrize("context", FRAMES)
@pytest.mark.parametrize("method", [Sensitivity(), LRP("epsilon")])
def test_layers_come_in_the_order_of_execution(context: str, method: Any) -> None:
    model = randomised(HeadFirst(), seed=0)
    names = ["head", "bend", "logits", "sequence.0", "sequence", "input", "sequence.1"]
    found = responses(model, context, names, method)
    assert list(found) == ["input", "sequence.0", "sequence.1", "sequence", "bend", "head", "logits"]
    # A container is its last module, and the network's result its last module's.
    for one, other in (("sequence", "sequence.1"), ("head", "logits")):
        assert torch.equal(found[one].cone, found[other].cone)
        assert torch.equal(found[one].saliencies[0], found[other].saliencies[0])
    assert float(found["sequence"].saliencies[0].abs().max()) > 0
    assert execution_order(model, torch.rand(1, 6, 12)) == ["sequence.0", "sequence.1", "sequence", "bend", "head"]


def test_a_container_alone() -> None:
    model = randomised(HeadFirst(), seed=0)
    (found,) = responses(model, "recording", ["sequence"], Sensitivity()).values()
    torch.manual_seed(0)
    cones = torch.rand(6, 12).unfold(-1, 7, 1).movedim(1, 0)
    torch.testing.assert_close(found.cone, model.sequence(cones[:2]).detach())


@pytest.mark.parametrize("context", FRAMES)
def test_a_layer_that_does_not_run(context: str) -> None:
    with pytest.raises(InputError, match="'unused' does not run"):
        responses(randomised(HeadFirst(), seed=0), context, ["input", "unused"], Sensitivity())


def test_branches_have_the_frame_context_alone() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv1d(6, 3, 3), nn.Conv1d(6, 3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(x) + self.other(x)

    with pytest.raises(InputError, match="no sequence.*context='frame' takes any network"):
        make_responder(Branches(), n_inputs=6)


def test_frames_of_an_unpadded_stack_with_a_hook_heed_it() -> None:
    model = random_wav2letter(STACKS["odd kernels"], padding="valid")
    model.get_submodule("conv1").register_forward_hook(lambda module, inputs, output: 2 * output)
    with pytest.raises(InputError, match="hook of the module 'conv1'; context='frame' heeds it"):
        make_responder(model, n_inputs=6)
    features = torch.rand(6, 30)
    (piece,) = make_responder(model, FrameOptions("frame"), n_inputs=6).play(features)
    torch.testing.assert_close(piece.logits.T, model(features[None])[0].detach(), rtol=1e-4, atol=1e-5)
