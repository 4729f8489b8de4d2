"""Saliency methods: how much each value of every layer matters for the target.

A saliency method is a frozen dataclass that fulfils `snaps.responses.SaliencyMethod`, names the peak rule that
suits it in ``default_peak``, and has one line in `SALIENCY_METHODS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from snaps.responses import Passage, SaliencyMethod, Target


@dataclass(frozen=True)
class Sensitivity:
    """The gradient ``∂ target / ∂ activation`` (NAvAI, equation 1; SNAP, section 3.3).

    It has the unit of the target's score per unit of the activation.
    """

    default_peak: ClassVar[str] = "product"

    def of_graph(self, scores: Float[Tensor, " frame"], activations: dict[str, Tensor]) -> dict[str, Tensor]:
        """Gradients of all layers from one backward pass; 0 where the target does not depend on a layer."""
        gradients = torch.autograd.grad(scores.sum(), list(activations.values()), retain_graph=True, allow_unused=True)
        return {
            name: torch.zeros_like(activation) if gradient is None else gradient
            for (name, activation), gradient in zip(activations.items(), gradients, strict=True)
        }

    @torch.enable_grad()
    def at_logits(self, logits: Float[Tensor, "frame symbol"], target: Target) -> Float[Tensor, "frame symbol"]:
        """Gradient of the target's score; for a symbol, 1 at the symbol and 0 elsewhere."""
        leaf = logits.detach().requires_grad_()
        return torch.autograd.grad(target(leaf).sum(), leaf)[0]

    def through(
        self, passage: Passage, saliency: Float[Tensor, "frame _unit behind"]
    ) -> Float[Tensor, "frame _unit before"]:
        """Apply the chain rule to one operation."""
        return passage.operation.gradient(saliency, passage)


#: Saliency methods by the name that the command line knows.
SALIENCY_METHODS: Mapping[str, Callable[[], SaliencyMethod]] = {"sensitivity": Sensitivity}
