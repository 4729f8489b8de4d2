"""Commands as processes: help, exit statuses, interruption."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import snaps
from tests.cli.commands import contents, process

COMMANDS = {
    "corpus synthesize": ["out", "--speakers", "--sentences", "--seed"],
    "corpus inspect": ["corpus", "--split", "--phones", "--annotations"],
    "train": ["preset", "--corpus", "--labels", "--start-from", "--frozen", "--epochs", "--on-error"],
    "profile": [
        "model",
        "--corpus",
        "--group",
        "--layer",
        "--peak",
        "--context",
        "--target",
        "--on-error",
        "--scheduler",
    ],
    "cluster": ["profiles", "--group", "--percentile", "--metric", "--min-count"],
    "compare": ["PROFILES", "--group", "--percentile", "--least", "--match", "--transferred", "--seed"],
    "report": ["profiles", "--percentile", "--title"],
    "align": ["model", "--corpus", "--tier", "--window", "--compare", "--tables-only"],
    "faithfulness": ["model", "--corpus", "--part", "--frames", "--baseline", "--shuffles"],
    "reproduce": ["--corpus", "--scale", "--out", "--seed"],
}


def test_help_lists_the_commands() -> None:
    outcome = process("--help")
    assert outcome.status == 0
    assert outcome.err == ""
    for command in {name.partition(" ")[0] for name in COMMANDS}:
        assert re.search(rf"^\s+{command}\s+\S", outcome.out, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    outcome = process(*command.split(), "--help")
    assert outcome.status == 0
    assert outcome.err == ""
    for word in [*COMMANDS[command], "--json"]:
        assert word in outcome.out
    explained = re.findall(r"^  (-\S+)[^\n]*\n", outcome.out, re.MULTILINE)
    assert len(explained) >= 4


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "corpus inspect"])
def test_every_command_that_writes_can_overwrite(command: str) -> None:
    assert "--overwrite" in process(*command.split(), "--help").out


def test_the_version_and_the_console_script() -> None:
    script = Path(sys.executable).with_name("snaps")
    for command in ([sys.executable, "-m", "snaps"], [script]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == snaps.__version__


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["dance"], "No such command 'dance'"),
        (["report"], "Missing argument"),
        (["report", "p.zarr"], "Missing option '--out'"),
        (["report", "p.zarr", "--out", "r.html", "--color", "red"], "No such option: --color"),
        (["cluster", "p.zarr", "--out", "c", "--percentile", "many"], "--percentile"),
        (["cluster", "p.zarr", "--out", "c", "--weighting", "votes"], "--weighting"),
        (["report", "p.zarr", "--out", "r.html"], "snaps: there is no profiles file 'p.zarr'"),
    ],
)
def test_wrong_options_end_with_status_2(tmp_path: Path, arguments: list[str], told: str) -> None:
    outcome = process(*arguments, cwd=tmp_path)
    assert outcome.status == 2
    assert outcome.out == ""
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert contents(tmp_path) == {}


def test_anything_else_ends_with_status_1(tmp_path: Path) -> None:
    code = (
        "import sys, snaps.cli.app as app\n"
        "def run(arguments): raise RuntimeError('a fault of our own')\n"
        "app.run = run\n"
        "from snaps.cli import main\n"
        "sys.exit(main(['report']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "a fault of our own" in done.stderr


def test_an_interrupted_command_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "snaps", "corpus", "synthesize", "speech", "--speakers", "60", "--sentences", "10"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running.poll() is None, "it was over before it could be interrupted"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 1
    assert out == ""
    assert err.rstrip().endswith("snaps: interrupted")
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_that_python_cannot_raise_is_not_lost(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time, weakref, snaps.cli.app as app\n"
        "class Thing: pass\n"
        "def taken_away(_): os.kill(os.getpid(), signal.SIGINT); time.sleep(1)\n"
        "def run(arguments):\n"
        "    thing = Thing()\n"
        "    reference = weakref.ref(thing, taken_away)\n"
        "    del thing\n"
        "    time.sleep(60)\n"
        "    return 0\n"
        "app.run = run\n"
        "from snaps.cli import main\n"
        "sys.exit(main(['report']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr == "snaps: interrupted\n"
