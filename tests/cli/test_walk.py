"""The whole way as a user walks it: one real process after the other, from nothing to a page."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import snaps
from snaps.models import read_metadata
from tests.cli.commands import Invoke, contents, process, sentence

LAYERS = ["input", "conv1", "conv2", "conv3", "conv4", "conv5", "logits"]


class Walk:
    """Where everything lies, and what every command came to."""

    def __init__(self, folder: Path) -> None:
        self.corpus = folder / "corpus"
        self.checkpoint = folder / "w2p.safetensors"
        self.profiles = folder / "w2p.zarr"
        self.clusters = folder / "clusters"
        self.page = folder / "report.html"
        self.commands: Mapping[str, list[object]] = MappingProxyType(
            {
                "synthesize": ["corpus", "synthesize", self.corpus, "--speakers", 4, "--sentences", 3],
                "inspect": ["corpus", "inspect", f"timit:{self.corpus}", "--phones", 39],
                "train": [
                    *("train", "w2p_shallow", "--corpus", f"timit:{self.corpus}", "--labels", "phoneme"),
                    *("--width", 8, "--epochs", 2, "--validation", 0.3, "--out", self.checkpoint),
                ],
                "profile": [
                    *("profile", self.checkpoint, "--corpus", f"timit:{self.corpus}", "--split", "test"),
                    *("--group=phoneme", "--group=predicted", f"--group=vowel=phoneme:{folder / 'v.json'}"),
                    *("--ignore", "", "--out", self.profiles),
                ],
                "cluster": ["cluster", self.profiles, "--group", "phoneme", "--out", self.clusters],
                "report": ["report", self.profiles, "--out", self.page],
            }
        )
        (folder / "v.json").write_text(json.dumps({"iy": "front", "ih": "front", "aa": "back", "ao": "back"}))
        self.outcomes = {name: process(*command, "--json") for name, command in self.commands.items()}

    def table(self, name: str) -> dict[str, Any]:
        """Closing table of a command."""
        outcome = self.outcomes[name]
        assert outcome.status == 0, outcome.err
        return dict(json.loads(outcome.out, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON")))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return Walk(tmp_path_factory.mktemp("walk"))


@pytest.mark.parametrize("name", ["synthesize", "inspect", "train", "profile", "cluster", "report"])
def test_every_command_ends_well(walk: Walk, name: str) -> None:
    assert walk.table(name)
    assert "Traceback" not in walk.outcomes[name].err
    assert "Warning" not in walk.outcomes[name].err


@pytest.mark.parametrize(
    ("name", "task"),
    [
        *[("synthesize", "speaking"), ("inspect", "reading"), ("train", "training")],
        *[("profile", "profiles"), ("cluster", "clustering")],
    ],
)
def test_progress_goes_to_standard_error(walk: Walk, name: str, task: str) -> None:
    assert task in walk.outcomes[name].err
    assert "100%" in walk.outcomes[name].err


def test_the_corpus(walk: Walk) -> None:
    made, seen = walk.table("synthesize"), walk.table("inspect")
    assert made["recordings"] == seen["recordings"] == len(snaps.load_timit(walk.corpus)) == 12
    assert made["corpus"] == f"timit:{walk.corpus}"
    assert made["minutes"] == seen["minutes"] > 0
    assert seen["cannot_be_read"] == {}
    assert set(seen["labels_of_phoneme"]) < set(made["labels_of_phoneme"]) | {"sil"}


def test_the_network(walk: Walk) -> None:
    table, model = walk.table("train"), snaps.load_model(walk.checkpoint)
    assert len(model.symbols) == table["symbols"]
    assert model.layers == tuple(LAYERS)
    assert read_metadata(walk.checkpoint)["error_rate"] == pytest.approx(table["symbol_error_rate"])
    used = table["recordings_trained_on"] + table["recordings_set_aside"]
    assert used == len(snaps.load_timit(walk.corpus, split="train"))
    assert table["left_out"] == {}
    assert not list(walk.checkpoint.parent.glob("*.training*")), "the state of a finished training is not kept"


def test_the_profiles(walk: Walk) -> None:
    table, profiles = walk.table("profile"), snaps.open_profiles(walk.profiles)
    assert list(profiles.children) == ["phoneme", "predicted", "vowel"]
    assert list(profiles["phoneme"].children) == LAYERS == table["layers"]
    assert table["groups"] == {name: node["input"].sizes["group"] for name, node in profiles.children.items()}
    assert list(profiles["vowel/input"]["group"].values) == ["back", "front"]
    assert table["frames"] == profiles.attrs["n_frames"] == int(profiles["predicted/input"]["count"].sum())
    assert table["frames_left_out"]["ignored"] == 0
    left = table["frames"] - int(profiles["vowel/input"]["count"].sum())
    assert table["frames_left_out"]["unlabelled"] == {"phoneme": 0, "predicted": 0, "vowel": left}


def test_the_clusters(walk: Walk) -> None:
    table = walk.table("cluster")
    expected = {"silhouettes.csv", "silhouettes.png", "clusters.csv", *(f"clustermap_{name}.png" for name in LAYERS)}
    assert set(contents(walk.clusters)) == expected
    for picture in walk.clusters.glob("*.png"):
        with Image.open(picture) as image:
            assert min(image.size) > 300
            assert np.ptp(np.asarray(image.convert("L"))) > 100, "a picture shows something"
    node = snaps.open_profiles(walk.profiles)["phoneme"]
    sweep = pd.read_csv(walk.clusters / "silhouettes.csv").set_index(["layer", "percentile"])["silhouette"]
    of_library = snaps.silhouette_sweep(node).to_series()
    np.testing.assert_allclose(sweep.loc[of_library.index], of_library)
    rows = pd.read_csv(walk.clusters / "clusters.csv", keep_default_na=False)
    assert list(rows.columns) == ["layer", "group", "cluster", "silhouette"]
    result = snaps.cluster(node["conv5"], percentile=96)
    of_layer = rows[rows.layer == "conv5"].set_index("group").cluster
    assert of_layer.to_dict() == result.labels.to_series().to_dict()
    assert table["silhouette"]["conv5"] == pytest.approx(result.silhouette)


def test_the_page(walk: Walk) -> None:
    text = walk.page.read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert not re.search(r"(src|href)=.?https?:", text), "the page needs nothing from elsewhere"
    assert text.count("data:image/png;base64,") >= 3
    assert walk.table("report")["page"] == str(walk.page)


@pytest.mark.parametrize("name", ["synthesize", "train", "profile", "cluster", "report"])
def test_an_output_that_exists_is_refused(walk: Walk, invoke: Invoke, name: str) -> None:
    before = contents(walk.corpus.parent)
    assert "exists" in sentence(invoke(*walk.commands[name]))
    assert contents(walk.corpus.parent) == before


@pytest.mark.parametrize("name", ["profile", "cluster", "report"])
def test_overwriting_replaces_an_output_and_nothing_else(walk: Walk, invoke: Invoke, name: str) -> None:
    output = {"profile": walk.profiles, "cluster": walk.clusters, "report": walk.page}[name]
    before, old = contents(walk.corpus.parent), output.stat().st_ino
    options = [] if name == "report" else ["--quiet"]
    layer = ["--layer", "conv5"] if name == "cluster" else []
    outcome = invoke(*walk.commands[name], "--overwrite", *options, *layer)
    assert outcome.status == 0
    assert outcome.err == ""
    assert output.stat().st_ino != old
    others = {path: state for path, state in before.items() if not path.startswith(output.name)}
    assert {path: state for path, state in contents(walk.corpus.parent).items() if path in others} == others


def test_without_json_a_table_is_for_people(walk: Walk, invoke: Invoke) -> None:
    outcome = invoke(*walk.commands["inspect"], "--quiet")
    assert outcome.err == ""
    assert "recordings" in outcome.out
    assert "cannot be read" in outcome.out
    assert "and" in outcome.out
    with pytest.raises(json.JSONDecodeError):
        json.loads(outcome.out)


@pytest.fixture
def broken(walk: Walk, tmp_path: Path) -> Path:
    """Audio that is cut short, in a copy of the corpus whose other recordings are well."""
    root = tmp_path / "corpus"
    shutil.copytree(walk.corpus, root)
    audio = sorted((root / "TEST").rglob("*.WAV"))[0]
    audio.write_bytes(audio.read_bytes()[:20_000])
    return audio


def of_broken(walk: Walk, folder: Path, *options: str) -> list[object]:
    return [
        *("profile", walk.checkpoint, "--corpus", f"timit:{folder / 'corpus'}", "--split", "test"),
        *("--group", "phoneme", "--layer", "conv1", "--ignore", "", "--out", folder / "p.zarr", *options),
    ]


def test_a_broken_recording_ends_the_command(walk: Walk, invoke: Invoke, broken: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    told = sentence(invoke(*of_broken(walk, tmp_path)))
    assert str(broken) in told
    assert "truncated" in told
    assert contents(tmp_path) == before


def test_a_broken_recording_is_left_out_and_listed(walk: Walk, invoke: Invoke, broken: Path, tmp_path: Path) -> None:
    outcome = invoke(*of_broken(walk, tmp_path, "--on-error", "skip", "--json"))
    table = json.loads(outcome.out)
    ((identifier, reason),) = table["recordings_left_out"].items()
    assert identifier == "/".join(broken.with_suffix("").parts[-4:]).lower()
    assert str(broken) in reason
    assert "truncated" in reason
    assert table["recordings"] == 2


def test_inspecting_lists_a_broken_recording(invoke: Invoke, broken: Path, tmp_path: Path) -> None:
    table = json.loads(invoke("corpus", "inspect", f"timit:{tmp_path / 'corpus'}", "--json").out)
    assert [str(broken) in reason for reason in table["cannot_be_read"].values()] == [True]
