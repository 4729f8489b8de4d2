"""Targets, saliency methods, and the responses of every tapped layer to frames of a recording.

Responses have one form in both contexts. A layer's activations lie in a tensor of *sources* (the one recording, or
each frame), and each frame has a source and the step of it at which its cone starts. So epochs reach beyond the cone
wherever the source has values, and nothing is copied before it is needed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from snaps.errors import InputError
from snaps.responses.geometry import FrameGrid, LayerGeometry
from snaps.responses.linear import fold
from snaps.responses.steps import Passage, Step
from snaps.responses.taps import Taps, hook_in_the_way
from snaps.responses.tracing import trace

#: Computes each frame's score, of shape (frame,), from its logits, of shape (frame, symbol).
Target = Callable[[Float[Tensor, "frame symbol"]], Float[Tensor, " frame"]]


@dataclass(frozen=True)
class SymbolTarget:
    """The score of one symbol, or of the predicted one, which is the highest.

    Attributes
    ----------
    symbol : int or None
        Position among the symbols; None for the predicted one.
    """

    symbol: int | None = None

    def of(self, logits: Float[Tensor, "frame symbol"]) -> Int[Tensor, " frame"]:
        """Position of each frame's symbol."""
        if self.symbol is None:
            return logits.detach().argmax(1)
        return torch.full(logits.shape[:1], self.symbol, dtype=torch.int64, device=logits.device)

    def __call__(self, logits: Float[Tensor, "frame symbol"]) -> Float[Tensor, " frame"]:
        """Score of each frame's symbol."""
        return logits.gather(1, self.of(logits)[:, None])[:, 0]


