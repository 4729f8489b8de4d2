"""Saliency methods: how much each value of every layer matters for the target.

A saliency method is a frozen dataclass that fulfils `snaps.responses.SaliencyMethod`, names the peak rule that
suits it in ``default_peak``, and has one line in `SALIENCY_METHODS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from snaps.responses import Passage, Run, Target, target_gradient


@dataclass(frozen=True)
class Sensitivity:
    """The gradient ``∂ target / ∂ activation`` (NAvAI, equation 1; SNAP, section 3.3).

    It has the unit of the target's score per unit of the activation.
    """

    default_peak: ClassVar[str] = "product"
    is_relevance: ClassVar[bool] = False

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Gradients of all layers from one backward pass; 0 where the target does not depend on a layer."""
        scores, activations = run.target(run.logits), run.activations
        gradients = torch.autograd.grad(scores.sum(), list(activations.values()), retain_graph=True, allow_unused=True)
        return {
            name: torch.zeros_like(activation) if gradient is None else gradient
            for (name, activation), gradient in zip(activations.items(), gradients, strict=True)
        }

    def at_logits(self, logits: Float[Tensor, "frame symbol"], target: Target) -> Float[Tensor, "frame symbol"]:
        """Gradient of the target's score."""
        return target_gradient(logits, target)

    def through(
        self, passage: Passage, carried: Float[Tensor, "frame _unit behind"]
    ) -> Float[Tensor, "frame _unit before"]:
        """Apply the chain rule to one operation."""
        return passage.operation.gradient(carried, passage)

    def at_layer(
        self, carried: Float[Tensor, "frame unit cone"], cone: Callable[[], Float[Tensor, "frame unit cone"]]
    ) -> Float[Tensor, "frame unit cone"]:
        """The gradient itself."""
        return carried


@dataclass(frozen=True)
class GradientTimesActivation(Sensitivity):
    """``∂ target / ∂ activation · activation``: what each value contributes, to first order.

    It has the unit of the target's score. For a network of ReLUs without biases it is LRP-0 (thesis, section
    3.2.1), and its sum over any layer is the score.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Gradients of all layers times their activations."""
        return {name: gradient * run.activations[name] for name, gradient in super().of_run(run).items()}

    def at_layer(
        self, carried: Float[Tensor, "frame unit cone"], cone: Callable[[], Float[Tensor, "frame unit cone"]]
    ) -> Float[Tensor, "frame unit cone"]:
        """The gradient times the activation."""
        return carried * cone()
