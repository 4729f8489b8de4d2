"""Gradient methods: the gradient of the target's score, and the gradient times the activation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from snaps.responses import Passage, Run, SaliencyMethod


@dataclass(frozen=True)
class Sensitivity(SaliencyMethod):
    """The gradient ``∂ target / ∂ activation`` (NAvAI, equation 1; SNAP, section 3.3).

    It has the unit of the target's score per unit of the activation.
    """

    carried: ClassVar[bool] = True

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Gradients of all layers from one backward pass; 0 where the target does not depend on a layer."""
        scores, activations = run.target(run.logits), run.activations
        gradients = torch.autograd.grad(
            scores.sum(), list(activations.values()), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return {
            name: self.at_layer(gradient, partial(activations.__getitem__, name))
            for name, gradient in zip(activations, gradients, strict=True)
        }

    def through(self, passage: Passage, carried: Tensor) -> tuple[Any, ...]:
        """Gradient at a step's inputs, by the chain rule."""
        return passage.step.gradient(carried, passage)


@dataclass(frozen=True)
class GradientTimesActivation(Sensitivity):
    """``∂ target / ∂ activation · activation``: the first-order contribution of each value.

    It has the unit of the target's score. For a network of ReLUs without biases it is LRP-0 (thesis, section
    3.2.1), and its sum over any layer is the score.
    """

    is_relevance: ClassVar[bool] = True

    def at_layer(
        self, carried: Float[Tensor, "frame ..."], cone: Callable[[], Float[Tensor, "frame ..."]]
    ) -> Float[Tensor, "frame ..."]:
        """The gradient times the activation."""
        return carried * cone()
