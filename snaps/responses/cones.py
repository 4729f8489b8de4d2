"""The fast path: one forward pass a recording, and a backward pass through the cones alone (sections 5.3 and 5.7).

The activations of every layer are computed once, without padding. For a batch of frames, saliency is then carried
from the logits to the input, step by step; each layer's saliency is kept only as long as it is needed.
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

#: Input steps of a recording that are played at once; longer recordings are cut into overlapping pieces.
LONGEST_PIECE = 16_384


@dataclass(frozen=True, eq=False)
class ConeResponder:
    """Responses of a stack, to whole recordings or to every frame alone.

    Attributes
    ----------
    stack : Stack
        The network.
    grid : FrameGrid
        Where frames lie.
    layers : tuple of LayerGeometry
        Tapped layers, in the order of execution.
    batch_size : int
        Frames in a batch.
    alone : bool
        Whether every frame's cone is run alone (``context="frame"``), so that there are no activations beyond it.
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
        """Whether whole recordings are played, or every frame alone."""
        return "frame" if self.alone else "recording"

    def play(self, features: Float[Tensor, "unit step"]) -> Iterator[Piece]:
        """Play a recording, in overlapping pieces if it is long."""
        n_frames = self.grid.count(features.shape[-1])
        # Epochs reach beyond the first and the last cone, so every piece is longer by that much at both ends.
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
        activations = self.stack.forward(cones)
        return Cones(self, activations).respond(activations[-1][..., 0], target, methods)


@dataclass(frozen=True, eq=False)
class ConePiece:
    """A piece of a recording, with the activations of every layer.

    Attributes
    ----------
    responder : ConeResponder
        The responder that played it.
    first, n_frames : int
        Number of the first frame, and number of frames.
    begin : int
        Input step, in the piece, at which the first frame's cone starts.
    activations : list of tensors of shape (1, unit, step)
        Of the input and of every step.
    derived : dict
        Tensors that saliency methods derived from the activations.
    """

    responder: ConeResponder
    first: int
    n_frames: int
    begin: int
    activations: list[Float[Tensor, "1 unit step"]]
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
        """Responses of every tapped layer, from the logits to the input."""
        responder, starts = self.responder, self.begin + frames * self.responder.grid.hop
        if responder.alone:
            width = responder.stack.receptive_field
            inputs = cut_windows(self.activations[0], source=torch.zeros_like(frames), start=starts, width=width)
            cones = Cones(responder, responder.stack.forward(inputs))
        else:
            cones = Cones(responder, self.activations, starts, self.derived)
        return cones.respond(self.logits[frames], target, methods)


@dataclass(frozen=True, eq=False)
class Cones:
    """Activations of every layer, and the cones of a batch of frames in them.

    Attributes
    ----------
    responder : ConeResponder
        The responder, with its stack and the tapped layers.
    activations : list of tensors of shape (source, unit, step)
        Of the input and of every step.
    begin : tensor of shape (frame,), optional
        Input step at which each frame's cone starts in the only source. None where every source is one frame's cone.
    derived : dict
        Tensors that saliency methods derived from the activations of the only source.
    """

    responder: ConeResponder
    activations: list[Float[Tensor, "source unit step"]]
    begin: Int[Tensor, " frame"] | None = None
    derived: dict[Hashable, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def source(self) -> Int[Tensor, " frame"]:
        """Source of each frame."""
        if self.begin is not None:
            return torch.zeros_like(self.begin)
        return torch.arange(len(self.activations[0]), device=self.activations[0].device)

    @cached_property
    def starts(self) -> list[Int[Tensor, " frame"]]:
        """Steps at which the frames' cones start, in the input and every step's result."""
        begin = torch.zeros_like(self.source) if self.begin is None else self.begin
        return [begin // stride for stride in self.responder.stack.strides]

    def cut(self, number: int, values: Float[Tensor, "source _unit _step"]) -> Float[Tensor, "frame _unit _cone"]:
        """Values at the frames' cones in a step's result."""
        if self.begin is None:
            return values
        width = self.responder.stack.widths[number]
        return cut_windows(values, source=self.source, start=self.starts[number], width=width)

    def derive(self, number: int, key: Hashable, derivation: Derivation) -> Tensor:
        """Values at the frames' cones of what is derived from a step's input and result, computed once a source."""
        if self.begin is None:
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
