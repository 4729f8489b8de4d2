"""Linear steps of a network, with batch normalisation folded into the convolution next to it."""

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snaps.errors import InputError
from snaps.responses.steps import Passage, Rectifier, Step

#: Takes a part of inputs, weights or biases, e.g. the positive one; the shape stays.
Part = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear(Step):
    """A convolution, fully connected layer or normalisation, with the normalisations next to it folded in.

    ``W * (s·x + t) + b = (W·s) * x + (b + Σ W·t)`` and ``s·(W * x + b) + t = (s·W) * x + (s·b + t)``.

    Attributes
    ----------
    chain : tuple of Step
        The folded steps, in the order of execution.
    weight, bias : tensors of shape (out, unit, …) and (out,)
        With normalisation folded in; of a normalisation alone, scale and shift of shape (unit,).
    scale, shift : tensors of shape (out,)
        Of the normalisation after the convolution; 1 and 0 without one.
    depth, n_deep : int
        Place among the network's convolutions and fully connected layers, from 0 at the input, and their number.
    """

    chain: tuple[Step, ...]
    weight: Tensor
    bias: Tensor
    scale: Tensor
    shift: Tensor
    depth: int
    n_deep: int
    _parts: dict[Part, Tensor] = field(default_factory=dict, init=False, repr=False)

    @property
    def module(self) -> Any:
        """The convolution or fully connected layer; None for a normalisation alone."""
        return self.link if self.kind == "linear" else None

    def weight_part(self, part: Part) -> Tensor:
        """A part of the weight, computed once."""
        if part not in self._parts:
            self._parts[part] = part(self.weight)
        return self._parts[part]

    def forward(self, *xs: Any) -> Tensor:
        """Run the folded steps one after the other."""
        return reduce(lambda x, step: step.forward(x), self.chain, xs[0])

    def product(self, x: Tensor, weight: Tensor, bias: Part | None = None) -> Tensor:
        """Output with another weight and a part of the bias; None for no bias.

        The bias is the output for an input of 0. It differs at padded borders, where a normalisation before the
        padding adds nothing.
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
        """Output of the convolution itself, before the normalisation that follows."""
        place = next((number for number, step in enumerate(self.chain) if step.link is self.module), len(self.chain))
        return reduce(lambda z, step: step.forward(z), self.chain[: place + 1], x)

    def transposed(self, values: Tensor, weight: Tensor, passage: Passage) -> Tensor:
        """Product of the outputs' values with a transposed weight, at the inputs."""
        with torch.enable_grad():
            leaf = passage.x.detach().requires_grad_()
            return torch.autograd.grad(self.product(leaf, weight), leaf, values)[0]

    def gradient(self, gradient: Tensor, passage: Passage) -> tuple[Any, ...]:
        """Product with the transposed weight."""
        return (self.transposed(gradient, self.weight, passage),)


@dataclass(frozen=True, eq=False)
class Unpadded(Linear):
    """A linear step of a stack. Without padding the bias is the same at every step, and folding is exact."""

    @property
    def window(self) -> tuple[int, int]:
        """Kernel size, dilation included, and stride."""
        if self.module is None:
            return 1, 1
        return self.module.dilation[0] * (self.weight.shape[-1] - 1) + 1, self.module.stride[0]

    def forward(self, *xs: Any) -> Tensor:
        """Convolve, or scale and shift."""
        return self.product(xs[0], self.weight, lambda bias: bias)

    def product(self, x: Tensor, weight: Tensor, bias: Part | None = None) -> Tensor:
        """Output with another weight and a part of the bias; None for no bias."""
        added = None if bias is None else bias(self.bias)
        if self.module is None:
            y = x * weight[:, None]
            return y if added is None else y + added[:, None]
        stride, dilation, groups = self.module.stride[0], self.module.dilation[0], self.module.groups
        return F.conv1d(x, weight, added, stride, 0, dilation, groups).float()

    def before_normalisation(self, x: Tensor, y: Tensor) -> Tensor:
        """``(y − shift) / scale``; 0 where the scale is 0."""
        return divided(y - self.shift[:, None], self.scale[:, None])

    def transposed(self, values: Tensor, weight: Tensor, passage: Passage) -> Tensor:
        """Transposed convolution."""
        if self.module is None:
            return values * weight[:, None]
        stride, dilation, groups = self.module.stride[0], self.module.dilation[0], self.module.groups
        if values.shape[-1] == 1 and groups == 1 and 1 in (dilation, weight.shape[-1]):
            # One output step: the transposed convolution is a matrix product.
            return (values[..., 0] @ weight.flatten(1)).unflatten(1, weight.shape[1:]).float()
        return F.conv_transpose1d(values, weight, None, stride, 0, 0, groups, dilation).float()


