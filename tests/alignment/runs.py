"""Saliency of whole frames, of whole recordings, and of cones alone."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snaps.responses import FrameOptions, Run, SymbolTarget, make_responder, tap

FIRST = SymbolTarget(0)


def by_graph(
    model: nn.Module, frames: Tensor, method: Any, *, target: Callable[[Tensor], Tensor] = FIRST, layers: Any = None
) -> dict[str, Tensor]:
    """Saliency of every tapped layer from frames run whole."""
    with torch.enable_grad(), tap(model, layers) as taps:
        return {name: found.detach() for name, found in method.of_run(Run(taps, frames, target, {})).items()}


def by_stack(
    model: nn.Module, features: Tensor, method: Any, *, target: Callable[[Tensor], Tensor] = FIRST, alone: bool = False
) -> dict[str, Tensor]:
    """Saliency of every tapped layer at the cones of all frames of a recording, by the fast path."""
    responder = make_responder(model, FrameOptions("frame" if alone else "recording"), n_inputs=len(features))
    (piece,) = responder.play(features)
    frames = torch.arange(len(piece.logits))
    return {
        response.geometry.name: response.saliencies[0].clone() for response in piece.respond(frames, target, (method,))
    }


def windows(model: nn.Module, features: Tensor) -> Tensor:
    """All frames of a recording."""
    responder = make_responder(model, n_inputs=len(features))
    return features.unfold(-1, responder.grid.steps, responder.grid.hop).movedim(1, 0).contiguous()
