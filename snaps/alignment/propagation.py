"""Relevance through networks at large: step by step, and back."""

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from snaps.alignment.rules import Part, Rule, Share, inverse, negative
from snaps.alignment.sharing import divided, shared_out
from snaps.errors import InputError
from snaps.responses import Padding, Run, Step, layer_results, play, scaling_of, steps_of
from snaps.responses.tracing import (
    ELEMENTWISE_FUNCTIONS,
    ELEMENTWISE_MODULES,
    METHODS,
    RECTIFIERS,
    TRANSPARENT_FUNCTIONS,
    TRANSPARENT_MODULES,
)

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
#: Non-linearities and what does nothing in evaluation: relevance goes through as it is.
PASSING: tuple[type[nn.Module], ...] = (nn.ReLU, *ELEMENTWISE_MODULES, *TRANSPARENT_MODULES, nn.Dropout2d)
#: Zeros at the borders, which carry none.
PADDINGS = (nn.ZeroPad1d, nn.ZeroPad2d)
#: Pooling by the mean shares in proportion, pooling by the maximum gives all to the winner.
MEANS = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
RESHAPING = (nn.Flatten, nn.Unflatten)
PASSING_FUNCTIONS = frozenset({*RECTIFIERS, *ELEMENTWISE_FUNCTIONS, *TRANSPARENT_FUNCTIONS, F.dropout1d, F.dropout2d})
MEAN_FUNCTIONS = frozenset({F.avg_pool1d, F.avg_pool2d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, torch.mean})
MAXIMUM_FUNCTIONS = frozenset(
    {F.max_pool1d, F.max_pool2d, F.adaptive_max_pool1d, F.adaptive_max_pool2d, torch.max_pool1d, torch.amax}
)
RESHAPING_FUNCTIONS = frozenset(
    {torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.transpose, torch.permute, torch.cat,
     operator.getitem}
)  # fmt: skip
SUMS = frozenset({operator.add, operator.iadd, torch.add, "add", "add_"})
RESHAPING_METHODS = frozenset(
    {"flatten", "view", "reshape", "squeeze", "unsqueeze", "transpose", "permute", "contiguous", "movedim"}
)
KNOWN = "Linear, Conv1d, Conv2d, batch normalisation, average and maximum pooling, ReLU and its like, reshaping, sums"


def propagate(run: Run, start: Float[Tensor, "frame symbol"], rule_of: Callable[[int, int], Rule]) -> dict[str, Tensor]:
    """Relevance of every tapped layer.

    Parameters
    ----------
    run : Run
        Frames, and the network they go through.
    start : tensor of shape (frame, symbol)
        Relevance of the logits.
    rule_of : callable
        Gives a linear layer's rule, from its depth and the number of such layers.

    Returns
    -------
    dict of str to tensor
        Of the shapes of ``run.activations``.

    Raises
    ------
    InputError
        Naming the module that no rule is known for, its type, and what there are rules for.
    """
    shapes = {layer: activation.shape for layer, activation in run.activations.items()}
    steps = steps_of(run.model)
    wanted = {layer: number for layer, number in layer_results(steps).items() if layer in shapes}
    with torch.no_grad(), run.unheard():
        values = play(steps, run.frames)
        relevance: dict[int, Tensor] = {len(steps): _back(run.score, [values[-1]], start)[0]}
        for chain in reversed(chains_of(steps, frozenset(wanted.values()))):
            behind = relevance.get(chain.result)
            if behind is None or not isinstance(values[chain.result], Tensor):
                continue
            for number, given in _hand_down(chain, values, behind, rule_of):
                relevance[number] = relevance[number] + given if number in relevance else given
    missing = next((layer for layer in shapes if layer not in wanted), None)
    if missing is not None:
        raise InputError(f"the layer {missing!r} has no result of its own that relevance could be traced to")
    return {
        layer: relevance.get(number, torch.zeros_like(values[number])).reshape(shapes[layer])
        for layer, number in wanted.items()
    }


