"""Ways to run the command line: as a process of its own, and within the test's process."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.waiting import PATIENCE


class Outcome(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


Invoke = Callable[..., Outcome]


def process(*arguments: object, cwd: Path | None = None) -> Outcome:
    """Run ``python -m snaps`` as a process."""
    done = subprocess.run(
        [sys.executable, "-m", "snaps", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        timeout=PATIENCE,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and the time of its last change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sentence(outcome: Outcome) -> str:
    """The one sentence of an outcome that says what is wrong with the input."""
    assert outcome.status == 2, outcome
    assert outcome.out == ""
    lines = [line for line in outcome.err.splitlines() if line.startswith("snaps: ")]
    assert len(lines) == 1, outcome.err
    assert "Traceback" not in outcome.err
    return lines[0].removeprefix("snaps: ")