def middle_step(output: Tensor) -> Float[Tensor, "frame symbol"]:
    """Logits of frames: the network's output at its step ``t_out // 2`` (SNAP, section 3.3)."""
    return output[..., output.shape[-1] // 2] if output.dim() == 3 else output


@dataclass(frozen=True, eq=False)
class Run:
    """A batch of whole frames and the tapped network that runs on them.

    Attributes
    ----------
    taps : Taps
        The tapped network, in evaluation mode.
    frames : tensor of shape (frame, unit, step)
        Input of the network.
    target : callable
        The score that saliency explains.
    traced : dict
        Steps of the network by whether they are folded, traced once for all runs that share the dictionary.
    """

    taps: Taps
    frames: Float[Tensor, "frame unit step"]
    target: Target
    traced: dict[bool, list[Step]]

    @cached_property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Logits of the frames, with the autograd graph that leads to them."""
        return middle_step(self.taps.run(self.frames))

    @property
    def activations(self) -> dict[str, Tensor]:
        """Activations of the tapped layers, of shape (frame, unit, step), with their autograd graph."""
        _ = self.logits  # so that the network has run
        return self.taps.activations

    def steps(self, method: "SaliencyMethod", *, folded: bool = False) -> list[Step]:
        """Steps of the network for `method`; `folded` with normalisation folded between tapped layers.

        Raises
        ------
        InputError
            If the network cannot be traced, or has hooks that its steps would ignore.
        """
        if False not in self.traced:
            with self.taps.paused():
                hook = hook_in_the_way(self.taps.model, n_inputs=self.frames.shape[1], steps=self.frames.shape[2])
                if hook is not None:
                    raise InputError(
                        f"the saliency method {type(method).__name__} takes the network apart, but {hook}; accepted is "
                        "a network without it"
                    )
                self.traced[False] = trace(self.taps.model)
        if folded and True not in self.traced:
            self.traced[True] = fold(self.traced[False], self.taps.layers, dtype=self.frames.dtype)
        return self.traced[folded]


class SaliencyMethod:
    """How much each value of every layer matters for the target; see `snaps.alignment` for the methods.

    A method is a frozen dataclass derived from this class. It defines `through` and sets `carried`, or it defines
    `of_run`.

    Attributes
    ----------
    is_relevance : bool
        Whether its sign has a meaning, so that pixel flipping orders bins by it, and not by its absolute value.
    default_peak : str
        Name of the peak rule that suits it (definition 4).
    input_alone : bool
        Whether it explains the layer ``input`` only.
    carried : bool
        Whether it is carried from the logits to the input step by step, and so explains recordings and frames; other
        methods explain whole frames only.
    """

    is_relevance: ClassVar[bool] = False
    input_alone: ClassVar[bool] = False
    carried: ClassVar[bool] = False

    @property
    def default_peak(self) -> str:
        """``"max"`` for a relevance, else ``"product"``."""
        return "max" if self.is_relevance else "product"

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Saliency of the tapped layers, of the shapes of ``run.activations``; by default carried through the steps.

        Raises
        ------
        InputError
            If the network cannot be traced, or a layer is no step's result.
        """
        shapes = {layer: activation.shape for layer, activation in run.activations.items()}
        steps = run.steps(self, folded=True)
        results = {layer: number for number, step in enumerate(steps) for layer in step.layers}
        missing = next((layer for layer in shapes if layer not in results), None)
        if missing is not None:
            raise InputError(f"the layer {missing!r} has no result of its own that relevance could be traced to")
        with torch.no_grad(), run.taps.paused():
            values = [run.frames]
            for step in steps[1:]:
                values.append(step.forward(*[values[taken] for taken in step.inputs]))
            carried = {len(steps) - 1: torch.zeros_like(values[-1])}
            middle_step(carried[len(steps) - 1]).copy_(self.at_logits(run.logits.detach(), run.target))
            for number in range(len(steps) - 1, 0, -1):
                step = steps[number]
                if number not in carried or not step.inputs:
                    continue
                inputs = [partial(values.__getitem__, taken) for taken in step.inputs]
                passage = Passage(step, inputs, partial(values.__getitem__, number))
                for taken, given in zip(step.inputs, self.through(passage, carried[number]), strict=False):
                    if given is not None:
                        carried[taken] = carried[taken] + given if taken in carried else given
            return {
                layer: self.at_layer(
                    carried.get(results[layer], torch.zeros_like(values[results[layer]])),
                    partial(values.__getitem__, results[layer]),
                ).reshape(shape)
                for layer, shape in shapes.items()
            }

    def at_logits(self, logits: Float[Tensor, "frame symbol"], target: Target) -> Float[Tensor, "frame symbol"]:
        """Saliency of the logits, which `through` carries on; by default the gradient of the target's score."""
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            return torch.autograd.grad(target(leaf).sum(), leaf)[0]

    def through(self, passage: Passage, carried: Tensor) -> tuple[Any, ...]:
        """Saliency of each input of a step, from that of its output."""
        raise NotImplementedError

    def at_layer(
        self, carried: Float[Tensor, "frame ..."], cone: Callable[[], Float[Tensor, "frame ..."]]
    ) -> Float[Tensor, "frame ..."]:
        """Saliency of a layer, from the carried one and, on request, the activations of its cone."""
        return carried


@dataclass(frozen=True, eq=False)
class LayerResponse:
    """Responses of one layer to a batch of frames.

    Attributes
    ----------
    geometry : LayerGeometry
        The layer.
    activation : tensor of shape (source, unit, step)
        Activations of every source.
    source, start : tensors of shape (frame,)
        Each frame's source, and the step of it at which the cone starts.
    saliencies : tuple of tensors of shape (frame, unit, cone step)
        One for each saliency method.
    cut_cone : callable, optional
        Computes `cone` on first access. None where every source is one frame's cone.
    """

    geometry: LayerGeometry
    activation: Float[Tensor, "source unit step"]
    source: Int[Tensor, " frame"]
    start: Int[Tensor, " frame"]
    saliencies: tuple[Float[Tensor, "frame unit cone"], ...]
    cut_cone: Callable[[], Float[Tensor, "frame unit cone"]] | None = None

    @cached_property
    def cone(self) -> Float[Tensor, "frame unit cone"]:
        """Activations at the cones' steps."""
        return self.activation if self.cut_cone is None else self.cut_cone()

    def of(self, methods: Sequence[int]) -> "LayerResponse":
        """The same response with the saliencies of some methods only."""
        return replace(self, saliencies=tuple(self.saliencies[number] for number in methods))

    def finite(self, peak: Int[Tensor, " frame"]) -> Bool[Tensor, " frame"]:
        """Frames whose saliency and activation, in the cone and around the peak, are finite."""
        finite = torch.ones_like(self.start, dtype=torch.bool)
        for saliency in self.saliencies:
            sums = torch.isfinite(saliency.sum(dim=(1, 2)))
            # A sum may overflow where no value does; then every value is checked.
            finite &= sums if bool(sums.all()) else torch.isfinite(saliency).all(dim=2).all(dim=1)
        if not bool(torch.isfinite(self.activation.sum())):
            broken = ~torch.isfinite(self.activation).all(dim=1, keepdim=True)  # (source, 1, step)
            lags = self.geometry.lags
            for start, width in ((self.start, self.geometry.width), (self.start + peak + lags.start, len(lags))):
                windows = cut_windows(broken.float(), source=self.source, start=start, width=width)
                finite &= ~(windows > 0).any(dim=(1, 2))
        return finite


@dataclass(frozen=True, eq=False)
class Piece:
    """Successive frames of a recording, played to the network.

    Attributes
    ----------
    first : int
        Number of the first frame in its recording.
    logits : tensor of shape (frame, symbol)
        Scores of every symbol for every frame.
    respond : callable
        Gives responses of every tapped layer, layer by layer, to some frames, numbered from the piece's first.
    """

    first: int
    logits: Float[Tensor, "frame symbol"]
    respond: Callable[[Int[Tensor, " frame"], Target, Sequence[SaliencyMethod]], Iterator[LayerResponse]]


@dataclass(frozen=True, eq=False)
class Responder(ABC):
    """Plays recordings to a network and gives the responses of its layers.

    Attributes
    ----------
    context : {"recording", "frame"}
        Whether whole recordings are played, or every frame alone.
    grid : FrameGrid
        Where frames lie.
    layers : tuple of LayerGeometry
        Tapped layers, in the order of execution.
    batch_size : int
        Frames in a batch.
    """

    context: Literal["recording", "frame"]
    grid: FrameGrid
    layers: tuple[LayerGeometry, ...]
    batch_size: int

    @abstractmethod
    def play(self, features: Float[Tensor, "unit step"]) -> Iterator[Piece]:
        """Play one recording, in one piece or several."""

    @abstractmethod
    def score(self, cones: Float[Tensor, "frame unit cone"]) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from the input at their cones."""

    @abstractmethod
    def explain(
        self, cones: Float[Tensor, "frame unit cone"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Responses of every tapped layer to frames, from the input at their cones."""


def cut_windows(
    values: Float[Tensor, "source unit step"],
    *,
    source: Int[Tensor, " frame"],
    start: Int[Tensor, " frame"],
    width: int,
) -> Float[Tensor, "frame unit width"]:
    """Windows of `width` steps from `start` on, with 0 where the source has no step."""
    low = int(start.min())
    high = int(start.max()) + width
    n_steps = values.shape[-1]
    kept = values[..., max(low, 0) : max(min(high, n_steps), 0)]
    if low < 0 or high > n_steps:
        ahead = min(max(-low, 0), high - low)
        kept = F.pad(kept, (ahead, high - low - ahead - kept.shape[-1]))
    return kept.unfold(-1, width, 1)[source, :, start - low]
