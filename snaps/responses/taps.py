"""Tap named layers of any network: activations and gradients of all of them from one forward and one backward."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snaps.errors import InputError, reason_of
from snaps.responses.geometry import select_layers
from snaps.responses.readiness import unchanged_buffers
from snaps.schema import INPUT_LAYER, LOGITS_LAYER


@runtime_checkable
class Tappable(Protocol):
    """A network that names its layers itself and hands each of them to ``tap`` on the way up."""

    layers: Sequence[str]

    def sequence(self) -> Iterable[tuple[str | None, Any]]:
        """Modules and functions in the order of execution."""

    def __call__(self, x: Tensor, tap: Callable[[str, Tensor], Tensor] | None = None) -> Tensor:
        """Run the network."""


class RunError(InputError):
    """The network cannot be run on what it is given."""


class Taps:
    """Tapped layers of a network, for as long as `tap` is open.

    Attributes
    ----------
    activations : dict of str to tensor
        What the layers gave in the last run, in the network's order: (batch, unit, step), with one step where
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
        self.activations = {name: self.activations[name] for name in self.layers}
        return self._logits

    def _run(self, x: Tensor) -> None:
        if isinstance(self.model, Tappable):
            self.model(x, tap=self._keep)
        else:
            self._keep(LOGITS_LAYER, self.model(self._keep(INPUT_LAYER, x)))

    def _keep(self, name: str, output: Any) -> Any:
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

    def hook(self, name: str) -> Callable[[nn.Module, Any, Any], Any]:
        """Forward hook that keeps what a module gives."""

        def keep(module: nn.Module, arguments: Any, output: Any) -> Any:
            return self._keep(name, output)

        return keep


def layer_names(model: nn.Module) -> tuple[str, ...]:
    """Names of all layers of a network that can be tapped."""
    if isinstance(model, Tappable):
        return tuple(model.layers)
    inner = [name for name, _ in model.named_modules() if name and name not in (INPUT_LAYER, LOGITS_LAYER)]
    return (INPUT_LAYER, *inner, LOGITS_LAYER)


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
    available = layer_names(model)
    default = available if isinstance(model, Tappable) else (INPUT_LAYER, LOGITS_LAYER)
    taps = Taps(model, select_layers(layers, available, default))
    hooks = []
    try:
        with evaluating(model), unchanged_buffers(model):
            if not isinstance(model, Tappable):
                modules = dict(model.named_modules())
                for name in taps.layers:
                    if name not in (INPUT_LAYER, LOGITS_LAYER):
                        hooks.append(modules[name].register_forward_hook(taps.hook(name)))
            yield taps
    finally:
        for hook in hooks:
            hook.remove()


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
