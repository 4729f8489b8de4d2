"""Outputs that appear at once and whole, or not at all, and are written by one run at a time."""

import os
import re
import shutil
import socket
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snaps.errors import InputError, OutputExistsError

#: Hexadecimal digits by which the partial files of two processes differ, where both write one output.
OWN_DIGITS = 8


@contextmanager
def replacing(target: Path, *, flushed: bool = True, alone: bool = False) -> Iterator[Path]:
    """Give another name beside `target` to write a file or a folder to, which then takes its place.

    It is renamed when the block ends, and removed when the block raises. Missing folders above `target` are made.
    A folder that is replaced takes the other name at the same moment, on Linux and where the file system can, and is
    then removed; elsewhere it is moved aside first. If it cannot be removed, a warning says where it lies.

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
        _discard(partial)


@contextmanager
def claimed(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other runs away from an output for as long as this is open.

    The claim is a lock on the file ``.NAME.lock`` beside the output, which the system lets go when the process ends,
    however it ends. What an earlier process left there is no claim.

    Raises
    ------
    InputError
        If another run has claimed it; the sentence names its process.
    """
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(lock)
    except BlockingIOError:
        owner = ""
        with suppress(OSError):  # whoever has it may end, and remove it, at this very moment
            owner = lock.read_text(encoding="utf-8", errors="replace").strip()
        raise InputError(
            f"another run is writing {str(path)!r}{f' ({owner})' if owner else ''}; wait for it, or give another name"
        ) from None
    except OSError as error:
        raise InputError(f"{str(lock)!r} cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def refuse_file(path: Path, *, overwrite: bool) -> None:
    """Refuse the name of a file that is to be written, if it is that of a folder, or of what may not be replaced.

    Parameters
    ----------
    path : Path
        The output. A link that leads nowhere counts as something that exists.
    overwrite : bool
        Whether a file may be replaced. A folder never is: whoever mistypes a name must not lose one.

    Raises
    ------
    OutputExistsError
        Naming the output.
    """
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a folder above may not be entered
        raise OutputExistsError(f"the output {str(path)!r} is a folder; give the name of a file")
    if os.path.lexists(path) and not overwrite:
        raise OutputExistsError(f"the output {str(path)!r} exists; give another name, or overwrite it")


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left half-written of one output, and of no other whose name begins like its own.

    A folder that was moved aside to be replaced is put back, if nothing has taken its place, and removed otherwise.
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
    beginning = rf"\.{re.escape(target.name)}\."
    own = rf"[0-9a-f]{{{OWN_DIGITS}}}\."
    partial, aside = re.compile(rf"{beginning}({own})?partial"), re.compile(rf"{beginning}{own}old")
    for found in sorted(_inside(target.parent), key=_renamed, reverse=True):
        if partial.fullmatch(found.name):
            _discard(found)
        elif aside.fullmatch(found.name):
            _put_back_or_discard(found, target)


def in_its_place(path: Path) -> Path:
    """Absolute path of a file or folder. A link that is its last part is not followed.

    Some libraries take ``~`` for a home, and two dots behind a link for a step back.
    """
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def _lock(lock: Path) -> int:
    """Lock the file of that name, making it if there is none."""
    import fcntl

    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed it between our opening and our locking.
            if _is_called(descriptor, lock):
                with suppress(OSError):  # a full disk has no room for the name
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_called(descriptor: int, path: Path) -> bool:
    """Whether an open file still has a name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _own_name(target: Path, ending: str) -> str:
    return f".{target.name}.{uuid.uuid4().hex[:OWN_DIGITS]}.{ending}"


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        # There is no such folder, or it may be written to and not be listed.
        return []


def _renamed(path: Path) -> int:
    """When a file or folder was renamed or changed last."""
    try:
        return path.lstat().st_ctime_ns
    except OSError:
        return 0


def _put_back_or_discard(aside: Path, target: Path) -> None:
    if os.path.lexists(target):
        _discard(_no_longer_whole(aside, target.with_name(_own_name(target, "partial"))))
        return
    try:
        aside.rename(target)
    except OSError as error:
        warnings.warn(f"{str(aside)!r} cannot be put back: {error.strerror or error}", stacklevel=3)


def _no_longer_whole(aside: Path, partial: Path) -> Path:
    """Rename what is going to be removed: when half of it is gone, nobody must put it back."""
    try:
        return aside.rename(partial)
    except OSError as error:
        warnings.warn(f"{str(aside)!r} is of no use, and cannot be removed: {error.strerror or error}", stacklevel=3)
        return partial


def _flush(path: Path) -> None:
    """See a file, or a folder's list of names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_place(partial: Path, target: Path) -> None:
    """Rename what is finished; a folder that was there, or what a folder replaces, has the other name then."""
    if not partial.is_dir() and (target.is_symlink() or not target.is_dir()):
        partial.replace(target)
    elif not os.path.lexists(target):
        partial.rename(target)
    elif not _exchange(partial, target):
        aside = target.with_name(_own_name(target, "old"))
        try:
            target.rename(aside)
            partial.rename(target)
        except BaseException:
            if os.path.lexists(aside) and not os.path.lexists(target):
                aside.rename(target)
            raise
        _no_longer_whole(aside, partial)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where that cannot be done: not on Linux, or not on this file system."""
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, TypeError, AttributeError):
        return False
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE
    return rename(here, os.fsencode(one), here, os.fsencode(other), ctypes.c_uint(exchange)) == 0


def _discard(path: Path) -> None:
    """Remove what nobody needs; if that fails, it is no failure of what is being done."""
    try:
        _remove(path)
    except OSError as error:
        warnings.warn(f"{str(path)!r} is of no use, and cannot be removed: {error.strerror or error}", stacklevel=3)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
