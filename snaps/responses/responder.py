"""Choose how a network is played to: which context, which frames, which layers, how many frames at once."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import psutil
import torch
from torch import nn

from snaps.errors import InputError, one_of
from snaps.responses.cones import ConeResponder
from snaps.responses.geometry import LayerGeometry, frame_grid, select_layers
from snaps.responses.graph import GraphResponder, UnitsError, measure_layers
from snaps.responses.readiness import check_gradients, check_weights, hook_in_the_way
from snaps.responses.responses import CarriedMethod, Responder, SaliencyMethod
from snaps.responses.stack import Stack
from snaps.responses.taps import Tappable, layer_names
from snaps.responses.tracing import NotAStackError, stack_of
from snaps.schema import INPUT_LAYER, LOGITS_LAYER

Context = Literal["recording", "frame", "auto"]
CONTEXTS: tuple[Context, ...] = ("recording", "frame", "auto")

#: Frames at once, where memory allows: enough to fill the cores or the device, few enough to stay in its caches.
MOST_FRAMES = {"cpu": 64, "cuda": 1024}


def make_responder(
    model: nn.Module,
    *,
    n_inputs: int,
    context: Context = "recording",
    layers: Iterable[str] | None = None,
    frame_steps: int | None = None,
    frame_hop: int | None = None,
    batch_size: int | None = None,
    device: torch.device | None = None,
    methods: Sequence[SaliencyMethod] = (),
) -> Responder:
    """Make what plays recordings to a network.

    Parameters
    ----------
    model : Module
        The network, on `device`.
    n_inputs : int
        Units of the recordings' features.
    context : {"recording", "frame", "auto"}
        Whether responses are computed on the whole recording, or every frame is run alone. ``"auto"`` takes
        the recording where the network is a stack of convolutions.
    layers : iterable of str, optional
        Layers to tap. None for all of a Wav2Letter's, else ``input`` and ``logits``.
    frame_steps, frame_hop : int, optional
        Length of a frame and distance between frames in input steps. A network that is not ours needs both in
        the frame context; otherwise they are the receptive field and the stride.
    batch_size : int, optional
        Frames at once; None for as many as pay.
    device : device, optional
        Where to compute.
    methods : sequence of saliency methods
        What will be asked for; those that cannot be carried down a stack need whole frames.

    Raises
    ------
    InputError
        If an option does not fit the network; the sentence says what does.
    """
    device = device or torch.device("cpu")
    check_weights(model)
    if context not in CONTEXTS:
        raise InputError(f"context is {context!r}; accepted are {one_of(CONTEXTS)}")
    for option, value in (("frame_steps", frame_steps), ("frame_hop", frame_hop), ("batch_size", batch_size)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise InputError(f"{option} is {value!r}; accepted are whole numbers from 1")
    ours = isinstance(model, Tappable)
    available = layer_names(model)
    chosen = select_layers(layers, available, available if ours else (INPUT_LAYER, LOGITS_LAYER))
    chosen = _layers_of_methods(chosen, methods, named=layers is not None)
    whole = next((method for method in methods if not isinstance(method, CarriedMethod)), None)
    if whole is not None and context == "recording":
        raise InputError(
            f"the saliency method {type(whole).__name__} explains whole frames alone; accepted is context='frame'"
        )
    alone = context == "frame" or whole is not None or (context == "auto" and not _is_stack(model, n_inputs))
    if alone and not ours:
        check_gradients(model)
        if frame_steps is None or frame_hop is None:
            raise InputError(
                f"the network {type(model).__name__} does not tell its frames: give frame_steps and frame_hop, in "
                "input steps"
            )
        grid = frame_grid(receptive_field=1, stride=1, frame_steps=frame_steps, frame_hop=frame_hop)
        measured = measure_layers(
            model, chosen, n_inputs=n_inputs, run_steps=frame_steps, frame_steps=frame_steps, strides=None
        )
        _refuse_hooks(model, methods, n_inputs=n_inputs, steps=frame_steps)
        return GraphResponder(
            model, replace(grid, offset=0), measured, batch_size or _frames_at_once(measured, device), frame_steps
        )
    stack = _stack(model, chosen, n_inputs)
    grid = frame_grid(
        receptive_field=stack.receptive_field, stride=stack.stride, frame_steps=frame_steps, frame_hop=frame_hop
    )
    geometry = stack.layer_geometry(frame_steps=grid.steps)
    pads = getattr(model, "pads", True)
    if alone and (pads or whole is not None):
        check_gradients(model)
        strides = {name: int(layer.stride) for name, layer in geometry.items()}
        # Whole frames as they are where the network pads, else their cones.
        run = grid.steps if pads else stack.receptive_field
        measured = measure_layers(
            model, chosen, n_inputs=n_inputs, run_steps=run, frame_steps=grid.steps, strides=strides
        )
        _refuse_hooks(model, methods, n_inputs=n_inputs, steps=run)
        return GraphResponder(
            model, replace(grid, offset=0) if pads else grid, measured, batch_size or _frames_at_once(measured, device),
            run,
        )  # fmt: skip
    tapped = tuple(geometry[name] for name in chosen)
    hook = hook_in_the_way(model, n_inputs=n_inputs, steps=stack.receptive_field)
    if hook is not None:
        other = "accepted is a network without it" if ours else "context='frame' heeds it"
        raise InputError(f"responses of a stack of convolutions are computed from its weights, but {hook}; {other}")
    stack = _stack(model, chosen, n_inputs)  # once more, for hooks may have brought weights up to date
    return ConeResponder(stack.to(device), grid, tapped, batch_size or _frames_at_once(tapped, device), alone)


def _refuse_hooks(model: nn.Module, methods: Sequence[SaliencyMethod], *, n_inputs: int, steps: int) -> None:
    """Refuse hooks that a saliency method would pass over, because it takes the network apart."""
    for method in methods:
        if getattr(method, "passes_over_hooks", False):
            hook = hook_in_the_way(model, n_inputs=n_inputs, steps=steps)
            if hook is not None:
                raise InputError(
                    f"the saliency method {type(method).__name__} takes the network apart, but {hook}; accepted is a "
                    "network without it"
                )


def _layers_of_methods(chosen: tuple[str, ...], methods: Sequence[SaliencyMethod], *, named: bool) -> tuple[str, ...]:
    """The chosen layers that the saliency methods know; a warning says which are missing."""
    poor = next((type(method).__name__ for method in methods if getattr(method, "input_alone", False)), None)
    missing = [layer for layer in chosen if layer != INPUT_LAYER]
    if poor is None or not missing:
        return chosen
    if named:
        raise InputError(f"the saliency method {poor} explains the layer 'input' alone; layers names {one_of(missing)}")
    warnings.warn(
        f"the saliency method {poor} explains the layer 'input' alone; {one_of(missing)} are missing", stacklevel=2
    )
    return (INPUT_LAYER,)


def _is_stack(model: nn.Module, n_inputs: int) -> bool:
    try:
        stack = stack_of(model)
    except NotAStackError:
        return False
    return isinstance(model, Tappable) or hook_in_the_way(model, n_inputs=n_inputs, steps=stack.receptive_field) is None


def _stack(model: nn.Module, layers: Sequence[str], n_inputs: int) -> Stack:
    try:
        stack = stack_of(model, layers=layers)
    except NotAStackError as error:
        raise InputError(
            f"context='recording' needs a stack of convolutions: {error}; context='frame' takes any network"
        ) from error
    if stack.n_inputs != n_inputs:
        raise UnitsError(
            f"the network takes {stack.n_inputs} input units; the recordings' features have {n_inputs} units"
        )
    return stack


def _frames_at_once(layers: Iterable[LayerGeometry], device: torch.device) -> int:
    # Saliency, activation and shifted copies of each: some eight values of four bytes for every one tapped.
    bytes_per_frame = 32 * sum(layer.units * layer.width for layer in layers)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return max(1, min(MOST_FRAMES.get(device.type, 64), free // 8 // bytes_per_frame))
