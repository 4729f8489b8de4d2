"""Damages of the tree itself: links, pipes, folders in the place of files, names, files that are not there."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.damages import Damage
from tests.hostile.speech import Files

NO_FILE = "it is a folder, a pipe or a device, and no file"


def replaced(kind: str, put: Callable[[Path], object]) -> Callable[[Files], None]:
    def place(files: Files) -> None:
        files.paths[kind].unlink()
        put(files.paths[kind])

    return place


def _in_a_folder(path: Path) -> None:
    path.mkdir()
    (path / "notes").write_text("")


def in_the_place_of(kind: str) -> Iterator[Damage]:
    """Something else in the place of a file."""
    for name, put, refused in (
        ("a link to itself", lambda path: path.symlink_to(path), "cannot be read: .*link"),
        ("a link to nothing", lambda path: path.symlink_to("nowhere"), "cannot be read: No such file"),
        ("a link to a folder", lambda path: path.symlink_to("/"), NO_FILE),
        ("a device", lambda path: path.symlink_to("/dev/zero"), NO_FILE),
        ("a link to a link to itself", _two_links, "cannot be read: .*link"),
        ("a pipe", os.mkfifo, NO_FILE),
        ("a folder", _in_a_folder, NO_FILE),
        (
            "a terabyte of nothing",
            _terabyte,
            "cannot be read: it holds 1,099,511,627,776 bytes, and accepted are at most",
        ),
    ):
        # In a tree of TextGrids a folder is a folder, whatever its name; see `test_places.py`.
        if not (kind in ("audio", "grid") and "folder" in name):
            # What lies in a folder is looked for, so that the file itself is missing.
            missing = (
                {"refused": r"has no \w+ annotation", "names": "audio"} if "folder" in name else {"refused": refused}
            )
            yield Damage(f"{name} for {kind}", kind, place=replaced(kind, put), **missing)
    yield Damage(f"a link to {kind} elsewhere", kind, place=lambda files: _moved(files.paths[kind]))


def _two_links(path: Path) -> None:
    other = path.with_name(f"{path.name}.other")
    path.symlink_to(other)
    other.symlink_to(path)


def _terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def _moved(path: Path) -> None:
    away = path.with_name(f".{path.name}")
    path.rename(away)
    path.symlink_to(away.name)


PLACE_DAMAGES: tuple[Damage, ...] = tuple(
    damage for kind in ("audio", "phn", "wrd", "txt", "grid") for damage in in_the_place_of(kind)
)

#: Names that recordings, speakers and folders may have, and are read with.
NAMES: tuple[str, ...] = (
    *("two words", "two\nlines", "tab\tstop", "cr\rlf\n", "a..b", "a...", "-rf", "~", "'quoted'", '"quoted"', "%s{0}"),
    *(
        "\\",
        "a\\nb",
        "$HOME",
        "`ls`",
        "é東京",
        "\u202eltr",
        "\x1b[31m",
        "*?",
        "n" * 200,
        "CON",
        "a.wav.b",
        "#1",
        "=1+1",
    ),
)
#: Names with a leading dot, which are left behind by file systems; what lies there is no recording.
HIDDEN: tuple[str, ...] = ("..hidden", ".hidden", "...", "._SA1", ". ")
