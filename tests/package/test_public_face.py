"""The names that `snaps` offers: they load, are documented, and take few positional arguments."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
from numpydoc.validate import validate

import snaps
from tests.waiting import PATIENCE

ROOT = Path(snaps.__file__).parents[1]
NAMES = sorted(snaps.__all__)
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(snaps, name))]
ROOMS = (
    *("snaps.alignment", "snaps.clustering", "snaps.datasets", "snaps.papers", "snaps.figures", "snaps.models"),
    *("snaps.profiles", "snaps.profiling", "snaps.report", "snaps.responses", "snaps.training"),
)
#: Rooms of the names, as the stub says it to type checkers.
STUB = {
    name.name: f"snaps.{line.module}"
    for line in ast.parse(Path(snaps.__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
    if isinstance(line, ast.ImportFrom)
    for name in line.names
    if name.asname == name.name
}
#: What numpydoc finds: no docstring, no summary or a long one, parameters that are missing, unknown, in another
#: order or without a description, no description of what is returned or yielded.
FAULTS = frozenset({"GL08", "SS01", "SS03", "SS06", "PR01", "PR02", "PR03", "PR07", "PR10", "RT01", "RT03", "YD01"})


def faults(name: str) -> list[str]:
    return [f"{code}: {text}" for code, text in validate(name)["errors"] if code in FAULTS]


def test_there_are_few_names() -> None:
    assert 25 <= len(NAMES) <= 33
    assert len(set(snaps.__all__)) == len(snaps.__all__)
    assert set(dir(snaps)) == set(snaps.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="No snaps attribute nothing"):
        snaps.nothing  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_every_name(name: str) -> None:
    thing = getattr(snaps, name)
    room = importlib.import_module(STUB[name])
    assert getattr(room, name) is thing
    assert name in room.__all__
    assert faults(f"{STUB[name]}.{name}") == []


def test_the_stub_names_the_whole_face() -> None:
    assert sorted(STUB) == NAMES
    assert Path(snaps.__file__).with_name("py.typed").exists()


def test_a_type_checker_sees_the_types_of_a_users_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text('import snaps\nprofiles = snaps.open_profiles("p.zarr")\nreveal_type(profiles)\nsnaps.nothing\n')
    done = subprocess.run(
        # The cache is that of `make lint`.
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            ROOT / "pyproject.toml",
            "--cache-dir",
            ROOT / ".mypy_cache",
            script,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    assert 'Revealed type is "xarray.core.datatree.DataTree"' in done.stdout, done.stdout + done.stderr
    assert 'Module has no attribute "nothing"' in done.stdout


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function(name: str) -> None:
    function = getattr(snaps, name)
    positional = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    assert len(positional) <= 3
    assert not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
    assert "Raises\n" in inspect.getdoc(function), "every function of the face refuses something, and says what"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_lists_what_it_offers(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__doc__
    assert list(module.__all__) == sorted(set(module.__all__), key=module.__all__.index)
    for name in module.__all__:
        thing = getattr(module, name)
        if isinstance(thing, type | types.FunctionType):
            assert inspect.getdoc(thing), name


def test_a_fault_would_be_noticed() -> None:
    assert {fault.partition(":")[0] for fault in faults("tests.package.test_public_face.badly_told")} >= {
        "PR01",
        "RT01",
    }


def badly_told(number: int) -> int:
    """Give a number back.

    It is the same number.
    """
    return number
