"""A run that was interrupted goes on as if nothing had been."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from snaps.errors import InputError
from snaps.models import weights_hash
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
    return len(torch.load(path, weights_only=True)["state"]["history"]) if path.exists() else 0


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

    path = tmp_path / "a.ckpt"
    damaged = tmp_path / "b.ckpt"
    train(network, tones, checkpoint=damaged, max_minutes=1e-6, **OPTIONS)
    damaged.write_bytes(damaged.read_bytes()[:2000])
    torch.save({"state": 1}, tmp_path / "c.ckpt")
    torch.save(Evil(), path)
    for name in ("a", "b", "c"):
        with pytest.raises(InputError, match=f"{name}.ckpt is not the state of a training"):
            train(network, tones, checkpoint=tmp_path / f"{name}.ckpt", **OPTIONS)
    assert not (tmp_path / "unpickled").exists()
    later = torch.load(damaged.with_name("c.ckpt"), weights_only=True) | {"format": "neuron-snaps training"}
    torch.save({**later, "version": 99}, tmp_path / "d.ckpt")
    with pytest.raises(InputError, match="version 99"):
        train(network, tones, checkpoint=tmp_path / "d.ckpt", **OPTIONS)
