"""An output takes its place at once and whole, or what was there stays; and one run at a time writes it."""

import errno
import itertools
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from snaps.errors import InputError, OutputExistsError
from snaps.outputs import claimed, writing
from tests.waiting import PATIENCE

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


def mark(after: str) -> str | None:
    return "inside" if after == "folder" else None


def fits(before: str, after: str) -> bool:
    """Whether what is there is of the kind that is to be written, or leads nowhere."""
    return before in ("nothing", "dangling link") or before.removeprefix("link to a ") == after


@pytest.mark.parametrize(("before", "after"), [*itertools.product(KINDS, KINDS[1:3])])
def test_what_may_be_replaced_is_replaced_when_it_is_finished(before: str, after: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    put(before, target, "old")
    everything, elsewhere = held(tmp_path), held(tmp_path / "elsewhere")
    if before != "nothing":
        told = r"out' exists; give another name, or --overwrite / overwrite=True$" if fits(before, after) else "; give"
        with pytest.raises(OutputExistsError, match=told), writing(target, mark=mark(after)):
            pytest.fail("nothing is to be done")
        assert held(tmp_path) == everything
    if not fits(before, after):
        told = r"is a folder; give the name of a file$" if after == "file" else r"is a file; give the name of a folder$"
        with pytest.raises(OutputExistsError, match=told), writing(target, overwrite=True, mark=mark(after)):
            pytest.fail("nothing is to be done")
        assert held(tmp_path) == everything
        return
    with writing(target, overwrite=True, mark=mark(after)) as partial:
        assert partial.name.endswith("out")
        put(after, partial, "new")
        assert held(target) in ("old", {"inside": "old"}, None)
    assert held(target) == ("new" if after == "file" else {"inside": "new"})
    # What a link pointed to is somebody else's.
    assert held(tmp_path / "elsewhere") == elsewhere
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "elsewhere"}


@pytest.mark.parametrize("before", ["nothing", "folder", "link to a folder"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_what_was_there_stays_when_writing_ends_early(before: str, error: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "out"
    put(before, target, "old")
    everything = held(tmp_path)
    with pytest.raises(error), writing(target, overwrite=True, mark="inside") as partial:
        put("folder", partial, "half")
        raise error
    assert held(tmp_path) == everything


def test_folders_of_something_else_and_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    told = "is a folder without 'inside', so it is of something else and is not replaced"
    for overwrite in (False, True):
        with (
            pytest.raises(OutputExistsError, match=told),
            writing(tmp_path / "mine", overwrite=overwrite, mark="inside"),
        ):
            pytest.fail("nothing is to be done")
    assert held(tmp_path) == {"mine": {"thesis.tex": "years of work"}}
    (tmp_path / "empty").mkdir()
    with writing(tmp_path / "empty", mark="inside") as partial:
        put("folder", partial, "new")
    assert held(tmp_path / "empty") == {"inside": "new"}


def test_folders_above_are_made(tmp_path: Path) -> None:
    with writing(tmp_path / "a" / "b" / "out") as partial:
        partial.write_text("new")
    assert held(tmp_path) == {"a": {"b": {"out": "new"}}}


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """Also where what is written to is in turn written by way of another name."""
    with (
        pytest.raises(InputError, match=r"^'[^']*/out' cannot be written: No space left on device$"),
        writing(tmp_path / "out") as partial,
        writing(partial) as inner,
    ):
        inner.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert held(tmp_path) == {}


def test_a_name_that_nothing_can_have(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: File name too long"), writing(tmp_path / ("a" * 300)):
        pytest.fail("nothing is to be done")


def forked(deed: Callable[[], None]) -> int | None:
    """Exit status of a copy of this process that does something."""
    process = multiprocessing.get_context("fork").Process(target=deed)
    process.start()
    process.join(PATIENCE)
    return process.exitcode


def test_what_a_killed_process_left_is_no_claim_and_is_removed(tmp_path: Path) -> None:
    def killed() -> None:
        with writing(tmp_path / "out") as partial:
            put("folder", partial, "half of it")
            os._exit(9)

    assert forked(killed) == 9
    (tmp_path / ".partial.out.nc").write_text("another's")
    assert {".out.lock", ".partial.out", ".partial.out.nc"} == {path.name for path in tmp_path.iterdir()}
    with writing(tmp_path / "out") as partial:
        partial.write_text("new")
    assert held(tmp_path) == {"out": "new", ".partial.out.nc": "another's"}


@pytest.mark.parametrize("killed", ["between the renames", "while the old is removed"])
def test_killed_while_a_folder_is_replaced(killed: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    put("folder", target, "old")

    def replaced() -> None:
        if killed == "between the renames":
            Path.replace = lambda *_: os._exit(9)
        else:
            shutil.rmtree = lambda folder: ((folder / "inside").unlink(), os._exit(9))
        with writing(target, overwrite=True, mark="inside") as partial:
            put("folder", partial, "new")

    assert forked(replaced) == 9
    if killed == "between the renames":
        assert held(tmp_path / ".partial.out") == {"inside": "new"}
        assert held(tmp_path / ".replaced.out") == {"inside": "old"}
        with (
            pytest.warns(UserWarning, match=r"an earlier run ended while it replaced '.*out'; what was there before"),
            pytest.raises(OutputExistsError),
            writing(target, mark="inside"),
        ):
            pytest.fail("nothing is to be done")
        assert held(tmp_path) == {"out": {"inside": "old"}}
    else:
        with pytest.raises(OutputExistsError), writing(target, mark="inside"):
            pytest.fail("nothing is to be done")
        assert held(tmp_path) == {"out": {"inside": "new"}}


def test_a_leftover_that_cannot_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is in its place, so it is no failure."""
    put("folder", tmp_path / "out", "old")

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", refuse)
        with (
            pytest.warns(UserWarning, match=r"\.replaced\.out' cannot be removed: Permission denied"),
            writing(tmp_path / "out", overwrite=True, mark="inside") as partial,
        ):
            put("folder", partial, "new")
    assert held(tmp_path / "out") == {"inside": "new"}


def test_the_second_of_two_writers_is_refused(tmp_path: Path) -> None:
    with claimed(tmp_path / "out"):
        with (
            pytest.raises(InputError, match=r"^another run is writing '.*out'; wait for it"),
            writing(tmp_path / "out"),
        ):
            pytest.fail("nothing is to be done")
        with writing(tmp_path / "out.nc") as partial:
            partial.write_text("new")
    assert held(tmp_path) == {"out.nc": "new"}
