"""Runs of ``snaps profile`` on a disk of 20 MB: a process in a mount namespace of its own, which takes the disk along.

Called by `tests.profiling.test_full_disk` as ``python -m tests.profiling.small_disk``, within ``unshare``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.profiling.interrupted import command
from tests.waiting import PATIENCE

MB = 10**6
SIZE = 20


def mount(disk: Path, size: int, *, again: bool = False) -> None:
    """Have a disk of so many megabytes in memory; `again` makes one larger that is there."""
    options = f"{'remount,' if again else ''}size={size * MB}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True, timeout=PATIENCE)


def run(arguments: list[str], out: Path) -> dict[str, Any]:
    """Run the command, and say how it ended and what it left."""
    eager = command([*arguments, "--out", str(out)])
    done = subprocess.run(eager, capture_output=True, text=True, check=False, timeout=PATIENCE)
    left = sorted(path.name for path in out.parent.iterdir() if path.name != "filler")
    return {"status": done.returncode, "err": done.stderr, "left": left}


def main() -> None:
    """Fill the disk but for some room, run until that is used up, make more room, and run to the end."""
    disk, copy, filled, arguments = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    mount(disk, SIZE)
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, filled))
    out = disk / "p.zarr"
    outcomes = [run(arguments, out)]
    if not out.exists():
        mount(disk, 20 * SIZE, again=True)
        outcomes.append(run(arguments, out))
    if out.exists():
        subprocess.run(["cp", "-r", str(out), str(copy)], check=True, timeout=PATIENCE)
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main()
