"""How alike two layers are, from the definitions: by every pair of groups, and by whole matrices of features."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np


def reference_ranks(values: Sequence[float]) -> list[float]:
    """Rank of every value from 1, the mean of the places where several are equal."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def reference_pearson(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson's correlation, NaN where a side is constant."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    together = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    alone = sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b)
    return together / alone**0.5 if alone > 0 else np.nan


def reference_spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's correlation: Pearson's of the ranks."""
    return reference_pearson(reference_ranks(a), reference_ranks(b))


def reference_rsa(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation between the distances of all pairs of groups."""
    pairs = list(combinations(range(len(a)), 2))
    return reference_spearman([a[i, j] for i, j in pairs], [b[i, j] for i, j in pairs])


def reference_mantel(a: np.ndarray, b: np.ndarray, orders: Sequence[Sequence[int]]) -> float:
    """p-value of `reference_rsa`: groups of the second matrix in every one of some orders, and as they are."""
    observed = reference_rsa(a, b)
    shuffled = []
    for order in orders:
        moved = np.zeros_like(b)
        for i in range(len(b)):
            for j in range(len(b)):
                moved[i, j] = b[order[i], order[j]]
        shuffled.append(reference_rsa(a, moved))
    return (1 + sum(value >= observed - 1e-9 for value in shuffled)) / (1 + len(orders))


def reference_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear CKA of (group, feature) and (group, feature), by the matrices of features against features."""
    x, y = (values - values.mean(axis=0, keepdims=True) for values in (x, y))
    return float(np.sum((y.T @ x) ** 2) / np.sqrt(np.sum((x.T @ x) ** 2) * np.sum((y.T @ y) ** 2)))


def reference_moved(a: np.ndarray, b: np.ndarray) -> list[float]:
    """One minus Spearman's correlation of every group's distances to all others."""
    groups = range(len(a))
    return [
        1 - reference_spearman([a[i, j] for j in groups if j != i], [b[i, j] for j in groups if j != i]) for i in groups
    ]
