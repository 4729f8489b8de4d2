"""Files and folders of a corpus: checks, and a walk that enters every folder once."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from snaps.errors import InputError, MissingFileError


def require_file(path: Path, *, most: int | None = None) -> int:
    """Refuse what is no regular file, such as a pipe or a device, or is too large.

    Parameters
    ----------
    path : Path
        The file.
    most : int, optional
        Largest accepted number of bytes; any number unless given.

    Returns
    -------
    int
        Number of its bytes.

    Raises
    ------
    OSError
        If it is something else, is larger, or is not there.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, and no file")
    if most is not None and status.st_size > most:
        raise OSError(errno.EFBIG, f"it holds {status.st_size:,} bytes, and accepted are at most {most:,}")
    return status.st_size


def exists(path: Path) -> bool:
    """Whether a file or folder of this name exists.

    Raises
    ------
    InputError
        If the system does not say so, for example because a folder above may not be entered.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise InputError(f"'{path}' cannot be opened: {error.strerror or error}") from None
    return True


def require_folder(path: str | Path, what: str) -> Path:
    """Path of a folder, with the home folder in place of a leading ``~``.

    Raises
    ------
    MissingFileError
        If there is nothing under this name.
    InputError
        If it is a file, cannot be opened, or begins with the home folder of a user who is not known.
    """
    try:
        folder = Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"'{path}' begins with the home folder of a user who is not known") from None
    if not exists(folder):
        raise MissingFileError(f"the {what} '{folder}' does not exist")
    if not folder.is_dir():
        raise InputError(f"the {what} '{folder}' is a file; accepted is a folder")
    return folder


def walk_files(root: Path, *, depth: int | None = None, unreadable: list[OSError] | None = None) -> Iterator[Path]:
    """All files below a folder, in the order of their names.

    Linked folders are entered too, but each folder once and none above the root, so that loops end. Names with a
    leading dot are left out: they are what file systems and archivers leave behind (``._SA1.WAV``).

    Parameters
    ----------
    root : Path
        The folder.
    depth : int, optional
        Most folders between the root and a file; any number unless given.
    unreadable : list, optional
        List to which errors of folders that cannot be read are added; without it they are raised.

    Raises
    ------
    InputError
        If a folder cannot be read, so that its files would be dropped silently.
    """

    def add_error(error: OSError) -> None:
        if unreadable is None:
            raise unreadable_folder(error)
        unreadable.append(error)

    seen = {os.path.realpath(folder) for folder in (root.resolve(), *root.resolve().parents)}
    for folder, folders, files in os.walk(root, followlinks=True, onerror=add_error):
        here = Path(folder)
        if depth is not None and len(here.relative_to(root).parts) >= depth:
            folders.clear()
        # Links come last, so that a folder is found where it lies and not where something points to it.
        below = sorted((here / name for name in folders if name[0] != "."), key=lambda path: (path.is_symlink(), path))
        folders.clear()
        for path in below:
            if (place := os.path.realpath(path)) not in seen:
                seen.add(place)
                folders.append(path.name)
        yield from (here / name for name in sorted(files) if name[0] != ".")


def unreadable_folder(error: OSError) -> InputError:
    """Error of a folder that cannot be read."""
    return InputError(f"the folder '{error.filename}' cannot be read: {error.strerror or error}")
