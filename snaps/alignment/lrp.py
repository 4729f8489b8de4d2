"""Layer-wise relevance propagation through the steps of any network."""

from dataclasses import dataclass
from functools import cache, partial, reduce
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from snaps.alignment.rules import Composite, Krug2018, Rule, Share, Uniform, composite_of, negative
from snaps.errors import InputError
from snaps.responses import Linear, Passage, SaliencyMethod, Target, divided

KNOWN = "Linear, Conv1d, Conv2d, batch normalisation, average and maximum pooling, ReLU and its like, reshaping, sums"


@dataclass(frozen=True, init=False)
class LRP(SaliencyMethod):
    """Layer-wise relevance propagation (Bach et al., 2015; thesis, section 3.2; NAvAI, section 3.4).

    Relevance starts from the target's score. Rules share it among the inputs of convolutions, fully connected layers
    and normalisations; mean pooling shares it in proportion, maximum pooling gives it to the largest input, and
    non-linearities leave it unchanged. Batch normalisation before or after a convolution is folded into it. Relevance
    has the unit of the target's score.

    Parameters
    ----------
    rule : str, rule, list of rules, or composite
        A rule for all layers, e.g. ``"epsilon"`` or ``Epsilon(0.5)``; a composite, e.g. ``"thesis"``; or rules
        for equal parts of the network's depth, from the input to the output.

    Raises
    ------
    InputError
        If there is no such rule, or a parameter is out of bounds.

    Examples
    --------
    >>> LRP("gamma")
    LRP(rule=Uniform(everywhere=Gamma(gamma=0.25)))
    """

    is_relevance: ClassVar[bool] = True
    carried: ClassVar[bool] = True
    rule: Composite

    def __init__(self, rule: Any = "epsilon") -> None:
        object.__setattr__(self, "rule", composite_of(rule))

    def at_logits(self, logits: Float[Tensor, "frame symbol"], target: Target) -> Float[Tensor, "frame symbol"]:
        """The target's score, at its symbol; 1 for the NAvAI paper's rule."""
        gradient = super().at_logits(logits, target)
        from_one = isinstance(self.rule, Uniform) and isinstance(self.rule.everywhere, Krug2018)
        return gradient if from_one else gradient * logits.detach()

    def through(self, passage: Passage, carried: Tensor) -> tuple[Any, ...]:
        """Relevance of a step's inputs, from that of its output.

        Raises
        ------
        InputError
            Naming a step without a rule, its type, and the steps that have rules.
        """
        step = passage.step
        if isinstance(step, Linear):
            return (shared_out(carried, passage, rule=self.rule.rule(step.depth, step.n_deep), linear=step),)
        if step.kind in ("rectifier", "elementwise"):
            return (carried,)
        if step.kind == "sharing":
            given = step.gradient(divided(carried, passage.y), passage)
            return tuple(None if one is None else one * x for one, x in zip(given, passage.xs, strict=True))
        if step.kind in ("routing", "padding"):
            return step.gradient(carried, passage)
        raise InputError(f"relevance has no rule for the network's {step.description}; there are rules for {KNOWN}")


@cache
def shares_of(rule: Rule) -> tuple[Share, ...]:
    """Shares of a rule, the same objects for equal rules, so that results can be kept by share and part."""
    return rule.shares


def shared_out(relevance: Tensor, passage: Passage, *, rule: Rule, linear: Linear) -> Tensor:
    """Relevance of a linear step's input, from that of its output (thesis, equation 3.7)."""
    by_share = []
    for share in shares_of(rule):
        # The factor is computed once on the whole recording, and cut to the cones.
        values = relevance * passage.derive(share, partial(factor, share=share, linear=linear))
        by_part: list[Tensor] = []
        for of_inputs, of_weights in share.parts:
            inputs = None if of_inputs is torch.ones_like else of_inputs(passage.x)
            if by_part and inputs is not None and of_inputs is negative and not bool(inputs.any()):
                continue
            given = linear.transposed(values, linear.weight_part(of_weights), passage)
            by_part.append(given if inputs is None else given * inputs)
        own = reduce(torch.add, by_part)
        if share.rescales:
            largest = own.abs().flatten(1).amax(1)
            own = own / torch.where(largest == 0, 1, largest).view(-1, *[1] * (own.dim() - 1))
        by_share.append(own if share.weight == 1 else share.weight * own)
    return reduce(torch.add, by_share)


def factor(x: Tensor, y: Tensor, *, share: Share, linear: Linear) -> Tensor:
    """Factor of the output's relevance, from the input and the output of a linear step."""
    if share.before_normalisation:
        # With y = s·z + t, contributions to z are those to y, divided by s.
        scale = linear.scale.view(-1, *[1] * (y.dim() - 2))
        return divided(share.factor(linear.before_normalisation(x, y), y.sign()), scale)
    if share.whole:
        return share.factor(y, y.sign())
    z = torch.zeros_like(y)
    for number, (of_inputs, of_weights) in enumerate(share.parts):
        bias = None if number else share.bias  # the bias counts once
        z = z + linear.product(of_inputs(x), linear.weight_part(of_weights), bias)
    return share.factor(z, y.sign())
