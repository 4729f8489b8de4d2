"""Choose the responder of a network, and the responder that runs every frame alone, with autograd."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from typing import Literal

import psutil
import torch
from jaxtyping import Float
from torch import Tensor, nn

from snaps.errors import InputError, one_of, reason_of
from snaps.responses.cones import ConeResponder
from snaps.responses.geometry import FrameGrid, FrameOptions, LayerGeometry, frame_grid
from snaps.responses.responses import LayerResponse, Piece, Responder, Run, SaliencyMethod, Target, middle_step
from snaps.responses.steps import Step
from snaps.responses.taps import (
    UnitsError,
    check_weights,
    hook_in_the_way,
    made_up_input,
    same_output,
    select_layers,
    tap,
    type_of_weights,
)
from snaps.responses.tracing import NotAStackError, Sequenced, Stack, stack_of
from snaps.schema import INPUT_LAYER

#: Frames in a batch, where memory allows: enough to fill the cores or the device, few enough to stay in its caches.
MOST_FRAMES = {"cpu": 64, "cuda": 1024}


def make_responder(
    model: nn.Module,
    options: FrameOptions = FrameOptions(),  # noqa: B008
    *,
    n_inputs: int,
    device: torch.device | None = None,
    methods: Sequence[SaliencyMethod] = (),
) -> Responder:
    """Make the responder that plays recordings to a network.

    Parameters
    ----------
    model : Module
        The network, on `device`.
    options : FrameOptions
        Context, frames and layers.
    n_inputs : int
        Units of the recordings' features.
    device : device, optional
        Where to compute.
    methods : sequence of saliency methods
        Methods that will be used; those that are not carried through steps need whole frames.

    Raises
    ------
    InputError
        If an option does not fit the network; the sentence says which values do.
    """
    device = device or torch.device("cpu")
    check_weights(model)
    layers = _layers_of_methods(select_layers(model, options.layers), methods, named=options.layers is not None)
    whole = next((method for method in methods if not method.carried), None)
    if whole is not None and options.context == "recording":
        raise InputError(
            f"the saliency method {type(whole).__name__} explains whole frames alone; accepted is context='frame'"
        )
    cones = options.context != "frame" or (isinstance(model, Sequenced) and not model.pads)
    if whole is None and cones:
        try:
            return _cone_responder(model, layers, options, n_inputs=n_inputs, device=device)
        except NotAStackError:
            if options.context == "recording":
                raise
    return _frame_responder(model, layers, options, n_inputs=n_inputs, device=device)


def _layers_of_methods(chosen: tuple[str, ...], methods: Sequence[SaliencyMethod], *, named: bool) -> tuple[str, ...]:
    """Layers that the saliency methods explain; a warning lists the missing ones."""
    poor = next((type(method).__name__ for method in methods if method.input_alone), None)
    missing = [layer for layer in chosen if layer != INPUT_LAYER]
    if poor is None or not missing:
        return chosen
    if named:
        raise InputError(f"the saliency method {poor} explains the layer 'input' alone; layers names {one_of(missing)}")
    warnings.warn(
        f"the saliency method {poor} explains the layer 'input' alone; {one_of(missing)} are missing", stacklevel=2
    )
    return (INPUT_LAYER,)


def _cone_responder(
    model: nn.Module, layers: Sequence[str], options: FrameOptions, *, n_inputs: int, device: torch.device
) -> ConeResponder:
    """Responder of a stack, whose responses are computed from its weights."""
    stack = _stack(model, layers, n_inputs)
    hook = hook_in_the_way(model, n_inputs=n_inputs, steps=stack.receptive_field)
    if hook is not None:
        raise NotAStackError(
            f"responses of a stack of convolutions are computed from its weights, but {hook}; context='frame' heeds it"
        )
    stack = _stack(model, layers, n_inputs)  # once more, for hooks may have updated weights
    grid = frame_grid(options, receptive_field=stack.receptive_field, stride=stack.stride)
    geometry = stack.layer_geometry(frame_steps=grid.steps)
    tapped = tuple(layer for name, layer in geometry.items() if name in layers)
    context: Literal["recording", "frame"] = "frame" if options.context == "frame" else "recording"
    return ConeResponder(context, grid, tapped, options.batch_size or _frames_at_once(tapped, device), stack)


def _frame_responder(
    model: nn.Module, layers: Sequence[str], options: FrameOptions, *, n_inputs: int, device: torch.device
) -> "FrameResponder":
    """Responder that runs whole frames, or cones alone if the network is a stack and does not pad."""
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if tensor.is_inference():
            raise InputError(
                f"the network's {name!r} was made under torch.inference_mode, and no gradient goes through such "
                "weights; accepted is a network that was made or copied outside of it"
            )
    strides = None
    if isinstance(model, Sequenced):
        stack = _stack(model, layers, n_inputs)
        grid = frame_grid(options, receptive_field=stack.receptive_field, stride=stack.stride)
        strides = {name: int(layer.stride) for name, layer in stack.layer_geometry(frame_steps=grid.steps).items()}
        grid, run_steps = (replace(grid, offset=0), grid.steps) if model.pads else (grid, stack.receptive_field)
    elif options.frame_steps is None or options.frame_hop is None:
        raise InputError(
            f"the network {type(model).__name__} has no known receptive field: give frame_steps and frame_hop, in "
            "input steps"
        )
    else:
        grid, run_steps = FrameGrid(options.frame_steps, options.frame_hop), options.frame_steps
    probe = made_up_input(model, (2, n_inputs, run_steps))
    measured = measure_layers(model, layers, probe, frame_steps=grid.steps, strides=strides)
    batch_size = options.batch_size or _frames_at_once(measured, device)
    return FrameResponder("frame", grid, measured, batch_size, model, run_steps)


def _stack(model: nn.Module, layers: Sequence[str], n_inputs: int) -> Stack:
    try:
        stack = stack_of(model, layers=layers)
    except NotAStackError as error:
        raise NotAStackError(
            f"context='recording' needs a stack of convolutions: {error}; context='frame' takes any network"
        ) from error
    if stack.n_inputs != n_inputs:
        raise UnitsError(
            f"the network takes {stack.n_inputs} input units; the recordings' features have {n_inputs} units"
        )
    return stack


def _frames_at_once(layers: Sequence[LayerGeometry], device: torch.device) -> int:
    # Saliency, activation and shifted copies of each: some eight values of four bytes for every tapped value.
    bytes_per_frame = 32 * sum(layer.units * layer.width for layer in layers)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return max(1, min(MOST_FRAMES.get(device.type, 64), free // 8 // bytes_per_frame))


@dataclass(frozen=True, eq=False)
class FrameResponder(Responder):
    """Runs every frame alone, and takes gradients from autograd.

    Attributes
    ----------
    model : Module
        The network.
    run_steps : int
        Input steps that are run: a whole frame, or its cone.
    traced : dict
        Steps of the network, for saliency methods that take it apart.
    """

    model: nn.Module
    run_steps: int
    traced: dict[bool, list[Step]] = field(default_factory=dict, repr=False)

    def play(self, features: Float[Tensor, "unit step"]) -> Iterator[Piece]:
        """Play a recording, in one piece."""
        # (frame, unit, step), a view
        frames = self._fitting(features).unfold(-1, self.grid.steps, self.grid.hop).movedim(1, 0)
        run = frames[..., self.grid.offset : self.grid.offset + self.run_steps]
        yield Piece(0, self.score(run), lambda frames, target, methods: self.explain(run[frames], target, methods))

    @torch.no_grad()
    def score(self, cones: Float[Tensor, "frame unit cone"]) -> Float[Tensor, "frame symbol"]:
        """Logits of frames, from the input that is run."""
        with tap(self.model, ("logits",)) as taps:
            runs = [middle_step(taps.run(batch)).float() for batch in self._fitting(cones).split(self.batch_size)]
        return torch.cat(runs)

    @torch.enable_grad()
    def explain(
        self, cones: Float[Tensor, "frame unit cone"], target: Target, methods: Sequence[SaliencyMethod]
    ) -> Iterator[LayerResponse]:
        """Run the frames forward once, and compute every saliency method from this run."""
        with tap(self.model, [geometry.name for geometry in self.layers]) as taps:
            run = Run(taps, self._fitting(cones), target, self.traced)
            _ = run.logits  # so that the network has run, also without a saliency method
            saliencies = [self._saliency(method, run) for method in methods]
            for geometry in self.layers:
                activation = taps.activations[geometry.name].detach().float()
                if activation.shape[1:] != (geometry.units, geometry.width):
                    raise InputError(
                        f"the layer {geometry.name!r} gave {geometry.units} units and {geometry.width} steps at first, "
                        f"and now gives {activation.shape[1]} and {activation.shape[2]}; accepted is the same for "
                        "every frame"
                    )
                source = torch.arange(len(activation), device=activation.device)
                own = tuple(saliency[geometry.name].detach().float() for saliency in saliencies)
                yield LayerResponse(geometry, activation, source, torch.zeros_like(source), own)

    def _fitting(self, features: Tensor) -> Tensor:
        """Features in the type of the network's weights."""
        return features.to(type_of_weights(self.model))

    def _saliency(self, method: SaliencyMethod, run: Run) -> dict[str, Tensor]:
        network = type(self.model).__name__
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


