"""Input that cannot be used: one sentence on standard error, exit status 2, and nothing half-written."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.commands import Invoke, contents, sentence


def train(corpus: Path | str, out: Path, *options: object) -> list[object]:
    return ["train", "w2p_shallow", "--corpus", f"timit:{corpus}", "--width", 4, "--epochs", 1, "--out", out, *options]


def profile(checkpoint: Path, corpus: Path | str, out: Path, *options: object) -> list[object]:
    return ["profile", checkpoint, "--corpus", f"timit:{corpus}", "--out", out, *options]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("speech", "accepted is NAME:PATH"),
        ("librispeech:speech", "'timit', 'textgrids'"),
        ("timit:", "accepted is NAME:PATH"),
        ("timit:nowhere", "'nowhere' does not exist"),
        ("timit:empty", "is no TIMIT corpus"),
        ("textgrids:empty", "holds no audio"),
        ("textgrids:nowhere", "does not exist"),
    ],
)
def test_a_root_that_is_no_corpus(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert told in sentence(invoke("corpus", "inspect", source))
    assert told in sentence(invoke(*("train", "w2l", "--corpus", source, "--out", "w.safetensors")))
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--labels", "syllable"], "syllable"),
        (["--width", 0], "accepted are whole numbers from 1"),
        (["--epochs", 0], "accepted are whole numbers from 1"),
        (["--norm", "within"], "'before', 'after'"),
        (["--lr", -1], "accepted are numbers above 0"),
        (["--validation", 1], "from 0 to below 1"),
        (["--start-from", "nothing.safetensors"], "there is no checkpoint"),
        (["--phones", 40], "accepted are 61, 39"),
        (["--dialect-sentences", "some"], "accepted are 'keep', 'drop' and whole numbers"),
        (["--split", "dev"], "'test', 'train'"),
        (["--annotations", "grids"], "no option 'annotations'"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_training_with_options_that_have_no_meaning(
    invoke: Invoke, corpus: Path, tmp_path: Path, options: list[object], told: str
) -> None:
    before = contents(corpus)
    assert told in sentence(invoke(*train(corpus, tmp_path / "w.safetensors", *options)))
    assert contents(tmp_path) == {}
    assert contents(corpus) == before


def test_a_folder_is_not_replaced_by_a_network(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    """It is refused before the training, not after it."""
    (tmp_path / "thesis.tex").write_text("years of work")
    told = sentence(invoke(*train(corpus, tmp_path, "--overwrite", "--epochs", 0)))
    assert told == f"the output {str(tmp_path)!r} is a folder; give the name of a file"
    assert list(contents(tmp_path)) == ["thesis.tex"]


def test_an_architecture_that_does_not_exist(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    told = sentence(invoke("train", "resnet", "--corpus", f"timit:{corpus}", "--out", tmp_path / "r.safetensors"))
    assert "'resnet'" in told
    assert "'w2l', 'w2p_shallow'" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--group", "syllable"], "'syllable'"),
        (["--group", "phoneme", "--group", "phoneme"], "names 'phoneme' twice"),
        (["--group", "manner=phoneme:nothing.json"], "no such file"),
        (["--group", "phoneme", "--layer", "conv9"], "no layer 'conv9'; it has input, conv1, logits"),
        (
            ["--group", "phoneme", "--saliency", "intuition"],
            "method is 'intuition'; accepted are 'sensitivity'",
        ),
        (["--group", "phoneme", "--peak", "summit"], "accepted are 'product'"),
        (["--group", "phoneme", "--target", "zz"], "'zz'"),
        (["--group", "phoneme", "--ignore", "zz"], "'zz'"),
        (["--group", "phoneme", "--frame-steps", 3], "receptive field"),
        (["--group", "phoneme", "--batch-size", 0], "accepted are whole numbers from 1"),
        (["--group", "phoneme", "--device", "mps"], "device is 'mps'; accepted are 'cpu' and 'cuda'"),
        (["--group", "phoneme", "--device", "cuda:99"], "device is 'cuda:99'; this machine has"),
    ],
)
def test_profiling_with_options_that_have_no_meaning(
    invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path, options: list[object], told: str
) -> None:
    assert told in sentence(invoke(*profile(checkpoint, corpus, tmp_path / "p.zarr", *options)))
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("mapping", ["no JSON", "[1, 2]", '{"s": 1}'])
def test_a_mapping_that_is_none(invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path, mapping: str) -> None:
    file = tmp_path / "manner.json"
    file.write_text(mapping)
    options = ["--group", f"manner=phoneme:{file}"]
    assert str(file) in sentence(invoke(*profile(checkpoint, corpus, tmp_path / "p.zarr", *options)))
    assert list(contents(tmp_path)) == ["manner.json"]


@pytest.mark.parametrize("content", [None, b"", b"not a network", json.dumps({"a": 1}).encode()])
def test_a_checkpoint_that_is_none(invoke: Invoke, corpus: Path, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    told = sentence(invoke(*profile(path, corpus, tmp_path / "p.zarr", "--group", "phoneme")))
    assert str(path) in told
    assert set(contents(tmp_path)) <= {"w.safetensors"}


def test_symbols_that_do_not_fit_the_corpus(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    """A phoneme outside TIMIT's table is named with its file."""
    root = tmp_path / "speech"
    shutil.copytree(corpus, root)
    path = sorted((root / "TRAIN").rglob("*.PHN"))[0]
    path.write_text(path.read_text().replace("h#", "zz", 1))
    told = sentence(invoke(*train(root, tmp_path / "w.safetensors")))
    assert str(path) in told or path.stem.lower() in told
    assert "'zz'" in told
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("command", ["cluster", "report"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--percentile", 101], "accepted are numbers from 0 up to 100"),
        (["--metric", "miles"], "'euclidean', 'cityblock', 'cosine', 'correlation'"),
        (["--layer", "conv99"], "'conv99'"),
        (["--min-count", 10**9], "1000000000"),
        (["--min-count", -1], "accepted are whole numbers from 0"),
    ],
)
def test_profiles_with_options_that_have_no_meaning(
    invoke: Invoke, profiles: Path, tmp_path: Path, command: str, options: list[object], told: str
) -> None:
    before = contents(profiles)
    assert told in sentence(invoke(command, profiles, "--out", tmp_path / "out", *options))
    assert contents(tmp_path) == {}
    assert contents(profiles) == before


