"""Clustering: distances between groups, linkage, silhouettes, and the comparison of two clusterings."""

from snaps.clustering.clusters import Clustering, cluster
from snaps.clustering.comparison import ClusteringChange, compare_clusterings
from snaps.clustering.distances import (
    DISTANCES,
    Cityblock,
    Correlation,
    Cosine,
    Distance,
    Euclidean,
    distances,
)
from snaps.clustering.sweep import PERCENTILES, mean_silhouette, silhouette_sweep

__all__ = [
    "DISTANCES",
    "PERCENTILES",
    "Cityblock",
    "Clustering",
    "ClusteringChange",
    "Correlation",
    "Cosine",
    "Distance",
    "Euclidean",
    "cluster",
    "compare_clusterings",
    "distances",
    "mean_silhouette",
    "silhouette_sweep",
]
