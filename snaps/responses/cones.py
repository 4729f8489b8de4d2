"""The fast path: one forward a recording, and a backward through the cones alone (sections 5.3 and 5.7).

Every layer's activations are computed once, without padding. For a batch of frames, saliency is then carried
down from the one output step, operation by operation; each layer's saliency exists once, for as long as it is
needed.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from itertools import accumulate
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from snaps.responses.geometry import FrameGrid, LayerGeometry, cone_widths, strides_from_input
from snaps.responses.responses import CarriedMethod, LayerResponse, Piece, SaliencyMethod, Target, cut_windows
from snaps.responses.stack import Convolution, Derivation, Passage, Stack

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
        Tapped layers.
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

    @cached_property
    def widths(self) -> list[int]:
        """Steps of the cone before every operation and behind the last."""
        return cone_widths(self.stack.windows)

    @cached_property
    def strides(self) -> list[int]:
        """Input steps between two steps before every operation and behind the last."""
        return strides_from_input(self.stack.windows)

    @cached_property
    def names(self) -> list[str | None]:
        """Layer before every operation and behind the last, where it has a name."""
        return ["input", *(operation.name for operation in self.stack.operations)]

    @cached_property
    def depths(self) -> list[int]:
        """How many convolutions there are before every operation, and in all."""
        deep = [isinstance(operation, Convolution) for operation in self.stack.operations]
        return [0, *accumulate(deep)]

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
            heard = self.stack.forward(features[None, :, begin : min(end, features.shape[-1])])
            yield ConePiece(self, first, last - first + 1, first * self.grid.hop + self.grid.offset - begin, heard)

    @torch.no_grad()
    def score(self, cones: Float[Tensor, "frame unit cone"]) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from what their cones in the input hold."""
        for operation in self.stack.operations:
            cones = operation.forward(cones)
        return cones[..., 0]

    def explain(
        self, cones: Float[Tensor, "frame unit cone"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Responses of every tapped layer to frames, from what their cones in the input hold."""
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
        Before every operation and behind the last.
    derived : dict
        What saliency methods made of them.
    """

    responder: ConeResponder
    first: int
    n_frames: int
    begin: int
    activations: list[Float[Tensor, "one unit step"]]
    derived: dict[Hashable, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Scores of every symbol for every frame."""
        stride = self.responder.strides[-1]
        step = self.responder.grid.hop // stride
        return self.activations[-1][0, :, self.begin // stride :: step][:, : self.n_frames].T

    def respond(
        self, frames: Int[Tensor, " frame"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Carry saliency down from the logits, and give every tapped layer on the way."""
        carried = [method for method in methods if isinstance(method, CarriedMethod)]
        assert len(carried) == len(methods), "make_responder is told the methods"
        heard, source, start = self._heard(frames)
        wanted = {geometry.name: geometry for geometry in self.responder.layers}
        lowest = min(index for index, name in enumerate(self.responder.names) if name in wanted)
        logits = self.logits[frames]
        saliencies = [method.at_logits(logits, target)[..., None] for method in carried]
        with torch.no_grad():
            behind = cache(partial(self._cone, heard, source, start, len(heard) - 1))
            for index in range(len(heard) - 1, lowest - 1, -1):
                name = self.responder.names[index]
                if name in wanted:
                    seen = [method.at_layer(values, behind) for values, method in zip(saliencies, carried, strict=True)]
                    yield LayerResponse(wanted[name], heard[index], source, start[index], tuple(seen), cut_cone=behind)
                if index > lowest:
                    before = cache(partial(self._cone, heard, source, start, index - 1))
                    passage = self._passage(index, before, behind, partial(self._whole, heard, source, start, index))
                    saliencies = [
                        method.through(passage, saliency) for method, saliency in zip(carried, saliencies, strict=True)
                    ]
                    behind = before

    def _passage(
        self,
        index: int,
        before: Callable[[], Tensor],
        behind: Callable[[], Tensor],
        whole: Callable[[Hashable, Derivation], Tensor],
    ) -> Passage:
        depths = self.responder.depths
        return Passage(self.responder.stack.operations[index - 1], before, behind, depths[index - 1], depths[-1], whole)

    def _whole(
        self,
        heard: list[Tensor],
        source: Tensor,
        start: list[Tensor],
        index: int,
        key: Hashable,
        derivation: Derivation,
    ) -> Tensor:
        if self.responder.alone:
            return derivation(heard[index - 1], heard[index])
        if (index, key) not in self.derived:
            self.derived[index, key] = derivation(heard[index - 1], heard[index])
        return cut_windows(
            self.derived[index, key], source=source, start=start[index], width=self.responder.widths[index]
        )

    def _heard(self, frames: Int[Tensor, " frame"]) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        responder = self.responder
        at = self.begin + frames * responder.grid.hop  # input step at which each cone starts
        zero = torch.zeros_like(frames)
        if not responder.alone:
            return self.activations, zero, [at // stride for stride in responder.strides]
        cones = cut_windows(self.activations[0], source=zero, start=at, width=responder.widths[0])
        return (
            responder.stack.forward(cones),
            torch.arange(len(frames), device=frames.device),
            [zero] * len(self.activations),
        )

    def _cone(self, heard: list[Tensor], source: Tensor, start: list[Tensor], index: int) -> Tensor:
        if self.responder.alone:
            return heard[index]
        return cut_windows(heard[index], source=source, start=start[index], width=self.responder.widths[index])


@dataclass(frozen=True, eq=False)
class SingleCones(ConePiece):
    """Cones of frames, each of them a source of its own."""

    @cached_property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Scores of every symbol for every frame."""
        return self.activations[-1][..., 0]

    def _heard(self, frames: Int[Tensor, " frame"]) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        return self.activations, frames, [torch.zeros_like(frames)] * len(self.activations)
