"""What a responder gives: the responses of every tapped layer to frames of a recording.

There is one shape for both contexts. A layer's activations lie in a tensor of *sources* (the one recording, or
every frame for itself), and each frame knows its source and the step at which its cone starts there. So epochs
may reach beyond the cone wherever the source has values, and nothing is copied before it is needed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from snaps.responses.geometry import FrameGrid, LayerGeometry
from snaps.responses.stack import Passage

#: Gives each frame's score, of shape (frame,), from its logits, of shape (frame, symbol).
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
        """Position of every frame's symbol."""
        if self.symbol is None:
            return logits.detach().argmax(1)
        return torch.full(logits.shape[:1], self.symbol, dtype=torch.int64, device=logits.device)

    def __call__(self, logits: Float[Tensor, "frame symbol"]) -> Float[Tensor, " frame"]:
        """Scores of these symbols."""
        return logits.gather(1, self.of(logits)[:, None])[:, 0]


def target_gradient(logits: Float[Tensor, "frame symbol"], target: Target) -> Float[Tensor, "frame symbol"]:
    """Gradient of the target's score; for a symbol, 1 at the symbol and 0 elsewhere."""
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_()
        return torch.autograd.grad(target(leaf).sum(), leaf)[0]


class Run(Protocol):
    """A batch of whole frames, run through a network whose layers are tapped."""

    @property
    def model(self) -> nn.Module:
        """The network, in evaluation mode."""

    @property
    def frames(self) -> Float[Tensor, "frame unit step"]:
        """What goes into it."""

    @property
    def target(self) -> Target:
        """The score that saliency explains."""

    @property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """The frames' logits, with the autograd graph that leads to them."""

    @property
    def activations(self) -> dict[str, Tensor]:
        """What the tapped layers gave, of shape (frame, unit, step), as leaves or nodes of that graph."""

    def score(self, output: Tensor) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from what the network gives for them."""

    def unheard(self) -> AbstractContextManager[None]:
        """While this is open, the network may be run without anything being kept."""


class SaliencyMethod(Protocol):
    """How much each value of every layer matters for the target; see `snaps.alignment` for the methods.

    Notes
    -----
    A class may say more of its methods; each of these is read where it is there.

    ``default_peak`` : str
        Name of the peak rule that suits it; ``"product"`` where it is missing.
    ``is_relevance`` : bool
        Whether its sign means something, so that pixel flipping orders bins by it, and not by its absolute value;
        else False.
    ``input_alone`` : bool
        Whether it knows the layer ``input`` only; else False.
    ``passes_over_hooks`` : bool
        Whether it takes the network apart, so that hooks are not heeded and a network that they change is refused;
        else False.
    """

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Saliency of the tapped layers, of the shapes of ``run.activations``."""


@runtime_checkable
class CarriedMethod(SaliencyMethod, Protocol):
    """A saliency method that the fast path carries down a stack, operation by operation."""

    def at_logits(self, logits: Float[Tensor, "frame symbol"], target: Target) -> Float[Tensor, "frame symbol"]:
        """What `through` carries down, at the logits."""

    def through(
        self, passage: Passage, carried: Float[Tensor, "frame _unit behind"]
    ) -> Float[Tensor, "frame _unit before"]:
        """What is carried, before one operation of a stack, from what it is behind it."""

    def at_layer(
        self, carried: Float[Tensor, "frame unit cone"], cone: Callable[[], Float[Tensor, "frame unit cone"]]
    ) -> Float[Tensor, "frame unit cone"]:
        """Saliency of a layer, from what is carried and, for those who ask, the activations of its cone."""


@dataclass(frozen=True, eq=False)
class LayerResponse:
    """Responses of one layer to a batch of frames.

    Attributes
    ----------
    geometry : LayerGeometry
        The layer.
    activation : tensor of shape (source, unit, step)
        Activations of every source, as far as it has them.
    source, start : tensors of shape (frame,)
        Which source a frame lies in, and the step there at which its cone starts.
    saliencies : tuple of tensors of shape (frame, unit, cone step)
        One for each saliency method.
    cut_cone : callable
        Gives the activations at the cones' steps, of shape (frame, unit, cone step); for those who ask.
    """

    geometry: LayerGeometry
    activation: Float[Tensor, "source unit step"]
    source: Int[Tensor, " frame"]
    start: Int[Tensor, " frame"]
    saliencies: tuple[Float[Tensor, "frame unit cone"], ...]
    cut_cone: Callable[[], Float[Tensor, "frame unit cone"]]

    @cached_property
    def cone(self) -> Float[Tensor, "frame unit cone"]:
        """Activations at the cones' steps."""
        return self.cut_cone()

    def of(self, methods: Sequence[int]) -> "LayerResponse":
        """The same response with the saliencies of some of the methods alone."""
        return replace(self, saliencies=tuple(self.saliencies[number] for number in methods))

    def finite(self, peak: Int[Tensor, " frame"]) -> Bool[Tensor, " frame"]:
        """Frames whose saliency and activation, in the cone and around the peak, are finite."""
        finite = torch.ones_like(self.start, dtype=torch.bool)
        for saliency in self.saliencies:
            sums = torch.isfinite(saliency.sum(dim=(1, 2)))
            # A sum may overflow where no value does, so that one is looked at value by value.
            finite &= sums if bool(sums.all()) else torch.isfinite(saliency).all(dim=2).all(dim=1)
        if not bool(torch.isfinite(self.activation.sum())):
            broken = ~torch.isfinite(self.activation).all(dim=1, keepdim=True)  # (source, 1, step)
            lags = self.geometry.lags
            for start, width in ((self.start, self.geometry.width), (self.start + peak + lags.start, len(lags))):
                windows = cut_windows(broken.float(), source=self.source, start=start, width=width)
                finite &= ~(windows > 0).any(dim=(1, 2))
        return finite


class Piece(Protocol):
    """A run of a recording's frames, played to the network."""

    @property
    def first(self) -> int:
        """Number of the first frame in its recording."""

    @property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Scores of every symbol for every frame of the piece."""

    def respond(
        self, frames: Int[Tensor, " frame"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Responses of every tapped layer to some frames, numbered from the piece's first; layer by layer."""


class Responder(Protocol):
    """Plays recordings to a network and gives what its layers do."""

    @property
    def grid(self) -> FrameGrid:
        """Where frames lie."""

    @property
    def layers(self) -> tuple[LayerGeometry, ...]:
        """The tapped layers, in the network's order."""

    @property
    def context(self) -> Literal["recording", "frame"]:
        """Whether responses are those to whole recordings, or to every frame alone."""

    @property
    def batch_size(self) -> int:
        """Frames that are responded to at once."""

    def play(self, features: Float[Tensor, "unit step"]) -> Iterator[Piece]:
        """Play one recording, in one piece or several."""

    def score(self, cones: Float[Tensor, "frame unit cone"]) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from what their cones in the input hold."""

    def explain(
        self, cones: Float[Tensor, "frame unit cone"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Responses of every tapped layer to frames, from what their cones in the input hold."""


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
