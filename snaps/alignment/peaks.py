"""Importance and peaks: the step of a layer at which a frame is aligned (definitions 4 and 5).

A peak rule is a frozen dataclass that fulfils `PeakRule` and has one line in `PEAK_RULES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Map = Float[Tensor, "frame unit step"]


@runtime_checkable
class PeakRule(Protocol):
    """Importance of each value of a layer; its maximum is the peak."""

    def importance(self, saliency: Map, activation: Map) -> Float[Tensor, "frame _ step"]:
        """Importance over units and steps, or over steps alone with one unit."""


def smooth(saliency: Map) -> Map:
    """Mean over (unit, unit+1) × (step, step+1), always divided by 4, with 0 beyond the last unit and step.

    This tames isolated gradients (SNAP, section 3.3); it serves the peak alone.
    """
    # Two sums of neighbours, one along time and one along units, are much faster than pooling in two dimensions.
    along_steps = torch.empty_like(saliency)
    torch.add(saliency[..., :-1], saliency[..., 1:], out=along_steps[..., :-1])
    along_steps[..., -1:] = saliency[..., -1:]
    along_both = torch.empty_like(saliency)
    torch.add(along_steps[:, :-1], along_steps[:, 1:], out=along_both[:, :-1])
    along_both[:, -1:] = along_steps[:, -1:]
    return along_both.mul_(0.25)


@dataclass(frozen=True)
class Product:
    """``|smoothed saliency · activation|``, the default rule."""

    def importance(self, saliency: Map, activation: Map) -> Map:
        """Absolute value of smoothed saliency times activation."""
        return smooth(saliency).mul_(activation).abs_()


@dataclass(frozen=True)
class SignedProduct:
    """``|smoothed saliency| · activation``, exactly as in the SNAP paper."""

    def importance(self, saliency: Map, activation: Map) -> Map:
        """Absolute smoothed saliency times activation."""
        return smooth(saliency).abs_().mul_(activation)


@dataclass(frozen=True)
class Maximum:
    """The largest raw saliency (NAvAI, section 3.6)."""

    def importance(self, saliency: Map, activation: Map) -> Map:
        """Saliency."""
        return saliency


@dataclass(frozen=True)
class Minimum:
    """The smallest raw saliency (NAvAI, section 3.6)."""

    def importance(self, saliency: Map, activation: Map) -> Map:
        """Negative saliency."""
        return -saliency


@dataclass(frozen=True)
class Mean:
    """The mean of ``|saliency|`` over units."""

    def importance(self, saliency: Map, activation: Map) -> Float[Tensor, "frame 1 step"]:
        """Mean over units."""
        return saliency.abs().mean(dim=1, keepdim=True)


#: Peak rules by name.
PEAK_RULES: Mapping[str, PeakRule] = {
    "product": Product(),
    "signed-product": SignedProduct(),
    "max": Maximum(),
    "min": Minimum(),
    "mean": Mean(),
}


@dataclass(frozen=True, eq=False)
class Peaks:
    """Steps of one layer at which frames are aligned.

    Attributes
    ----------
    step : tensor of shape (frame,)
        Steps from the cone's beginning.
    unaligned : tensor of shape (frame,)
        Frames without a peak; they stay at the cone's middle.
    """

    step: Int[Tensor, " frame"]
    unaligned: Bool[Tensor, " frame"]


def find_peaks(importance: Float[Tensor, "frame unit step"]) -> Peaks:
    """Step of the maximum over units and steps, the first one on ties (definition 5).

    Importance that is 0 everywhere has no peak: that frame stays at the middle step and is unaligned.
    """
    return _highest(importance)[0]


def _highest(importance: Float[Tensor, "frame unit step"]) -> tuple[Peaks, Float[Tensor, " frame"]]:
    """Peaks, and the importance at each."""
    by_step = importance.amax(dim=1)
    # Importance is 0 everywhere if its maximum and its minimum are 0; the minimum is computed on demand.
    best, step = by_step.max(dim=1)
    unaligned = best == 0
    if bool(unaligned.any()):
        unaligned &= importance.amin(dim=(1, 2)) == 0
    return Peaks(torch.where(unaligned, importance.shape[-1] // 2, step), unaligned), best


def peaks_by_rule(rule: PeakRule, saliency: Map, activation: Map) -> Peaks:
    """Peaks of the importance by a rule.

    Products of very large or very small numbers do not fit into single precision; frames in which that may happen
    are computed again in double precision.
    """
    found, height = _highest(rule.importance(saliency, activation))
    again = ~torch.isfinite(height)
    if bool(found.unaligned.any()):
        # Without saliency or without activation the products are 0: a dead layer has no peak.
        present = [(values != 0).any(dim=2).any(dim=1) for values in (saliency, activation)]
        again |= found.unaligned & present[0] & present[1]
    if not bool(again.any()):
        return found
    exact = find_peaks(rule.importance(saliency[again].double(), activation[again].double()))
    found.step[again], found.unaligned[again] = exact.step, exact.unaligned
    return found
