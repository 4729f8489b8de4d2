"""What a run that is kept on disk finds beside its output, and what it leaves alone."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snaps import outputs
from snaps.cli.runs import kept_run
from snaps.errors import InputError, OutputExistsError
from snaps.training.fitting import save_state
from tests.cli.commands import Invoke, sentence


def test_what_other_runs_are_writing_is_left_alone(tmp_path: Path) -> None:
    """Outputs whose names begin alike lie in one folder, and each has its own run."""
    own = (".run.0a1b2c3d.partial", ".run.checkpoint.partial", ".run.checkpoint.network.safetensors.0a1b2c3d.partial")
    others = {".run.nc.0a1b2c3d.partial", ".run.zarr.0a1b2c3d.partial", ".run.zarr.checkpoint.partial"}
    for name in (*own, *others):
        (tmp_path / name).write_text("half")
    with kept_run(tmp_path / "run", scheduler=None, overwrite=False):
        assert {path.name for path in tmp_path.iterdir()} == others | {".run.lock"}


def profile(checkpoint: Path, corpus: Path, out: Path | str, *options: str) -> list[object]:
    return ["profile", checkpoint, "--corpus", f"timit:{corpus}", "--group", "phoneme", "--out", out, *options]


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("out", [".", "..", "/", "here/.."])
def test_an_output_without_a_name(
    invoke: Invoke, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    # The network is never looked at.
    for options in ([], ["--overwrite"]):
        told = sentence(invoke(*profile(tmp_path / "none.safetensors", corpus, out, *options)))
        assert told == f"--out is {out!r}; accepted is the name of a Zarr store, or of a netCDF file"
    with pytest.raises(InputError, match="accepted is the name"), kept_run(Path(out), scheduler=None, overwrite=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_folder_of_something_else_costs_no_run_and_no_state(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    (tmp_path / "thesis.checkpoint").write_text("days of work")
    told = sentence(invoke(*profile(tmp_path / "none.safetensors", corpus, tmp_path / "thesis", "--overwrite")))
    assert "is a folder that is no Zarr store; it is not overwritten" in told
    assert (tmp_path / "thesis.checkpoint").read_text() == "days of work"


def test_a_link_that_leads_nowhere_exists(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "p.nc").symlink_to("nowhere")
    told = sentence(invoke(*profile(tmp_path / "none.safetensors", corpus, tmp_path / "p.nc")))
    assert told == f"{tmp_path / 'p.nc'} exists; give --overwrite to replace it"


def test_an_output_that_came_before_our_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run ended between the first look and the claim; what it wrote and what is kept stay."""
    out = tmp_path / "p.nc"
    (tmp_path / "p.nc.checkpoint").write_text("days of work")
    monkeypatch.setattr("snaps.cli.runs.remove_leftovers", lambda _: out.write_text("another's"))
    with pytest.raises(OutputExistsError, match=r"p\.nc exists"), kept_run(out, scheduler=None, overwrite=False):
        pass
    assert files(tmp_path) == {"p.nc": "another's", "p.nc.checkpoint": "days of work"}

    def put_a_folder(_: Path) -> None:
        if out.is_file():
            out.unlink()
            out.mkdir()

    monkeypatch.setattr("snaps.cli.runs.remove_leftovers", put_a_folder)
    with pytest.raises(OutputExistsError, match="no Zarr store"), kept_run(out, scheduler=None, overwrite=True):
        pass
    assert (tmp_path / "p.nc.checkpoint").exists()


def test_an_output_that_was_moved_aside_is_put_back_and_refused(tmp_path: Path) -> None:
    (tmp_path / outputs._own_name(tmp_path / "p.zarr", "old")).mkdir()
    with pytest.raises(OutputExistsError), kept_run(tmp_path / "p.zarr", scheduler=None, overwrite=False):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["p.zarr"]


def test_how_to_go_on_beside_an_output(invoke: Invoke, corpus: Path, tmp_path: Path) -> None:
    """A run that was to replace an output cannot go on while that is in its place."""
    (tmp_path / "p.nc").write_text("old")
    (tmp_path / "p.nc.checkpoint").write_text("days of work")
    told = sentence(invoke(*profile(tmp_path / "none.safetensors", corpus, tmp_path / "p.nc")))
    assert told == (
        f"{tmp_path / 'p.nc'} exists; give --overwrite to replace it and begin anew, or move it away to go on from the "
        f"state that is kept in {str(tmp_path / 'p.nc.checkpoint')!r}"
    )
    assert files(tmp_path) == {"p.nc": "old", "p.nc.checkpoint": "days of work"}


def test_a_name_that_nothing_can_have(
    invoke: Invoke, checkpoint: Path, corpus: Path, training: list[object], tmp_path: Path
) -> None:
    long = tmp_path / ("a" * 300)
    for command in (profile(checkpoint, corpus, long), [*training, "--out", long]):
        assert sentence(invoke(*command)).endswith(".lock' cannot be written: File name too long")
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
    left = [".w.safetensors.0a1b2c3d.partial", ".w.safetensors.training.0a1b2c3d.partial"]
    for name in left:
        (tmp_path / name).touch()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("snaps.models.checkpoints.write_sealed", full)
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
    assert told.endswith(f"or move it away to go on from the state that is kept in {str(state)!r}")
    out.rename(tmp_path / "first.safetensors")
    assert json.loads(invoke(*training).out)["epochs"] == 2
    assert not state.exists()
