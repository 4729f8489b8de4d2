"""What README, CONTRIBUTING and the documentation say can be done, can be done."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

import snaps
from snaps.cli import main
from tests.package.sources import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(path.read_text(encoding="utf-8")) if kind == language]


def commands(path: Path) -> list[list[str]]:
    """Command lines of a page: what stands behind its prompts."""
    joined = "\n".join(blocks(path, "console")).replace("\\\n", " ")
    lines = [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]
    return [shlex.split(line, comments=True) for line in lines]


OF_SNAPS = sorted({tuple(words[1:]) for page in PAGES for words in commands(page) if words[0] == "snaps"})
OF_MAKE = sorted({words[1] for page in PAGES for words in commands(page) if words[0] == "make"})


def test_there_is_something_to_look_at() -> None:
    assert len(OF_SNAPS) > 12
    assert {"demo", "test", "install", "lint", "docs"} <= set(OF_MAKE)


def test_the_two_commands_come_first() -> None:
    first = commands(ROOT / "README.md")[:2]
    assert first == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("arguments", OF_SNAPS, ids=" ".join)
def test_options_of_documented_commands_exist(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Options are read before help is shown, so that one that does not exist is refused."""
    assert main([*arguments, "--help"]) == 0, capsys.readouterr().err


def test_an_option_that_does_not_exist_would_be_noticed() -> None:
    assert main(["report", "w2p.zarr", "--colour", "--help"]) == 2


@pytest.mark.parametrize("target", OF_MAKE)
def test_documented_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_python_on_a_page_is_python_and_uses_names_that_exist(page: Path) -> None:
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "snaps":
                assert hasattr(snaps, node.attr), node.attr
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("snaps"):
                for alias in node.names:
                    assert hasattr(importlib.import_module(str(node.module)), alias.name)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", re.findall(r"snaps\.[a-z_]+\.\w+", (ROOT / "docs/extending.md").read_text("utf-8")))
def test_extension_points_exist(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute)
