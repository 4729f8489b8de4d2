"""Long runs: their state is kept beside the output until the output is written."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snaps.errors import InputError, OutputExistsError
from snaps.outputs import in_its_place, remove_leftovers, writing


@contextmanager
def resuming(out: Path, state: Path, *, overwrite: bool, mark: str | None = None) -> Iterator[Path]:
    """Do as `snaps.outputs.writing`, say how to resume wherever it refuses, and delete the state at the end.

    Parameters
    ----------
    out : Path
        The output.
    state : Path
        File or folder in which the run keeps what is done: see `state_beside`.
    overwrite : bool
        Whether to replace the output.
    mark : str, optional
        As `snaps.outputs.writing`.

    Yields
    ------
    Path
        Name to write to.

    Raises
    ------
    OutputExistsError
        If there is an output that may not be replaced.
    InputError
        If another run is writing the output, or it cannot be written.
    """
    kept = f"the state of the run is kept in {str(state)!r}"
    try:
        with writing(out, overwrite=overwrite, mark=mark) as partial:
            remove_leftovers(state)
            yield partial
    except OutputExistsError as error:
        if overwrite or not os.path.lexists(state):
            raise
        raise OutputExistsError(f"{error}; {kept}: move the output away to go on from there") from None
    except InputError as error:
        if not isinstance(error.__cause__, OSError) or not os.path.lexists(state):
            raise
        raise InputError(f"{error}; {kept}, and the same command goes on from there") from error
    if state.is_dir():
        shutil.rmtree(state)
    else:
        state.unlink(missing_ok=True)


def state_beside(out: Path, ending: str) -> Path:
    """Path of a run's state: beside its output."""
    place = in_its_place(out)
    return (out if out.name == place.name else place).with_name(place.name + ending)
