"""The steps that a network computes, their gradients, and normalisation folded into the linear step next to it."""

import operator
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snaps.errors import InputError

Link = nn.Module | Callable[..., Any] | str
#: A part of inputs, weights or biases, of the same shape.
Part = Callable[[Tensor], Tensor]
#: From the activations before and behind a step, something of the shape of those behind it.
Derivation = Callable[[Tensor, Tensor], Tensor]
Kind = Literal["linear", "norm", "padding", "rectifier", "elementwise", "transparent", "sharing", "routing", "unknown"]


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


#: What a step does, by its module's type. Sharing hands relevance down in proportion to the inputs (means, sums),
#: routing as a gradient goes (maxima, other shapes); transparent steps do nothing in evaluation.
MODULES: Mapping[Kind, tuple[type, ...]] = {
    "linear": (nn.Linear, nn.Conv1d, nn.Conv2d),
    "norm": (nn.BatchNorm1d, nn.BatchNorm2d),
    "padding": (Padding, nn.ZeroPad1d, nn.ZeroPad2d),
    "rectifier": (nn.ReLU,),
    "elementwise": (
        nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU,
        nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softshrink,
        nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold,
    ),
    "transparent": (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout),
    "sharing": (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
    "routing": (
        nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.Flatten, nn.Unflatten,
    ),
}  # fmt: skip
#: The same for functions, and names of a tensor's methods.
FUNCTIONS: Mapping[Kind, tuple[Callable[..., Any] | str, ...]] = {
    "rectifier": (F.relu, torch.relu, torch.relu_, "relu", "relu_"),
    "elementwise": (
        F.celu, F.elu, F.gelu, F.hardsigmoid, F.hardswish, F.hardtanh, F.leaky_relu, F.logsigmoid, F.mish, F.relu6,
        F.selu, F.silu, F.softplus, F.softsign, F.tanhshrink, F.sigmoid, F.tanh, torch.sigmoid, torch.tanh,
        "tanh", "sigmoid",
    ),
    "transparent": (F.dropout, F.dropout1d, F.dropout2d, F.alpha_dropout),
    "sharing": (
        F.avg_pool1d, F.avg_pool2d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, torch.mean, "mean",
        operator.add, operator.iadd, torch.add, "add", "add_",
    ),
    "routing": (
        F.max_pool1d, F.max_pool2d, F.adaptive_max_pool1d, F.adaptive_max_pool2d, torch.max_pool1d, torch.amax, "amax",
        torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.transpose, torch.permute, torch.cat,
        operator.getitem, "flatten", "view", "reshape", "squeeze", "unsqueeze", "transpose", "permute", "contiguous",
        "movedim",
    ),
}  # fmt: skip
_KIND_OF = {link: kind for kind, links in FUNCTIONS.items() for link in links}


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a network.

    Attributes
    ----------
    link : Module, callable or str
        What it is: a module, a function, or the name of a tensor's method.
    run : callable
        From the results that it takes to its own.
    inputs : tuple of int
        Steps whose results it takes; step 0 is the network's input and takes none.
    name : str
        What errors call it.
    layers : tuple of str
        Layers that its result is.
    """

    link: Link
    run: Callable[..., Any]
    inputs: tuple[int, ...]
    name: str
    layers: tuple[str, ...] = ()

    @cached_property
    def kind(self) -> Kind:
        """What it does."""
        if isinstance(self.link, nn.Module | Padding):
            return next((kind for kind, types in MODULES.items() if isinstance(self.link, types)), "unknown")
        return _KIND_OF.get(self.link, "unknown")

    @property
    def description(self) -> str:
        """The step as an error's sentence names it."""
        kind = type(self.link).__name__ if isinstance(self.link, nn.Module) else getattr(self.link, "__name__", "")
        return f"{self.name!r} ({kind or self.link})"

    @property
    def window(self) -> tuple[int, int]:
        """Steps along time that it sees and by which it moves, where it belongs to a stack."""
        return 1, 1

    def forward(self, *xs: Any) -> Any:
        """Result, from copies of what it takes: a step that works in place leaves the results before it alone."""
        return self.run(*[x.clone() if isinstance(x, Tensor) else x for x in xs])

    def gradient(self, gradient: Tensor, passage: "Passage") -> tuple[Any, ...]:
        """Gradient at every input, by autograd; None for what is no tensor of floating-point numbers."""
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() if _differentiable(x) else x for x in passage.xs]
            found = iter(torch.autograd.grad(self.forward(*leaves), list(filter(_differentiable, leaves)), gradient))
        return tuple(next(found) if _differentiable(leaf) else None for leaf in leaves)


