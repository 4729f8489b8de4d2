"""Runs of commands that may take days: claimed, kept on disk, and finished at once."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snaps.errors import InputError
from snaps.outputs import remove_leftovers

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

        try:
            save_profiles(profiles, self.out, overwrite=self.overwrite)
        except OSError as error:
            if isinstance(error, InputError):
                raise
            kept = (
                f"the state of the run is kept in {str(self.state)!r}, and the same command goes on from there"
                if self.state.exists()
                else "there is no state of the run, and the same command begins anew"
            )
            raise InputError(f"{str(self.out)!r} cannot be written: {error.strerror or error}; {kept}") from error
        self.state.unlink(missing_ok=True)


def state_file(out: Path) -> Path:
    """Where the state of a run is kept: beside its output."""
    return out.with_name(f"{out.name}.checkpoint")


@contextmanager
def kept_run(out: Path, *, scheduler: str | None, overwrite: bool) -> Iterator[KeptRun]:
    """Claim an output, remove what killed runs left half-written, and connect to a cluster if one is named.

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
        If another run has claimed the output, or there is no such cluster.
    """
    from snaps.profiling.claim import claimed

    with ExitStack() as stack:
        stack.enter_context(claimed(out))
        state = state_file(out)
        # On a cluster the network may be written beside the state.
        for written in (out, state, state.with_name(f"{state.name}.network.safetensors")):
            remove_leftovers(written)
        if overwrite:
            state.unlink(missing_ok=True)
        client = None
        if scheduler is not None:
            from snaps.profiling.cluster import open_cluster

            client = stack.enter_context(open_cluster(scheduler))
        yield KeptRun(out, state, client, overwrite)
