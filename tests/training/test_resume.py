"""A run that was interrupted goes on as if nothing had been."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from snaps.errors import InputError
from snaps.models import save_model, weights_hash
from snaps.outputs import claimed
from snaps.training import fitting, train
from snaps.training.fitting import save_state
from tests.waiting import PATIENCE

OPTIONS = {"epochs": 8, "batch_size": 4, "lr": 1e-2, "band_shift": 1, "progress": False}

VICTIM = """
import os, runpy, signal, sys, torch
torch.set_num_threads(1)
here = runpy.run_path(sys.argv[1])
from snaps.training import fitting

def saved(state, path, about, save=fitting.save_state):
    save(state, path, about)
    if len(state["history"]) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

fitting.save_state = saved
fitting.train(here["make_network"](), here["make_tones"](), checkpoint=sys.argv[2], **{options!r})
"""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def uninterrupted(tones, networks):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    result = train(networks(), tones, **OPTIONS)
    torch.set_num_threads(threads)
    return result


def assert_same(one, other):
    assert weights_hash(one.model) == weights_hash(other.model)
    pd.testing.assert_frame_equal(one.history.drop(columns="seconds"), other.history.drop(columns="seconds"))
    assert (one.best_epoch, one.error_rate) == (other.best_epoch, other.error_rate)


def epochs_in(path: Path) -> int:
    return len(torch.load(path, weights_only=True)["state"]["history"]) if path.exists() else 0


def interrupt_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Let the next training be interrupted when so many epochs are kept."""

    def saved(state, path, about):
        save_state(state, path, about)
        if len(state["history"]) == epochs:
            monkeypatch.setattr(fitting, "save_state", save_state)
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "save_state", saved)


@pytest.fixture
def paused(tmp_path, tones, networks, monkeypatch):
    """State of a training that was interrupted after its first epoch."""
    path = tmp_path / "b.ckpt"
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(networks(), tones, checkpoint=path, **OPTIONS)
    return path


def test_a_killed_process_is_continued(tmp_path, tones, networks, uninterrupted):
    path = tmp_path / "run" / "state.ckpt"
    script = VICTIM.format(options=OPTIONS)
    conftest = Path(__file__).with_name("conftest.py")
    victim = subprocess.run(
        [sys.executable, "-c", script, str(conftest), str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        timeout=PATIENCE,
    )
    assert victim.returncode == -signal.SIGKILL
    assert epochs_in(path) == 3
    assert_same(train(networks(), tones, checkpoint=path, **OPTIONS), uninterrupted)
    assert list(path.parent.iterdir()) == [path]


def test_any_number_of_pauses(tmp_path, tones, networks, uninterrupted, monkeypatch):
    for epochs in (1, 2, 5):
        interrupt_after(monkeypatch, epochs)
        with pytest.raises(KeyboardInterrupt):
            train(networks(), tones, checkpoint=tmp_path, **OPTIONS)
        assert epochs_in(tmp_path / "training.ckpt") == epochs
    # The weights come from the checkpoint, whatever the network that the second call is given.
    assert_same(train(networks(seed=9), tones, checkpoint=tmp_path, **OPTIONS), uninterrupted)
    assert list(tmp_path.iterdir()) == [tmp_path / "training.ckpt"]
    before = (tmp_path / "training.ckpt").stat()
    assert_same(train(networks(), tones, checkpoint=tmp_path, **OPTIONS), uninterrupted)
    assert (tmp_path / "training.ckpt").stat().st_mtime_ns == before.st_mtime_ns


def test_a_plan_by_time_is_kept(tmp_path, tones, networks, monkeypatch):
    monkeypatch.setattr(fitting, "measure_step", lambda _: 1.0)
    interrupt_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        train(networks(), tones, checkpoint=tmp_path, max_minutes=1.1, **OPTIONS)
    monkeypatch.setattr(fitting, "measure_step", lambda _: pytest.fail("nothing is measured again"))
    result = train(networks(), tones, checkpoint=tmp_path, max_minutes=1.1, **OPTIONS)
    assert len(result.history) == result.settings["epochs"] == 7
    assert_same(result, train(networks(), tones, **{**OPTIONS, "epochs": 7}))


def test_frozen_layers_stay_frozen_after_a_pause(tmp_path, tones, networks, monkeypatch):
    options = {**OPTIONS, "epochs": 2, "frozen": 2}
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(networks(), tones, checkpoint=tmp_path, **options)
    result = train(networks(), tones, checkpoint=tmp_path, **options)
    assert torch.equal(result.model.conv2.weight, networks().conv2.weight)
    assert_same(result, train(networks(), tones, **options))


def test_a_warm_start_goes_on_after_a_pause(tmp_path, tones, networks, monkeypatch):
    options = {**OPTIONS, "epochs": 4, "warm_start": "frames"}
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(networks(), tones, checkpoint=tmp_path, **options)
    assert_same(train(networks(), tones, checkpoint=tmp_path, **options), train(networks(), tones, **options))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epochs": 5}, "a training with epochs=8, and this one has epochs=5"),
        ({"seed": 1}, "seed=0, and this one has seed=1"),
        ({"labels": "letter"}, "labels='phoneme'"),
        ({"frozen": 1}, "frozen=0"),
    ],
)
def test_other_options_are_refused(paused, tones, networks, options, sentence):
    with pytest.raises(InputError, match=rf"b\.ckpt is the state of {sentence}|{sentence}"):
        train(networks(), tones, checkpoint=paused, **{**OPTIONS, **options})


