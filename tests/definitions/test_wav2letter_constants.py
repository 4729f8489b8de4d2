"""The numbers of the paper's network: field, stride, cones and lags (sections 4 and 5)."""

import numpy as np
import pytest
import torch

import snaps
from snaps.models import Wav2Letter
from tests.definitions.agreement import aligner, compute
from tests.definitions.networks import randomised
from tests.definitions.recordings import random_corpus
from tests.reference import ReferenceNetwork

CONES = [206, 80, 74, 68, 62, 56, 50, 44, 38, 32, 1, 1, 1]
LAGS = [(-103, 102), *[(-51, 51)] * 5, (-49, 49), (-43, 43), (-37, 37), (-31, 31), (0, 0), (0, 0), (0, 0)]
LAYERS = ["input", *(f"conv{i}" for i in range(1, 12)), "logits"]


@pytest.fixture(scope="module")
def network() -> Wav2Letter:
    return randomised(Wav2Letter(("a", "b", "_"), preset="w2l", width=2, n_inputs=4), seed=0)


def test_table_1_at_full_width() -> None:
    with torch.device("meta"):
        model = Wav2Letter(tuple("abcdefghijklmnopqrstuvwxyz '_"), preset="w2l")
    found = [
        (module.out_channels, module.kernel_size[0], module.stride[0])
        for module in model.modules()
        if isinstance(module, torch.nn.Conv1d)
    ]
    assert found == [(256, 48, 2), *[(256, 7, 1)] * 8, (2048, 32, 1), (2048, 1, 1), (29, 1, 1)]


def test_the_shallow_network_is_the_first_five_layers_and_an_output() -> None:
    model = Wav2Letter(tuple("abc_"), preset="w2p_shallow", width=2)
    found = [
        (module.out_channels, module.kernel_size[0], module.stride[0])
        for module in model.modules()
        if isinstance(module, torch.nn.Conv1d)
    ]
    assert found[:5] == [(2, 48, 2), *[(2, 7, 1)] * 4]
    assert len(found) == 6
    assert found[5][0] == 4


def test_modules_are_pairs_in_order_of_execution() -> None:
    for norm, first in (("before", torch.nn.BatchNorm1d), ("after", torch.nn.Conv1d)):
        model = Wav2Letter(("a", "_"), layers=[(3, 4, 2), (2, 1, 1)], norm=norm, n_inputs=5)
        leaves = [module for module in model.modules() if module is not model]
        assert [isinstance(module, first) for module in leaves] == [True, False, True, False]
        assert all(isinstance(module, torch.nn.BatchNorm1d | torch.nn.Conv1d) for module in leaves)


def test_field_stride_and_cones(network: Wav2Letter) -> None:
    geometry = ReferenceNetwork(network).geometry
    assert (geometry.receptive_field, geometry.stride, geometry.cones) == (206, 2, CONES)


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_lags(network: Wav2Letter, context: str) -> None:
    network.padding = "valid"
    profiles = compute(network, random_corpus(0, [208], n_units=4), groupings=["predicted"], context=context, ignore=())
    assert list(profiles["predicted"].children) == LAYERS
    for layer, (first, last) in zip(LAYERS, LAGS, strict=True):
        seconds = 0.008 * (1 if layer == "input" else 2)
        lag = profiles[f"predicted/{layer}"]["lag"].values
        np.testing.assert_allclose(lag, seconds * np.arange(first, last + 1), rtol=1e-12, atol=1e-15)


def test_cones_seen_through_the_coverage(network: Wav2Letter) -> None:
    """Unaligned frames without padding are covered from ``−(w // 2)`` to ``w − w // 2 − 1``."""
    network.padding = "valid"
    profiles = compute(
        network,
        random_corpus(0, [206], n_units=4),
        groupings=["predicted"],
        context="frame",
        ignore=(),
        peak="unaligned",
    )
    for layer, cone, (first, last) in zip(LAYERS, CONES, LAGS, strict=True):
        covered = profiles[f"predicted/{layer}"]["coverage"].values[0]
        expected = [-(cone // 2) <= lag < cone - cone // 2 for lag in range(first, last + 1)]
        np.testing.assert_array_equal(covered, expected)


@pytest.mark.parametrize(("steps", "frames"), [(205, 0), (206, 1), (207, 1), (208, 2), (306, 51)])
def test_number_of_frames(network: Wav2Letter, steps: int, frames: int) -> None:
    profiles = compute(
        network,
        random_corpus(0, [206, steps], n_units=4),
        groupings=["predicted"],
        ignore=(),
        layers=["logits"],
    )
    assert int(profiles["predicted/logits"]["count"].sum()) == 1 + frames


def test_padded_frames_are_the_papers_to_the_letter(network: Wav2Letter) -> None:
    """206 steps at the input, 103 in every layer, lags as the paper cuts them."""
    network.padding = "same"
    profiles = compute(network, random_corpus(0, [206], n_units=4), groupings=["predicted"], context="frame", ignore=())
    for layer in LAYERS[1:]:
        lag = profiles[f"predicted/{layer}"]["lag"].values
        np.testing.assert_allclose(lag, 0.016 * np.arange(-51, 52), rtol=1e-12, atol=1e-15)


def test_the_default_aligner_is_sensitivity_by_product(network: Wav2Letter) -> None:
    corpus = random_corpus(0, [230], n_units=4)
    options = {"groupings": ["predicted"], "ignore": (), "progress": False}
    default = snaps.compute_profiles(network, corpus, **options)
    named = snaps.compute_profiles(network, corpus, aligner=aligner("product"), context="recording", **options)
    for layer in LAYERS:
        assert default[f"predicted/{layer}"].to_dataset().equals(named[f"predicted/{layer}"].to_dataset())
