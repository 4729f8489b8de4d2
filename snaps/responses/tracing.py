"""Find out whether a network is a stack of convolutions in sequence, and take it as one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from snaps.errors import InputError, reason_of
from snaps.responses.readiness import unchanged_attributes, unchanged_buffers
from snaps.responses.stack import Convolution, Elementwise, Operation, Rectifier, Scaling, Stack, fold
from snaps.schema import LOGITS_LAYER

Link = nn.Module | Callable[[Tensor], Tensor]

#: Modules that work value by value (or unit by unit) and are differentiated by autograd.
ELEMENTWISE_MODULES: tuple[type[nn.Module], ...] = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU, nn.LogSigmoid,
    nn.Mish, nn.PReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh,
    nn.Tanhshrink, nn.Threshold,
)  # fmt: skip
TRANSPARENT_MODULES: tuple[type[nn.Module], ...] = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.AlphaDropout)
ELEMENTWISE_FUNCTIONS: frozenset[Callable[..., Tensor]] = frozenset({
    F.celu, F.elu, F.gelu, F.hardsigmoid, F.hardswish, F.hardtanh, F.leaky_relu, F.logsigmoid, F.mish, F.relu6,
    F.selu, F.silu, F.softplus, F.softsign, F.tanhshrink, F.sigmoid, F.tanh, torch.sigmoid, torch.tanh,
})  # fmt: skip
RECTIFIERS: frozenset[Callable[..., Tensor]] = frozenset({F.relu, torch.relu, torch.relu_})
TRANSPARENT_FUNCTIONS: frozenset[Callable[..., Tensor]] = frozenset({F.dropout, F.alpha_dropout})
METHODS = {"relu": torch.relu, "relu_": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class NotAStackError(InputError):
    """The network is not a sequence of convolutions, normalisations and value-by-value functions."""


@dataclass(frozen=True)
class Padding:
    """Zeros at both borders, as many as a convolution needs to give ``ceil(T / stride)`` steps, fewer at the left.

    Attributes
    ----------
    kernel, stride : int
        Of the convolution behind.
    """

    kernel: int
    stride: int

    def __call__(self, x: Tensor) -> Tensor:
        """Pad."""
        missing = max((-(-x.shape[-1] // self.stride) - 1) * self.stride + self.kernel - x.shape[-1], 0)
        return F.pad(x, (missing // 2, missing - missing // 2))


@runtime_checkable
class Sequenced(Protocol):
    """A network that says itself what it runs, one thing after the other."""

    def sequence(self) -> Iterable[tuple[str | None, Link]]:
        """Modules and functions in the order of execution, each with the name of the layer that comes out."""


def stack_of(model: nn.Module, *, layers: Iterable[str] | None = None) -> Stack:
    """Take a network as a stack.

    Parameters
    ----------
    model : Module
        A `Sequenced` network, or one that tracing shows to be a sequence of ``Conv1d``, ``BatchNorm1d``,
        ``Dropout``, ``Identity`` and value-by-value functions. Its padding is not used.
    layers : iterable of str, optional
        Layers that must keep a name of their own; normalisation is folded where no such layer lies between.
        None for all of them.

    Raises
    ------
    NotAStackError
        Naming the module or function that does not fit.
    """
    links = list(model.sequence()) if isinstance(model, Sequenced) else list(_traced(model))
    operations = [_operation(name, link) for name, link in links]
    times = Counter(name for name, _ in links if name)
    kept = {name for name, number in times.items() if number == 1} if layers is None else set(layers)
    twice = sorted(name for name in kept if times[name] > 1)
    if twice:
        raise InputError(f"the layer {twice[0]!r} runs more than once in one pass, so it has no single activation")
    named: list[Operation] = []
    for operation in operations:
        if operation is not None:
            named.append(operation if operation.name in kept else replace(operation, name=None))  # type: ignore[type-var]
    if not any(isinstance(operation, Convolution) for operation in named):
        raise NotAStackError("the network has no Conv1d")
    # Folding works with the parameters in double precision, so that it costs none.
    folded = fold(named)
    folded[-1] = replace(folded[-1], name=LOGITS_LAYER)  # type: ignore[type-var]
    first = next(operation for operation in named if isinstance(operation, Convolution))
    return Stack(tuple(_single(operation) for operation in folded), first.weight.shape[1] * first.groups)


def _single(operation: Operation) -> Operation:
    if isinstance(operation, Convolution):
        return replace(
            operation,
            weight=operation.weight.float().contiguous(),
            bias=operation.bias.float(),
            normalisation=None if operation.normalisation is None else _single_scaling(operation.normalisation),
        )
    return _single_scaling(operation) if isinstance(operation, Scaling) else operation


def _single_scaling(scaling: Scaling) -> Scaling:
    return replace(scaling, scale=scaling.scale.float(), shift=scaling.shift.float())


def _operation(name: str | None, link: Link) -> Operation | None:
    if isinstance(link, nn.Conv1d):
        if not link.weight.is_floating_point():
            kind = str(link.weight.dtype).removeprefix("torch.")
            raise NotAStackError(f"the network's {name or 'convolution'} has weights of type {kind}")
        weight = link.weight.detach().double()
        bias = weight.new_zeros(weight.shape[0]) if link.bias is None else link.bias.detach().double()
        return Convolution(weight, bias, link.stride[0], link.dilation[0], link.groups, name)
    if isinstance(link, nn.BatchNorm1d):
        return scaling_of(link, name)
    if isinstance(link, nn.ReLU) or link in RECTIFIERS:
        return Rectifier(name)
    if isinstance(link, Padding):
        return None  # a stack is never played beyond a recording's borders
    if isinstance(link, TRANSPARENT_MODULES):
        # A name on something transparent would be a second name for one activation: it gets a copy of its own.
        return None if name is None else Elementwise(_identity, name)
    if isinstance(link, ELEMENTWISE_MODULES) or not isinstance(link, nn.Module):
        return Elementwise(link, name)
    raise NotAStackError(f"the network's {name or 'module'} is a {type(link).__name__}, which is no part of a stack")


def _identity(x: Tensor) -> Tensor:
    return x


def scaling_of(norm: nn.BatchNorm1d | nn.BatchNorm2d, name: str | None = None) -> Scaling:
    """What a batch normalisation does in evaluation, in double precision.

    Raises
    ------
    NotAStackError
        If it keeps no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise NotAStackError(f"the normalisation {name!r} keeps no running statistics")
    scale = (norm.running_var.detach().double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    shift = -norm.running_mean.detach().double() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    return Scaling(scale, shift, name)


class LeafTracer(fx.Tracer):
    """Goes into containers, and takes everything that computes as one step."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Modules of torch itself are not looked into, save Sequential."""
        return super().is_leaf_module(m, module_qualified_name) and not isinstance(m, nn.Sequential)


def _traced(model: nn.Module) -> Iterator[tuple[str | None, Link]]:
    kind = type(model).__name__
    try:
        with unchanged_attributes(model), unchanged_buffers(model):
            graph = LeafTracer().trace(model)
    except Exception as error:
        raise NotAStackError(f"{kind} cannot be traced as a sequence: {reason_of(error)}") from error
    modules = dict(model.named_modules())
    previous: fx.Node | None = None
    for node in graph.nodes:
        if node.op == "placeholder":
            if previous is not None:
                raise NotAStackError(f"{kind} takes more than one input")
            previous = node
            continue
        inputs = node.all_input_nodes
        if inputs != [previous]:
            raise NotAStackError(f"{kind} is no sequence: {node.name!r} does not take the result just before it")
        if node.op == "output":
            if node.args[0] is not previous:
                received = type(node.args[0]).__name__.removeprefix("immutable_")
                raise NotAStackError(f"{kind} gives a {received}; accepted is one tensor")
            return
        yield _link(node, modules, kind, training=model.training)
        previous = node


def _link(node: fx.Node, modules: dict[str, nn.Module], kind: str, *, training: bool) -> tuple[str | None, Link]:
    options = dict(node.kwargs)
    options.pop("inplace", None)
    options.pop("training", None)
    if node.op == "call_module":
        return str(node.target), modules[str(node.target)]
    if node.op == "call_function" and node.target in TRANSPARENT_FUNCTIONS:
        share, drops = [*node.args[1:3], *[None] * 2][:2]
        drops = node.kwargs.get("training", True if drops is None else drops)
        if drops and not training and node.kwargs.get("p", share) != 0:
            raise NotAStackError(f"{kind} drops values at random in evaluation mode too, in its step {node.name!r}")
        return None, nn.Identity()
    if node.op == "call_function" and node.target in RECTIFIERS:
        return None, F.relu
    if node.op == "call_function" and node.target in ELEMENTWISE_FUNCTIONS:
        # Arguments behind the tensor are the function's own, such as a slope; `inplace` would be the last.
        return None, _with(node.target, [a for a in node.args[1:] if not isinstance(a, bool)], options)  # type: ignore[arg-type]
    if node.op == "call_method" and node.target in METHODS and len(node.args) == 1:
        function = METHODS[str(node.target)]
        return None, F.relu if function is torch.relu else function
    raise NotAStackError(f"{kind} is no stack: its step {node.name!r} ({node.target}) is no part of one")


def _with(function: Callable[..., Tensor], arguments: list[object], options: dict[str, object]) -> Link:
    def apply(x: Tensor) -> Tensor:
        return function(x, *arguments, **options)

    return apply
