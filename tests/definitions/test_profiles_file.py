"""Profiles in memory and through a file: dimensions, types, attributes, order (section 6)."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import snaps
from snaps.datasets.recording import Interval, Recording
from snaps.errors import InputError
from tests.definitions.agreement import compute, listed
from tests.definitions.networks import STACKS, SYMBOLS, random_wav2letter
from tests.definitions.recordings import random_corpus

GROUPINGS = {"word": "word", "phoneme": "phoneme", "both": ("phoneme", "sex")}
LAYERS = ["input", "conv1", "conv2", "conv3", "conv4", "logits"]


@pytest.fixture(scope="module")
def profiles() -> xr.DataTree:
    model = random_wav2letter(STACKS["one-step layers"])
    hertz = np.linspace(20, 7800, 6)
    corpus = [
        Recording(r.id, r.features, tiers=r.tiers, attributes=r.attributes, frequency=hertz)
        for r in random_corpus(0, [40, 15, 60])
    ]
    return compute(model, corpus, groupings=GROUPINGS, variance=True)


def test_variables(profiles: xr.DataTree) -> None:
    dims = {
        "activation": ("group", "unit", "lag"),
        "saliency": ("group", "unit", "lag"),
        "activation_variance": ("group", "unit", "lag"),
        "saliency_variance": ("group", "unit", "lag"),
        "coverage": ("group", "lag"),
        "count": ("group",),
        "unaligned": ("group",),
    }
    for grouping in GROUPINGS:
        for layer in LAYERS:
            node = profiles[f"{grouping}/{layer}"].to_dataset()
            assert {name: node[name].dims for name in node.data_vars} == dims
            for name in dims:
                assert node[name].dtype == (
                    np.int64 if dims[name][-1:] == ("group",) or name == "coverage" else np.float32
                )
            assert node["lag"].dtype == np.float64


def test_frequency_belongs_to_the_input_alone(profiles: xr.DataTree) -> None:
    frequency = profiles["phoneme/input"]["frequency"]
    assert frequency.dims == ("unit",)
    np.testing.assert_allclose(frequency.values, np.linspace(20, 7800, 6))
    assert "frequency" not in profiles["phoneme/conv1"].to_dataset().variables


def test_without_frequency_there_is_no_such_coordinate() -> None:
    bare = compute(random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [30]), groupings=["word"])
    assert "frequency" not in bare["word/input"].to_dataset().variables


def test_attributes(profiles: xr.DataTree) -> None:
    for grouping in GROUPINGS:
        for layer in LAYERS:
            attributes = profiles[f"{grouping}/{layer}"].attrs
            assert (attributes["layer"], attributes["grouping"]) == (layer, grouping)
            assert attributes["context"] == "recording"
            assert "Sensitivity" in str(attributes["aligner"])
    root = profiles.attrs
    assert root["schema_version"] == 1
    assert root["package_version"] == snaps.__version__
    assert listed(profiles, "layers") == LAYERS
    assert listed(profiles, "groupings") == list(GROUPINGS)
    assert listed(profiles, "ignored") == ["_"]
    assert json.loads(root["model"])["symbols"] == list(SYMBOLS)
    assert json.loads(root["model"])["hash"]
    assert json.loads(root["corpus"])["fingerprint"]
    aligner = json.loads(root["aligner"])
    assert (aligner["peak"], aligner["saliency"]["name"]) == ("product", "Sensitivity")
    assert int(root["n_recordings"]) == 3
    assert int(root["n_frames"]) > 0


def test_layers_and_groupings_stand_in_order(profiles: xr.DataTree) -> None:
    assert list(profiles.children) == list(GROUPINGS)
    for grouping in GROUPINGS:
        assert list(profiles[grouping].children) == LAYERS


@pytest.mark.parametrize("name", ["p.zarr", "p.nc"])
def test_round_trip(profiles: xr.DataTree, tmp_path: Path, name: str) -> None:
    snaps.save_profiles(profiles, tmp_path / name)
    opened = snaps.open_profiles(tmp_path / name)
    assert opened.attrs == profiles.attrs
    assert list(opened.children) == list(GROUPINGS)
    for grouping in GROUPINGS:
        assert list(opened[grouping].children) == LAYERS
        for layer in LAYERS:
            before, after = (tree[f"{grouping}/{layer}"].to_dataset() for tree in (profiles, opened))
            xr.testing.assert_identical(after.load(), before)
            for variable in before.variables:
                if before[variable].dtype.kind != "U":
                    assert after[variable].dtype == before[variable].dtype


@pytest.mark.parametrize("name", ["p.zarr", "p.nc"])
def test_an_output_that_exists_is_refused(profiles: xr.DataTree, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    snaps.save_profiles(profiles, path)
    with pytest.raises(InputError, match=name):
        snaps.save_profiles(profiles, path)
    snaps.save_profiles(profiles, path, overwrite=True)


def test_group_names_of_every_kind(tmp_path: Path) -> None:
    """Labels with slashes, spaces, quotes and other alphabets come back as they were."""
    recording = random_corpus(0, [40])[0]
    names = ["h#", "a/b", "é", "音", " ", "'", '"', "<b>", "a" * 60]
    intervals = [Interval(0.008 * (3 * i + 4), 0.008 * (3 * i + 7), name) for i, name in enumerate(names)]
    labelled = Recording("r", recording.features, tiers={"phoneme": intervals})
    tree = compute(random_wav2letter(STACKS["odd kernels"]), [labelled], groupings=["phoneme"], ignore=())
    assert tree["phoneme/input"]["group"].values.tolist() == sorted(names)
    for file in ("p.zarr", "p.nc"):
        snaps.save_profiles(tree, tmp_path / file)
        opened = snaps.open_profiles(tmp_path / file)
        assert opened["phoneme/conv1"]["group"].values.tolist() == sorted(names)


def test_weights_and_corpus_leave_their_mark() -> None:
    """Another weight has another hash, another recording another fingerprint; the same ones have the same."""
    corpus = random_corpus(0, [30])

    def provenance(seed: int, recordings: list[Recording]) -> tuple[str, str]:
        attributes = compute(random_wav2letter(STACKS["odd kernels"], seed=seed), recordings, groupings=["word"]).attrs
        return json.loads(attributes["model"])["hash"], json.loads(attributes["corpus"])["fingerprint"]

    assert provenance(0, corpus) == provenance(0, random_corpus(0, [30]))
    assert provenance(1, corpus)[0] != provenance(0, corpus)[0]
    assert provenance(0, random_corpus(1, [30]))[1] != provenance(0, corpus)[1]