def _differentiable(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


@dataclass(frozen=True, eq=False)
class Passage:
    """Activations of a batch of frames on both sides of one step, computed on first access.

    Attributes
    ----------
    step : Step
        The step.
    before : sequence of callables
        Give the activations that the step takes.
    behind : callable
        Gives the step's result.
    whole : callable, optional
        Gives the cones' part of what a function makes of everything that was played, before and behind the step.
    """

    step: Step
    before: Sequence[Callable[[], Any]]
    behind: Callable[[], Tensor]
    whole: Callable[[Hashable, Derivation], Tensor] | None = None

    def derive(self, key: Hashable, derivation: Derivation) -> Tensor:
        """Compute something from the activations before and behind the step, at the cones behind it.

        It is computed once on everything that was played, and not frame by frame, under the name `key`.
        """
        return derivation(self.x, self.y) if self.whole is None else self.whole(key, derivation)

    @cached_property
    def xs(self) -> tuple[Any, ...]:
        """All that the step takes."""
        return tuple(taken() for taken in self.before)

    @property
    def x(self) -> Tensor:
        """Activations before a step that takes one thing."""
        return self.xs[0]

    @cached_property
    def y(self) -> Tensor:
        """Activations behind the step."""
        return self.behind()


@dataclass(frozen=True, eq=False)
class Rectifier(Step):
    """``y = max(x, 0)``."""

    def forward(self, *xs: Any) -> Tensor:
        """Rectify."""
        return xs[0].relu()

    def gradient(self, gradient: Tensor, passage: Passage) -> tuple[Any, ...]:
        """Let through where the output is positive."""
        return (torch.ops.aten.threshold_backward(gradient, passage.y, 0.0),)


@dataclass(frozen=True, eq=False)
class Linear(Step):
    """A convolution, fully connected layer or normalisation, with the normalisations next to it folded in.

    ``W * (s·x + t) + b = (W·s) * x + (b + Σ W·t)`` and ``s·(W * x + b) + t = (s·W) * x + (s·b + t)``.

    Attributes
    ----------
    chain : tuple of Step
        The steps that are folded, in the order of execution.
    weight, bias : tensors of shape (out, unit, …) and (out,)
        With normalisation folded in; the scale and the shift, of shape (unit,), of a normalisation alone.
    scale, shift : tensors of shape (out,), or None
        Of the normalisation behind.
    depth, n_deep : int
        Place among the network's convolutions and fully connected layers, from 0 at the input, and their number.
    """

    chain: tuple[Step, ...] = field(kw_only=True)
    weight: Tensor = field(kw_only=True)
    bias: Tensor = field(kw_only=True)
    scale: Tensor | None = field(kw_only=True)
    shift: Tensor | None = field(kw_only=True)
    depth: int = field(kw_only=True)
    n_deep: int = field(kw_only=True)
    _parts: dict[Hashable, Tensor] = field(default_factory=dict, init=False, repr=False)

    @property
    def module(self) -> Any:
        """The convolution or fully connected layer; None for a normalisation alone."""
        return self.link if self.kind == "linear" else None

    def weight_part(self, part: Part, key: Hashable) -> Tensor:
        """A part of the weight, computed once."""
        if key not in self._parts:
            self._parts[key] = part(self.weight)
        return self._parts[key]

    def forward(self, *xs: Any) -> Tensor:
        """Run what was folded, one after the other."""
        return reduce(lambda x, step: step.forward(x), self.chain, xs[0])

    def product(self, x: Tensor, weight: Tensor, bias: Part | None = None) -> Tensor:
        """Output with another weight and a part of the bias; None for none.

        The bias is the output for an input of 0: where a normalisation before adds nothing to padding, the borders
        differ.
        """
        started = 0 if bias is None else bias(self.forward(torch.zeros_like(x[:1])))
        for step in self.chain:
            x = step.run(x) if step.kind == "padding" else x
        if self.module is None:
            return started + x * weight.view(1, -1, *[1] * (x.dim() - 2))
        if isinstance(self.module, nn.Linear):
            return started + F.linear(x, weight)
        return started + self.module._conv_forward(x, weight, None)

    def before_normalisation(self, x: Tensor, y: Tensor) -> Tensor:
        """Output of the convolution itself, before the normalisation behind it."""
        deep = [step.kind for step in self.chain].index("linear") + 1 if self.module is not None else 0
        return reduce(lambda z, step: step.forward(z), self.chain[:deep], x)

    def transposed(self, values: Tensor, weight: Tensor, passage: Passage) -> Tensor:
        """From outputs back to inputs, with another weight."""
        with torch.enable_grad():
            leaf = passage.x.detach().requires_grad_()
            return torch.autograd.grad(self.product(leaf, weight), leaf, values)[0]

    def gradient(self, gradient: Tensor, passage: Passage) -> tuple[Any, ...]:
        """Apply the transposed weight."""
        return (self.transposed(gradient, self.weight, passage),)


@dataclass(frozen=True, eq=False)
class Unpadded(Linear):
    """A linear step of a stack, without padding: the bias is the same at every step, and folding is exact."""

    @property
    def window(self) -> tuple[int, int]:
        """Steps along time that it sees and by which it moves."""
        if self.module is None:
            return 1, 1
        return self.module.dilation[0] * (self.weight.shape[-1] - 1) + 1, self.module.stride[0]

    def forward(self, *xs: Any) -> Tensor:
        """Convolve, or scale and shift."""
        return self.product(xs[0], self.weight, lambda bias: bias)

    def product(self, x: Tensor, weight: Tensor, bias: Part | None = None) -> Tensor:
        """Output with another weight and a part of the bias; None for none."""
        added = None if bias is None else bias(self.bias)
        if self.module is None:
            y = x * weight[:, None]
            return y if added is None else y + added[:, None]
        stride, dilation, groups = self.module.stride[0], self.module.dilation[0], self.module.groups
        return F.conv1d(x, weight, added, stride, 0, dilation, groups).float()

    def before_normalisation(self, x: Tensor, y: Tensor) -> Tensor:
        """``(y − shift) / scale``; 0 where the normalisation scales with 0."""
        if self.scale is None or self.shift is None:
            return y
        return divided(y - self.shift[:, None], self.scale[:, None])

    def transposed(self, values: Tensor, weight: Tensor, passage: Passage) -> Tensor:
        """Convolve backwards: every output step gives to the inputs that it saw."""
        if self.module is None:
            return values * weight[:, None]
        stride, dilation, groups = self.module.stride[0], self.module.dilation[0], self.module.groups
        if values.shape[-1] == 1 and groups == 1 and 1 in (dilation, weight.shape[-1]):
            # One output step: the transposed convolution is a matrix product.
            return (values[..., 0] @ weight.flatten(1)).unflatten(1, weight.shape[1:]).float()
        return F.conv_transpose1d(values, weight, None, stride, 0, 0, groups, dilation).float()


def divided(values: Tensor, scale: Tensor) -> Tensor:
    """Divide outputs by the scale of the normalisation behind them; 0 where it scales with 0."""
    return torch.where(scale == 0, 0, values / torch.where(scale == 0, 1, scale))


def fold(
    steps: Sequence[Step], wanted: Collection[str], *, dtype: torch.dtype, linear: type[Linear] = Linear
) -> list[Step]:
    """Fold normalisation and zero padding into the convolution next to them, where no wanted layer lies between.

    Parameters
    ----------
    steps : sequence of Step
        A network's steps, the input first.
    wanted : collection of str
        Layers that keep a result of their own.
    dtype : dtype
        Of the folded weights; folding itself is in double precision, so that it costs none.
    linear : type
        `Linear`, or `Unpadded` for a stack.
    """
    users = Counter(number for step in steps for number in step.inputs)
    chains: list[list[Step]] = []
    place: list[int] = []  # of every step's chain

    def joins(*kinds: Kind) -> bool:
        """Whether the last chain, of such kinds, goes into the next one alone."""
        if len(chains) < 2:
            return False
        last = chains[-2]
        return (
            chains[-1][0].inputs == (len(place) - len(chains[-1]),)
            and users[len(place) - len(chains[-1])] == 1
            and not set(last[-1].layers) & set(wanted)
            and all(step.kind in kinds for step in last)
        )

    for number, step in enumerate(steps):
        chains.append([step])
        if step.kind == "linear":
            while joins("norm", "padding"):
                chains[-2:] = [chains[-2] + chains[-1]]
        elif step.kind == "norm" and (joins("norm") or (joins("norm", "padding", "linear") and _deep(chains[-2]))):
            chains[-2:] = [chains[-2] + chains[-1]]
        place = [min(at, len(chains) - 1) for at in place] + [len(chains) - 1]
        assert number == len(place) - 1
    n_deep = sum(map(_deep, chains))
    folded, depth = [], 0
    for chain in chains:
        step = replace(chain[-1], inputs=tuple(place[number] for number in chain[0].inputs))
        if _deep(chain) or chain[0].kind == "norm":
            weights = dict(zip(("weight", "bias", "scale", "shift"), _folded(chain, dtype), strict=True))
            link = next((one.link for one in chain if one.kind == "linear"), step.link)
            step = linear(
                link, step.run, step.inputs, step.name, step.layers, chain=tuple(chain), **weights,
                depth=min(depth, max(n_deep - 1, 0)), n_deep=n_deep,
            )  # fmt: skip
            depth += _deep(chain)
        elif step.kind == "rectifier":
            step = Rectifier(step.link, step.run, step.inputs[:1], step.name, step.layers)
        folded.append(step)
    return folded


def _deep(chain: Iterable[Step]) -> bool:
    return any(step.kind == "linear" for step in chain)


def _folded(chain: Sequence[Step], dtype: torch.dtype) -> list[Any]:
    """Weight, bias, and the scale and the shift of the normalisation behind."""
    at = next((number for number, step in enumerate(chain) if step.kind == "linear"), None)
    if at is None:
        return [*(one.to(dtype) for one in _scaling(chain) or ()), None, None]
    module: Any = chain[at].link
    weight = module.weight.detach().double()
    bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach().double()
    before, behind = _scaling(chain[:at]), _scaling(chain[at + 1 :])
    if before is not None:
        groups = 1 if isinstance(module, nn.Linear) else module.groups
        scale, shift = (one.view(groups, 1, -1).expand(-1, len(weight) // groups, -1).flatten(0, 1) for one in before)
        bias = bias + (weight.flatten(2).sum(-1) if weight.dim() > 2 else weight).mul(shift).sum(1)
        weight = weight * scale.view(*scale.shape, *[1] * (weight.dim() - 2))
    if behind is not None:
        weight, bias = weight * behind[0].view(-1, *[1] * (weight.dim() - 1)), bias * behind[0] + behind[1]
    own = [None, None] if behind is None else [one.to(dtype) for one in behind]
    return [weight.to(dtype).contiguous(), bias.to(dtype), *own]


def _scaling(chain: Iterable[Step]) -> tuple[Tensor, Tensor] | None:
    """Scale and shift of batch normalisations one after the other, in evaluation, in double precision."""
    found: tuple[Tensor, Tensor] | None = None
    for step in chain:
        norm: Any = step.link
        if step.kind != "norm":
            continue
        if norm.running_mean is None or norm.running_var is None:
            raise InputError(f"the normalisation {step.name!r} keeps no running statistics")
        scale = (norm.running_var.detach().double() + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight.detach().double()
        shift = -norm.running_mean.detach().double() * scale
        shift = shift if norm.bias is None else shift + norm.bias.detach().double()
        found = (scale, shift) if found is None else (found[0] * scale, found[1] * scale + shift)
    return found
