"""Layer-wise relevance propagation, step by step, for stacks of convolutions and for networks at large."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from snaps.alignment.rules import (
    Composite,
    Krug2018,
    Rule,
    Share,
    Uniform,
    composite_of,
    inverse,
    negative,
    ones,
    part_key,
)
from snaps.errors import InputError
from snaps.responses import Linear, Passage, SaliencyMethod, Target, divided

KNOWN = "Linear, Conv1d, Conv2d, batch normalisation, average and maximum pooling, ReLU and its like, reshaping, sums"


@dataclass(frozen=True, init=False)
class LRP(SaliencyMethod):
    """Layer-wise relevance propagation (Bach et al., 2015; thesis, section 3.2; NAvAI, section 3.4).

    Relevance starts from the target's score, and is handed down through convolutions, fully connected layers and
    normalisations by rules, through pooling in proportion or to the winner, and through non-linearities as it is.
    Batch normalisation before or behind a convolution is folded into it, and at a padded border counts only
    where it was. It has the unit of the target's score.

    Parameters
    ----------
    rule : str, rule, list of rules, or composite
        A rule for all layers, e.g. ``"epsilon"`` or ``Epsilon(0.5)``; a composite, e.g. ``"thesis"``; or rules
        for equal parts of the network's depth, from the input to the output.

    Raises
    ------
    InputError
        If there is no such rule, or a parameter makes no sense.

    Examples
    --------
    >>> LRP("gamma")
    LRP(rule=Uniform(everywhere=Gamma(gamma=0.25)))
    """

    default_peak: ClassVar[str] = "max"
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
        """Hand relevance down through one step.

        Raises
        ------
        InputError
            Naming a step that no rule is known for, its type, and the steps that there are rules for.
        """
        step = passage.step
        if isinstance(step, Linear):
            return (shared_out(self.rule.rule(step.depth, step.n_deep), step, passage, carried),)
        if step.kind in ("rectifier", "elementwise"):
            return (carried,)
        if step.kind == "sharing":
            given = step.gradient(carried * inverse(passage.y, passage.y), passage)
            return tuple(None if one is None else one * x for one, x in zip(given, passage.xs, strict=True))
        if step.kind in ("routing", "padding"):
            return step.gradient(carried, passage)
        raise InputError(f"relevance has no rule for the network's {step.description}; there are rules for {KNOWN}")


def shared_out(rule: Rule, linear: Linear, passage: Passage, relevance: Tensor) -> Tensor:
    """Relevance of a linear step's inputs, from that of its outputs (thesis, equation 3.7)."""
    total: Tensor | None = None
    for share in rule.shares:
        # The factor is computed once on everything that was played, and cut to the cones.
        values = relevance * passage.derive(("factor", rule, share.weight), partial(factor, linear, share))
        for of_inputs, of_weights in share.parts:
            inputs = None if of_inputs is ones else of_inputs(passage.x)
            if inputs is not None and of_inputs is negative and not bool(inputs.any()):
                continue
            given = linear.transposed(values, linear.weight_part(of_weights, part_key(of_weights)), passage)
            given = given if inputs is None else given * inputs
            given = given if share.weight == 1 else share.weight * given
            total = given if total is None else total + given
    assert total is not None
    if not rule.rescales:
        return total
    largest = total.abs().flatten(1).amax(1)
    return total / torch.where(largest == 0, 1, largest).view(-1, *[1] * (total.dim() - 1))


def factor(linear: Linear, share: Share, x: Tensor, y: Tensor) -> Tensor:
    """Factor of the outputs' relevance, from the inputs and outputs of a linear step."""
    if share.before_normalisation and linear.scale is not None:
        # With y = s·z + t, contributions to z are those to y, divided by s.
        scale = linear.scale.view(-1, *[1] * (y.dim() - 2))
        return divided(share.factor(linear.before_normalisation(x, y), y.sign()), scale)
    if share.whole:
        return share.factor(y, y.sign())
    z = torch.zeros_like(y)
    for number, (of_inputs, of_weights) in enumerate(share.parts):
        bias = None if number else share.bias  # it counts once
        z = z + linear.product(of_inputs(x), linear.weight_part(of_weights, part_key(of_weights)), bias)
    return share.factor(z, y.sign())
