"""The reference itself, held against numbers worked out by hand, finite differences and SciPy."""

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import (
    Geometry,
    ReferenceNetwork,
    lag_steps,
    reference_adjusted_rand,
    reference_changed,
    reference_clustering,
    reference_distances,
    reference_profiles,
    reference_silhouettes,
)
from tests.reference.networks import gradients, same_padding
from tests.reference.peaks import importance, peak_of, smoothed


def test_geometry_of_the_papers_network() -> None:
    geometry = Geometry(kernels=[48, *[7] * 8, 32, 1, 1], strides=[2, *[1] * 11], dilations=[1] * 12)
    assert geometry.receptive_field == 206
    assert geometry.stride == 2
    assert geometry.cones == [206, 80, 74, 68, 62, 56, 50, 44, 38, 32, 1, 1, 1]
    reach = [
        lag_steps(206 // stride, cone)[:: len(lag_steps(206 // stride, cone)) - 1 or 1]
        for stride, cone in zip(geometry.layer_strides, geometry.cones, strict=True)
    ]
    expected = [[-103, 102], *[[-51, 51]] * 5, [-49, 49], [-43, 43], [-37, 37], [-31, 31], [0], [0], [0]]
    assert reach == expected


@pytest.mark.parametrize(("frame_steps", "offset"), [(206, 0), (207, 0), (209, 0), (210, 2), (300, 46), (301, 46)])
def test_cone_offset_is_rounded_down_to_the_stride(frame_steps: int, offset: int) -> None:
    geometry = Geometry(kernels=[48, *[7] * 8, 32, 1, 1], strides=[2, *[1] * 11], dilations=[1] * 12)
    assert geometry.cone_offset(frame_steps) == offset


@pytest.mark.parametrize(
    ("steps", "kernel", "stride", "zeros"),
    [
        (7, 3, 1, (1, 1)),
        (7, 4, 1, (1, 2)),
        (7, 4, 2, (1, 2)),
        (8, 4, 2, (1, 1)),
        (5, 1, 2, (0, 0)),
        (206, 48, 2, (23, 23)),
    ],
)
def test_the_odd_zero_goes_behind(steps: int, kernel: int, stride: int, zeros: tuple[int, int]) -> None:
    convolution = torch.nn.Conv1d(1, 1, kernel, stride=stride)
    assert same_padding(steps, convolution) == zeros
    assert (steps + sum(zeros) - kernel) // stride + 1 == -(-steps // stride)


def test_smoothing_divides_by_four_at_the_edges_too() -> None:
    saliency = np.array([[4.0, 8.0], [12.0, 16.0]])
    np.testing.assert_array_equal(smoothed(saliency), [[10.0, 6.0], [7.0, 4.0]])


def test_peaks_by_hand() -> None:
    assert peak_of(np.array([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]])).step == 1
    assert peak_of(np.array([[0.0, 0.0], [0.0, 0.0]])).step == 1
    assert not peak_of(np.zeros((2, 5))).aligned
    assert peak_of(np.array([[-3.0, -1.0, -2.0]])).step == 1
    assert peak_of(importance(np.array([[1.0, -5.0, 2.0]]), np.ones((1, 3)), "min")).step == 1
    assert peak_of(importance(np.array([[1.0, -5.0, 2.0]]), np.ones((1, 3)), "max")).step == 2
    assert peak_of(importance(np.array([[1.0, -1.0], [1.0, 2.0]]), np.ones((2, 2)), "mean")).step == 1
    # |g̃| is (2, 1), so the product takes the negative activation and the signed product the other.
    saliency, activation = np.array([[4.0, 4.0]]), np.array([[-3.0, 2.0]])
    assert peak_of(importance(saliency, activation, "product")).step == 0
    assert peak_of(importance(saliency, activation, "signed-product")).step == 1


@pytest.mark.parametrize("norm", ["before", "after"])
@pytest.mark.parametrize("pad", [False, True])
def test_saliency_is_the_slope_of_the_score(norm: str, pad: bool) -> None:
    network = ReferenceNetwork(random_wav2letter(STACKS["strides 2 and 1"], norm=norm, n_inputs=3))
    features = np.random.default_rng(1).normal(size=(3, 14))
    layers = network.run(features, pad=pad)
    middle = layers["logits"].shape[1] // 2
    saliency = gradients(layers["logits"][2, middle], layers)["input"]
    tiny = 1e-6
    for unit, step in ((0, 3), (2, 7), (1, 13)):
        nudged = features.copy()
        nudged[unit, step] += tiny
        raised = network.run(nudged, pad=pad)["logits"][2, middle] - layers["logits"][2, middle]
        assert saliency[unit, step] == pytest.approx(raised.item() / tiny, abs=1e-6)


@pytest.mark.parametrize("norm", ["before", "after"])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stack", STACKS)
def test_the_model_computes_what_the_reference_rebuilds(stack: str, norm: str, padding: str) -> None:
    model = random_wav2letter(STACKS[stack], norm=norm, padding=padding)
    network = ReferenceNetwork(model)
    for steps in range(network.geometry.receptive_field, network.geometry.receptive_field + 7):
        features = random_corpus(steps, [steps])[0].features
        with torch.no_grad():
            found = model(torch.from_numpy(features)[None])[0].numpy()
        expected = network.run(features, pad=padding == "same")["logits"].detach().numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_frames_score_is_that_of_the_whole_recording() -> None:
    model = random_wav2letter(STACKS["strides 2 and 3"])
    network = ReferenceNetwork(model)
    geometry, features = network.geometry, random_corpus(3, [60])[0].features
    whole = network.run(features, pad=False)["logits"].detach().numpy()
    for frame in range(whole.shape[1]):
        start = frame * geometry.stride
        alone = network.run(features[:, start : start + geometry.receptive_field], pad=False)["logits"]
        np.testing.assert_allclose(alone[:, 0].detach().numpy(), whole[:, frame], rtol=1e-12)


def test_both_contexts_agree_inside_the_cone() -> None:
    model = random_wav2letter(STACKS["odd kernels"], padding="valid")
    corpus = random_corpus(4, [20, 31])
    recording = reference_profiles(model, corpus, groupings=["phoneme"], context="recording")
    frame = reference_profiles(model, corpus, groupings=["phoneme"], context="frame")
    assert recording.peaks == frame.peaks
    for node, expected in recording.nodes.items():
        np.testing.assert_allclose(frame.nodes[node]["saliency"], expected["saliency"], rtol=1e-9)
        assert (frame.nodes[node]["coverage"] <= expected["coverage"]).all()


@pytest.mark.parametrize("percentile", [50, 80, 87, 90, 93, 96])
@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_scipys_and_silhouettes_scikit_learns(percentile: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(11, 3, 2))
    distances = reference_distances(points)
    condensed = pdist(points.reshape(11, -1))
    np.testing.assert_allclose(squareform(condensed), distances)
    found = reference_clustering(distances, percentile)
    assert found.threshold == pytest.approx(np.percentile(condensed, percentile))
    expected = fcluster(linkage(condensed, "complete"), found.threshold, criterion="distance")
    assert reference_changed(found.labels, list(expected)) == 0
    if 1 < len(set(found.labels)) < 11:
        np.testing.assert_allclose(
            reference_silhouettes(distances, found.labels),
            silhouette_samples(distances, expected, metric="precomputed"),
            atol=1e-12,
        )


def test_changes_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 4, size=(2, 9)).tolist()
        assert reference_adjusted_rand(first, second) == pytest.approx(adjusted_rand_score(first, second))
    assert reference_changed([1, 1, 2, 2], [1, 2, 2, 2]) == pytest.approx(3 / 6)
