"""The fast path: one forward pass a recording, and a backward pass through the cones alone (sections 5.3 and 5.7).

The activations of every layer are computed once, without padding. For a batch of frames, saliency is then carried
from the logits to the input, step by step; each layer's saliency is kept only as long as it is needed.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from snaps.responses.responses import LayerResponse, Piece, Responder, SaliencyMethod, Target, cut_windows
from snaps.responses.steps import Derivation, Passage
from snaps.responses.tracing import Stack

#: Input steps of a recording that are played at once; longer recordings are cut into overlapping pieces.
LONGEST_PIECE = 16_384


@dataclass(frozen=True, eq=False)
class ConeResponder(Responder):
    """Responses of a stack, to whole recordings or to every frame's cone alone.

    Attributes
    ----------
    stack : Stack
        The network.
    longest_piece : int
        Input steps that are played at once.
    """

    stack: Stack
    longest_piece: int = LONGEST_PIECE

    def play(self, features: Float[Tensor, "unit step"]) -> Iterator[Piece]:
        """Play a recording, in overlapping pieces if it is long."""
        n_frames, hop = self.grid.count(features.shape[-1]), self.grid.hop
        # Epochs reach beyond the first and the last cone, so every piece is longer by that much at both ends.
        reach = max(max(-g.lags.start, g.lags.stop - 1, 0) * int(g.stride) for g in self.layers)
        margin = 0 if self.context == "frame" else -(-reach // hop) * hop
        at_once = max(1, (self.longest_piece - self.grid.steps - 2 * margin) // hop)
        for first in range(0, n_frames, at_once):
            last = min(first + at_once, n_frames) - 1
            begin = max(0, first * hop - margin)
            end = features.shape[-1] if last == n_frames - 1 else last * hop + self.grid.steps + margin
            activations = self.stack.forward(features[None, :, begin:end])
            frames = torch.arange(first, last + 1, device=features.device)
            cones = Cones(self, activations, frames * hop + self.grid.offset - begin)
            yield Piece(first, cones.logits, partial(self._respond, cones))

    def _respond(
        self, played: "Cones", frames: Int[Tensor, " frame"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        cones = replace(played, begin=played.begin[frames])
        if self.context == "frame":
            cones = self._alone(cones.cut(0, cones.activations[0]))
        return cones.respond(played.logits[frames], target, methods)

    def score(self, cones: Float[Tensor, "frame unit cone"]) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from the input at their cones."""
        return self._alone(cones).logits

    def explain(
        self, cones: Float[Tensor, "frame unit cone"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Responses of every tapped layer to frames, from the input at their cones."""
        alone = self._alone(cones)
        return alone.respond(alone.logits, target, methods)

    def _alone(self, inputs: Float[Tensor, "frame unit cone"]) -> "Cones":
        begin = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
        return Cones(self, self.stack.forward(inputs), begin, alone=True)


@dataclass(frozen=True, eq=False)
class Cones:
    """Activations of every layer, and the cones of some frames in them.

    Attributes
    ----------
    responder : ConeResponder
        The responder, with its stack and the tapped layers.
    activations : list of tensors of shape (source, unit, step)
        Of the input and of every step.
    begin : tensor of shape (frame,)
        Input step of its source at which each frame's cone starts.
    alone : bool
        Whether every source is one frame's cone; else there is one source.
    derived : dict
        Tensors that saliency methods derived from the activations of the one source.
    """

    responder: ConeResponder
    activations: list[Float[Tensor, "source _unit _step"]]
    begin: Int[Tensor, " frame"]
    alone: bool = False
    derived: dict[Hashable, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def source(self) -> Int[Tensor, " frame"]:
        """Source of each frame."""
        frames = torch.arange(len(self.begin), device=self.begin.device)
        return frames if self.alone else torch.zeros_like(frames)

    @cached_property
    def starts(self) -> list[Int[Tensor, " frame"]]:
        """Steps at which the frames' cones start, in the input and in every step's result."""
        return [self.begin // stride for stride in self.responder.stack.strides]

    @cached_property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Scores of every symbol for every frame."""
        return self.cut(-1, self.activations[-1])[..., 0]

    def cut(self, number: int, values: Float[Tensor, "source _unit _step"]) -> Float[Tensor, "frame _unit _cone"]:
        """Values at the frames' cones in a step's result."""
        if self.alone:
            return values
        width = self.responder.stack.widths[number]
        return cut_windows(values, source=self.source, start=self.starts[number], width=width)

    def derive(self, number: int, key: Hashable, derivation: Derivation) -> Tensor:
        """Values at the frames' cones of a tensor derived from a step's input and result, computed once a source."""
        if self.alone:
            return derivation(self.activations[number - 1], self.activations[number])
        if (number, key) not in self.derived:
            self.derived[number, key] = derivation(self.activations[number - 1], self.activations[number])
        return self.cut(number, self.derived[number, key])

    def respond(
        self, logits: Float[Tensor, "frame symbol"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Carry saliency from the logits to the input, and give every tapped layer on the way."""
        steps = self.responder.stack.steps
        wanted = {geometry.name: geometry for geometry in self.responder.layers}
        lowest = min(number for number, step in enumerate(steps) if wanted.keys() & set(step.layers))
        carried = [method.at_logits(logits, target)[..., None] for method in methods]

        def cone(number: int) -> Callable[[], Tensor]:
            return cache(partial(self.cut, number, self.activations[number]))

        with torch.no_grad():
            output = cone(len(steps) - 1)
            for number in range(len(steps) - 1, lowest - 1, -1):
                for name in reversed(steps[number].layers):
                    if name in wanted:
                        own = [method.at_layer(one, output) for one, method in zip(carried, methods, strict=True)]
                        yield LayerResponse(
                            wanted[name], self.activations[number], self.source, self.starts[number], tuple(own), output
                        )
                if number > lowest:
                    taken = cone(number - 1)
                    passage = Passage(steps[number], (taken,), output, partial(self.derive, number))
                    carried = [method.through(passage, one)[0] for method, one in zip(methods, carried, strict=True)]
                    output = taken
