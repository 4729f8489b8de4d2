"""The one way to write: outputs appear whole or not at all, and one run writes at a time."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from snaps.errors import InputError, OutputExistsError

#: Name prefixes of a partial output and of a folder that is being replaced; both lie beside the output, and its whole
#: name follows, so that the ending still says what it is.
PARTIAL, ASIDE = ".partial.", ".replaced."


@contextmanager
def writing(
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    mark: str | tuple[str, ...] | None = None,
    flushed: bool = True,
) -> Iterator[Path]:
    """Refuse an output that exists, lock it, and give a partial name beside it to write to.

    What was written there is renamed when the block ends, and removed when the block raises. Missing folders above
    the output are made. Enter it before long work, so that what must not be written is refused at once.

    Parameters
    ----------
    path : path
        The output. A link is replaced, and not what it points to.
    overwrite : bool
        Whether to replace what is there.
    mark : str or tuple of str, optional
        Marker file, or files: a folder is written, and what is there is replaced only if it is an empty folder or one
        that holds a marker. Without it a file is written, and no folder is ever replaced.
    flushed : bool
        Flush the data to the disk before the rename, so that a power cut leaves what was there before, or the whole of
        what is new.

    Yields
    ------
    Path
        Name to write to, with the ending of the output.

    Raises
    ------
    OutputExistsError
        If there is something that may not be replaced.
    InputError
        If another run is writing the output, or the system refuses to write it (a full disk, say).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder) / "page.html") as partial:
    ...         _ = partial.write_text("whole")
    ...     (Path(folder) / "page.html").read_text()
    'whole'
    """
    target = in_its_place(Path(path))
    try:
        with claimed(target):
            remove_leftovers(target)
            refuse(target, overwrite=overwrite, mark=mark)
            with replacing(target, flushed=flushed) as partial:
                yield partial
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{_shown(target)} cannot be written: {error.strerror or error}") from error


def refuse(path: Path, *, overwrite: bool, mark: str | tuple[str, ...] | None = None) -> None:
    """Refuse an output that exists and may not be replaced.

    Raises
    ------
    OutputExistsError
        As `writing`.
    """
    if not os.path.lexists(path):  # Path.exists raises where a folder above may not be entered
        return
    if path.is_dir():
        if mark is None:
            raise OutputExistsError(f"the output {_shown(path)} is a folder; give the name of a file")
        if not any(path.iterdir()):
            return
        marks = (mark,) if isinstance(mark, str) else mark
        if not any(os.path.lexists(path / name) for name in marks):
            raise OutputExistsError(
                f"the output {_shown(path)} is a folder without {marks[0]!r}, so it is of something else and is not "
                "replaced; give another name"
            )
    elif mark is not None and path.exists():
        raise OutputExistsError(f"the output {_shown(path)} is a file; give the name of a folder")
    if not overwrite:
        raise OutputExistsError(f"the output {_shown(path)} exists; give another name, or --overwrite / overwrite=True")


@contextmanager
def claimed(path: str | os.PathLike[str]) -> Iterator[None]:
    """Lock an output for as long as the context is open.

    The file ``.NAME.lock`` beside the output is locked, which ends with the process, however that ends.

    Raises
    ------
    InputError
        If another run has claimed it, or nothing can be written there.
    """
    target = in_its_place(Path(path))
    lock = target.with_name(f".{target.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock, thread_local=False).acquire(timeout=0)
    except Timeout:
        raise InputError(f"another run is writing {_shown(target)}; wait for it, or give another name") from None
    except OSError as error:
        raise InputError(f"{_shown(target)} cannot be written: {error.strerror or error}") from error
    with held:
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


@contextmanager
def replacing(target: Path, *, flushed: bool = True) -> Iterator[Path]:
    """Give a partial name beside a locked output, and rename it when the block ends.

    With `flushed`, the data is on the disk before the rename, so that a power cut leaves what was there before, or the
    whole of what is new.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target = in_its_place(target)
    partial = target.with_name(PARTIAL + target.name)
    try:
        yield partial
        if flushed:
            for written in [partial, *partial.rglob("*")] if partial.is_dir() else [partial]:
                _flush(written)
        if target.is_dir() and not target.is_symlink():
            target.rename(target.with_name(ASIDE + target.name))
        elif partial.is_dir():
            target.unlink(missing_ok=True)
        partial.replace(target)
        if flushed:
            _flush(target.parent)
    finally:
        remove_leftovers(target)


def remove_leftovers(target: Path) -> None:
    """Remove partial outputs of a killed run, and put a folder back that it was replacing."""
    target = in_its_place(target)
    partial, aside = (target.with_name(beginning + target.name) for beginning in (PARTIAL, ASIDE))
    try:
        if os.path.lexists(aside) and not os.path.lexists(target):
            aside.rename(target)
            warnings.warn(
                f"an earlier run ended while it replaced {_shown(target)}; what was there before is back in its place",
                stacklevel=3,
            )
        for left in (partial, aside):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            elif os.path.lexists(left):
                left.unlink()
    except OSError as error:  # leftovers that stay do not fail the write
        warnings.warn(f"beside {_shown(target)}, {error.filename!r} cannot be removed: {error.strerror}", stacklevel=3)


def in_its_place(path: Path) -> Path:
    """Absolute path of a file or folder. A link that is its last part is not followed.

    Some libraries take ``~`` for a home, and two dots behind a link for a step back.

    Raises
    ------
    InputError
        If it is the root of all folders, which has no name.
    """
    place = path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
    if not place.name:
        raise InputError(f"{str(path)!r} is the root of all folders; accepted is the name of a file or folder")
    return place


def _shown(path: Path) -> str:
    """Name of an output in a sentence; a partial name is shown as the output's own."""
    return repr(str(path.with_name(path.name.removeprefix(PARTIAL)) if path.name else path))


def _flush(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