def test_a_grouping_that_does_not_exist(invoke: Invoke, profiles: Path, tmp_path: Path) -> None:
    told = sentence(invoke("cluster", profiles, "--group", "letter", "--out", tmp_path / "out"))
    assert "no grouping 'letter'; it has 'phoneme'" in told


@pytest.mark.parametrize("command", ["cluster", "report"])
def test_a_file_that_holds_no_profiles(invoke: Invoke, tmp_path: Path, command: str) -> None:
    (tmp_path / "p.nc").write_bytes(b"nothing")
    for name in ("nowhere.zarr", "p.nc"):
        assert name in sentence(invoke(command, tmp_path / name, "--out", tmp_path / "out"))
    assert list(contents(tmp_path)) == ["p.nc"]


def test_a_folder_of_something_else_is_not_replaced_by_clusters(invoke: Invoke, profiles: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    told = sentence(invoke("cluster", profiles, "--out", tmp_path, "--overwrite"))
    assert "is a folder without 'silhouettes.csv'" in told
    assert list(contents(tmp_path)) == ["thesis.tex"]


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--speakers", 1], "from 2"), (["--sentences", 0], "from 1"), (["--seed", -1], "from 0")],
)
def test_a_corpus_that_cannot_be_made(invoke: Invoke, tmp_path: Path, options: list[object], told: str) -> None:
    assert told in sentence(invoke("corpus", "synthesize", tmp_path / "speech", *options))
    assert contents(tmp_path) == {}


def test_a_reproduction_in_a_folder_of_something_else(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "is a folder without '.snaps-reproduction', so it is of something else" in sentence(
        invoke("reproduce", "--out", tmp_path)
    )
    assert "is a file" in sentence(invoke("reproduce", "--out", tmp_path / "thesis.tex", "--overwrite"))
    assert list(contents(tmp_path)) == ["thesis.tex"]
