"""Runs of commands that may take days: claimed, kept on disk, and finished at once."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snaps.errors import InputError, OutputExistsError
from snaps.outputs import claimed, remove_leftovers

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class KeptRun:
    """A run into one output.

    Attributes
    ----------
    out : Path
        Profiles to write.
    state : Path
        Where the state of the run is kept until then.
    client : distributed.Client or None
        The cluster, if there is one.
    overwrite : bool
        Whether profiles that exist are replaced.
    """

    out: Path
    state: Path
    client: Any
    overwrite: bool

    def finish(self, profiles: "xr.DataTree") -> None:
        """Write the profiles, then remove the state.

        Raises
        ------
        InputError
            If the profiles cannot be written; the state is kept, if there is one.
        """
        from snaps.profiles import save_profiles

        with writing(self.out, self.state):
            save_profiles(profiles, self.out, overwrite=self.overwrite)
        self.state.unlink(missing_ok=True)


@contextmanager
def writing(out: Path, state: Path) -> Iterator[None]:
    """Say in one sentence that an output cannot be written, and where the state of its run is kept.

    Raises
    ------
    InputError
        If the system refuses what is written in the block.
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        kept = (
            f"the state of the run is kept in {str(state)!r}, and the same command goes on from there"
            if state.exists()
            else "there is no state of the run, and the same command begins anew"
        )
        raise InputError(f"{str(out)!r} cannot be written: {error.strerror or error}; {kept}") from error


def state_file(out: Path) -> Path:
    """Where the state of a run is kept: beside its output."""
    return out.with_name(f"{out.name}.checkpoint")


def refuse_output(out: Path, *, overwrite: bool) -> None:
    """Refuse the name of profiles that are to be written, if that cannot be or must not be.

    Parameters
    ----------
    out : Path
        Profiles to write.
    overwrite : bool
        Whether profiles that exist may be replaced.

    Raises
    ------
    InputError
        If it is no name.
    OutputExistsError
        If there is something that may not be replaced.
    """
    from snaps.profiles import refuse_existing

    if out.name in ("", ".."):
        raise InputError(f"--out is {str(out)!r}; accepted is the name of a Zarr store, or of a netCDF file")
    refuse_beside(out, state_file(out), overwrite=overwrite)
    refuse_existing(out, overwrite=overwrite)


def refuse_beside(out: Path, state: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists and is not to be replaced, and say how to go on from a state beside it.

    Raises
    ------
    OutputExistsError
        Naming both.
    """
    if os.path.lexists(out) and not overwrite:
        kept = (
            f" and begin anew, or move it away to go on from the state that is kept in {str(state)!r}"
            if os.path.lexists(state)
            else ""
        )
        raise OutputExistsError(f"{out} exists; give --overwrite to replace it{kept}")


@contextmanager
def kept_run(out: Path, *, scheduler: str | None, overwrite: bool) -> Iterator[KeptRun]:
    """Claim an output, remove what killed runs left half-written, and connect to a cluster if one is named.

    The state of an earlier run is deleted only when it is known that the output may be written.

    Parameters
    ----------
    out : Path
        Profiles to write.
    scheduler : str or None
        The cluster: a scheduler's address, or ``local:N``.
    overwrite : bool
        Whether to begin anew.

    Raises
    ------
    InputError
        If another run has claimed the output, it is no name, or there is no such cluster.
    OutputExistsError
        If there is an output that may not be replaced.
    """
    with ExitStack() as stack:
        refuse_output(out, overwrite=overwrite)
        stack.enter_context(claimed(out))
        state = state_file(out)
        # On a cluster the network may be written beside the state.
        for written in (out, state, state.with_name(f"{state.name}.network.safetensors")):
            remove_leftovers(written)
        # Another run may have ended between the look above and our claim, or an output was put back.
        refuse_output(out, overwrite=overwrite)
        if overwrite:
            state.unlink(missing_ok=True)
        client = None
        if scheduler is not None:
            from snaps.profiling.cluster import open_cluster

            client = stack.enter_context(open_cluster(scheduler))
        yield KeptRun(out, state, client, overwrite)
