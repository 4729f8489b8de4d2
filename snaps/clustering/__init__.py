"""Clustering: distances between groups, linkage, silhouettes, and the comparison of clusterings and networks."""

from snaps.clustering.changes import ClusteringChange, compare_clusterings
from snaps.clustering.clusters import Clustering, cluster
from snaps.clustering.distances import DISTANCES, Cityblock, Correlation, Cosine, Distance, Euclidean, distances
from snaps.clustering.networks import ModelComparison, compare_models
from snaps.clustering.similarity import compare_activations, compare_distances, moved_groups
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
    "ModelComparison",
    "cluster",
    "compare_activations",
    "compare_clusterings",
    "compare_distances",
    "compare_models",
    "distances",
    "mean_silhouette",
    "moved_groups",
    "silhouette_sweep",
]
