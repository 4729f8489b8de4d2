"""Responses of one layer to one frame, and the epoch cut from them around the peak."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Response:
    """Activation and saliency of one layer for one frame, definition (3).

    Attributes
    ----------
    saliency : array of shape (units, w_ℓ)
        At the cone's steps.
    activation : array of shape (units, any)
        At the cone's steps; in the recording context all that the recording has.
    start : int
        Column of `activation` at which the cone starts.
    """

    saliency: np.ndarray
    activation: np.ndarray
    start: int

    @property
    def cone(self) -> int:
        """``w_ℓ``."""
        return self.saliency.shape[1]

    @property
    def cone_activation(self) -> np.ndarray:
        """Activation at the cone's steps."""
        return self.activation[:, self.start : self.start + self.cone]


@dataclass(frozen=True)
class Epoch:
    """What a frame adds to its groups in one layer, definition (7).

    Attributes
    ----------
    activation, saliency : array of shape (units, lags)
        The activation is NaN where it is uncovered; the saliency is its absolute value.
    covered : array of shape (lags,)
        Whether the recording (or the frame) has a value there.
    """

    activation: np.ndarray
    saliency: np.ndarray
    covered: np.ndarray

    @property
    def is_finite(self) -> bool:
        """Whether the frame may count, definition (1), as far as the epoch reaches beyond the cone."""
        return bool(np.isfinite(self.activation[:, self.covered]).all())


def cut(response: Response, peak: int, lags: list[int]) -> Epoch:
    """Activation and saliency at the steps ``p_ℓ + lag``, definition (7)."""
    units = response.saliency.shape[0]
    activation = np.full((units, len(lags)), np.nan)
    saliency = np.zeros((units, len(lags)))
    covered = np.zeros(len(lags), dtype=bool)
    for position, lag in enumerate(lags):
        step = peak + lag
        column = response.start + step
        if 0 <= column < response.activation.shape[1]:
            covered[position] = True
            activation[:, position] = response.activation[:, column]
        if 0 <= step < response.cone:
            saliency[:, position] = np.abs(response.saliency[:, step])
    return Epoch(activation=activation, saliency=saliency, covered=covered)


def is_finite(response: Response) -> bool:
    """Whether a frame may count, definition (1), as far as one layer's cone says it."""
    return bool(np.isfinite(response.saliency).all() and np.isfinite(response.cone_activation).all())
