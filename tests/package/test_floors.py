"""The floors of the package, as import-linter keeps them; on a copy, that each of them can be broken."""

import importlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.package.sources import PACKAGE, ROOT
from tests.waiting import PATIENCE

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
FACES = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
DRAWING = "Drawing happens in figures and report alone"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=root, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def contract(name: str) -> dict[str, object]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return next(one for one in settings["contracts"] if one["name"] == name)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE, tmp_path / "snaps", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_floors_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout
    assert f"{3 + len(FACES)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("path", "line", "broken"),
    [
        ("snaps/datasets/planted.py", "import snaps.models", "Floors BROKEN"),
        ("snaps/clustering/planted.py", "import snaps.training", "Floors BROKEN"),
        ("snaps/cellar.py", "", "snaps.cellar"),
        ("snaps/schema.py", "import torch", "Below the waist there is no torch BROKEN"),
        ("snaps/cli/planted.py", "from matplotlib import pyplot", f"{DRAWING} BROKEN"),
        ("snaps/cli/planted.py", "from snaps.datasets.audio import Audio", "The face of datasets BROKEN"),
    ],
)
def test_a_planted_import_breaks_them(copied: Path, path: str, line: str, broken: str) -> None:
    target = copied / path
    with target.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(copied)
    assert done.returncode != 0
    assert broken in done.stdout


def test_a_copy_without_a_planted_import_holds(copied: Path) -> None:
    done = lint_imports(copied)
    assert done.returncode == 0, done.stdout


def test_no_import_is_ignored_and_no_room_forgotten() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert not any("ignore" in key for one in settings["contracts"] if one["type"] != "protected" for key in one)
    # A function of the same name as its file: import-linter takes it for the file.
    ignored = [name for one in settings["contracts"] for name in one.get("ignore_imports", ())]
    for name in ignored:
        face, _, function = name.removeprefix("snaps.** -> ").rpartition(".")
        assert callable(getattr(importlib.import_module(face), function))
    assert len(ignored) == 3
    assert {one["name"].removeprefix("The face of ") for one in settings["contracts"]} >= FACES
    rooms = {
        f"snaps.{path.stem}"
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
    }
    assert set(contract(DRAWING)["source_modules"]) == rooms - {"snaps.figures", "snaps.report"}  # type: ignore[call-overload]
