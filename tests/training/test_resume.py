"""A run that was interrupted goes on as if nothing had been."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pytest
import torch
from safetensors import safe_open

from snaps.errors import InputError
from snaps.models import save_model, weights_hash
from snaps.models.sealed import write_sealed
from snaps.outputs import claimed
from snaps.training import train

OPTIONS = {"epochs": 12, "batch_size": 4, "lr": 1e-2, "band_shift": 1, "progress": False}

VICTIM = """
import runpy, sys, torch
torch.set_num_threads(1)
here = runpy.run_path(sys.argv[1])
from snaps.training import train
train(here["make_network"](), here["make_tones"](), checkpoint=sys.argv[2], **{options!r})
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
    assert (one.best_epoch, one.stopped, one.error_rate) == (
        other.best_epoch,
        other.stopped,
        other.error_rate,
    )


def epochs_in(path: Path) -> int:
    return len(stored_state(path)["history"]) if path.exists() else 0


def stored_state(path: Path) -> dict:
    with safe_open(path, framework="pt") as file:
        return dict(json.loads(file.metadata()["state"])["dict"])


def forge(path: Path, *, tensors: dict = MappingProxyType({}), **metadata: str) -> None:
    """Change what a state says, under the seal that belongs to it."""
    with safe_open(path, framework="pt") as file:
        held = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        told = {name: text for name, text in file.metadata().items() if name != "sha256"}
    with path.open("wb") as file:
        write_sealed(file, {**held, **tensors}, {**told, **metadata})


def test_a_killed_process_is_continued(tmp_path, tones, networks, uninterrupted):
    path = tmp_path / "run" / "state.ckpt"
    script = VICTIM.format(options=OPTIONS)
    conftest = Path(__file__).with_name("conftest.py")
    victim = subprocess.Popen(
        [sys.executable, "-c", script, str(conftest), str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    try:
        deadline = time.monotonic() + 120
        while epochs_in(path) < 3 and victim.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        victim.kill()
        victim.wait()
    assert victim.returncode < 0, "it should not have come to its end"
    assert 3 <= epochs_in(path) < OPTIONS["epochs"]
    assert_same(train(networks(), tones, checkpoint=path, **OPTIONS), uninterrupted)
    assert list(path.parent.iterdir()) == [path]


def test_any_number_of_pauses(tmp_path, tones, networks, uninterrupted):
    for pauses in range(1, 4):
        result = train(networks(), tones, checkpoint=tmp_path, max_minutes=1e-6, **OPTIONS)
        assert result.stopped == "time"
        assert len(result.history) == pauses
    # The weights come from the checkpoint, whatever the network that the second call is given.
    assert_same(train(networks(seed=9), tones, checkpoint=tmp_path, **OPTIONS), uninterrupted)
    assert list(tmp_path.iterdir()) == [tmp_path / "training.ckpt"]
    before = (tmp_path / "training.ckpt").stat()
    assert_same(train(networks(), tones, checkpoint=tmp_path, **OPTIONS), uninterrupted)
    assert (tmp_path / "training.ckpt").stat().st_mtime_ns == before.st_mtime_ns


def test_frozen_layers_stay_frozen_after_a_pause(tmp_path, tones, networks):
    options = {**OPTIONS, "epochs": 2, "frozen": 2}
    train(networks(), tones, checkpoint=tmp_path, max_minutes=1e-6, **options)
    result = train(networks(), tones, checkpoint=tmp_path, **options)
    assert torch.equal(result.model.conv2.weight, networks().conv2.weight)
    assert_same(result, train(networks(), tones, **options))


def test_patience_may_change(tmp_path, tones, networks):
    options = {**OPTIONS, "lr": 1e-9}
    assert train(networks(), tones, checkpoint=tmp_path, patience=1, **options).stopped == "patience"
    assert len(train(networks(), tones, checkpoint=tmp_path, patience=3, **options).history) > 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epochs": 5}, "a run with epochs=12, and this one has epochs=5"),
        ({"seed": 1}, "seed=0, and this one has seed=1"),
        ({"labels": "letter"}, "labels='phoneme'"),
        ({"frozen": 1}, "frozen=0"),
    ],
)
def test_other_options_are_refused(tmp_path, tones, networks, options, sentence):
    path = tmp_path / "a.ckpt"
    train(networks(), tones, checkpoint=path, max_minutes=1e-6, **OPTIONS)
    with pytest.raises(InputError, match=rf"a\.ckpt is the state of {sentence}|{sentence}"):
        train(networks(), tones, checkpoint=path, **{**OPTIONS, **options})


def test_another_network_or_corpus_is_refused(tmp_path, tones, networks):
    train(networks(), tones, checkpoint=tmp_path, max_minutes=1e-6, **OPTIONS)
    with pytest.raises(InputError, match="corpus="):
        train(networks(), tones[1:], checkpoint=tmp_path, **OPTIONS)
    with pytest.raises(InputError, match="network="):
        train(networks(norm="after"), tones, checkpoint=tmp_path, **OPTIONS)


