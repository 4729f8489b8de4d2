"""A network as a list of steps, each on the results of earlier ones: what relevance is handed down along."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from snaps.errors import InputError, reason_of
from snaps.responses.readiness import unchanged_attributes, unchanged_buffers
from snaps.responses.tracing import LeafTracer, Sequenced
from snaps.schema import INPUT_LAYER, LOGITS_LAYER


@dataclass(frozen=True, eq=False)
class Step:
    """One thing that a network does.

    Attributes
    ----------
    run : callable
        From the results that it takes to its own.
    inputs : tuple of int
        Results that it takes: 0 is the network's input, n what the n-th step gives.
    link : Module, callable or str
        What it is: a module, a function, or the name of a tensor's method.
    name : str
        What errors call it.
    layers : tuple of str
        Layers that its result is.
    """

    run: Callable[..., Any]
    inputs: tuple[int, ...]
    link: nn.Module | Callable[..., Any] | str
    name: str
    layers: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The step as an error's sentence names it."""
        kind = type(self.link).__name__ if isinstance(self.link, nn.Module) else getattr(self.link, "__name__", "")
        return f"{self.name!r} ({kind or self.link})"


def steps_of(model: nn.Module) -> list[Step]:
    """Everything that a network does, in the order of execution.

    Raises
    ------
    InputError
        If it cannot be traced, because what it does depends on the values that it is given.
    """
    return list(_sequenced(model) if isinstance(model, Sequenced) else _traced(model))


def play(steps: list[Step], x: Tensor) -> list[Any]:
    """Results of all steps, after the input itself."""
    results: list[Any] = [x]
    for step in steps:
        # Copies, so that what works in place leaves the results before it alone.
        taken = [results[number] for number in step.inputs]
        results.append(step.run(*[value.clone() if isinstance(value, Tensor) else value for value in taken]))
    return results


def layer_results(steps: list[Step]) -> dict[str, int]:
    """Which result each layer is."""
    found = {layer: number for number, step in enumerate(steps, start=1) for layer in step.layers}
    return {INPUT_LAYER: 0, **found, LOGITS_LAYER: len(steps)}


class StepByStep(nn.Module):
    """A network put together again from its steps, in which every layer and every ReLU is a module of its own.

    Libraries that hook modules need that where a network calls functions.

    Attributes
    ----------
    places : dict of str to Module
        Passes on what a layer gives.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._steps = [(_with_module(step), nn.Identity()) for step in steps_of(model)]
        self._input = nn.Identity()
        passing = [self._input, *(identity for _, identity in self._steps)]
        self.rectifiers = nn.ModuleList([step.run for step, _ in self._steps if isinstance(step.run, nn.ReLU)])
        self.passing = nn.ModuleList(passing)
        numbers = layer_results([step for step, _ in self._steps])
        self.places: Mapping[str, nn.Module] = {layer: passing[number] for layer, number in numbers.items()}

    def forward(self, x: Tensor) -> Tensor:
        """Run the steps."""
        results: list[Any] = [self._input(x)]
        for step, identity in self._steps:
            result = step.run(*[results[number] for number in step.inputs])
            results.append(identity(result) if isinstance(result, Tensor) else result)
        output: Tensor = results[-1]
        return output


def _with_module(step: Step) -> Step:
    functions = (torch.relu, torch.nn.functional.relu, "relu", "relu_")
    if isinstance(step.link, nn.ReLU) or step.link in functions:
        return Step(nn.ReLU(), step.inputs[:1], step.link, step.name, step.layers)
    return step


def _sequenced(model: Sequenced) -> Iterator[Step]:
    for number, (name, link) in enumerate(model.sequence()):
        layers = () if name is None else (name,)
        yield Step(link, (number,), link, name or f"step {number + 1}", layers)


class _NamingTracer(LeafTracer):
    """Remembers which result is that of which module, containers included."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[fx.Node, list[str]] = {}

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace a module, and note whose result comes out."""
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, fx.Proxy):
            self.results.setdefault(result.node, []).append(self.path_of_module(m))
        return result


def _traced(model: nn.Module) -> Iterator[Step]:
    kind = type(model).__name__
    tracer = _NamingTracer()
    try:
        with unchanged_attributes(model), unchanged_buffers(model):
            graph = tracer.trace(model)
    except Exception as error:
        raise InputError(
            f"{kind} cannot be traced step by step, which relevance propagation needs: {reason_of(error)}"
        ) from error
    numbers: dict[fx.Node, int] = {}
    for node in graph.nodes:
        if node.op == "placeholder":
            if numbers:
                raise InputError(f"{kind} takes more than one input; accepted is a network of features alone")
            numbers[node] = 0
            continue
        if node.op == "output":
            if not isinstance(node.args[0], fx.Node) or numbers[node.args[0]] != len(numbers) - 1:
                raise InputError(f"{kind} gives something other than its last step's result; accepted is one tensor")
            return
        inputs = tuple(node.all_input_nodes)
        link = _link(node, model)
        numbers[node] = len(numbers)
        yield Step(
            _runner(node, link, inputs, model),
            tuple(numbers[taken] for taken in inputs),
            link,
            str(node.target) if node.op == "call_module" else node.name,
            tuple(tracer.results.get(node, ())),
        )


def _link(node: fx.Node, model: nn.Module) -> nn.Module | Callable[..., Any] | str:
    if node.op == "call_module":
        return model.get_submodule(str(node.target))
    return node.target


def _runner(
    node: fx.Node, link: nn.Module | Callable[..., Any] | str, inputs: tuple[fx.Node, ...], model: nn.Module
) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        given = dict(zip(inputs, values, strict=True))
        arguments, options = fx.node.map_arg((node.args, dict(node.kwargs)), given.__getitem__)
        if node.op == "get_attr":
            return _attribute(model, str(node.target))
        if node.op == "call_method":
            return getattr(arguments[0], str(node.target))(*arguments[1:], **options)
        return link(*arguments, **options)  # type: ignore[operator]

    return run


def _attribute(model: nn.Module, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    return getattr(model.get_submodule(owner), name)
