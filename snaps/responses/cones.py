"""The fast path: one forward a recording, and a backward through the cones alone (sections 5.3 and 5.7).

Every layer's activations are computed once, without padding. For a batch of frames, saliency is then carried
down from the one output step, step by step; each layer's saliency exists once, for as long as it is needed.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from snaps.responses.geometry import FrameGrid, LayerGeometry
from snaps.responses.responses import LayerResponse, Piece, SaliencyMethod, Target, cut_windows
from snaps.responses.steps import Derivation, Passage
from snaps.responses.tracing import Stack

#: Input steps of a recording that are played at once; longer ones are cut into overlapping pieces.
LONGEST_PIECE = 16_384


@dataclass(frozen=True, eq=False)
class ConeResponder:
    """Responses of a stack, to whole recordings or to every frame for itself.

    Attributes
    ----------
    stack : Stack
        The network.
    grid : FrameGrid
        Where frames lie.
    layers : tuple of LayerGeometry
        Tapped layers, in the order of execution.
    batch_size : int
        Frames that are responded to at once.
    alone : bool
        Whether every frame's cone is run alone (``context="frame"``), so that nothing is known beyond it.
    longest_piece : int
        Input steps that are played at once.
    """

    stack: Stack
    grid: FrameGrid
    layers: tuple[LayerGeometry, ...]
    batch_size: int
    alone: bool = False
    longest_piece: int = LONGEST_PIECE

    @property
    def context(self) -> Literal["recording", "frame"]:
        """Whether responses are those to whole recordings."""
        return "frame" if self.alone else "recording"

    def play(self, features: Float[Tensor, "unit step"]) -> Iterator[Piece]:
        """Play a recording, in overlapping pieces if it is long."""
        n_frames = self.grid.count(features.shape[-1])
        # Epochs reach beyond the first and the last cone, so every piece brings that much more on either side.
        reach = max(max(-g.lags.start, g.lags.stop - 1, 0) * int(g.stride) for g in self.layers)
        margin = 0 if self.alone else -(-reach // self.grid.hop) * self.grid.hop
        at_once = max(1, (self.longest_piece - self.grid.steps - 2 * margin) // self.grid.hop)
        for first in range(0, n_frames, at_once):
            last = min(first + at_once, n_frames) - 1
            begin = max(0, first * self.grid.hop - margin)
            whole = last == n_frames - 1
            end = features.shape[-1] if whole else last * self.grid.hop + self.grid.steps + margin
            activations = self.stack.forward(features[None, :, begin : min(end, features.shape[-1])])
            yield ConePiece(
                self, first, last - first + 1, first * self.grid.hop + self.grid.offset - begin, activations
            )

    def score(self, cones: Float[Tensor, "frame unit cone"]) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from the input at their cones."""
        return self.stack.forward(cones)[-1][..., 0]

    def explain(
        self, cones: Float[Tensor, "frame unit cone"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Responses of every tapped layer to frames, from the input at their cones."""
        piece = SingleCones(self, 0, len(cones), 0, self.stack.forward(cones))
        return piece.respond(torch.arange(len(cones), device=cones.device), target, methods)


@dataclass(frozen=True, eq=False)
class ConePiece:
    """A piece of a recording, with the activations of every layer.

    Attributes
    ----------
    responder : ConeResponder
        Who played it.
    first, n_frames : int
        The piece's frames.
    begin : int
        Input step, in the piece, at which the first frame's cone starts.
    activations : list of tensors of shape (1, unit, step)
        Of the input and behind every step.
    derived : dict
        Tensors that saliency methods derived from them.
    """

    responder: ConeResponder
    first: int
    n_frames: int
    begin: int
    activations: list[Float[Tensor, "source unit step"]]
    derived: dict[Hashable, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Scores of every symbol for every frame."""
        stride = self.responder.stack.stride
        step = self.responder.grid.hop // stride
        return self.activations[-1][0, :, self.begin // stride :: step][:, : self.n_frames].T

    def respond(
        self, frames: Int[Tensor, " frame"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Carry saliency down from the logits, and give every tapped layer on the way."""
        activations, source, start = self._sources(frames)
        steps, widths = self.responder.stack.steps, self.responder.stack.widths
        wanted = {geometry.name: geometry for geometry in self.responder.layers}
        lowest = min(number for number, step in enumerate(steps) if wanted.keys() & set(step.layers))
        logits = self.logits[frames]
        carried = [method.at_logits(logits, target)[..., None] for method in methods]

        def cone_of(number: int) -> Callable[[], Tensor]:
            cut = partial(cut_windows, source=source, start=start[number], width=widths[number])
            return cache(lambda: activations[number] if self.responder.alone else cut(activations[number]))

        def whole(number: int, key: Hashable, derivation: Derivation) -> Tensor:
            if self.responder.alone:
                return derivation(activations[number - 1], activations[number])
            if (number, key) not in self.derived:
                self.derived[number, key] = derivation(activations[number - 1], activations[number])
            return cut_windows(self.derived[number, key], source=source, start=start[number], width=widths[number])

        with torch.no_grad():
            behind = cone_of(len(steps) - 1)
            for number in range(len(steps) - 1, lowest - 1, -1):
                for name in reversed(steps[number].layers):
                    if name in wanted:
                        own = [method.at_layer(one, behind) for one, method in zip(carried, methods, strict=True)]
                        yield LayerResponse(
                            wanted[name], activations[number], source, start[number], tuple(own), cut_cone=behind
                        )
                if number > lowest:
                    before = cone_of(number - 1)
                    passage = Passage(steps[number], (before,), behind, partial(whole, number))
                    carried = [method.through(passage, one)[0] for method, one in zip(methods, carried, strict=True)]
                    behind = before

    def _sources(self, frames: Int[Tensor, " frame"]) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Activations of all sources, each frame's source, and the step there at which its cone starts."""
        stack = self.responder.stack
        at = self.begin + frames * self.responder.grid.hop  # input step at which each cone starts
        zero = torch.zeros_like(frames)
        if not self.responder.alone:
            return self.activations, zero, [at // stride for stride in stack.strides]
        cones = cut_windows(self.activations[0], source=zero, start=at, width=stack.receptive_field)
        return stack.forward(cones), torch.arange(len(frames), device=frames.device), [zero] * len(stack.steps)


@dataclass(frozen=True, eq=False)
class SingleCones(ConePiece):
    """Cones of frames, each of them a source of its own."""

    @cached_property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Scores of every symbol for every frame."""
        return self.activations[-1][..., 0]

    def _sources(self, frames: Int[Tensor, " frame"]) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        return self.activations, frames, [torch.zeros_like(frames)] * len(self.activations)