def test_what_is_no_state_of_a_training(tmp_path, tones, network):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "unpickled"),))

    whole = tmp_path / "b.ckpt"
    train(network, tones, checkpoint=whole, max_minutes=1e-6, **OPTIONS)
    torch.save(Evil(), tmp_path / "a.ckpt")
    torch.save({"state": 1}, tmp_path / "c.ckpt")
    (tmp_path / "d.ckpt").write_bytes(b"")
    (tmp_path / "e.ckpt").mkdir()
    save_model(network, tmp_path / "f.ckpt")
    for name in "acdf":
        with pytest.raises(InputError, match=f"{name}.ckpt is not the state of a training"):
            train(network, tones, checkpoint=tmp_path / f"{name}.ckpt", **OPTIONS)
    assert not (tmp_path / "unpickled").exists()
    for length, told in ((2000, "it ends before its header does"), (-1, "its content and its SHA-256 differ")):
        (tmp_path / "g.ckpt").write_bytes(whole.read_bytes()[:length])
        with pytest.raises(InputError, match=rf"g\.ckpt is damaged: {told}; delete it to begin anew"):
            train(network, tones, checkpoint=tmp_path / "g.ckpt", **OPTIONS)
    forge(whole, version="99")
    with pytest.raises(InputError, match="version 99"):
        train(network, tones, checkpoint=whole, **OPTIONS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('["best_epoch", 1]', '["best_epoch", 7]'),
        ('["best_epoch", 1]', '["best_epoch", true]'),
        ('["best_epoch", 1]', '["best_epoch", null]'),
        ('["epoch", 1]', '["epoch", 3]'),
        ('["history", [', '["history", [{"dict": []}, '),
        ('["seconds", ', '["seconds", "long"], ["minutes", '),
        ('["conv1.weight", {"tensor": "', '["conv1.weight", {"tensor": "1'),
        ('["conv1.weight", {"tensor": "', '["conv9.weight", {"tensor": "'),
        ('["last_epoch", ', '["last_epoch", 9'),
        ('["last_epoch", ', '["last_epoch", -'),
        ('["total_steps", ', '["total_steps", 1'),
        ('["lr", ', '["lr", NaN], ["min_lr", '),
        ('["eps", 1e-08]', '["eps", "small"]'),
        ('["params", [0, ', '["params", [1, '),
        ('["exp_avg", {"tensor": "', '["exp_avg", {"tensor": "1'),
        ('["exp_avg", ', '["exp_average", '),
        ('["_anneal_func_type", "cos"]', '["_anneal_func_type", "sin"]'),
        ('{"dict": [[', '{"object": [['),
        ('["optimizer", ', '["optimizer", 3], ["other", '),
        ('["state", {"dict": [[0, ', '["state", {"dict": [[100, '),
        ('["state", {"dict": ', '["state", {"tuple": '),
    ],
)
def test_a_forged_state_is_one_sentence(tmp_path, tones, network, before, after):
    path = tmp_path / "a.ckpt"
    train(network, tones, checkpoint=path, max_minutes=1e-6, **OPTIONS)
    with safe_open(path, framework="pt") as file:
        text = file.metadata()["state"]
    assert before in text
    forge(path, state=text.replace(before, after, 1))
    with pytest.raises(InputError, match=r"a\.ckpt is not the state of a training: ") as raised:
        train(network, tones, checkpoint=path, **OPTIONS)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["3", "[" * 10**5, "{", "{}", '{"dict": [[[], 1]]}', '{"tensor": "0"}'])
def test_a_forged_text_is_one_sentence(tmp_path, tones, network, text):
    path = tmp_path / "a.ckpt"
    train(network, tones, checkpoint=path, max_minutes=1e-6, **OPTIONS)
    for name in ("state", "run"):
        before = path.read_bytes()
        forge(path, **{name: text})
        with pytest.raises(InputError, match=r"a\.ckpt is (not )?the state of a "):
            train(network, tones, checkpoint=path, **OPTIONS)
        path.write_bytes(before)


@pytest.mark.parametrize(("room", "told"), [(2, "that of 2 epochs is kept, and the same training"), (0, "none before")])
def test_a_full_disk_is_one_sentence(tmp_path, tones, networks, uninterrupted, monkeypatch, room, told):
    path, calls = tmp_path / "a.ckpt", []

    def until_full(file, *given):
        calls.append(file)
        if len(calls) > room:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_sealed(file, *given)

    with monkeypatch.context() as patched:
        patched.setattr("snaps.training.checkpoint.write_sealed", until_full)
        with pytest.raises(InputError) as raised:
            train(networks(), tones, checkpoint=path, **OPTIONS)
    assert str(raised.value).startswith(
        f"the state of the training cannot be written to {str(path)!r}: No space left on device; "
    )
    assert told in str(raised.value)
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
        pytest.raises(InputError, match=rf"another run is writing '.*a\.ckpt' \(process {os.getpid()} "),
    ):
        train(network, tones, checkpoint=path, **OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_trainings_left_half_written_is_removed(tmp_path, tones, network):
    others = {".a.ckpt.nc.0a1b2c3d.partial", ".b.ckpt.0a1b2c3d.partial"}
    for name in {".a.ckpt.0a1b2c3d.partial", ".a.ckpt.77777777.partial", *others}:
        (tmp_path / name).touch()
    train(network, tones, checkpoint=tmp_path / "a.ckpt", max_minutes=1e-6, **OPTIONS)
    assert {path.name for path in tmp_path.iterdir()} == {"a.ckpt", *others}
