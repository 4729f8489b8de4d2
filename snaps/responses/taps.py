"""Tap named layers of any network: activations and gradients of all of them from one forward and one backward.

What would spoil that is refused here: weights without values, and hooks where they would be passed over.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from snaps.errors import InputError, reason_of
from snaps.responses.tracing import Sequenced, unchanged_buffers
from snaps.schema import INPUT_LAYER, LOGITS_LAYER

FORWARD_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
BACKWARD_HOOKS = ("_backward_hooks", "_backward_pre_hooks")


class RunError(InputError):
    """The network cannot be run on what it is given."""


class Taps:
    """Tapped layers of a network, for as long as `tap` is open.

    Attributes
    ----------
    activations : dict of str to tensor
        What the layers gave in the last run, in the order of execution: (batch, unit, step), with one step where
        the layer has none.
    """

    def __init__(self, model: nn.Module, layers: tuple[str, ...]) -> None:
        self.model = model
        self.layers = layers
        self.activations: dict[str, Tensor] = {}
        self._wanted = frozenset(layers)
        self._paused = False
        self._batch = 0

    def run(self, x: Float[Tensor, "batch unit step"]) -> Float[Tensor, "batch symbol out"]:
        """Run the network on a batch and keep what the tapped layers give.

        Raises
        ------
        InputError
            If a layer gives something other than (batch, unit, step) or (batch, unit) in floating-point numbers,
            runs more than once, or does not run.
        RunError
            If the network fails; what it raised is the error's cause.
        """
        self.activations = {}
        self._batch = len(x)
        # A leaf of its own: the network may change what it is given, but not what the caller has.
        x = x.detach().clone().requires_grad_(torch.is_grad_enabled())
        try:
            self._run(x)
        except (InputError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise RunError(
                f"the network {type(self.model).__name__} cannot run on frames of {x.shape[1]} units and "
                f"{x.shape[2]} steps: {reason_of(error)}"
            ) from error
        missing = [name for name in self.layers if name not in self.activations]
        if missing:
            raise InputError(f"the layer {missing[0]!r} does not run when the network does, so it cannot be tapped")
        return self._logits

    def _run(self, x: Tensor) -> None:
        if isinstance(self.model, Sequenced):
            self.model(x, tap=self.keep)
        else:
            self.keep(LOGITS_LAYER, self.model(self.keep(INPUT_LAYER, x)))

    def keep(self, name: str, output: Any) -> Any:
        """Keep what a layer gives, and give what goes on."""
        if self._paused or (name not in self._wanted and name != LOGITS_LAYER):
            return output
        if name in self.activations:
            raise InputError(f"the layer {name!r} runs more than once in one pass, so it has no single activation")
        if not isinstance(output, Tensor) or output.dim() not in (2, 3):
            received = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise InputError(f"the layer {name!r} gives {received}; accepted are (batch, unit, step) and (batch, unit)")
        if len(output) != self._batch:
            raise InputError(
                f"the layer {name!r} gives the shape {tuple(output.shape)} for {self._batch} frames; accepted are "
                "(batch, unit, step) and (batch, unit)"
            )
        if not output.is_floating_point():
            received = str(output.dtype).removeprefix("torch.")
            raise InputError(f"the layer {name!r} gives values of type {received}; accepted are floating-point numbers")
        seen = output if output.dim() == 3 else output[..., None]
        if name == LOGITS_LAYER:
            self._logits = seen
        if name in self._wanted:
            self.activations[name] = seen
        # What goes on is a copy, so that an in-place activation behind the layer leaves the kept one alone.
        return (seen if output.dim() == 3 else seen[..., 0]).clone()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While this is open, the network may be run without anything being kept."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False


def layer_names(model: nn.Module) -> tuple[str, ...]:
    """Names of all layers of a network that can be tapped, as it defines them."""
    if isinstance(model, Sequenced):
        return tuple(model.layers)
    inner = [name for name, _ in model.named_modules() if name and name not in (INPUT_LAYER, LOGITS_LAYER)]
    return (INPUT_LAYER, *inner, LOGITS_LAYER)


def select_layers(model: nn.Module, layers: Iterable[str] | None) -> tuple[str, ...]:
    """Layers that were asked for; None for all of a network that names its own, else ``input`` and ``logits``.

    Raises
    ------
    InputError
        If one does not exist; the sentence lists those that do.
    """
    available = layer_names(model)
    if layers is None:
        return available if isinstance(model, Sequenced) else (INPUT_LAYER, LOGITS_LAYER)
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

    Modules that do not run are not among them.
    """
    order: dict[str, None] = {}
    with ExitStack() as hooks, torch.no_grad(), evaluating(model), unchanged_buffers(model):
        for name, module in model.named_modules():
            hook = module.register_forward_hook(lambda *_, name=name: order.setdefault(name))
            hooks.callback(hook.remove)
        model(x.clone())
    return [name for name in order if name]


@contextmanager
def tap(model: nn.Module, layers: Iterable[str] | None = None) -> Iterator[Taps]:
    """Tap named layers of a network.

    The network is put into evaluation mode. On leaving, after success or an exception, every hook is gone, the
    mode of every module is what it was, and so are buffers; gradients of parameters are never touched.

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
        Runs the network and holds the activations.

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
        modules = {} if isinstance(model, Sequenced) else dict(model.named_modules())
        for name in taps.layers:
            if name in modules and name not in (INPUT_LAYER, LOGITS_LAYER):
                keep = partial(_kept, taps, name)
                hooks.callback(modules[name].register_forward_hook(keep).remove)
        yield taps


def _kept(taps: Taps, name: str, module: nn.Module, arguments: Any, output: Any) -> Any:
    """Forward hook that keeps what a module gives."""
    return taps.keep(name, output)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and every module back into its own mode afterwards."""
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
