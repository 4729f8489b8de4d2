"""A network as a sequence of operations along time: what the fast path walks up and down.

Batch normalisation is folded into the convolution next to it. Without padding that is exact on either side,
so the stack is for windows that never reach beyond the recording.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from snaps.responses.geometry import LayerGeometry, Window, cone_widths, strides_from_input

Activation = Float[Tensor, "batch _unit _step"]
#: From the activations before and behind an operation, something of the shape of those behind it.
Derivation = Callable[[Activation, Activation], Activation]


@dataclass(frozen=True, eq=False)
class Passage:
    """What a batch of frames' cones held on the way up, on both sides of one operation.

    Attributes
    ----------
    operation : Operation
        The operation.
    before, behind : callable
        Give the cones' activations before and behind the operation, of shape (frame, unit, step). They are
        gathered only for those who ask.
    depth, n_deep : int
        The operation's place among the stack's convolutions, from 0 at the input, and their number.
    whole : callable, optional
        Gives the cones' part of what a function makes of all that was heard before and behind the operation.
    """

    operation: "Operation"
    before: Callable[[], Activation]
    behind: Callable[[], Activation]
    depth: int = 0
    n_deep: int = 1
    whole: "Callable[[Hashable, Derivation], Activation] | None" = None

    def derive(self, key: Hashable, derivation: "Derivation") -> Activation:
        """Something that is computed from the activations before and behind the operation, at the cones behind it.

        It is computed once on everything that was heard, and not frame by frame, under the name `key`.
        """
        return derivation(self.x, self.y) if self.whole is None else self.whole(key, derivation)

    @cached_property
    def x(self) -> Activation:
        """Activations before the operation."""
        return self.before()

    @cached_property
    def y(self) -> Activation:
        """Activations behind the operation."""
        return self.behind()


class Operation(Protocol):
    """One operation of a stack.

    Attributes
    ----------
    name : str or None
        The layer that is this operation's output, if it has a name.
    window : Window
        What the operation sees along time.
    """

    @property
    def name(self) -> str | None:
        """Name of the layer that comes out."""

    @property
    def window(self) -> Window:
        """Steps seen and moved."""

    def forward(self, x: Activation) -> Activation:
        """Activation that comes out, without padding."""

    def gradient(self, gradient: Activation, passage: "Passage") -> Activation:
        """Gradient before the operation, from the gradient behind it."""

    def to(self, device: torch.device) -> "Operation":
        """The same operation elsewhere."""


@dataclass(frozen=True, eq=False)
class Convolution:
    """``y = weight * x + bias`` along time, without padding.

    Attributes
    ----------
    weight, bias : tensors of shape (out, unit, kernel) and (out,)
        With normalisation folded in.
    stride, dilation, groups : int
        As torch has them.
    name : str or None
        The layer that comes out, if it has a name.
    normalisation : Scaling or None
        The one behind the convolution that was folded in.
    changed : dict
        Weights made from these for saliency methods, each of them once.
    """

    weight: Float[Tensor, "out unit kernel"]
    bias: Float[Tensor, " out"]
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    name: str | None = None
    normalisation: "Scaling | None" = None
    changed: dict[Hashable, Tensor] = field(default_factory=dict, init=False, repr=False)

    @property
    def window(self) -> Window:
        """Steps seen and moved."""
        return Window(self.dilation * (self.weight.shape[-1] - 1) + 1, self.stride)

    def forward(self, x: Activation) -> Activation:
        """Convolve."""
        return F.conv1d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups).float()

    def gradient(self, gradient: Activation, passage: Passage) -> Activation:
        """Convolve backwards: every output step gives to the inputs that it saw."""
        return self.transposed(gradient, self.weight)

    def transposed(self, y: Activation, weight: Float[Tensor, "out unit kernel"]) -> Activation:
        """Convolve backwards with other weights."""
        if y.shape[-1] == 1 and self.groups == 1 and 1 in (self.dilation, weight.shape[-1]):
            # One output step: the transposed convolution is a matrix product.
            return (y[..., 0] @ weight.flatten(1)).unflatten(1, weight.shape[1:]).float()
        return F.conv_transpose1d(y, weight, None, self.stride, 0, 0, self.groups, self.dilation).float()

    def to(self, device: torch.device) -> "Convolution":
        """Move the weights."""
        normalisation = None if self.normalisation is None else self.normalisation.to(device)
        return replace(self, weight=self.weight.to(device), bias=self.bias.to(device), normalisation=normalisation)


@dataclass(frozen=True, eq=False)
class Scaling:
    """``y = scale · x + shift`` for every unit: batch normalisation with its running statistics."""

    scale: Float[Tensor, " unit"]
    shift: Float[Tensor, " unit"]
    name: str | None = None
    window = Window(1, 1)

    def forward(self, x: Activation) -> Activation:
        """Scale and shift."""
        return x * self.scale[:, None] + self.shift[:, None]

    def gradient(self, gradient: Activation, passage: Passage) -> Activation:
        """Scale alone."""
        return gradient * self.scale[:, None]

    def as_convolution(self) -> Convolution:
        """The same as a convolution of every unit with itself."""
        return Convolution(self.scale[:, None, None], self.shift, groups=len(self.scale), name=self.name)

    def to(self, device: torch.device) -> "Scaling":
        """Move scale and shift."""
        return replace(self, scale=self.scale.to(device), shift=self.shift.to(device))


@dataclass(frozen=True, eq=False)
class Rectifier:
    """``y = max(x, 0)``."""

    name: str | None = None
    window = Window(1, 1)

    def forward(self, x: Activation) -> Activation:
        """Rectify."""
        return x.relu()

    def gradient(self, gradient: Activation, passage: Passage) -> Activation:
        """Let through where the output is positive."""
        return torch.ops.aten.threshold_backward(gradient, passage.y, 0.0)

    def to(self, device: torch.device) -> "Rectifier":
        """Nothing to move."""
        return self


@dataclass(frozen=True, eq=False)
class Elementwise:
    """``y = function(x)``, value by value; its derivative is taken by autograd."""

    function: Callable[[Tensor], Tensor]
    name: str | None = None
    window = Window(1, 1)

    def forward(self, x: Activation) -> Activation:
        """Apply the function."""
        return self.function(x.clone())

    def gradient(self, gradient: Activation, passage: Passage) -> Activation:
        """Multiply with the function's derivative at the input."""
        with torch.enable_grad():
            leaf = passage.x.detach().requires_grad_()
            return torch.autograd.grad(self.function(leaf.clone()), leaf, gradient)[0]

    def to(self, device: torch.device) -> "Elementwise":
        """Nothing to move."""
        return self


