"""Steps of a network: what kinds there are, what each computes, and its gradient."""

import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Link = nn.Module | Callable[..., Any] | str
#: Computes a tensor of the output's shape from the input and the output of a step.
Derivation = Callable[[Tensor, Tensor], Tensor]
Kind = Literal["linear", "norm", "padding", "rectifier", "elementwise", "transparent", "sharing", "routing", "unknown"]


@dataclass(frozen=True)
class Padding:
    """Zeros at both borders, so that a convolution gives ``ceil(T / stride)`` steps; an odd zero goes to the end.

    Attributes
    ----------
    kernel, stride : int
        Of the convolution that follows.
    """

    kernel: int
    stride: int

    def __call__(self, x: Tensor) -> Tensor:
        """Pad the last dimension."""
        missing = max((-(-x.shape[-1] // self.stride) - 1) * self.stride + self.kernel - x.shape[-1], 0)
        return F.pad(x, (missing // 2, missing - missing // 2))


#: Kind of a step by its module's type. LRP shares relevance in proportion to the inputs of "sharing" steps (means,
#: sums), and routes it like a gradient through "routing" steps (maxima, other shapes). Transparent steps do nothing in
#: evaluation mode.
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
#: Kind of a step by its function, or by the name of its tensor method.
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
        What the step calls: a module, a function, or a method of a tensor by its name.
    run : callable
        Computes the result from the results that the step takes.
    inputs : tuple of int
        Steps whose results it takes; step 0 is the network's input and takes none.
    name : str
        Name in errors.
    layers : tuple of str
        Layers whose activation is this step's result.
    """

    link: Link
    run: Callable[..., Any]
    inputs: tuple[int, ...]
    name: str
    layers: tuple[str, ...] = ()

    @cached_property
    def kind(self) -> Kind:
        """What the step does, by `MODULES` and `FUNCTIONS`."""
        if isinstance(self.link, nn.Module | Padding):
            return next((kind for kind, types in MODULES.items() if isinstance(self.link, types)), "unknown")
        return _KIND_OF.get(self.link, "unknown")

    @property
    def description(self) -> str:
        """Name and type, for an error's sentence."""
        kind = type(self.link).__name__ if isinstance(self.link, nn.Module) else getattr(self.link, "__name__", "")
        return f"{self.name!r} ({kind or self.link})"

    @property
    def window(self) -> tuple[int, int]:
        """Kernel size and stride along time, of a step of a stack."""
        return 1, 1

    def forward(self, *xs: Any) -> Any:
        """Compute the result from copies of the inputs, so that a step that works in place changes none of them."""
        return self.run(*[x.clone() if isinstance(x, Tensor) else x for x in xs])

    def gradient(self, gradient: Tensor, passage: "Passage") -> tuple[Any, ...]:
        """Gradient at every input, by autograd; None for inputs that are no floating-point tensors."""
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() if _differentiable(x) else x for x in passage.xs]
            found = iter(torch.autograd.grad(self.forward(*leaves), list(filter(_differentiable, leaves)), gradient))
        return tuple(next(found) if _differentiable(leaf) else None for leaf in leaves)


def _differentiable(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


@dataclass(frozen=True, eq=False)
class Passage:
    """Inputs and output of one step for a batch of frames, computed on first access.

    Attributes
    ----------
    step : Step
        The step.
    inputs : sequence of callables
        Each gives one input of the step.
    output : callable
        Gives the step's result.
    whole : callable, optional
        Computes a derivation on all steps of the recording, and gives its part at the frames' cones.
    """

    step: Step
    inputs: Sequence[Callable[[], Any]]
    output: Callable[[], Tensor]
    whole: Callable[[Hashable, Derivation], Tensor] | None = None

    def derive(self, key: Hashable, derivation: Derivation) -> Tensor:
        """Compute a tensor of the output's shape from the input and the output.

        On a recording it is computed once under the name `key`, and not frame by frame.
        """
        return derivation(self.x, self.y) if self.whole is None else self.whole(key, derivation)

    @cached_property
    def xs(self) -> tuple[Any, ...]:
        """All inputs."""
        return tuple(given() for given in self.inputs)

    @property
    def x(self) -> Tensor:
        """Input of a step that takes one."""
        return self.xs[0]

    @cached_property
    def y(self) -> Tensor:
        """Output."""
        return self.output()


@dataclass(frozen=True, eq=False)
class Rectifier(Step):
    """``y = max(x, 0)``."""

    def forward(self, *xs: Any) -> Tensor:
        """Rectify."""
        return xs[0].relu()

    def gradient(self, gradient: Tensor, passage: Passage) -> tuple[Any, ...]:
        """Gradient where the output is positive, else 0."""
        return (torch.ops.aten.threshold_backward(gradient, passage.y, 0.0),)
