"""Where a synthesised corpus may be written."""

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