def fold(operations: Sequence[Operation]) -> list[Operation]:
    """Fold every scaling into the convolution before or behind it, where no named layer lies between.

    ``W * (s·x + t) + b = (W·s) * x + (b + Σ W·t)`` and ``s·(W * x + b) + t = (s·W) * x + (s·b + t)``.
    """
    folded: list[Operation] = []
    for operation in operations:
        before = folded[-1] if folded else None
        if isinstance(operation, Scaling) and isinstance(before, Convolution) and before.name is None:
            folded[-1] = replace(
                before,
                weight=before.weight * operation.scale[:, None, None],
                bias=before.bias * operation.scale + operation.shift,
                name=operation.name,
                normalisation=_joined(before.normalisation, operation),
            )
        elif isinstance(operation, Convolution) and isinstance(before, Scaling) and before.name is None:
            folded[-1] = _scaled_input(operation, before)
        elif isinstance(operation, Scaling) and isinstance(before, Scaling) and before.name is None:
            folded[-1] = _joined(before, operation)
        else:
            folded.append(operation)
    return folded


def _joined(first: Scaling | None, second: Scaling) -> Scaling:
    """One scaling that does what two do."""
    if first is None:
        return second
    return Scaling(first.scale * second.scale, first.shift * second.scale + second.shift, second.name)


def _scaled_input(convolution: Convolution, scaling: Scaling) -> Convolution:
    per_group = convolution.weight.shape[1]
    out_per_group = convolution.weight.shape[0] // convolution.groups
    seen = torch.arange(convolution.weight.shape[0], device=scaling.scale.device) // out_per_group
    units = seen[:, None] * per_group + torch.arange(per_group, device=scaling.scale.device)
    return replace(
        convolution,
        weight=convolution.weight * scaling.scale[units][:, :, None],
        bias=convolution.bias + (convolution.weight.sum(-1) * scaling.shift[units]).sum(1),
    )


@dataclass(frozen=True, eq=False)
class Stack:
    """Operations in the order of execution, from the features to the logits.

    Attributes
    ----------
    operations : tuple of Operation
        With batch normalisation folded. Operations whose output is a layer bear its name; the last one's is
        ``logits``.
    n_inputs : int
        Units of the input.
    """

    operations: tuple[Operation, ...]
    n_inputs: int

    @property
    def windows(self) -> list[Window]:
        """What every operation sees along time."""
        return [operation.window for operation in self.operations]

    @property
    def receptive_field(self) -> int:
        """Input steps on which one output step depends, R."""
        return cone_widths(self.windows)[0]

    @property
    def stride(self) -> int:
        """Input steps from one output step to the next, s."""
        return strides_from_input(self.windows)[-1]

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of all layers, ``input`` first."""
        return ("input", *(operation.name for operation in self.operations if operation.name is not None))

    def layer_geometry(self, *, frame_steps: int) -> dict[str, LayerGeometry]:
        """Geometry of all named layers, for frames of `frame_steps` input steps."""
        widths, strides = cone_widths(self.windows), strides_from_input(self.windows)
        units = self.n_inputs
        geometry = {"input": LayerGeometry("input", units, widths[0], Fraction(1), frame_steps)}
        for index, operation in enumerate(self.operations, start=1):
            if isinstance(operation, Convolution):
                units = operation.weight.shape[0]
            if operation.name is not None:
                stride = strides[index]
                geometry[operation.name] = LayerGeometry(
                    operation.name, units, widths[index], Fraction(stride), frame_steps // stride
                )
        return geometry

    def to(self, device: torch.device) -> "Stack":
        """The same stack elsewhere."""
        return replace(self, operations=tuple(operation.to(device) for operation in self.operations))

    @torch.no_grad()
    def forward(self, x: Activation) -> list[Activation]:
        """Activations before the first operation and behind every one, without padding."""
        activations = [x]
        for operation in self.operations:
            activations.append(operation.forward(activations[-1]))
        return activations
