"""Tap named layers of any network: activations and gradients of all of them from one forward and one backward pass.

Networks whose weights have no values, or whose hooks would be ignored, are found here.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from snaps.errors import InputError, reason_of
from snaps.responses.tracing import Sequenced, unchanged_buffers
from snaps.schema import INPUT_LAYER, LOGITS_LAYER


class UnitsError(InputError):
    """The network cannot run on the features that it is given."""


class Taps:
    """Tapped layers of a network, while `tap` is open.

    Attributes
    ----------
    model : Module
        The network.
    layers : tuple of str
        The tapped layers.
    activations : dict of str to tensor of shape (batch, unit, step)
        Activations of the last run, in the order of execution; with one step where the layer has none.
    """

    def __init__(self, model: nn.Module, layers: tuple[str, ...]) -> None:
        self.model = model
        self.layers = layers
        self.activations: dict[str, Tensor] = {}
        self._paused = False
        self._batch = 0

    def run(self, x: Float[Tensor, "batch unit step"]) -> Float[Tensor, "batch symbol out"]:
        """Run the network on a batch, keep the activations of the tapped layers, and return the logits.

        Raises
        ------
        InputError
            If a layer gives something other than (batch, unit, step) or (batch, unit) in floating-point numbers,
            runs more than once, or does not run.
        UnitsError
            If the network fails; its own exception is the error's cause.
        """
        self.activations = {}
        self._batch = len(x)
        # A copy: the network may change its input, but not the caller's tensor.
        x = x.detach().clone().requires_grad_(torch.is_grad_enabled())
        try:
            if isinstance(self.model, Sequenced):
                self.model(x, tap=self.keep)
            else:
                self.keep(LOGITS_LAYER, self.model(self.keep(INPUT_LAYER, x)))
        except (InputError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise UnitsError(
                f"the network {type(self.model).__name__} cannot run on frames of {x.shape[1]} units and "
                f"{x.shape[2]} steps: {reason_of(error)}"
            ) from error
        missing = [name for name in self.layers if name not in self.activations]
        if missing:
            raise InputError(f"the layer {missing[0]!r} does not run when the network does, so it cannot be tapped")
        return self._logits

    def keep(self, name: str, output: Any) -> Any:
        """Keep a layer's activation, and return a copy of it for the rest of the network."""
        if self._paused or (name not in self.layers and name != LOGITS_LAYER):
            return output
        if name in self.activations:
            raise InputError(f"the layer {name!r} runs more than once in one pass, so it has no single activation")
        if not isinstance(output, Tensor) or output.dim() not in (2, 3) or len(output) != self._batch:
            received = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise InputError(
                f"the layer {name!r} gives {received} for {self._batch} frames; accepted are (batch, unit, step) and "
                "(batch, unit)"
            )
        if not output.is_floating_point():
            received = str(output.dtype).removeprefix("torch.")
            raise InputError(f"the layer {name!r} gives values of type {received}; accepted are floating-point numbers")
        seen = output if output.dim() == 3 else output[..., None]
        if name == LOGITS_LAYER:
            self._logits = seen
        if name in self.layers:
            self.activations[name] = seen
        # A copy goes on, so that a non-linearity in place does not change the kept activation.
        return (seen if output.dim() == 3 else seen[..., 0]).clone()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep no activations while this is open."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False


def select_layers(model: nn.Module, layers: Iterable[str] | None) -> tuple[str, ...]:
    """Check names of layers, and sort them as the network defines them.

    None gives all layers of a network that names its own, else ``input`` and ``logits``.

    Raises
    ------
    InputError
        If one does not exist; the sentence lists those that do.
    """
    if isinstance(model, Sequenced):
        default = available = model.layers
    else:
        default = (INPUT_LAYER, LOGITS_LAYER)
        modules = (name for name, _ in model.named_modules() if name not in ("", *default))
        available = (INPUT_LAYER, *modules, LOGITS_LAYER)
    if layers is None:
        return default
    asked = [layers] if isinstance(layers, str) else list(layers)
    for name in asked:
        if name not in available:
            listed = ", ".join(available[:40]) + (", …" if len(available) > 40 else "")
            raise InputError(f"the network has no layer {name!r}; it has {listed}")
    if not asked:
        raise InputError("layers is empty; accepted are names of layers, or None for the default ones")
    return tuple(name for name in available if name in asked)


def execution_order(model: nn.Module, x: Float[Tensor, "batch unit step"]) -> list[str]:
    """Names of a network's modules in the order in which they first give a result, found by running it on `x`.

    Modules that do not run are left out.
    """
    order: dict[str, None] = {}
    with ExitStack() as hooks, torch.no_grad(), evaluating(model), unchanged_buffers(model):
        for name, module in model.named_modules():
            hook = module.register_forward_hook(lambda *_, name=name: order.setdefault(name))
            hooks.callback(hook.remove)
        model(x.to(type_of_weights(model), copy=True))
    return [name for name in order if name]


