"""Epochs: responses cut around the peak (section 5.7 of the design)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from snaps.alignment.peaks import Peaks
from snaps.responses import LayerResponse, cut_windows


@dataclass(frozen=True, eq=False)
class Epochs:
    """One layer's responses to a batch of frames, lag by lag from the peak.

    Attributes
    ----------
    activation : tensor of shape (frame, unit, lag)
        Activation; 0 where it is not covered.
    covered : tensor of shape (frame, lag)
        Where the source has a value.
    saliency : tensor of shape (frame, unit, lag)
        Absolute value of the masking saliency; 0 outside the cone.
    """

    activation: Float[Tensor, "frame unit lag"]
    covered: Bool[Tensor, "frame lag"]
    saliency: Float[Tensor, "frame unit lag"]


def cut_epochs(response: LayerResponse, peaks: Peaks) -> Epochs:
    """Cut every frame's activation and saliency around its peak."""
    lags = response.geometry.lags
    first = response.start + peaks.step + lags[0]
    steps = first[:, None] + torch.arange(len(lags), device=first.device)
    own = torch.arange(len(first), device=first.device)
    return Epochs(
        activation=cut_windows(response.activation, source=response.source, start=first, width=len(lags)),
        covered=(steps >= 0) & (steps < response.activation.shape[-1]),
        saliency=cut_windows(response.saliencies[-1].abs(), source=own, start=peaks.step + lags[0], width=len(lags)),
    )
