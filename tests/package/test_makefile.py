"""The Makefile and .ci/run: what they would do, without doing it."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest

from tests.package.sources import ROOT
from tests.waiting import PATIENCE

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()  # type: ignore[index]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def would_run(target: str) -> str:
    """Commands of a target on a machine where nothing is installed yet."""
    return made("--dry-run", "--always-make", target)


def made(*arguments: str) -> str:
    """What make prints."""
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("help", "clean")])
def test_every_target_does_its_own_set_up_with_pinned_versions(target: str) -> None:
    commands = would_run(target)
    assert "-m venv .venv" in commands
    installs = [line for line in commands.splitlines() if "pip install" in line]
    assert installs
    for line in installs:
        assert "--constraint constraints.txt" in line
        assert not re.search(r"https?:|--(extra-)?index-url", line)


def test_installing_takes_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r'--editable "\.\[(.*)\]"', would_run("install"))
    assert set(extras.split(",")) == set(project["optional-dependencies"])


def test_help_tells_every_target() -> None:
    assert set(re.findall(r"^make (\S+)", made(), re.MULTILINE)) == set(TARGETS) - {"help"}


def test_the_demonstration_and_the_tests_take_options() -> None:
    assert "snaps reproduce --scale demo --out demo --seed 1" in made("--dry-run", "demo", "ARGS=--seed 1")
    assert '-m "not campaign and not demonstration"' in would_run("test")
    assert "campaign" not in would_run("test-all")


def test_ci_runs_what_anyone_can_run() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert [line for line in text.splitlines() if line.startswith("make")] == [
        *("make lint", "make test", "make demo-check")
    ]
    assert "://" not in text
    subprocess.run(["bash", "-n", script], check=True, timeout=PATIENCE)