@contextmanager
def tap(model: nn.Module, layers: Iterable[str] | None = None) -> Iterator[Taps]:
    """Tap named layers of a network.

    The network is put into evaluation mode. Afterwards, also after an exception, every hook is removed, and the mode of
    every module and all buffers are restored; gradients of parameters are never changed.

    Parameters
    ----------
    model : Module
        Any network.
    layers : iterable of str, optional
        Layers to tap: ``input``, names from ``named_modules()``, and ``logits``, the network's result; for a
        Wav2Letter its own layers. None for all of a Wav2Letter's layers, else ``input`` and ``logits``.

    Yields
    ------
    Taps
        Run the network and hold the activations.

    Raises
    ------
    InputError
        If a layer does not exist.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv1d(2, 3, 5), nn.ReLU())
    >>> with tap(network, ["input", "0", "logits"]) as taps:
    ...     logits = taps.run(torch.zeros(4, 2, 9))
    ...     gradients = torch.autograd.grad(logits[:, 0, 2].sum(), list(taps.activations.values()))
    >>> [tuple(gradient.shape) for gradient in gradients]
    [(4, 2, 9), (4, 3, 5), (4, 3, 5)]
    """
    taps = Taps(model, select_layers(model, layers))
    with ExitStack() as hooks, evaluating(model), unchanged_buffers(model):
        for name in () if isinstance(model, Sequenced) else taps.layers:
            if name not in (INPUT_LAYER, LOGITS_LAYER):
                hook = model.get_submodule(name).register_forward_hook(
                    lambda module, inputs, output, name=name: taps.keep(name, output)
                )
                hooks.callback(hook.remove)
        yield taps


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and restore the mode of every module afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


def check_weights(model: nn.Module) -> None:
    """Refuse a network that has weights without values.

    Raises
    ------
    InputError
        Naming the parameter or buffer.
    """
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if is_lazy(tensor) or tensor.is_meta:
            raise InputError(
                f"the network's {name!r} has no values: it lies on the device 'meta' or belongs to a lazy layer; "
                "accepted is a network whose weights are loaded and whose lazy layers have been run once"
            )


def hook_in_the_way(model: nn.Module, *, n_inputs: int, steps: int) -> str | None:
    """Find a hook that would be ignored if only the weights of a network's modules were used.

    A module with another forward function or with a backward hook is always in the way. Forward hooks are in the way
    if they change the result: a network that has some is run on a made-up input, with and without them. This run also
    updates weights that a hook computes, as `torch.nn.utils.weight_norm` does.

    Parameters
    ----------
    model : Module
        The network, in evaluation mode.
    n_inputs, steps : int
        Units and steps of an input that it can run on.

    Returns
    -------
    str or None
        Description of the hook, or None.
    """
    hooked: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        called = f"the module {name!r}" if name else "the network itself"
        if "forward" in vars(module):
            return f"{called} has been given another forward function"
        if module._backward_hooks or module._backward_pre_hooks:
            return f"{called} has a hook on its backward pass"
        if module._forward_hooks or module._forward_pre_hooks:
            hooked[called] = module
    if not hooked or not _changed(model, list(hooked.values()), made_up_input(model, (1, n_inputs, steps))):
        return None
    return f"the result changes with the hook of {next(iter(hooked))}"


@torch.no_grad()
def _changed(model: nn.Module, hooked: Sequence[nn.Module], probe: Tensor) -> bool:
    """Whether forward hooks change the result of a network."""
    with_hooks = model(probe.clone())
    kept = [(hooks, hooks.copy()) for one in hooked for hooks in (one._forward_hooks, one._forward_pre_hooks)]
    try:
        for hooks, _ in kept:
            hooks.clear()
        without = model(probe.clone())
    finally:
        for hooks, before in kept:
            hooks.update(before)
    return not same_output(with_hooks, without)


def made_up_input(model: nn.Module, shape: Sequence[int]) -> Tensor:
    """Values between -1 and 1 that all differ, with the type and device of a network's weights."""
    parameter = next(model.parameters(), torch.zeros(()))
    ramp = torch.linspace(-1, 1, math.prod(shape), device=parameter.device)
    return ramp.view(*shape).to(type_of_weights(model))


def type_of_weights(model: nn.Module) -> torch.dtype:
    """Floating-point type of a network's first weights; single precision without weights."""
    return next((one.dtype for one in model.parameters() if one.is_floating_point()), torch.float32)


def same_output(first: Any, second: Any) -> bool:
    """Whether two results of a network are equal, up to rounding; NaN equals NaN."""
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return type(first) is type(second)
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    largest = float(first.nan_to_num(0.0, 0.0, 0.0).abs().max()) if first.numel() else 0.0
    # Sums in another order differ by less than this share, values drawn at random by more.
    return torch.allclose(first, second, rtol=1e-3, atol=1e-4 * largest, equal_nan=True)