@dataclass(frozen=True)
class Chain:
    """A step, or a convolution with the normalisations and the padding that are folded into it.

    Attributes
    ----------
    steps : tuple of Step
        In the order of execution.
    inputs : tuple of int
        Results that go in.
    result : int
        The result that comes out.
    depth, n_deep : int
        Place among the network's convolutions and fully connected layers, and their number.
    """

    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    result: int
    depth: int
    n_deep: int

    @property
    def weighted(self) -> Step | None:
        """The convolution or fully connected layer."""
        return next((step for step in self.steps if isinstance(step.link, WEIGHTED)), None)


def chains_of(steps: Sequence[Step], kept: frozenset[int]) -> list[Chain]:
    """Join every convolution with the normalisation next to it, where no result in `kept` lies between."""
    users = Counter(number for step in steps for number in step.inputs)
    n_deep = sum(isinstance(step.link, WEIGHTED) for step in steps)
    chains: list[Chain] = []
    depth = 0
    for number, step in enumerate(steps, start=1):
        deep = isinstance(step.link, WEIGHTED)
        chain = Chain((step,), step.inputs, number, min(depth, max(n_deep - 1, 0)), n_deep)
        before = chains[-1] if chains else None
        if (
            before is not None
            and step.inputs == (before.result,)
            and users[before.result] == 1
            and before.result not in kept
            and _belong_together(before, step)
        ):
            chains.pop()
            chain = replace(
                chain, steps=(*before.steps, step), inputs=before.inputs, depth=chain.depth if deep else before.depth
            )
        chains.append(chain)
        depth += deep
    return chains


def _belong_together(chain: Chain, step: Step) -> bool:
    """Whether a step is folded into the chain before it."""
    if chain.weighted is None:
        # What may stand before a convolution: normalisation, and zeros at its borders.
        return all(_is_norm(s) or _is_padding(s) or _is_transparent(s) for s in chain.steps) and (
            isinstance(step.link, WEIGHTED) or _is_padding(step) or _is_transparent(step)
        )
    return _is_norm(step)


def _is_norm(step: Step) -> bool:
    return isinstance(step.link, NORMS)


def _is_padding(step: Step) -> bool:
    return isinstance(step.link, (Padding, *PADDINGS))


def _is_transparent(step: Step) -> bool:
    return isinstance(step.link, TRANSPARENT_MODULES) or step.link in TRANSPARENT_FUNCTIONS


def _hand_down(
    chain: Chain, values: Sequence[Any], behind: Tensor, rule_of: Callable[[int, int], Rule]
) -> list[tuple[int, Tensor]]:
    """Relevance of what goes into a chain, from that of what comes out."""
    taken = [number for number in chain.inputs if isinstance(values[number], Tensor)]
    step = chain.steps[-1]
    if chain.weighted is not None or any(map(_is_norm, chain.steps)):
        linear = LinearChain(chain, values[chain.inputs[0]], values[chain.result])
        return [(chain.inputs[0], shared_out(rule_of(chain.depth, chain.n_deep), linear, behind))]
    if len(chain.steps) > 1 or _is_padding(step):
        return _hand_back(chain.steps, taken, values, behind)
    link = step.link
    if isinstance(link, PASSING) or link in PASSING_FUNCTIONS or (isinstance(link, str) and link in METHODS):
        return [(taken[0], behind)]
    if isinstance(link, MEANS) or link in MEAN_FUNCTIONS or link == "mean" or link in SUMS:
        total = values[chain.result]
        shares = behind * inverse(total, total.sign())
        return [(number, given * values[number]) for number, given in _hand_back(chain.steps, taken, values, shares)]
    if (
        isinstance(link, (*MAXIMA, *RESHAPING))
        or link in MAXIMUM_FUNCTIONS
        or link in RESHAPING_FUNCTIONS
        or (isinstance(link, str) and link in (*RESHAPING_METHODS, "amax"))
    ):
        return _hand_back(chain.steps, taken, values, behind)
    raise InputError(f"relevance has no rule for the network's {step.description}; there are rules for {KNOWN}")


