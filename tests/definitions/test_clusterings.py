"""Clusters, silhouettes, sweeps and changes, against the reference (definitions 12 and 13)."""

import numpy as np
import pytest
import xarray as xr

import snaps
from tests.definitions.agreement import compute
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import (
    reference_adjusted_rand,
    reference_changed,
    reference_clustering,
    reference_distances,
    reference_silhouette,
    reference_silhouettes,
)

PERCENTILES = (87, 90, 93, 96)
LAYERS = ["input", "conv1", "conv2", "conv3", "conv4", "logits"]


@pytest.fixture(scope="module")
def profiles() -> xr.DataTree:
    """Eleven groups or more: phonemes by speaker."""
    model = random_wav2letter(STACKS["one-step layers"], seed=3)
    corpus = random_corpus(3, [150, 160, 170, 140, 150])
    tree = compute(model, corpus, groupings=[("phoneme", "speaker")], ignore=())
    assert tree["phoneme+speaker/input"].sizes["group"] >= 8
    return tree["phoneme+speaker"]


def distances_of(profiles: xr.DataTree, layer: str) -> np.ndarray:
    return reference_distances(snaps.snap(profiles[layer]).values)


@pytest.mark.parametrize("percentile", [20, 50, *PERCENTILES, 100])
@pytest.mark.parametrize("layer", LAYERS)
def test_clusters(profiles: xr.DataTree, layer: str, percentile: float) -> None:
    found = snaps.cluster(profiles[layer], percentile=percentile)
    distances = distances_of(profiles, layer)
    expected = reference_clustering(distances, percentile)
    labels = found.labels.values.tolist()
    assert found.threshold == pytest.approx(expected.threshold, rel=1e-5)
    assert reference_changed(labels, expected.labels) == 0
    assert set(labels) == set(range(1, len(set(labels)) + 1))
    assert found.labels.dims == ("group",)
    assert found.labels["group"].values.tolist() == profiles[layer]["group"].values.tolist()
    np.testing.assert_allclose(
        found.silhouettes.values, reference_silhouettes(distances, labels), atol=1e-5, equal_nan=True
    )
    assert found.silhouette == pytest.approx(reference_silhouette(distances, labels), abs=1e-5, nan_ok=True)
    assert sorted(found.order) == sorted(profiles[layer]["group"].values.tolist())
    assert found.linkage.shape == (len(labels) - 1, 4)


def test_one_cluster_has_no_silhouette(profiles: xr.DataTree) -> None:
    found = snaps.cluster(profiles["conv1"], percentile=100)
    assert found.labels.values.tolist() == [1] * len(found.labels)
    assert np.isnan(found.silhouette)
    assert np.isnan(found.silhouettes.values).all()


def test_a_singleton_scores_0() -> None:
    """The two nearest groups are joined at the smallest distance; the third stays alone."""
    found = snaps.cluster(synthetic(np.array([[0.0], [10.0], [21.0]])), percentile=0)
    assert len(set(found.labels.values.tolist())) == 2
    assert found.silhouettes.values[2] == 0, "a singleton scores 0"


def synthetic(values: np.ndarray) -> xr.Dataset:
    """Profiles whose SNAPs are the values (group, unit), less their mean."""
    shape = (*values.shape, 1)
    ones = np.ones(len(values), dtype=np.int64)
    return xr.Dataset(
        {
            "activation": (("group", "unit", "lag"), values.reshape(shape).astype(np.float32)),
            "saliency": (("group", "unit", "lag"), np.ones(shape, dtype=np.float32)),
            "coverage": (("group", "lag"), ones[:, None]),
            "count": (("group",), ones),
            "unaligned": (("group",), 0 * ones),
        },
        coords={"group": [f"g{i}" for i in range(len(values))], "lag": [0.0]},
        attrs={"layer": "conv1", "grouping": "phoneme"},
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("percentile", [10, 60, *PERCENTILES])
def test_clusters_of_points(seed: int, percentile: float) -> None:
    values = np.random.default_rng(seed).normal(size=(12, 3))
    dataset = synthetic(values)
    found = snaps.cluster(dataset, percentile=percentile)
    distances = reference_distances(dataset["activation"].values)
    expected = reference_clustering(distances, percentile)
    assert reference_changed(found.labels.values.tolist(), expected.labels) == 0
    np.testing.assert_allclose(
        found.silhouettes.values, reference_silhouettes(distances, expected.labels), atol=1e-5, equal_nan=True
    )


def test_groups_that_are_the_same() -> None:
    """Distances of 0 divide nothing by 0."""
    dataset = synthetic(np.array([[0.0], [0.0], [5.0], [5.0]]))
    found = snaps.cluster(dataset, percentile=20)
    assert reference_changed(found.labels.values.tolist(), [1, 1, 2, 2]) == 0
    np.testing.assert_allclose(found.silhouettes.values, 1.0)


def test_sweep(profiles: xr.DataTree) -> None:
    sweep = snaps.silhouette_sweep(profiles, percentiles=PERCENTILES)
    assert sweep.dims == ("layer", "percentile")
    assert sweep["layer"].values.tolist() == LAYERS
    assert sweep["percentile"].values.tolist() == list(PERCENTILES)
    for layer in LAYERS:
        distances = distances_of(profiles, layer)
        for percentile in PERCENTILES:
            labels = reference_clustering(distances, percentile).labels
            expected = reference_silhouette(distances, labels)
            found = float(sweep.sel(layer=layer, percentile=percentile))
            assert found == pytest.approx(expected, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("percentile", [50, 87, 96])
def test_changes_between_layers(profiles: xr.DataTree, percentile: float) -> None:
    results = [snaps.cluster(profiles[layer], percentile=percentile) for layer in ("input", "conv2")]
    change = snaps.compare_clusterings(*results)
    labels = [result.labels.values.tolist() for result in results]
    assert change.changed == pytest.approx(reference_changed(*labels))
    assert change.adjusted_rand == pytest.approx(reference_adjusted_rand(*labels))
    assert snaps.compare_clusterings(results[0], results[0]).changed == 0
