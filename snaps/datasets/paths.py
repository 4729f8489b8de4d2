"""Files and folders as they may be met: pipes, loops of links, folders that nobody may look into."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from snaps.errors import InputError


def require_file(path: Path, *, most: int | None = None) -> int:
    """Refuse what is no file, or too large: a pipe would be waited for, and a device may never end.

    Parameters
    ----------
    path : Path
        What is going to be read.
    most : int, optional
        Bytes that it may have; any number unless given.

    Returns
    -------
    int
        Bytes that it has.

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


def expand(path: str | Path) -> Path:
    """Path with the home folder in place of a leading ``~``.

    Raises
    ------
    InputError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"'{path}' begins with the home folder of a user who is not known") from None


def exists(path: Path) -> bool:
    """Whether there is anything under this name.

    Raises
    ------
    InputError
        If that cannot be told, for example because a folder above may not be entered.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise InputError(f"'{path}' cannot be opened: {error.strerror or error}") from None
    return True


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes
    ----------
    identity : tuple of int
        Device and number of the folder, by whatever path it is reached.
    folders, files : tuple of Path
        In the order of their names; whatever is no folder counts as a file. Links count as what they point to,
        and as files where that cannot be told. Names with a leading dot are left out: they are what file systems
        and archivers leave behind (``._SA1.WAV``).
    links : frozenset of Path
        Which of them are links.
    """

    identity: tuple[int, int]
    folders: tuple[Path, ...]
    files: tuple[Path, ...]
    links: frozenset[Path]


def list_folder(folder: Path) -> Listing:
    """List a folder.

    Raises
    ------
    InputError
        If it cannot be read: what it holds would be missing without a word.
    """
    try:
        status = folder.stat()
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"the folder '{folder}' cannot be read: {error.strerror or error}") from None
    shown = [entry for entry in entries if not entry.name.startswith(".")]
    return Listing(
        identity=(status.st_dev, status.st_ino),
        folders=tuple(folder / entry.name for entry in shown if _is_folder(entry)),
        files=tuple(folder / entry.name for entry in shown if not _is_folder(entry)),
        links=frozenset(folder / entry.name for entry in shown if entry.is_symlink()),
    )


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def walk_files(root: Path) -> list[Path]:
    """All files below a folder; linked folders are entered too, but each folder once, so that loops end.

    Raises
    ------
    InputError
        If a folder cannot be read.
    """
    files: list[Path] = []
    # A link to a folder above the root leads out of the corpus, and back into it.
    seen = {(status.st_dev, status.st_ino) for status in map(Path.stat, root.resolve().parents)}
    waiting = [root]
    while waiting:
        linked: list[Path] = []
        # Folders are taken from the end. Deep trees would be too deep for calls within calls.
        waiting = sorted(waiting, reverse=True)
        while waiting:
            listing = list_folder(waiting.pop())
            if listing.identity in seen:
                continue
            seen.add(listing.identity)
            files += listing.files
            for folder in reversed(listing.folders):
                (linked if folder in listing.links else waiting).append(folder)
        waiting = linked
    return files
