"""Libraries that importing the room loads."""

import subprocess
import sys

from tests.waiting import PATIENCE

LIST_MODULES = "import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"


def drawn_by(module: str) -> set[str]:
    script = LIST_MODULES.format(module=module)
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=PATIENCE
        ).stdout.split()
    )


def test_the_room_is_light():
    heavy = {"matplotlib", "librosa", "sklearn", "lightning"}
    drawn = drawn_by("snaps.training")
    assert "torch" in drawn, "what is imported is listed"
    assert not heavy & drawn
