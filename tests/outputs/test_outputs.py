"""An output takes its place at once and whole, or what was there stays."""

import itertools
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from snaps import outputs
from snaps.errors import InputError, OutputExistsError
from snaps.outputs import claimed, refuse_file, remove_leftovers, replacing
from tests.waiting import PATIENCE, wait_until

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


@pytest.fixture(params=["at once", "in two steps"])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to replace a folder: names exchanged, and where that cannot be done."""
    if request.param == "in two steps":
        monkeypatch.setattr("snaps.outputs._exchange", lambda *_: False)


@pytest.mark.usefixtures("renaming")
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


@pytest.mark.usefixtures("renaming")
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


def forked(deed: Callable[[], None]) -> int | None:
    """Exit status of a copy of this process that does something."""
    process = multiprocessing.get_context("fork").Process(target=deed)
    process.start()
    process.join(PATIENCE)
    return process.exitcode


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    def killed() -> None:
        with replacing(tmp_path / "out", alone=True) as partial:
            partial.write_text("half of it")
            os._exit(9)

    names = []
    for _ in range(2):
        assert forked(killed) == 9
        names.append([path.name for path in tmp_path.iterdir()])
    assert names == [[".out.partial"], [".out.partial"]]
    with replacing(tmp_path / "out", alone=True) as partial, partial.open("w") as file:
        file.write("new")
    assert held(tmp_path) == {"out": "new"}


def test_leftovers_are_those_of_one_output_alone(tmp_path: Path) -> None:
    own = [".r*n.0a1b2c3d.partial", ".r*n.ffffffff.partial", ".r*n.partial"]
    others = [
        *(".r*n.nc.0a1b2c3d.partial", ".r*n.zarr.0a1b2c3d.partial", ".r*n.zarr.checkpoint.partial"),
        *(".r*n.checkpoint.partial", ".r*n.0a1b2c3.partial", ".r*n.0a1b2c3d.partial.nc", ".run.0a1b2c3d.partial"),
        *("r*n.0a1b2c3d.partial", ".r*n.lock"),
    ]
    for name in [*own, *others]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").touch()
    remove_leftovers(tmp_path / "r*n")
    assert {path.name for path in tmp_path.iterdir()} == set(others)
    assert all((tmp_path / name / "inside").exists() for name in others)


def test_leftovers_of_a_name_with_a_line_end_and_in_no_folder(tmp_path: Path) -> None:
    (tmp_path / ".a\nb.0a1b2c3d.partial").touch()
    remove_leftovers(tmp_path / "a\nb")
    remove_leftovers(tmp_path / "nowhere" / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_leftover_that_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".out.0a1b2c3d.partial").mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", refuse)
        with pytest.warns(UserWarning, match=r"\.out\.0a1b2c3d\.partial' is of no use, .*: Permission denied"):
            remove_leftovers(tmp_path / "out")
    assert (tmp_path / ".out.0a1b2c3d.partial").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names are exchanged on Linux")
def test_at_no_moment_there_is_nothing(tmp_path: Path) -> None:
    """Another process that looks all the time always finds a whole folder."""
    target = tmp_path / "out"
    put("folder", target, "old")
    looks = (
        "import sys, pathlib\n"
        "target = pathlib.Path(sys.argv[1])\n"
        "print('looking', flush=True)\n"
        "while True:\n"
        "    if not target.is_dir(): sys.exit('nothing is there')\n"
        "    if (target / 'last').exists(): break\n"
    )
    looking = subprocess.Popen([sys.executable, "-c", looks, target], stdout=subprocess.PIPE, text=True)
    assert looking.stdout is not None
    try:
        assert looking.stdout.readline() == "looking\n"
        for number in range(200):
            with replacing(target, flushed=False) as partial:
                put("folder", partial, "new")
                if number == 199:
                    (partial / "last").touch()
        looking.communicate(timeout=PATIENCE)
    finally:
        looking.kill()
    assert looking.returncode == 0


def test_what_is_in_its_place_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing what was replaced may fail; a warning says what is left, and the next run removes it."""
    target = tmp_path / "out"
    put("folder", target, "old")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with (
        monkeypatch.context() as patched,
        pytest.warns(UserWarning, match=r"\.out\.[0-9a-f]{8}\.partial' is of no use"),
    ):
        patched.setattr("shutil.rmtree", refuse)
        with replacing(target) as partial:
            put("folder", partial, "new")
    assert held(target) == {"inside": "new"}
    remove_leftovers(target)
    assert held(tmp_path) == {"out": {"inside": "new"}}


