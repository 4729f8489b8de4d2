"""What a run that is kept on disk finds beside its output, and what it leaves alone."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snaps import outputs
from snaps.training.fitting import save_state
from tests.cli.commands import Invoke, sentence


def profile(checkpoint: Path, corpus: Path, out: Path | str, *options: str) -> list[object]:
    return ["profile", checkpoint, "--corpus", f"timit:{corpus}", "--group", "phoneme", "--out", out, *options]


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("out", [".", "..", "/", "here/.."])
def test_a_folder_of_something_else_has_no_name_for_an_output(
    invoke: Invoke, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "thesis.tex").write_text("years of work")
    monkeypatch.chdir(tmp_path / "here")
    # The network is never looked at.
    for options in ([], ["--overwrite"]):
        told = sentence(invoke(*profile(tmp_path / "none.safetensors", corpus, out, *options)))
        assert "accepted is the name of a file or folder" in told or "is a folder without 'zarr.json'" in told
    assert [path.name for path in tmp_path.rglob("*")] == ["here", "thesis.tex"]


def test_a_folder_of_something_else_costs_no_run_and_no_state(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    (tmp_path / "thesis.checkpoint").write_text("days of work")
    told = sentence(invoke(*profile(tmp_path / "none.safetensors", corpus, tmp_path / "thesis", "--overwrite")))
    assert "is a folder without 'zarr.json', so it is of something else and is not replaced" in told
    assert (tmp_path / "thesis.checkpoint").read_text() == "days of work"


def test_a_wrong_option_costs_no_state(invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "p.nc.checkpoint").write_text("days of work")
    assert "no such file" in sentence(
        invoke(*profile(checkpoint, corpus, tmp_path / "p.nc", "--group=a=b:c", "--overwrite"))
    )
    assert files(tmp_path) == {"p.nc.checkpoint": "days of work"}


def test_how_to_go_on_beside_an_output(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    """A run that was to replace an output cannot go on while that is in its place."""
    (tmp_path / "p.nc").write_text("old")
    (tmp_path / "p.nc.checkpoint").write_text("days of work")
    told = sentence(invoke(*profile(tmp_path / "none.safetensors", corpus, tmp_path / "p.nc")))
    assert told == (
        f"the output {str(tmp_path / 'p.nc')!r} exists; give another name, or --overwrite / overwrite=True; the state "
        f"of the run is kept in {str(tmp_path / 'p.nc.checkpoint')!r}: move the output away to go on from there"
    )
    assert files(tmp_path) == {"p.nc": "old", "p.nc.checkpoint": "days of work"}


def test_a_name_that_nothing_can_have(
    invoke: Invoke, checkpoint: Path, corpus: Path, training: list[object], tmp_path: Path
) -> None:
    long = tmp_path / ("a" * 300)
    for command in (profile(checkpoint, corpus, long), [*training, "--out", long]):
        assert sentence(invoke(*command)).endswith("' cannot be written: File name too long")
    assert list(tmp_path.iterdir()) == []


# --- trainings ---


@pytest.fixture
def training(corpus: Path, tmp_path: Path) -> list[object]:
    """A short training into ``w.safetensors``."""
    options = ["--labels", "phoneme", "--width", 4, "--epochs", 2, "--validation", 0, "--quiet", "--json"]
    return ["train", "w2p_shallow", "--corpus", f"timit:{corpus}", "--out", tmp_path / "w.safetensors", *options]


def test_two_trainings_into_one_output(invoke: Invoke, training: list[object], tmp_path: Path) -> None:
    (tmp_path / "w.safetensors.training").write_text("of the first")
    with outputs.claimed(tmp_path / "w.safetensors"):
        for options in ([], ["--overwrite"]):
            assert "another run is writing" in sentence(invoke(*training, *options))
    assert files(tmp_path) == {"w.safetensors.training": "of the first"}


def test_a_training_that_is_stopped_killed_and_out_of_disk(
    invoke: Invoke, training: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, state = tmp_path / "w.safetensors", tmp_path / "w.safetensors.training"
    left = [".partial.w.safetensors", ".partial.w.safetensors.training"]
    for name in left:
        (tmp_path / name).touch()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("snaps.models.checkpoints.save_file", full)
        told = sentence(invoke(*training))
    assert told == (
        f"{str(out)!r} cannot be written: No space left on device; the state of the run is kept in {str(state)!r}, and "
        "the same command goes on from there"
    )
    assert [path.name for path in tmp_path.iterdir()] == [state.name]
    assert json.loads(invoke(*training).out)["epochs"] == 2
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def _interrupted_after(save: Callable[..., None]) -> Callable[..., None]:
    def saved(*given: Any) -> None:
        save(*given)
        raise KeyboardInterrupt

    return saved


def test_how_to_go_on_with_a_training_that_was_stopped(
    invoke: Invoke, training: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, state = tmp_path / "w.safetensors", tmp_path / "w.safetensors.training"
    with monkeypatch.context() as patched:
        patched.setattr("snaps.training.fitting.save_state", _interrupted_after(save_state))
        assert invoke(*training).status == 1
    assert state.exists()
    out.write_bytes(b"of another training")
    told = sentence(invoke(*training))
    assert told.endswith(f"kept in {str(state)!r}: move the output away to go on from there")
    out.rename(tmp_path / "first.safetensors")
    assert json.loads(invoke(*training).out)["epochs"] == 2
    assert not state.exists()
