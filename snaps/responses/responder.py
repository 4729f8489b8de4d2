"""Choose how a network is played to: which context, which frames, which layers, how many frames at once."""

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
from snaps.responses.responses import Responder
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

    Raises
    ------
    InputError
        If an option does not fit the network; the sentence says what does.
    """
    device = device or torch.device("cpu")
    if context not in CONTEXTS:
        raise InputError(f"context is {context!r}; accepted are {one_of(CONTEXTS)}")
    for option, value in (("frame_steps", frame_steps), ("frame_hop", frame_hop), ("batch_size", batch_size)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise InputError(f"{option} is {value!r}; accepted are whole numbers from 1")
    ours = isinstance(model, Tappable)
    available = layer_names(model)
    chosen = select_layers(layers, available, available if ours else (INPUT_LAYER, LOGITS_LAYER))
    alone = context == "frame" or (context == "auto" and not _is_stack(model))
    if alone and not ours:
        if frame_steps is None or frame_hop is None:
            raise InputError(
                f"the network {type(model).__name__} does not tell its frames: give frame_steps and frame_hop, in "
                "input steps"
            )
        grid = frame_grid(receptive_field=1, stride=1, frame_steps=frame_steps, frame_hop=frame_hop)
        measured = measure_layers(model, chosen, n_inputs=n_inputs, frame_steps=frame_steps, strides=None)
        return GraphResponder(model, replace(grid, offset=0), measured, batch_size or _frames_at_once(measured, device))
    stack = _stack(model, chosen, n_inputs)
    grid = frame_grid(
        receptive_field=stack.receptive_field, stride=stack.stride, frame_steps=frame_steps, frame_hop=frame_hop
    )
    geometry = stack.layer_geometry(frame_steps=grid.steps)
    if alone and getattr(model, "pads", True):
        strides = {name: int(layer.stride) for name, layer in geometry.items()}
        measured = measure_layers(model, chosen, n_inputs=n_inputs, frame_steps=grid.steps, strides=strides)
        return GraphResponder(model, replace(grid, offset=0), measured, batch_size or _frames_at_once(measured, device))
    tapped = tuple(geometry[name] for name in chosen)
    return ConeResponder(stack.to(device), grid, tapped, batch_size or _frames_at_once(tapped, device), alone)


def _is_stack(model: nn.Module) -> bool:
    try:
        stack_of(model)
    except NotAStackError:
        return False
    return True


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