@pytest.mark.parametrize("killed", ["between the renames", "while the old is removed"])
def test_killed_while_a_folder_is_replaced_in_two_steps(killed: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    put("folder", target, "old")

    def replaced() -> None:
        outputs._exchange = lambda *_: False
        if killed == "between the renames":
            real, calls = Path.rename, []

            def rename(self: Path, other: Path) -> Path:
                calls.append(self)
                return os._exit(9) if len(calls) == 2 else real(self, other)

            Path.rename = rename
        else:

            def half(folder: Path) -> None:
                (folder / "inside").unlink()
                os._exit(9)

            outputs.shutil.rmtree = half
        with replacing(target) as partial:
            put("folder", partial, "new")

    assert forked(replaced) == 9
    assert target.exists() == (killed != "between the renames")
    remove_leftovers(target)
    assert held(tmp_path) == {"out": {"inside": "old" if killed == "between the renames" else "new"}}


def later(clock: Path, moment: int) -> bool:
    """Whether a file that is made now is younger."""
    clock.touch()
    changed = clock.lstat().st_ctime_ns
    clock.unlink()
    return changed > moment


def test_the_last_of_many_is_put_back(tmp_path: Path) -> None:
    for number, name in enumerate((".out.ffffffff.old", ".out.00000000.old", ".out.77777777.old")):
        put("folder", tmp_path / name, str(number))
        made = (tmp_path / name).lstat().st_ctime_ns
        wait_until(lambda made=made: later(tmp_path / "clock", made), "the file system's clock goes on")
    remove_leftovers(tmp_path / "out")
    assert held(tmp_path) == {"out": {"inside": "2"}}
    put("folder", tmp_path / ".out.0a1b2c3d.old", "older")
    put("folder", tmp_path / ".out.zarr.0a1b2c3d.old", "another's")
    remove_leftovers(tmp_path / "out")
    assert held(tmp_path) == {"out": {"inside": "2"}, ".out.zarr.0a1b2c3d.old": {"inside": "another's"}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_name_of_a_file_that_is_to_be_written(kind: str, overwrite: bool, tmp_path: Path) -> None:
    put(kind, tmp_path / "out", "old")
    if "folder" in kind:
        with pytest.raises(OutputExistsError, match=r"out' is a folder; give the name of a file$"):
            refuse_file(tmp_path / "out", overwrite=overwrite)
    elif kind != "nothing" and not overwrite:
        with pytest.raises(OutputExistsError, match=r"out' exists; give another name, or overwrite it$"):
            refuse_file(tmp_path / "out", overwrite=overwrite)
    else:
        refuse_file(tmp_path / "out", overwrite=overwrite)


def test_the_name_of_a_file_where_nobody_may_look(tmp_path: Path) -> None:
    """Whether it exists is not known; whoever writes it will be told why he cannot."""
    refuse_file(tmp_path / ("a" * 300), overwrite=False)


def test_the_owner_of_a_claim_may_end_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_text(path: Path, **_: object) -> str:
        path.unlink()
        raise FileNotFoundError(2, "No such file or directory", str(path))

    with claimed(tmp_path / "out"):
        monkeypatch.setattr(Path, "read_text", read_text)
        with pytest.raises(InputError, match=r"another run is writing '.*out'; wait for it"), claimed(tmp_path / "out"):
            pass
    assert list(tmp_path.iterdir()) == []