def _hand_back(
    steps: Sequence[Step], taken: Sequence[int], values: Sequence[Any], behind: Tensor
) -> list[tuple[int, Tensor]]:
    """Back through steps as a gradient goes."""

    def run(*tensors: Tensor) -> Tensor:
        given = dict(zip(taken, tensors, strict=True))
        result = steps[0].run(*[given.get(number, values[number]) for number in steps[0].inputs])
        for step in steps[1:]:
            result = step.run(result)
        return result

    return list(zip(taken, _back(run, [values[number] for number in taken], behind), strict=True))


def _back(function: Callable[..., Tensor], inputs: Sequence[Tensor], behind: Tensor) -> tuple[Tensor, ...]:
    with torch.enable_grad():
        leaves = [value.detach().requires_grad_() for value in inputs]
        return torch.autograd.grad(function(*leaves), leaves, behind)


class LinearChain:
    """A convolution or fully connected layer with the normalisations around it, as one linear layer.

    Weights are those with the normalisations folded in. The bias is what the chain gives for an input of 0: at a
    padded border, where a normalisation before the convolution adds nothing, it is another one than elsewhere.
    """

    def __init__(self, chain: Chain, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y
        self.steps = chain.steps
        weighted = chain.weighted
        at = len(self.steps) if weighted is None else self.steps.index(weighted)
        self.module: Any = None if weighted is None else weighted.link
        self.paddings = [step for step in self.steps[:at] if _is_padding(step)]
        before = [step.link for step in self.steps[:at] if _is_norm(step)]
        self.behind = [step.link for step in self.steps[at + 1 :] if _is_norm(step)]
        if weighted is None:
            before, self.behind = [], [step.link for step in self.steps if _is_norm(step)]
        self.scale = self._scale(self.behind)
        self.weight = self._folded(before)

    def _scale(self, norms: Sequence[Any]) -> Tensor:
        scale = self.x.new_ones((), dtype=torch.float64)
        for norm in norms:
            scale = scale * scaling_of(norm).scale
        return scale

    def _folded(self, before: Sequence[Any]) -> Tensor:
        if self.module is None:
            return self.scale.to(self.x.dtype)
        weight = self.module.weight.detach().double()
        units = self._scale(before)
        if units.dim():
            groups = getattr(self.module, "groups", 1)
            per_output = units.view(groups, 1, -1).expand(-1, weight.shape[0] // groups, -1).flatten(0, 1)
            weight = weight * per_output.view(*weight.shape[:2], *[1] * (weight.dim() - 2))
        if self.scale.dim():
            weight = weight * self.scale.view(-1, *[1] * (weight.dim() - 1))
        return weight.to(self.x.dtype)

    def _map(self, x: Tensor, weight: Tensor) -> Tensor:
        """What comes out without any bias."""
        for padding in self.paddings:
            x = padding.run(x)
        if self.module is None:
            return x * weight.view(1, -1, *[1] * (x.dim() - 2))
        parameters = {"weight": weight}
        if self.module.bias is not None:
            parameters["bias"] = torch.zeros_like(self.module.bias)
        return functional_call(self.module, parameters, (x,))

    def inputs(self, part: Part) -> Tensor | float | None:
        """A part of what goes in."""
        values = part(self.x)
        return None if part is negative and not bool(values.any()) else values

    def transposed(self, values: Tensor, part: Part) -> Tensor:
        """Back through the linear map with a part of the weights."""
        weight = part(self.weight)
        return _back(lambda x: self._map(x, weight), [self.x], values)[0]

    def factor(self, rule: Rule, share: Share) -> Tensor:
        """From the sum of contributions, or from that before normalisation."""
        sign = self.y.sign()
        if share.before_normalisation and self.behind:
            z = self.x
            for step in self.steps:
                if step.link is self.behind[0]:
                    break
                z = step.run(z)
            return divided(share.factor(z, sign), self.scale.to(z.dtype).view(1, -1, *[1] * (z.dim() - 2)))
        if share.whole:
            return share.factor(self.y, sign)
        bias = torch.zeros_like(self.x[:1])
        for step in self.steps:
            bias = step.run(bias)
        z = share.bias(bias)
        for of_inputs, of_weights in share.parts:
            z = z + self._map(of_inputs(self.x), of_weights(self.weight))
        return share.factor(z, sign)
