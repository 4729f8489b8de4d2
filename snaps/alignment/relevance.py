"""Layer-wise relevance propagation, for stacks of convolutions and for networks at large."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from snaps.alignment.composites import Composite, composite_of, starts_from_one
from snaps.alignment.propagation import propagate
from snaps.alignment.rules import Part, Rule, Share, everything, negative, ones
from snaps.alignment.sharing import divided, shared_out
from snaps.responses import Convolution, Passage, Run, Scaling, Target, target_gradient


@dataclass(frozen=True, eq=False)
class ConvolutionPassage:
    """A convolution of a stack, and what the cones of a batch of frames held on either side of it."""

    convolution: Convolution
    passage: Passage

    def inputs(self, part: Part) -> Tensor | float | None:
        """A part of the activations before the convolution."""
        if part is ones:
            return 1.0
        if part is everything:
            return self.passage.x
        values = part(self.passage.x)
        return None if part is negative and not bool(values.any()) else values

    def factor(self, rule: Rule, share: Share) -> Tensor:
        """Computed once on all that was heard, and cut to the cones."""
        return self.passage.derive(("factor", rule, share.weight), partial(self._factor, share))

    def transposed(self, values: Tensor, part: Part) -> Tensor:
        """The transposed convolution."""
        return self.convolution.transposed(values, self._weight(part))

    def _weight(self, part: Part) -> Tensor:
        if part is everything:
            return self.convolution.weight
        key = (part.func, *part.keywords.values()) if isinstance(part, partial) else part
        if key not in self.convolution.changed:
            self.convolution.changed[key] = part(self.convolution.weight)
        return self.convolution.changed[key]

    def _factor(self, share: Share, x: Tensor, y: Tensor) -> Tensor:
        if share.before_normalisation and self.convolution.normalisation is not None:
            # With y = s·z + t, contributions to z are those to y, divided by s.
            scale = self.convolution.normalisation.scale[:, None]
            z = divided(y - self.convolution.normalisation.shift[:, None], scale)
            return divided(share.factor(z, y.sign()), scale)
        if share.whole:
            return share.factor(y, y.sign())
        total = torch.zeros_like(y)
        bias = share.bias(self.convolution.bias)
        for of_inputs, of_weights in share.parts:
            total += replace(self.convolution, weight=self._weight(of_weights), bias=bias).forward(of_inputs(x))
            bias = torch.zeros_like(bias)  # it counts once
        return share.factor(total, y.sign())


@dataclass(frozen=True, init=False)
class LRP:
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
    passes_over_hooks: ClassVar[bool] = True
    rule: Composite

    def __init__(self, rule: Any = "epsilon") -> None:
        object.__setattr__(self, "rule", composite_of(rule))

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Relevance of all layers, handed down from step to step of the network."""
        return propagate(run, self.at_logits(run.logits.detach(), run.target), self.rule.rule)

    def at_logits(self, logits: Float[Tensor, "frame symbol"], target: Target) -> Float[Tensor, "frame symbol"]:
        """The target's score, at its symbol; 1 for the NAvAI paper's rule."""
        gradient = target_gradient(logits, target)
        return gradient if starts_from_one(self.rule) else gradient * logits.detach()

    def through(
        self, passage: Passage, carried: Float[Tensor, "frame _unit behind"]
    ) -> Float[Tensor, "frame _unit before"]:
        """Hand relevance down through one operation."""
        operation = passage.operation
        if isinstance(operation, Scaling):
            operation = operation.as_convolution()
        if not isinstance(operation, Convolution):
            return carried
        depth = min(passage.depth, passage.n_deep - 1)
        linear = ConvolutionPassage(operation, passage)
        return shared_out(self.rule.rule(depth, passage.n_deep), linear, carried)

    def at_layer(
        self, carried: Float[Tensor, "frame unit cone"], cone: Callable[[], Float[Tensor, "frame unit cone"]]
    ) -> Float[Tensor, "frame unit cone"]:
        """Relevance itself."""
        return carried
