"""Clusters of groups and how good they are, definition (12), by looking at every pair."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class ReferenceClustering:
    """Clusters at one threshold.

    Attributes
    ----------
    labels : list of int
        One a group; which number a cluster has means nothing.
    threshold : float
    """

    labels: list[int]
    threshold: float


def reference_distances(snaps: np.ndarray) -> np.ndarray:
    """Euclidean distances (group, group) between flattened SNAPs."""
    flat = snaps.reshape(len(snaps), -1).astype(np.float64)
    distances = np.zeros((len(flat), len(flat)))
    for i, j in combinations(range(len(flat)), 2):
        distances[i, j] = distances[j, i] = np.sqrt(((flat[i] - flat[j]) ** 2).sum())
    return distances


def percentile_of(values: list[float], percentile: float) -> float:
    """Percentile with linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percentile / 100
    below = int(np.floor(place))
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def reference_clustering(distances: np.ndarray, percentile: float) -> ReferenceClustering:
    """Complete linkage: the two nearest clusters are joined while their distance is at most the threshold."""
    groups = range(len(distances))
    threshold = percentile_of([distances[i, j] for i, j in combinations(groups, 2)], percentile)
    clusters = [[group] for group in groups]
    while len(clusters) > 1:
        best = min(
            combinations(range(len(clusters)), 2),
            key=lambda pair: max(distances[i, j] for i in clusters[pair[0]] for j in clusters[pair[1]]),
        )
        farthest = max(distances[i, j] for i in clusters[best[0]] for j in clusters[best[1]])
        if farthest > threshold:
            break
        clusters[best[0]] = clusters[best[0]] + clusters[best[1]]
        del clusters[best[1]]
    labels = [next(k for k, members in enumerate(clusters, start=1) if group in members) for group in groups]
    return ReferenceClustering(labels=labels, threshold=threshold)


def reference_silhouettes(distances: np.ndarray, labels: list[int]) -> list[float]:
    """Silhouette of every group; a singleton's is 0, and all are NaN with one cluster or only singletons."""
    if len(set(labels)) in (1, len(labels)):
        return [np.nan] * len(labels)
    values = []
    for i, own in enumerate(labels):
        mates = [distances[i, j] for j, label in enumerate(labels) if label == own and j != i]
        if not mates:
            values.append(0.0)
            continue
        within = sum(mates) / len(mates)
        between = min(
            float(np.mean([distances[i, j] for j, label in enumerate(labels) if label == other]))
            for other in set(labels) - {own}
        )
        largest = max(within, between)
        values.append((between - within) / largest if largest > 0 else 0.0)
    return values


def reference_silhouette(distances: np.ndarray, labels: list[int]) -> float:
    """Mean silhouette over groups."""
    return float(np.mean(reference_silhouettes(distances, labels)))
