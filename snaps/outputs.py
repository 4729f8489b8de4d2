"""Outputs that appear at once and whole, or not at all."""

import os
import re
import shutil
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Hexadecimal digits by which the partial files of two processes differ, where both write one output.
OWN_DIGITS = 8


@contextmanager
def replacing(target: Path, *, flushed: bool = True, alone: bool = False) -> Iterator[Path]:
    """Give another name beside `target` to write a file or a folder to, which then takes its place.

    It is renamed when the block ends, and removed when the block raises. Missing folders above `target` are made.

    Parameters
    ----------
    target : Path
        The output. Whether it may be replaced is for the caller to decide, before or within. A link to a folder
        is replaced, and not what it points to.
    flushed : bool
        See all that was written on the disk before it is renamed, so that a power cut leaves what was there before,
        or the whole of what is new.
    alone : bool
        Nobody else writes the same output, so the name is always the same, and what a killed process left of it is
        written over.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "page.html") as partial:
    ...         _ = partial.write_text("whole")
    ...     (Path(folder) / "page.html").read_text()
    'whole'
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target = in_its_place(target)
    partial = target.with_name(f".{target.name}.partial" if alone else _own_name(target, "partial"))
    try:
        yield partial
        if flushed:
            for part in [partial, *partial.rglob("*")] if partial.is_dir() else [partial]:
                _flush(part)
        _take_place(partial, target)
        if flushed:
            _flush(target.parent)
    finally:
        _remove(partial)


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left half-written of one output, and of no other whose name begins like its own.

    What cannot be removed is left, with a warning that names it. Call it where nobody else writes the output: what
    another process is writing goes too.

    Parameters
    ----------
    target : Path
        The output, as `replacing` was given it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in (".run.0a1b2c3d.partial", ".run.nc.0a1b2c3d.partial"):
    ...         (Path(folder) / name).touch()
    ...     remove_leftovers(Path(folder) / "run")
    ...     os.listdir(folder)
    ['.run.nc.0a1b2c3d.partial']
    """
    target = in_its_place(target)
    partial = re.compile(rf"\.{re.escape(target.name)}\.([0-9a-f]{{{OWN_DIGITS}}}\.)?partial")
    for found in _inside(target.parent):
        if partial.fullmatch(found.name):
            _discard(found)


def in_its_place(path: Path) -> Path:
    """Absolute path of a file or folder. A link that is its last part is not followed.

    Some libraries take ``~`` for a home, and two dots behind a link for a step back.
    """
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def _own_name(target: Path, ending: str) -> str:
    return f".{target.name}.{uuid.uuid4().hex[:OWN_DIGITS]}.{ending}"


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        # There is no such folder, or it may be written to and not be listed.
        return []


def _flush(path: Path) -> None:
    """See a file, or a folder's list of names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_place(partial: Path, target: Path) -> None:
    """Rename what is finished; a folder that was there is moved aside first and then removed."""
    if target.is_dir() and not target.is_symlink():
        aside = target.with_name(_own_name(target, "old"))
        target.rename(aside)
        try:
            partial.rename(target)
        except BaseException:
            aside.rename(target)
            raise
        _remove(aside)
    elif partial.is_dir() and (target.exists() or target.is_symlink()):
        target.unlink()
        partial.rename(target)
    else:
        partial.replace(target)


def _discard(path: Path) -> None:
    """Remove what nobody needs; if that fails, it is no failure of what is being done."""
    try:
        _remove(path)
    except OSError as error:
        warnings.warn(f"{str(path)!r} is of no use, and cannot be removed: {error.strerror or error}", stacklevel=3)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
