"""Whether a network can be run as it is, and whether its modules do what their kind says."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from snaps.errors import InputError

FORWARD_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
BACKWARD_HOOKS = ("_backward_hooks", "_backward_pre_hooks")


def check_weights(model: nn.Module) -> None:
    """Refuse a network that has weights without values.

    Raises
    ------
    InputError
        Naming the parameter or buffer.
    """
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            raise InputError(
                f"the network's {name!r} has no shape yet; accepted is a network that has been run once, so that its "
                "lazy layers know their inputs"
            )
        if tensor.is_meta:
            raise InputError(
                f"the network's {name!r} lies on the device 'meta', where weights have no values; accepted is a "
                "network with its weights loaded"
            )


def check_gradients(model: nn.Module) -> None:
    """Refuse a network whose weights autograd cannot work with.

    Raises
    ------
    InputError
        Naming the parameter or buffer.
    """
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if tensor.is_inference():
            raise InputError(
                f"the network's {name!r} was made under torch.inference_mode, and no gradient goes through such "
                "weights; accepted is a network that was made or copied outside of it"
            )


def hook_in_the_way(model: nn.Module, *, n_inputs: int, steps: int) -> str | None:
    """Say which hooks would be passed over if the weights of a network's modules alone were used.

    A module that was given another forward function, or that has a hook on its backward pass, is in the way without
    trial. Hooks on the forward pass that change nothing do no harm. To find out, a network that has some is run on a
    made-up input, with and without them; this also brings weights up to date that a hook computes, as
    `torch.nn.utils.weight_norm` does.

    Parameters
    ----------
    model : Module
        The network, in evaluation mode.
    n_inputs, steps : int
        Units and steps of an input that it can be run on.

    Returns
    -------
    str or None
        What is in the way, or None.
    """
    hooked: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        called = f"the module {name!r}" if name else "the network itself"
        if "forward" in vars(module):
            return f"{called} has been given another forward function"
        if any(getattr(module, hooks) for hooks in BACKWARD_HOOKS):
            return f"{called} has a hook on its backward pass"
        if any(getattr(module, hooks) for hooks in FORWARD_HOOKS):
            hooked[called] = module
    if not hooked or not _changed(model, list(hooked.values()), n_inputs=n_inputs, steps=steps):
        return None
    return f"the result changes with the hook of {next(iter(hooked))}"


@torch.no_grad()
def _changed(model: nn.Module, hooked: Sequence[nn.Module], *, n_inputs: int, steps: int) -> bool:
    """Whether hooks make a difference to a made-up input."""
    probe = made_up_input(model, (1, n_inputs, steps))
    with_hooks = model(probe.clone())
    kept = [(getattr(module, hooks), getattr(module, hooks).copy()) for module in hooked for hooks in FORWARD_HOOKS]
    try:
        for hooks, _ in kept:
            hooks.clear()
        without = model(probe.clone())
    finally:
        for hooks, before in kept:
            hooks.update(before)
    return not same_output(with_hooks, without)


def made_up_input(model: nn.Module, shape: Sequence[int]) -> Tensor:
    """Values between -1 and 1 that all differ, in the type and the place of a network's weights."""
    parameter = next(model.parameters(), torch.zeros(()))
    ramp = torch.linspace(-1, 1, math.prod(shape), device=parameter.device)
    return ramp.view(*shape).to(type_of_weights(model))


def type_of_weights(model: nn.Module) -> torch.dtype:
    """The floating-point type of a network's first weights; single precision where there are none."""
    return next((one.dtype for one in model.parameters() if one.is_floating_point()), torch.float32)


def same_output(first: Any, second: Any) -> bool:
    """Whether two results of a network are the same, up to rounding; NaN is the same as NaN."""
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return type(first) is type(second)
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    # Sums in another order differ by less than this share, anything drawn at random by more.
    return torch.allclose(first, second, rtol=1e-3, atol=1e-4 * float(largest(first)), equal_nan=True)


def largest(values: Tensor) -> Tensor:
    """Largest finite absolute value, or 0."""
    sizes = values.detach().abs().double().nan_to_num(0.0, 0.0, 0.0)
    return sizes.max() if sizes.numel() else sizes.new_zeros(())


@contextmanager
def unchanged_attributes(model: nn.Module) -> Iterator[None]:
    """Put attributes of modules back that a network sets while it is traced."""
    before = [(module, vars(module).copy()) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)


@contextmanager
def unchanged_buffers(model: nn.Module) -> Iterator[None]:
    """Put buffers back that a network changes when it runs, such as counters."""
    before = [
        (module, name, buffer, buffer.clone(), None if buffer.is_inference() else buffer._version)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, values, version in before:
                if version is not None and buffer._version != version:
                    buffer.copy_(values)
                module._buffers[name] = buffer
