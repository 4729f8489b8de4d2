"""What the room draws in, and what it never does."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import snaps.training
from tests.waiting import PATIENCE

ROOM = Path(snaps.training.__file__).parent
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


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_nothing_is_unpickled(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {"pickle", "joblib", "dill", "cloudpickle"} & {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.module not in ("pickle", "joblib", "dill", "cloudpickle")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("torch.load", "np.load")):
            assert "weights_only=True" in ast.unparse(node)
