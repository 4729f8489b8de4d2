"""What a rule does with a linear layer, wherever the layer stands."""

from typing import Protocol

import torch
from torch import Tensor

from snaps.alignment.rules import Part, Rule, Share


class Linear(Protocol):
    """What a rule needs of a linear layer and what went through it."""

    def inputs(self, part: Part) -> Tensor | float | None:
        """A part of the inputs; None where it is 0 everywhere."""

    def factor(self, rule: Rule, share: Share) -> Tensor:
        """What the outputs' relevance is multiplied with."""

    def transposed(self, values: Tensor, part: Part) -> Tensor:
        """From outputs back to inputs, with a part of the weights."""


def shared_out(rule: Rule, linear: Linear, relevance: Tensor) -> Tensor:
    """Relevance of a linear layer's inputs, from that of its outputs."""
    total: Tensor | None = None
    for share in rule.shares:
        values = relevance * linear.factor(rule, share)
        for of_inputs, of_weights in share.parts:
            inputs = linear.inputs(of_inputs)
            if inputs is not None:
                given = linear.transposed(values, of_weights) * inputs
                given = given if share.weight == 1 else share.weight * given
                total = given if total is None else total + given
    assert total is not None
    return rescaled(total) if rule.rescales else total


def divided(values: Tensor, scale: Tensor) -> Tensor:
    """Divide outputs by the scale of the normalisation behind them; 0 where it scales with 0."""
    return torch.where(scale == 0, 0, values / torch.where(scale == 0, 1, scale))


def rescaled(relevance: Tensor) -> Tensor:
    """Every frame's relevance divided by its largest absolute value; one that is 0 everywhere stays so."""
    largest = relevance.abs().flatten(1).amax(1)
    return relevance / torch.where(largest == 0, 1, largest).view(-1, *[1] * (relevance.dim() - 1))
