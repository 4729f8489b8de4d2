"""Commands as a terminal has them: help, exit statuses, interruption."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import snaps
from tests.cli.commands import Invoke, contents, process
from tests.waiting import PATIENCE

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
    "compare": ["PROFILES", "--group", "--percentile", "--min-count", "--match", "--transferred", "--seed"],
    "report": ["profiles", "--percentile", "--title"],
    "align": ["model", "--corpus", "--tier", "--window", "--compare", "--tables-only"],
    "faithfulness": ["model", "--corpus", "--part", "--frames", "--baseline", "--n-permutations"],
    "reproduce": ["--corpus", "--scale", "--out", "--seed"],
}


def test_help_lists_the_commands() -> None:
    outcome = process("--help")
    assert outcome.status == 0
    assert outcome.err == ""
    for command in {name.partition(" ")[0] for name in COMMANDS}:
        assert re.search(rf"^\s+{command}\s+\S", outcome.out, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(invoke: Invoke, command: str) -> None:
    outcome = invoke(*command.split(), "--help")
    assert outcome.status == 0
    assert outcome.err == ""
    overwrite = [] if command == "corpus inspect" else ["--overwrite"]
    for word in [*COMMANDS[command], *overwrite, "--json"]:
        assert word in outcome.out
    explained = re.findall(r"^  (-\S+)[^\n]*\n", outcome.out, re.MULTILINE)
    assert len(explained) >= 4


def test_the_version_and_the_console_script() -> None:
    script = Path(sys.executable).with_name("snaps")
    for command in ([sys.executable, "-m", "snaps"], [script]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE)
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
def test_wrong_options_end_with_status_2(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = invoke(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert contents(tmp_path) == {}


def program(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run some code before the command line."""
    whole = f"{code}from snaps.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    command = [sys.executable, "-c", whole, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=PATIENCE)


def test_a_process_ends_with_the_status_of_its_command(tmp_path: Path) -> None:
    outcome = process("report", "p.zarr", "--out", "r.html", cwd=tmp_path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "snaps: there is no profiles file 'p.zarr'\n"


def test_anything_else_ends_with_status_1(tmp_path: Path) -> None:
    code = (
        "import sys, snaps.cli.app as app\n"
        "def run(arguments): raise RuntimeError('a fault of our own')\n"
        "app.run = run\n"
    )
    done = program(code, tmp_path, "report")
    assert done.returncode == 1
    assert "a fault of our own" in done.stderr


def test_an_interrupted_command_leaves_nothing_half_written(tmp_path: Path) -> None:
    """It is interrupted when it speaks its fifth sentence of many."""
    code = (
        "import os, signal, sys\n"
        "from snaps.speech.engine import Engine\n"
        "speak, spoken = Engine.speak, []\n"
        "def interrupted(*arguments, **options):\n"
        "    spoken.append(1)\n"
        "    if len(spoken) == 5: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return speak(*arguments, **options)\n"
        "Engine.speak = interrupted\n"
    )
    done = program(code, tmp_path, "corpus", "synthesize", "speech", "--speakers", "60", "--sentences", "10")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.rstrip().endswith("snaps: interrupted")
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
        f"    time.sleep({2 * PATIENCE})\n"
        "    return 0\n"
        "app.run = run\n"
    )
    done = program(code, tmp_path, "report")
    assert done.returncode == 1
    assert done.stderr == "snaps: interrupted\n"
