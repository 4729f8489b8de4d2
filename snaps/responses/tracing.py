"""A network as a list of steps, found by tracing it, and as a stack of convolutions where it is one."""

import inspect
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from snaps.errors import InputError, reason_of
from snaps.responses.geometry import LayerGeometry
from snaps.responses.linear import Linear, Unpadded, fold
from snaps.responses.steps import Padding, Step
from snaps.schema import INPUT_LAYER, LOGITS_LAYER


class NotAStackError(InputError):
    """The network cannot be computed as a stack of convolutions."""


class Sequenced(nn.Module):
    """A network that names its layers itself, and lists its modules and functions in the order of execution.

    Attributes
    ----------
    layers : tuple of str
        All layers that can be tapped, ``input`` first and ``logits`` last; `forward` hands each of them to ``tap``.
    """

    layers: tuple[str, ...]

    @property
    @abstractmethod
    def pads(self) -> bool:
        """Whether its convolutions pad as it is set now."""

    @abstractmethod
    def sequence(self) -> Iterable[tuple[str | None, nn.Module | Callable[[Tensor], Tensor]]]:
        """Modules and functions in the order of execution, each with the name of the layer that it gives."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A network as a sequence of unpadded steps, from the features to the logits.

    Attributes
    ----------
    steps : tuple of Step
        The input, and steps with batch normalisation folded.
    n_inputs : int
        Units of the input.
    """

    steps: tuple[Step, ...]
    n_inputs: int

    @cached_property
    def widths(self) -> list[int]:
        """Steps of the cone in the input and in every step's result, from the receptive field R to 1."""
        windows = [step.window for step in self.steps[:0:-1]]
        return list(accumulate(windows, lambda width, window: (width - 1) * window[1] + window[0], initial=1))[::-1]

    @cached_property
    def strides(self) -> list[int]:
        """Input steps from one step to the next, in the input and in every step's result; the last is the stride s."""
        return list(accumulate((step.window[1] for step in self.steps), int.__mul__))

    @property
    def receptive_field(self) -> int:
        """Input steps on which one output step depends, R."""
        return self.widths[0]

    @property
    def stride(self) -> int:
        """Input steps from one output step to the next, s."""
        return self.strides[-1]

    def layer_geometry(self, *, frame_steps: int) -> dict[str, LayerGeometry]:
        """Geometry of all named layers in the order of execution, for frames of `frame_steps` input steps."""
        units, geometry = self.n_inputs, {}
        for step, width, stride in zip(self.steps, self.widths, self.strides, strict=True):
            units = len(step.bias) if isinstance(step, Linear) else units
            for name in step.layers:
                geometry[name] = LayerGeometry(name, units, width, Fraction(stride), frame_steps // stride)
        return geometry

    @torch.no_grad()
    def forward(self, x: Float[Tensor, "batch _unit _step"]) -> list[Float[Tensor, "batch _unit _step"]]:
        """Activations of the input and of every step, without padding."""
        activations = [x]
        for step in self.steps[1:]:
            activations.append(step.forward(activations[-1]))
        return activations


def stack_of(model: nn.Module, *, layers: Iterable[str] | None = None) -> Stack:
    """Convert a network into a stack.

    Parameters
    ----------
    model : Module
        A `Sequenced` network, or one that tracing shows to be a sequence of ``Conv1d``, ``BatchNorm1d``,
        ``Dropout``, ``Identity`` and value-by-value functions. Its padding is not used.
    layers : iterable of str, optional
        Layers that must keep a result of their own; normalisation is folded where no such layer lies between.
        None for all of them.

    Raises
    ------
    NotAStackError
        Naming the module or function that does not fit.
    InputError
        If one of the layers runs twice or not at all.
    """
    try:
        steps = _sequence(trace(model), type(model).__name__)
        times = Counter(name for step in steps for name in step.layers)
        wanted = set(times if layers is None else layers)
        folded = fold(steps, wanted, dtype=torch.float32, linear=Unpadded)
    except InputError as error:
        raise NotAStackError(str(error)) from error
    for name in wanted if layers is not None else ():
        if times[name] != 1:
            often = "runs more than once in one pass" if times[name] else "does not run when the network does"
            raise InputError(f"the layer {name!r} {often}, so it has no single activation")
    return Stack(tuple(folded), next(step.link.in_channels for step in steps if isinstance(step.link, nn.Conv1d)))


def _sequence(traced: list[Step], kind: str) -> list[Step]:
    """Steps of a stack, each of which takes the result just before it, without padding."""
    for before, step in enumerate(traced[1:]):
        if step.inputs != (before,):
            raise InputError(f"{kind} is no sequence: {step.name!r} does not take the result just before it")
    # A stack is never played beyond a recording's borders, so its padding does nothing.
    steps = [step for step in traced if not isinstance(step.link, Padding)]
    for step in steps[1:]:
        if not isinstance(step.link, nn.Conv1d | nn.BatchNorm1d) and step.kind not in ("rectifier", "elementwise"):
            raise InputError(f"{kind} is no stack: its step {step.description} is no part of one")
        if isinstance(step.link, nn.Conv1d) and not step.link.weight.is_floating_point():
            received = str(step.link.weight.dtype).removeprefix("torch.")
            raise InputError(f"the network's {step.name!r} has weights of type {received}")
    if not any(isinstance(step.link, nn.Conv1d) for step in steps):
        raise InputError("the network has no Conv1d")
    return [replace(step, inputs=tuple(range(number))[-1:]) for number, step in enumerate(steps)]


def trace(model: nn.Module) -> list[Step]:
    """Everything that a network computes, in the order of execution: the input first, the output last.

    A module that does nothing in evaluation mode, such as dropout, is no step: its name is one more layer of the
    result that it takes.

    Raises
    ------
    InputError
        If it cannot be traced, because its path depends on the values that it is given.
    """
    steps = [Step(INPUT_LAYER, lambda x: x, (), INPUT_LAYER, (INPUT_LAYER,))]
    if not isinstance(model, Sequenced):
        return _traced(model, steps)
    for name, link in model.sequence():
        layers = () if name is None else (name,)
        steps.append(Step(link, link, (len(steps) - 1,), name or f"step {len(steps)}", layers))
    return steps


class _Tracer(fx.Tracer):
    """Traces into containers, takes every other module of torch as one step, and notes the names of results."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[fx.Node, list[str]] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one step: all modules of torch except Sequential."""
        return super().is_leaf_module(m, module_qualified_name) and not isinstance(m, nn.Sequential)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace a module, and note that its result bears its name."""
        result, name = super().call_module(m, forward, args, kwargs), self.path_of_module(m)
        if isinstance(result, fx.Proxy) and name not in (INPUT_LAYER, LOGITS_LAYER):
            self.results.setdefault(result.node, []).append(name)
        return result


def _traced(model: nn.Module, steps: list[Step]) -> list[Step]:
    kind, tracer = type(model).__name__, _Tracer()
    try:
        with unchanged_attributes(model), unchanged_buffers(model):
            graph = tracer.trace(model)
    except Exception as error:
        raise InputError(f"{kind} cannot be traced step by step: {reason_of(error)}") from error
    interpreter = fx.Interpreter(model, garbage_collect_values=False, graph=graph)
    place: dict[fx.Node, int] = {}
    for node in graph.nodes:
        inputs = tuple(node.all_input_nodes)
        if node.op == "placeholder":
            if place:
                raise InputError(f"{kind} takes more than one input; accepted is a network of features alone")
            place[node] = 0
            continue
        if node.op == "output":
            if not isinstance(node.args[0], fx.Node):
                received = type(node.args[0]).__name__.removeprefix("immutable_")
                raise InputError(f"{kind} gives a {received}; accepted is one tensor")
            del steps[place[node.args[0]] + 1 :]
            steps[-1] = replace(steps[-1], layers=(*steps[-1].layers, LOGITS_LAYER))
            break
        link = model.get_submodule(str(node.target)) if node.op == "call_module" else node.target
        layers = tuple(tracer.results.get(node, ()))
        name = str(node.target) if node.op == "call_module" else node.name
        step = Step(link, _runner(interpreter, node), tuple(place[taken] for taken in inputs), name, layers)
        if step.kind == "transparent":
            if node.op == "call_function" and not model.training and _drops(node):
                raise InputError(f"{kind} drops values at random in evaluation mode too, in its step {name!r}")
            place[node] = place[inputs[0]]
            same = steps[place[node]]
            steps[place[node]] = replace(same, layers=(*same.layers, *layers))
        else:
            place[node] = len(steps)
            steps.append(step)
    return steps


def _drops(node: fx.Node) -> bool:
    """Whether a call of a dropout function drops values."""
    call = inspect.signature(node.target).bind(*node.args, **node.kwargs)  # type: ignore[arg-type]
    call.apply_defaults()
    return bool(call.arguments["training"] and call.arguments["p"])


def _runner(interpreter: fx.Interpreter, node: fx.Node) -> Callable[..., Any]:
    """Function that computes a node from the results that it takes."""

    def run(*values: Any) -> Any:
        interpreter.env = dict(zip(node.all_input_nodes, values, strict=True))
        return interpreter.run_node(node)

    return run


@contextmanager
def unchanged_attributes(model: nn.Module) -> Iterator[None]:
    """Restore attributes of modules that a network sets while it is traced."""
    before = [(module, vars(module).copy()) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)


@contextmanager
def unchanged_buffers(model: nn.Module) -> Iterator[None]:
    """Restore buffers that a network changes when it runs, such as counters."""
    before = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, values in before:
                if not torch.equal(buffer.to_dense(), values.to_dense()):
                    buffer.copy_(values)
                module._buffers[name] = buffer