@torch.no_grad()
def measure_layers(
    model: nn.Module,
    layers: Sequence[str],
    frames: Float[Tensor, "frame unit step"],
    *,
    frame_steps: int,
    strides: dict[str, int] | None,
) -> tuple[LayerGeometry, ...]:
    """Units and steps of layers in the order of execution, measured on two made-up frames.

    Parameters
    ----------
    model : Module
        The network.
    layers : sequence of str
        Layers to tap.
    frames : tensor of shape (frame, unit, step)
        Two frames.
    frame_steps : int
        Steps of a frame.
    strides : dict of str to int or None
        Input steps between two steps of every layer, where they are known: F is then ``frame_steps // S``.
        None otherwise: S is ``frame_steps / w`` and F is w.

    Raises
    ------
    InputError
        If a layer does not give (batch, unit, step) or (batch, unit), the network refuses such frames, gives
        another result the second time, or changes its weights.
    """
    weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with tap(model, layers) as taps:
        first, again = taps.run(frames), taps.run(frames)
    changed = [
        name for name, now in model.named_parameters() if not torch.equal(now.nan_to_num(), weights[name].nan_to_num())
    ]
    if changed:
        model.load_state_dict(weights, strict=False)
        raise InputError(
            f"the network changes its weights {one_of(changed)} when it runs; accepted is one that does not"
        )
    if not same_output(first, again):
        raise InputError(
            f"the network {type(model).__name__} gives something else for the same frames again; accepted is one that "
            "neither remembers nor draws at random in evaluation mode"
        )
    geometries = []
    for name, activation in taps.activations.items():
        _, units, width = activation.shape
        if width == 0:
            raise InputError(f"the layer {name!r} gives no step for a frame; accepted is one step at least")
        stride = Fraction(frame_steps, width) if strides is None else Fraction(strides[name])
        frame_width = width if strides is None else frame_steps // strides[name]
        geometries.append(LayerGeometry(name, units, width, stride, frame_width))
    return tuple(geometries)
