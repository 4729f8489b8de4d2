"""Epochs: responses cut around the peak (definition 7)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from snaps.alignment.peaks import Peaks
from snaps.responses import LayerResponse, cut_windows


@dataclass(frozen=True, eq=False)
class Epochs:
    """One layer's responses to a batch of frames, by lag from the peak.

    Neighbouring frames of a recording often peak at the same moment, and then have the same activations around
    it: their epoch is cut once, as one window.

    Attributes
    ----------
    activation : tensor of shape (window, unit, lag)
        Activation; 0 where it is not covered.
    covered : tensor of shape (window, lag)
        Whether the source has a value.
    window_of : tensor of shape (frame,)
        Each frame's window.
    saliency : tensor of shape (frame, unit, lag)
        Absolute value of the masking saliency; 0 outside the cone.
    """

    activation: Float[Tensor, "window unit lag"]
    covered: Bool[Tensor, "window lag"]
    window_of: Int[Tensor, " frame"]
    saliency: Float[Tensor, "frame unit lag"]


def cut_epochs(response: LayerResponse, peaks: Peaks) -> Epochs:
    """Cut every frame's activation and saliency around its peak."""
    lags = response.geometry.lags
    first = response.start + peaks.step + lags.start
    places, window_of = torch.stack([response.source, first]).unique(dim=1, return_inverse=True)
    source, first = places
    steps = first[:, None] + torch.arange(len(lags), device=first.device)
    own = torch.arange(len(peaks.step), device=first.device)
    saliency = cut_windows(response.saliencies[-1], source=own, start=peaks.step + lags.start, width=len(lags))
    return Epochs(
        activation=cut_windows(response.activation, source=source, start=first, width=len(lags)),
        covered=(steps >= 0) & (steps < response.activation.shape[-1]),
        window_of=window_of,
        saliency=saliency.abs_(),
    )
