"""An output takes its place at once and whole, or what was there stays."""

import itertools
import os
from pathlib import Path

import pytest

from snaps.outputs import replacing

KINDS = ("nothing", "file", "folder", "link to a file", "link to a folder", "dangling link")


def put(kind: str, at: Path, text: str) -> None:
    if kind == "file":
        at.write_text(text)
    elif kind == "folder":
        at.mkdir()
        (at / "inside").write_text(text)
    elif kind.startswith("link"):
        there = at.with_name("elsewhere")
        put(kind.removeprefix("link to a "), there, text)
        at.symlink_to(there)
    elif kind == "dangling link":
        at.symlink_to(at.with_name("nowhere"))


def held(path: Path) -> object:
    """What somebody who follows links finds below a path."""
    if path.is_dir():
        return {child.name: held(child) for child in path.iterdir()}
    return path.read_text() if path.exists() else None


@pytest.mark.parametrize(("before", "after"), list(itertools.product(KINDS, KINDS[1:3])))
def test_what_is_finished_takes_the_place_of_whatever_was_there(before: str, after: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    put(before, target, "old")
    elsewhere = held(tmp_path / "elsewhere")
    with replacing(target) as partial:
        put(after, partial, "new")
        assert held(target) in ("old", {"inside": "old"}, None)
    assert held(target) == ("new" if after == "file" else {"inside": "new"})
    # What a link pointed to is somebody else's.
    assert held(tmp_path / "elsewhere") == elsewhere
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "elsewhere"}


@pytest.mark.parametrize("before", KINDS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_was_there_stays_when_writing_ends_early(before: str, error: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "out"
    put(before, target, "old")
    everything = held(tmp_path)
    with pytest.raises(error), replacing(target) as partial:
        put("folder", partial, "half")
        raise error
    assert held(tmp_path) == everything


def test_folders_above_are_made(tmp_path: Path) -> None:
    with replacing(tmp_path / "a" / "b" / "out") as partial:
        partial.write_text("new")
    assert held(tmp_path) == {"a": {"b": {"out": "new"}}}


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        if os.fork() == 0:
            with replacing(tmp_path / "out", alone=True) as partial:
                partial.write_text("half of it")
                os._exit(9)
        os.wait()
        names.append([path.name for path in tmp_path.iterdir()])
    assert names == [[".out.partial"], [".out.partial"]]
    with replacing(tmp_path / "out", alone=True) as partial, partial.open("w") as file:
        file.write("new")
    assert held(tmp_path) == {"out": "new"}
