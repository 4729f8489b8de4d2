"""``snaps profile`` as a process that is killed, started twice, out of disk, and spread over workers."""

import errno
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from snaps.cli import main
from snaps.profiles import open_profiles
from tests.cli.commands import process, sentence
from tests.profiling.interrupted import Work, command
from tests.profiling.runs import assert_identical
from tests.waiting import PATIENCE, wait_until


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    return Work(tmp_path_factory.mktemp("commands"), layers=[(6, 24, 2), (4, 1, 1)])


def started(work: Work, out: Path, sent: int = 0) -> subprocess.Popen:
    """The command, which sends itself a signal when its first block is on disk."""
    whole = command(work.arguments(out), signal=sent)
    return subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill(work: Work, out: Path, seconds: float) -> bool:
    """Start the command and kill it; say whether it was still running."""
    running = started(work, out)
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
    out_text, err = running.communicate(timeout=PATIENCE)
    assert running.returncode in (0, -signal.SIGKILL), (out_text, err)
    return running.returncode != 0


def kill_with_a_block(work: Work, out: Path) -> None:
    """Have the command killed as soon as its first block is on disk."""
    running = started(work, out, signal.SIGKILL)
    told = running.communicate(timeout=PATIENCE)
    assert running.returncode == -signal.SIGKILL, told


def test_killed_and_started_again(work: Work, tmp_path: Path) -> None:
    out = tmp_path / "p.zarr"
    state = tmp_path / "p.zarr.checkpoint"
    kill_with_a_block(work, out)
    assert state.exists()
    assert not out.exists()
    (tmp_path / ".partial.p.zarr").mkdir()  # what a kill while the profiles are written leaves
    outcome = process(*work.arguments(out))
    assert outcome.status == 0, outcome.err
    assert len(json.loads(outcome.out)["recordings_left_out"]) == 1
    work.assert_finished(out)


@pytest.mark.campaign
def test_twenty_kills_at_random_moments(work: Work, tmp_path: Path) -> None:
    out = tmp_path / "undisturbed" / "p.zarr"
    out.parent.mkdir()
    begun = time.monotonic()
    assert not kill(work, out, PATIENCE)
    seconds = time.monotonic() - begun
    rng, kills, runs = random.Random(0), 0, 0
    while kills < 20:
        out = tmp_path / str(runs) / "p.zarr"
        out.parent.mkdir(exist_ok=True)
        killed = kill(work, out, rng.uniform(0.2, 1.1) * seconds)
        kills += killed
        if killed and out.exists():
            # It was about to end: the profiles are there, and whole.
            assert_identical(open_profiles(out), open_profiles(work.whole))
        elif not killed:
            work.assert_finished(out)
        runs += out.exists()
    if not out.exists():
        assert process(*work.arguments(out)).status == 0
        work.assert_finished(out)
    (tmp_path / "told").write_text(f"{kills} kills, {runs} runs that came to their end, {seconds:.1f} s undisturbed")


def test_overwrite_begins_anew(work: Work, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, state = tmp_path / "p.zarr", tmp_path / "p.zarr.checkpoint"
    state.write_bytes(b"of something else")
    for options in ([], ["--overwrite"]):
        assert main([*work.arguments(out), *options]) == 2
        assert f"{str(state)!r} is no folder of a run's blocks" in capsys.readouterr().err
    state.unlink()
    kill_with_a_block(work, out)
    assert main([*work.arguments(out), "--overwrite", "--peak", "max"]) == 0
    capsys.readouterr()
    assert main(work.arguments(out)) == 2
    assert "exists; give another name, or --overwrite" in capsys.readouterr().err


def test_another_command_into_the_same_output(work: Work, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.zarr"
    kill_with_a_block(work, out)
    capsys.readouterr()
    assert main([*work.arguments(out), "--peak", "max"]) == 2
    assert "with another aligner: " in capsys.readouterr().err
    assert not out.exists()


def test_the_second_of_two_runs_is_told(work: Work, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.zarr"
    running = started(work, out, signal.SIGSTOP)
    first = psutil.Process(running.pid)
    try:
        wait_until(
            lambda: first.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE), "the first run stands still"
        )
        capsys.readouterr()
        assert main(work.arguments(out)) == 2
        told = capsys.readouterr().err
        running.send_signal(signal.SIGCONT)
        running.communicate(timeout=PATIENCE)
    finally:
        running.kill()
    assert f"another run is writing {str(out)!r}; wait for it" in told
    work.assert_finished(out)


def test_profiles_that_cannot_be_written_are_computed_once(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.zarr"

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("snaps.profiles.store._write_zarr", full)
        capsys.readouterr()
        assert main(work.arguments(out)) == 2
    told = capsys.readouterr().err
    assert f"{str(out)!r} cannot be written: No space left on device; the state of the run is kept in" in told
    assert [path.name for path in tmp_path.iterdir()] == ["p.zarr.checkpoint"]
    monkeypatch.setattr("snaps.profiling.blocks.average", full)
    assert main(work.arguments(out)) == 0
    work.assert_finished(out)


def test_workers_on_this_machine(work: Work, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.zarr"
    assert main([*work.arguments(out), "--scheduler", "local:2"]) == 0
    assert "Traceback" not in capsys.readouterr().err
    work.assert_finished(out)


def test_a_scheduler_that_is_not_there(work: Work, tmp_path: Path) -> None:
    told = sentence(process(*work.arguments(tmp_path / "p.zarr"), "--scheduler", "local:0"))
    assert told == "the scheduler is 'local:0'; accepted are an address and local:N, with N from 1"
    assert list(tmp_path.iterdir()) == []
