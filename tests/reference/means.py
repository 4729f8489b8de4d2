"""Means over the epochs of each group, definition (8), one epoch and one lag at a time."""

from dataclasses import dataclass, field

import numpy as np

from tests.reference.epochs import Epoch


@dataclass
class Totals:
    """Everything that one group has collected in one layer."""

    activations: list[np.ndarray] = field(default_factory=list)
    saliencies: list[np.ndarray] = field(default_factory=list)
    covered: list[np.ndarray] = field(default_factory=list)
    unaligned: int = 0

    def add(self, epoch: Epoch, *, aligned: bool) -> None:
        """Take one more epoch."""
        self.activations.append(epoch.activation)
        self.saliencies.append(epoch.saliency)
        self.covered.append(epoch.covered)
        self.unaligned += not aligned


def group_means(totals: dict[str, Totals]) -> dict[str, np.ndarray]:
    """Arrays of one node, definition (8), groups sorted by label; the variances have ddof 0."""
    groups = sorted(totals)
    units, lags = totals[groups[0]].activations[0].shape
    shape = (len(groups), units, lags)
    arrays: dict[str, np.ndarray] = {
        "group": np.array(groups),
        "activation": np.full(shape, np.nan),
        "activation_variance": np.full(shape, np.nan),
        "saliency": np.zeros(shape),
        "saliency_variance": np.zeros(shape),
        "coverage": np.zeros((len(groups), lags), dtype=np.int64),
        "count": np.zeros(len(groups), dtype=np.int64),
        "unaligned": np.zeros(len(groups), dtype=np.int64),
    }
    for row, group in enumerate(groups):
        total = totals[group]
        arrays["count"][row] = len(total.activations)
        arrays["unaligned"][row] = total.unaligned
        arrays["saliency"][row] = np.mean(total.saliencies, axis=0)
        arrays["saliency_variance"][row] = np.var(total.saliencies, axis=0)
        for lag in range(lags):
            values = [
                epoch[:, lag] for epoch, covered in zip(total.activations, total.covered, strict=True) if covered[lag]
            ]
            arrays["coverage"][row, lag] = len(values)
            if values:
                arrays["activation"][row, :, lag] = np.mean(values, axis=0)
                arrays["activation_variance"][row, :, lag] = np.var(values, axis=0)
    return arrays
