"""Puts a folder into place in one step, so that no half-written corpus is ever seen."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snaps.errors import InputError, OutputExistsError, one_of

PARTS = ("DOC", "TEST", "TRAIN")
"""What the root of a synthesised corpus holds."""


def check_output(root: Path, *, overwrite: bool) -> None:
    """Refuse an output that must not be written.

    Raises
    ------
    OutputExistsError
        If `root` is a file, or a folder that is not empty and was not to be replaced.
    InputError
        If `root` was to be replaced, but holds other things than a corpus has.
    """
    if not root.exists() and not root.is_symlink():
        return
    if not root.is_dir():
        raise OutputExistsError(f"{root} exists and is no folder; name a folder that is new or empty")
    held = sorted(path.name for path in root.iterdir())
    if not held:
        return
    if not overwrite:
        raise OutputExistsError(
            f"{root} exists and is not empty; name another folder, or replace it with overwrite=True (--overwrite)"
        )
    foreign = [name for name in held if name not in PARTS]
    if foreign:
        raise InputError(
            f"{root} is not replaced, because it holds more than a synthesised corpus: {one_of(foreign)}; "
            f"accepted are {one_of(PARTS)}"
        )


@contextmanager
def folder_in_one_step(root: Path) -> Iterator[Path]:
    """Give a temporary folder beside `root`, which takes its place when all went well and vanishes otherwise.

    Parameters
    ----------
    root : path
        Where the folder shall lie; what lies there is replaced.
    """
    root = root.absolute()
    root.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        made = scratch / "made"
        made.mkdir()
        yield made
        target = root.resolve()
        if target.exists():
            target.rename(scratch / "replaced")
        try:
            made.rename(target)
        except OSError:
            if (scratch / "replaced").exists():
                (scratch / "replaced").rename(target)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