def divided(values: Tensor | float, by: Tensor) -> Tensor:
    """``values / by``, and 0 where `by` is 0."""
    return torch.where(by == 0, 0, values / torch.where(by == 0, 1, by))


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
        Type of the folded weights; folding is in double precision.
    linear : type
        `Linear`, or `Unpadded` for a stack.

    Raises
    ------
    InputError
        If a normalisation keeps no running statistics.
    """
    users = Counter(taken for step in steps for taken in step.inputs)
    starts: list[int] = []  # first steps of chains; each chain becomes one step
    for number, step in enumerate(steps):
        starts.append(number)
        while len(starts) > 1 and step.kind in ("linear", "norm"):
            last, kinds = starts[-1] - 1, {before.kind for before in steps[starts[-2] : starts[-1]]}
            fits = kinds <= {"norm", "padding"} if step.kind == "linear" else kinds == {"norm"} or "linear" in kinds
            alone = steps[last + 1].inputs == (last,) and users[last] == 1
            if not fits or not alone or set(steps[last].layers) & set(wanted):
                break
            starts.pop()
    chains = [steps[start:end] for start, end in pairwise([*starts, len(steps)])]
    n_deep = sum(step.kind == "linear" for step in steps)
    folded, depth = [], 0
    for chain in chains:
        step = replace(chain[-1], inputs=tuple(bisect(starts, taken) - 1 for taken in chain[0].inputs))
        convolution = next((one for one in chain if one.kind == "linear"), None)
        if convolution is not None or step.kind == "norm":
            step = linear(
                (convolution or step).link, step.run, step.inputs, step.name, step.layers, chain=tuple(chain),
                **_folded(chain, dtype), depth=min(depth, max(n_deep - 1, 0)), n_deep=n_deep,
            )  # fmt: skip
            depth += convolution is not None
        elif step.kind == "rectifier":
            step = Rectifier(step.link, step.run, step.inputs[:1], step.name, step.layers)
        folded.append(step)
    return folded


def _folded(chain: Sequence[Step], dtype: torch.dtype) -> dict[str, Tensor]:
    """Weight and bias of a chain, and scale and shift of the normalisation after the convolution."""
    place = next((number for number, step in enumerate(chain) if step.kind == "linear"), None)
    if place is None:
        weight, bias = _scaling(chain)
        scale, shift = torch.ones_like(weight), torch.zeros_like(bias)
    else:
        module: Any = chain[place].link
        weight = module.weight.detach().double()
        bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach().double()
        groups = 1 if isinstance(module, nn.Linear) else module.groups
        inputs = weight.new_zeros(groups * weight.shape[1])
        scale_before, shift_before = (
            (inputs + given).view(groups, 1, -1).expand(-1, len(weight) // groups, -1).flatten(0, 1)
            for given in _scaling(chain[:place])
        )
        bias = bias + weight.reshape(*shift_before.shape, -1).sum(-1).mul(shift_before).sum(1)
        weight = weight * scale_before.view(*scale_before.shape, *[1] * (weight.dim() - 2))
        scale, shift = (torch.zeros_like(bias) + given for given in _scaling(chain[place + 1 :]))
        weight, bias = weight * scale.view(-1, *[1] * (weight.dim() - 1)), bias * scale + shift
    named = {"weight": weight, "bias": bias, "scale": scale, "shift": shift}
    return {name: values.to(dtype).contiguous() for name, values in named.items()}


def _scaling(chain: Iterable[Step]) -> tuple[Any, Any]:
    """Scale and shift of successive batch normalisations, in double precision; 1 and 0 without any."""
    scale, shift = 1.0, 0.0
    for step in chain:
        norm: Any = step.link
        if step.kind != "norm":
            continue
        if norm.running_mean is None:
            raise InputError(f"the normalisation {step.name!r} keeps no running statistics")
        own = (norm.running_var.detach().double() + norm.eps).rsqrt()
        own = own if norm.weight is None else own * norm.weight.detach().double()
        bias = 0.0 if norm.bias is None else norm.bias.detach().double()
        scale, shift = scale * own, (shift - norm.running_mean.detach().double()) * own + bias
    return scale, shift
