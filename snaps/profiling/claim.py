"""One run at a time into one output."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snaps.errors import InputError


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
        owner = lock.read_text(encoding="utf-8", errors="replace").strip() if lock.is_file() else ""
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


def _lock(lock: Path) -> int:
    """Lock the file of that name, making it if there is none."""
    import fcntl

    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed it between our opening and our locking.
            if lock.exists() and os.path.samestat(os.fstat(descriptor), lock.stat()):
                with suppress(OSError):  # a full disk has no room for the name
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
