"""Frames run one by one through any network, with autograd: the frame context where a network pads, or is not ours."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from snaps.errors import InputError, one_of, reason_of
from snaps.responses.geometry import FrameGrid, LayerGeometry
from snaps.responses.readiness import made_up_input, same_output, type_of_weights
from snaps.responses.responses import LayerResponse, Piece, SaliencyMethod, Target
from snaps.responses.taps import RunError, Taps, tap


class UnitsError(InputError):
    """The network does not take such features."""


@dataclass(frozen=True, eq=False)
class GraphResponder:
    """Runs every frame as it is, and takes gradients from autograd.

    Attributes
    ----------
    model : Module
        The network.
    grid : FrameGrid
        Where frames lie; its offset is 0 where they are run whole.
    layers : tuple of LayerGeometry
        Tapped layers, as they come out of a whole frame.
    batch_size : int
        Frames run at once.
    run_steps : int
        Input steps of what is run: a whole frame, or its cone.
    context : str
        Always ``"frame"``.
    """

    model: nn.Module
    grid: FrameGrid
    layers: tuple[LayerGeometry, ...]
    batch_size: int
    run_steps: int
    context: Literal["frame"] = "frame"

    def play(self, features: Float[Tensor, "unit step"]) -> Iterator[Piece]:
        """Play a recording, in one piece."""
        # (frame, unit, step), a view
        frames = self._fitting(features).unfold(-1, self.grid.steps, self.grid.hop).movedim(1, 0)
        run = frames[..., self.grid.offset : self.grid.offset + self.run_steps]
        yield GraphPiece(self, run, self.score(run))

    @torch.no_grad()
    def score(self, frames: Float[Tensor, "frame unit step"]) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from what is run of them."""
        with tap(self.model, ("logits",)) as taps:
            batches = self._fitting(frames).split(self.batch_size)
            runs = [middle_step(taps.run(batch)).float() for batch in batches]
        sizes = {run.shape[1] for run in runs}
        if len(sizes) > 1:
            raise InputError(
                f"the network {type(self.model).__name__} gives {one_of(sorted(sizes))} scores for frames of the "
                "same length; accepted is one number"
            )
        return torch.cat(runs)

    def explain(
        self, frames: Float[Tensor, "frame unit step"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Responses of every tapped layer to frames, from what is run of them."""
        numbers = torch.arange(len(frames), device=frames.device)
        return GraphPiece(self, self._fitting(frames), frames.new_empty(0, 0)).respond(numbers, target, methods)

    def _fitting(self, features: Tensor) -> Tensor:
        """Features in the type of the network's weights."""
        return features.to(type_of_weights(self.model))


@dataclass(frozen=True, eq=False)
class GraphPiece:
    """A recording cut into frames."""

    responder: GraphResponder
    frames: Float[Tensor, "frame unit step"]
    logits: Float[Tensor, "frame symbol"]
    first: int = 0

    @torch.enable_grad()
    def respond(
        self, frames: Int[Tensor, " frame"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Run the frames forward once, and let every saliency method go back."""
        geometries = self.responder.layers
        with tap(self.responder.model, [geometry.name for geometry in geometries]) as taps:
            run = GraphRun(taps, self.frames[frames], target)
            _ = run.logits  # so that the network has run, also where no saliency is asked for
            saliencies = [self._saliency(method, run) for method in methods]
            yield from self._responses(taps, geometries, saliencies)

    def _saliency(self, method: SaliencyMethod, run: "GraphRun") -> dict[str, Tensor]:
        network = type(self.responder.model).__name__
        try:
            return method.of_run(run)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            if not run.logits.requires_grad:
                raise InputError(
                    f"no gradient leads back from what the network {network} gives; accepted is one that computes it "
                    "from its input with torch, without no_grad or detach"
                ) from error
            raise InputError(
                f"the saliency method {type(method).__name__} fails on the network {network}: {reason_of(error)}"
            ) from error

    def _responses(
        self, taps: Taps, geometries: Iterable[LayerGeometry], saliencies: Sequence[dict[str, Tensor]]
    ) -> Iterator[LayerResponse]:
        for geometry in geometries:
            activation = taps.activations[geometry.name].detach().float()
            if activation.shape[1:] != (geometry.units, geometry.width):
                raise InputError(
                    f"the layer {geometry.name!r} gave {geometry.units} units and {geometry.width} steps at first, and "
                    f"now gives {activation.shape[1]} and {activation.shape[2]}; accepted is the same for every frame"
                )
            source = torch.arange(len(activation), device=activation.device)
            yield LayerResponse(
                geometry,
                activation,
                source,
                torch.zeros_like(source),
                tuple(saliency[geometry.name].detach().float() for saliency in saliencies),
                cut_cone=partial(_itself, activation),
            )


@dataclass(frozen=True, eq=False)
class GraphRun:
    """A batch of frames run through a tapped network; see `snaps.responses.responses.Run`."""

    taps: Taps
    frames: Float[Tensor, "frame unit step"]
    target: Target

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.taps.model

    @cached_property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Logits of the frames."""
        return middle_step(self.taps.run(self.frames))

    @property
    def activations(self) -> dict[str, Tensor]:
        """What the tapped layers gave."""
        _ = self.logits  # so that the network has run
        return self.taps.activations

    def score(self, output: Tensor) -> Float[Tensor, "frame symbol"]:
        """Logits of frames: the middle step of what the network gives."""
        return middle_step(output if output.dim() == 3 else output[..., None])

    def unheard(self) -> AbstractContextManager[None]:
        """While this is open, nothing is kept."""
        return self.taps.paused()


def _itself(activation: Tensor) -> Tensor:
    return activation


def middle_step(logits: Float[Tensor, "frame symbol out"]) -> Float[Tensor, "frame symbol"]:
    """Scores at the output step ``t_out // 2``, the frame's prediction (SNAP, section 3.3)."""
    return logits[..., logits.shape[-1] // 2]


@torch.no_grad()
def measure_layers(
    model: nn.Module,
    layers: Iterable[str] | None,
    *,
    n_inputs: int,
    run_steps: int,
    frame_steps: int,
    strides: dict[str, int] | None,
) -> tuple[LayerGeometry, ...]:
    """Units and steps of layers on a whole frame, found by running one.

    Parameters
    ----------
    model : Module
        The network.
    layers : iterable of str or None
        Layers to tap.
    n_inputs, run_steps : int
        Units and steps of what is run.
    frame_steps : int
        Steps of a frame.
    strides : dict of str to int or None
        Input steps between two steps of every layer, where they are known: F is then ``frame_steps // S``.
        None for a network that is not ours: S is ``frame_steps / w`` and F is w.

    Raises
    ------
    InputError
        If a layer does not give (batch, unit, step) or (batch, unit), the network refuses such frames, gives
        something else the second time, or changes its weights.
    """
    weights = {name: (parameter, parameter.detach().clone()) for name, parameter in model.named_parameters()}
    frames = made_up_input(model, (2, n_inputs, run_steps))
    with tap(model, layers) as taps:
        try:
            first = taps.run(frames)
            again = taps.run(frames)
        except RunError as error:
            raise UnitsError(str(error)) from error
        _refuse_changed_weights(weights)
        if not same_output(first, again):
            raise InputError(
                f"the network {type(model).__name__} gives something else when it hears the same frames again; "
                "accepted is one that neither remembers nor draws at random in evaluation mode"
            )
        geometries = []
        for name, activation in taps.activations.items():
            batch, units, width = activation.shape
            if batch != 2 or width == 0:
                raise InputError(
                    f"the layer {name!r} gives the shape {tuple(activation.shape)} for 2 frames; accepted are "
                    "(batch, unit, step) and (batch, unit)"
                )
            stride = Fraction(frame_steps, width) if strides is None else Fraction(strides[name])
            frame_width = width if strides is None else frame_steps // strides[name]
            geometries.append(LayerGeometry(name, units, width, stride, frame_width))
    return tuple(geometries)


def _refuse_changed_weights(weights: Mapping[str, tuple[nn.Parameter, Tensor]]) -> None:
    """Put weights back that the network has changed by running, and refuse it."""
    changed = [
        name for name, (now, before) in weights.items() if not torch.equal(now.nan_to_num(), before.nan_to_num())
    ]
    for name in changed:
        now, before = weights[name]
        now.copy_(before)
    if changed:
        raise InputError(
            f"the network changes its weights {one_of(changed)} when it runs; accepted is one that does not"
        )
