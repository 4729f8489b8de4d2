"""Importance and its peak: which step of a layer mattered most for the decision."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Peak:
    """Where a frame is aligned in one layer.

    Attributes
    ----------
    step : int
        Step of the cone.
    aligned : bool
        False where importance is 0 everywhere and the middle had to do.
    margin : float
        Distance between the best and the second best step, relative to the largest importance. Infinite where
        there is but one step, or where two are exactly 0, which they are in any precision.
    """

    step: int
    aligned: bool
    margin: float


def smoothed(saliency: np.ndarray) -> np.ndarray:
    """``g̃``, definition (4): mean over 2 × 2 values, always divided by 4, zeros beyond the last ones."""
    units, steps = saliency.shape
    result = np.zeros_like(saliency)
    for unit in range(units):
        for step in range(steps):
            total = 0.0
            for u, t in ((unit, step), (unit + 1, step), (unit, step + 1), (unit + 1, step + 1)):
                if u < units and t < steps:
                    total += saliency[u, t]
            result[unit, step] = total / 4
    return result


def importance(saliency: np.ndarray, activation: np.ndarray, rule: str) -> np.ndarray:
    """Importance of every value of the cone, definition (4); of every step under ``"mean"``."""
    if rule == "product":
        return np.abs(smoothed(saliency) * activation)
    if rule == "signed-product":
        return np.abs(smoothed(saliency)) * activation
    if rule == "max":
        return saliency
    if rule == "min":
        return -saliency
    if rule == "mean":
        return np.abs(saliency).mean(axis=0, keepdims=True)
    raise AssertionError(rule)


def peak_of(values: np.ndarray) -> Peak:
    """Step of the largest importance, the first on ties, definition (5)."""
    steps = values.shape[1]
    if not values.any():
        return Peak(step=steps // 2, aligned=False, margin=np.inf)
    best = 0
    for step in range(steps):
        if values[:, step].max() > values[:, best].max():
            best = step
    others = [values[:, step].max() for step in range(steps) if step != best]
    largest = values[:, best].max()
    if not others or largest == max(others) == 0:
        return Peak(step=best, aligned=True, margin=np.inf)
    return Peak(step=best, aligned=True, margin=float((largest - max(others)) / np.abs(values).max()))