def test_another_network_or_corpus_is_refused(paused, tones, networks):
    with pytest.raises(InputError, match="corpus="):
        train(networks(), tones[1:], checkpoint=paused, **OPTIONS)
    with pytest.raises(InputError, match="network="):
        train(networks(norm="after"), tones, checkpoint=paused, **OPTIONS)


def test_what_is_no_state_of_a_training(tmp_path, paused, tones, network):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "unpickled"),))

    stored = torch.load(paused, weights_only=True)
    torch.save(Evil(), tmp_path / "a.ckpt")
    torch.save({"state": 1}, tmp_path / "c.ckpt")
    (tmp_path / "d.ckpt").write_bytes(b"")
    save_model(network, tmp_path / "e.ckpt")
    (tmp_path / "f.ckpt").write_bytes(paused.read_bytes()[:2000])
    for name in "acdef":
        with pytest.raises(InputError, match=rf"{name}\.ckpt is not the state of a training.*; delete it") as raised:
            train(network, tones, checkpoint=tmp_path / f"{name}.ckpt", **OPTIONS)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "unpickled").exists()
    torch.save({**stored, "version": 99}, paused)
    with pytest.raises(InputError, match="it is 'neuron-snaps training' in the version 99, not 3; delete it to begin"):
        train(network, tones, checkpoint=paused, **OPTIONS)


@pytest.mark.parametrize("room", [2, 0])
def test_a_full_disk_is_one_sentence_and_keeps_the_last_state(
    tmp_path, tones, networks, uninterrupted, monkeypatch, room
):
    path, calls, save = tmp_path / "a.ckpt", [], torch.save

    def until_full(stored, file):
        calls.append(file)
        if len(calls) > room:
            file.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(stored, file)

    with monkeypatch.context() as patched:
        patched.setattr("snaps.training.fitting.torch.save", until_full)
        with pytest.raises(InputError) as raised:
            train(networks(), tones, checkpoint=path, **OPTIONS)
    assert str(raised.value) == f"the state of the training cannot be written to {str(path)!r}: No space left on device"
    assert epochs_in(path) == room
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"][: room and 1]
    assert_same(train(networks(), tones, checkpoint=path, **OPTIONS), uninterrupted)


def test_a_name_that_nothing_can_have(tmp_path, tones, network):
    path = tmp_path / f"{'a' * 300}.ckpt"
    with pytest.raises(InputError, match=r"a\.ckpt' cannot be opened: File name too long$"):
        train(network, tones, checkpoint=path, **OPTIONS)


def test_one_training_at_a_time_keeps_a_state(tmp_path, tones, network):
    path = tmp_path / "a.ckpt"
    with (
        claimed(path),
        pytest.raises(InputError, match=r"another run is writing '.*a\.ckpt'; wait"),
    ):
        train(network, tones, checkpoint=path, **OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_trainings_left_half_written_is_removed(tmp_path, tones, network):
    others = {".partial.a.ckpt.nc", ".partial.b.ckpt"}
    for name in {".partial.a.ckpt", *others}:
        (tmp_path / name).touch()
    train(network, tones, checkpoint=tmp_path / "a.ckpt", **OPTIONS)
    assert {path.name for path in tmp_path.iterdir()} == {"a.ckpt", *others}
