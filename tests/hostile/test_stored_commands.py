"""Damaged files on the command line: exit status 2 and one sentence, in real processes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import process, sentence
from tests.hostile.test_stored import IMPOSTORS, KINDS


def flipped(path: Path, *, part: str = "", place: int = -40) -> None:
    """Flip one bit of a file, or of a part of a store."""
    file = path / part if part else path
    content = bytearray(file.read_bytes())
    content[place] ^= 16
    file.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def nested_attribute(path: Path) -> None:
    file = path / "zarr.json"
    found = json.loads(file.read_text())
    file.write_text(json.dumps({**found, "attributes": {**found["attributes"], "model": "[" * 10**5}}))


def missing_counts(path: Path) -> None:
    (path / "phoneme/conv1/count/c/0").unlink()


def replaced_by(impostor: str) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        IMPOSTORS[impostor](path)

    return replace


def long(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.campaign)


@pytest.mark.parametrize(
    ("command", "kind", "damage", "told"),
    [
        (["report", "FILE", "--out", "OUT"], "netCDF", cut, "is not a profiles file"),
        long(["report", "FILE", "--out", "OUT"], "Zarr", nested_attribute, "'model'"),
        (["cluster", "FILE", "--group", "phoneme", "--out", "OUT"], "Zarr", missing_counts, "damaged"),
        long(
            ["cluster", "FILE", "--group", "phoneme", "--out", "OUT"],
            "netCDF",
            replaced_by("pipe"),
            "is not a profiles",
        ),
        long(
            ["compare", "one=FILE", "other=FILE", "--out", "OUT"],
            "netCDF",
            replaced_by("picture"),
            "is not a profiles file",
        ),
        (
            ["profile", "FILE", "--corpus", "timit:OUT", "--group", "phoneme", "--out", "OUT"],
            "network",
            flipped,
            "is damaged",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None) or (value[0] if isinstance(value, list) else value),
)
def test_commands(command: list[str], kind: str, damage: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    path = tmp_path / KINDS[kind].ending
    KINDS[kind].write(path)
    damage(path)
    words = [word.replace("FILE", str(path)).replace("OUT", str(tmp_path / "out")) for word in command]
    outcome = process(*words)
    assert told in sentence(outcome)
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
