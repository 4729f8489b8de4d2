"""A disk of 20 MB, full at many moments of a run: nothing but one sentence, and the same profiles in the end."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.package.sources import ROOT
from tests.profiling.interrupted import Work
from tests.profiling.small_disk import MB, SIZE
from tests.waiting import PATIENCE

#: A namespace in which this user may mount a disk that nobody else sees.
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount() -> bool:
    """Whether the system lets this user have namespaces of his own."""
    if shutil.which("unshare") is None:
        return False
    mount = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    tried = subprocess.run(mount, capture_output=True, check=False, timeout=PATIENCE)
    return tried.returncode == 0


pytestmark = [
    # `make test` has a disk that only seems to be full: tests/profiling/test_blocks.py.
    pytest.mark.campaign,
    pytest.mark.skipif(not may_mount(), reason="needs a mount namespace of its own (unshare --user --mount)"),
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    return Work(tmp_path_factory.mktemp("disks"))


def assert_survives(work: Work, tmp_path: Path, *, free: float) -> None:
    """Run with so many free megabytes, then with many."""
    disk, copy = tmp_path / "disk", tmp_path / "copy" / "p.zarr"
    disk.mkdir()
    copy.parent.mkdir()
    filled = round((SIZE - free) * MB)
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "tests.profiling.small_disk", disk, copy, str(filled), *work.options],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=2 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert outcomes[-1]["status"] == 0, outcomes
    for outcome in outcomes:
        assert "Traceback" not in outcome["err"]
        lines = [line for line in outcome["err"].splitlines() if line.startswith("snaps: ")]
        told = [line for line in lines if not line.startswith("snaps: warning: ")]
        for line in set(lines) - set(told):  # a block that does not fit does not end the run
            assert "cannot be written" in line and "No space left on device; the run goes on" in line
        if outcome["status"] == 0:
            assert outcome["left"] == ["p.zarr"]
        else:
            # Neither half of the profiles, nor of a block.
            assert outcome["status"] == 2
            assert outcome["left"] in ([], ["p.zarr.checkpoint"])
            assert len(told) == 1, outcome["err"]
            assert "No space left on device" in told[0]
    work.assert_finished(copy)


@pytest.mark.parametrize("free", [0, 0.01, 0.1, 0.5, 2, 4, 6, 9, 12, 13, 15, 17, 19, 20])
def test_many_disks(work: Work, tmp_path: Path, free: float) -> None:
    assert_survives(work, tmp_path, free=free)
