import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import cophenet, dendrogram, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_samples, silhouette_score

from snaps.clustering import Clustering, cluster
from snaps.clustering.clusters import _silhouettes
from snaps.errors import InputError
from snaps.profiles import snap
from tests.profiles.build import MANNER_OF, random_dataset
from tests.profiles.speech import speech_tree

LABELS = tuple(f"g{number:02d}" for number in range(14))


def points(values: list[list[float]] | np.ndarray) -> xr.DataArray:
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims=("group", "unit"), coords={"group": [f"g{n:02d}" for n in range(len(values))]})


def partition(result: Clustering) -> set[frozenset[str]]:
    return {frozenset(members) for members in result.clusters.values()}


def slow_silhouettes(square: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rousseeuw's definition, a group at a time."""
    result = []
    for i, own in enumerate(labels):
        members = [j for j in range(len(labels)) if labels[j] == own and j != i]
        if not members:
            result.append(0.0)
            continue
        a = np.mean([square[i, j] for j in members])
        b = min(np.mean(square[i, labels == other]) for other in set(labels.tolist()) - {own})
        result.append((b - a) / max(a, b))
    return np.array(result)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("percentile", [60, 87, 96])
@pytest.mark.parametrize("weighting", ["frames", "groups"])
def test_clusters_equal_definition_12(seed: int, percentile: float, weighting: str) -> None:
    dataset = random_dataset(seed, groups=LABELS, n_epochs=60)
    result = cluster(dataset, percentile=percentile, weighting=weighting)
    condensed = pdist(snap(dataset, weighting).values.reshape(len(LABELS), -1))
    tree = linkage(condensed, "complete")
    threshold = np.percentile(condensed, percentile)
    together = squareform(cophenet(tree)) <= threshold
    labels = result.labels.values
    np.testing.assert_array_equal(labels[:, None] == labels, together | np.eye(len(LABELS), dtype=bool))
    np.testing.assert_allclose(result.linkage, tree)
    assert result.threshold == pytest.approx(threshold)
    assert result.percentile == percentile
    square = squareform(condensed)
    np.testing.assert_allclose(result.distances.values, square)
    np.testing.assert_allclose(result.silhouettes.values, slow_silhouettes(square, labels), atol=1e-12)
    np.testing.assert_allclose(result.silhouettes.values, silhouette_samples(square, labels, metric="precomputed"))
    assert result.silhouette == pytest.approx(silhouette_score(square, labels, metric="precomputed"))
    assert result.undefined == ""


def test_results_are_labelled() -> None:
    result = cluster(random_dataset(), percentile=60)
    for array in (result.labels, result.silhouettes):
        assert array.dims == ("group",)
        assert array["group"].values.tolist() == list("abcde")
    assert result.labels.dtype == np.int64
    assert sorted(result.order) == list("abcde")
    assert set(result.clusters) == set(range(1, result.n_clusters + 1))
    with pytest.raises(AttributeError):
        result.threshold = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_numbered_along_the_dendrogram(seed: int) -> None:
    result = cluster(points(np.random.default_rng(seed).normal(size=(14, 3))), percentile=50)
    labels = result.labels.sel(group=list(result.order)).values
    assert (np.diff(labels) >= 0).all()
    assert labels[0] == 1
    assert sorted(set(labels.tolist())) == list(range(1, result.n_clusters + 1))
    leaves = dendrogram(result.linkage, no_plot=True)["leaves"]
    assert result.order == tuple(result.labels["group"].values[leaves])


@given(order=st.permutations(range(12)), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_permuted_and_renamed_groups_permute_and_rename_the_clusters(order: list[int], seed: int) -> None:
    values = points(np.random.default_rng(seed).normal(size=(12, 4)))
    renamed = values.isel(group=list(order)).assign_coords(group=[f"new{index:02d}" for index in order])
    one, other = cluster(values, percentile=70), cluster(renamed, percentile=70)
    assert partition(other) == {frozenset(name.replace("g", "new") for name in group) for group in partition(one)}
    assert other.silhouette == pytest.approx(one.silhouette)
    assert other.threshold == pytest.approx(one.threshold)


def test_singletons_score_0_and_count() -> None:
    result = cluster(points([[0.0], [0.1], [100.0], [5.0], [5.1]]), percentile=30)
    assert partition(result) == {frozenset({"g00", "g01"}), frozenset({"g02"}), frozenset({"g03", "g04"})}
    assert result.silhouettes.sel(group="g02").item() == 0
    assert result.silhouette == pytest.approx(result.silhouettes.values.sum() / 5)


def test_one_cluster_has_no_silhouette_and_says_so() -> None:
    result = cluster(points([[0.0], [1.0], [3.0]]), percentile=100)
    assert result.n_clusters == 1
    assert result.labels.values.tolist() == [1, 1, 1]
    assert np.isnan(result.silhouette)
    assert np.isnan(result.silhouettes.values).all()
    assert result.undefined == "there is one cluster"


def test_only_singletons_have_no_silhouette_and_say_so() -> None:
    values, undefined = _silhouettes(squareform([1.0, 2.0, 3.0]), np.array([1, 2, 3]))
    assert np.isnan(values).all()
    assert undefined == "there are only singletons"


def test_the_closest_two_are_together_at_any_percentile() -> None:
    assert cluster(points([[0.0], [10.0], [11.0], [40.0]]), percentile=0).n_clusters == 3
    assert cluster(points([[0.0], [10.0]]), percentile=0).n_clusters == 1
    # Distances that are all equal all lie at the threshold.
    assert cluster(points(np.eye(4)), percentile=50).n_clusters == 1


def test_a_layer_that_differs_by_rounding_alone_is_one_cluster_and_says_so() -> None:
    dataset = random_dataset()
    values = 0.7 + 4e-8 * np.random.default_rng(0).normal(size=dataset["activation"].shape)
    dataset["activation"] = dataset["activation"].copy(data=values.astype(np.float32))
    assert snap(dataset).values.any()
    result = cluster(dataset, percentile=60)
    assert (result.n_clusters, result.threshold) == (1, 0)
    assert np.isnan(result.silhouette)
    assert result.undefined == "there is one cluster, for the groups do not differ"


@given(order=st.permutations(range(9)), seed=st.integers(0, 50), percentile=st.sampled_from([20, 50, 80]))
@settings(max_examples=60, deadline=None)
def test_ties_are_broken_by_label(order: list[int], seed: int, percentile: float) -> None:
    """Whole numbers give many equal distances; the order in which groups are given must not choose among them."""
    values = points(np.random.default_rng(seed).integers(0, 4, size=(9, 2)))
    one, other = (cluster(given, percentile=percentile) for given in (values, values.isel(group=list(order))))
    assert one.order == other.order
    xr.testing.assert_equal(other.labels, one.labels.isel(group=list(order)))
    np.testing.assert_array_equal(one.linkage[:, 2:], other.linkage[:, 2:])


def test_ties_join_the_first_labels() -> None:
    values = points([[0.0], [1.0], [2.0]])
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        result = cluster(values.isel(group=order), percentile=0)
        assert partition(result) == {frozenset({"g00", "g01"}), frozenset({"g02"})}


def test_a_cophenetic_distance_equal_to_the_threshold_is_together() -> None:
    result = cluster(points([[0.0], [1.0], [5.0]]), percentile=0)
    assert result.threshold == 1.0
    assert partition(result) == {frozenset({"g00", "g01"}), frozenset({"g02"})}


def test_manners_of_articulation_that_were_planted_are_found() -> None:
    dataset = speech_tree(n_units=16, n_bands=32)["phoneme/conv5"]
    result = cluster(dataset, percentile=87)
    assert 0 < result.silhouette < 1
    pairs = [
        (one == other, MANNER_OF[a] == MANNER_OF[b])
        for a, one in zip(dataset["group"].values, result.labels.values, strict=True)
        for b, other in zip(dataset["group"].values, result.labels.values, strict=True)
        if a < b
    ]
    same = [together for together, manner in pairs if manner]
    different = [together for together, manner in pairs if not manner]
    assert np.mean(same) > 2.5 * np.mean(different)


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="at least two groups; received 'a'"):
        cluster(random_dataset(groups=("a",)))
    for percentile in (-1, 100.5, float("nan"), "96", True):
        with pytest.raises(InputError, match=r"percentile is .*; accepted are numbers from 0 up to 100"):
            cluster(random_dataset(), percentile=percentile)  # type: ignore[arg-type]
    values = snap(random_dataset())
    values[1] = 0
    with pytest.raises(InputError, match="the cosine distance is undefined for the groups 'b'"):
        cluster(values, metric="cosine")
