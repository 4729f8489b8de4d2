"""A process that reads damaged files: a crash, a hang or gigabytes end it, and not the tests.

As a program it reads lines of JSON, a kind and a path each, and answers each with a line: what came of it.
"""

import atexit
import functools
import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
#: Bytes of addresses beyond those that the libraries take.
MOST_ADDRESSES = 4 * 2**30
#: Bytes of memory that reading a small file may take at most.
MOST_MEMORY = 2**30


class Answer(NamedTuple):
    """What came of reading a file.

    `outcome` is ``"same"``, ``"other"``, ``"sentence"`` or what went wrong: an exception's name, ``"hang"``,
    ``"crash"``, ``"memory"`` or ``"noise"``.
    """

    outcome: str
    told: str


class Reader:
    """The process, started when it is needed and anew after every end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115

    def read(self, kind: str, path: Path, whole: Path) -> Answer:
        """Read `path`, and compare it with `whole`, which is undamaged."""
        process = self._process or self._start()
        noise = self._noise.tell()
        process.stdin.write(json.dumps([kind, str(path), str(whole)]).encode() + b"\n")
        process.stdin.flush()
        line = _line(process)
        if not line:
            self.close()
            return Answer("hang" if line is None else "crash", f"{kind}: exit status {process.returncode}")
        self._noise.seek(0, os.SEEK_END)
        if (end := self._noise.tell()) > noise:
            self._noise.seek(noise)
            return Answer("noise", self._noise.read(end - noise).decode(errors="replace")[-2000:])
        return Answer(*json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process.stdin.close()
            self._process.stdout.close()
        self._process = None

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.hostile.stored_reader"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._noise
        )
        assert _line(self._process) == b"ready\n"
        self._noise.seek(0, os.SEEK_END)
        return self._process


def _line(process: "subprocess.Popen[bytes]") -> bytes | None:
    """The next line of an answer, nothing of a process that ended, None where none comes."""
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    return process.stdout.readline() if ready else None


@functools.cache
def shared_reader() -> Reader:
    """One process for all tests; it takes seconds to start."""
    found = Reader()
    atexit.register(found.close)
    return found


@functools.cache
def whole_files() -> dict[str, Path]:
    """An undamaged file of every kind; they must stay as they are."""
    from tests.hostile.stored_kinds import KINDS

    folder = Path(tempfile.mkdtemp(prefix="stored-"))
    atexit.register(shutil.rmtree, folder)
    for kind in KINDS.values():
        kind.write(folder / kind.ending)
    return {name: folder / kind.ending for name, kind in KINDS.items()}


def _answer(kind: str, path: Path, pristine: Any) -> Answer:
    from snaps.errors import InputError
    from tests.hostile.stored_kinds import KINDS, same

    before = _resident()
    try:
        found = KINDS[kind].read(path)
    except InputError as error:
        told = str(error)
        if "\n" in told or len(told) > 5000 or not told.isprintable() or path.name not in told:
            return Answer("no sentence", told[:2000])
        answer = Answer("sentence", told)
    except BaseException as error:
        frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
        return Answer(type(error).__name__, f"{str(error)[:500]} {frames}")
    else:
        answer = Answer("same" if same(found, pristine) else "other", str(found)[:1500])
    if (taken := _resident() - before) > MOST_MEMORY:
        return Answer("memory", f"{taken} bytes")
    return answer


def _resident() -> int:
    """The most memory that this process has ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Answer lines until there are no more."""
    from tests.hostile.stored_kinds import KINDS

    held: dict[str, Any] = {}
    # Libraries that are loaded at first use are no part of a file's memory.
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS.values():
            kind.write(Path(folder) / kind.ending)
            kind.read(Path(folder) / kind.ending)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_ADDRESSES, taken + MOST_ADDRESSES))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    out.write(b"ready\n")
    out.flush()
    for line in sys.stdin.buffer:
        kind, path, whole = json.loads(line)
        if whole not in held:
            held[whole] = KINDS[kind].read(Path(whole))
        out.write(json.dumps(_answer(kind, Path(path), held[whole])).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
