"""What workers of a cluster do: load the network once, and compute blocks of shards."""

import functools
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

import snaps
from snaps.alignment import Alignment
from snaps.datasets.corpus import CorpusLike
from snaps.datasets.files import FileCorpus
from snaps.datasets.groupings import Grouping
from snaps.datasets.inventory import Inventory
from snaps.datasets.recording import Recording
from snaps.errors import InputError, RecordingError, reason_of
from snaps.models import Wav2Letter, load_model, weights_hash
from snaps.profiling.parts import Counter, Part, pack, unpack
from snaps.profiling.reading import READ_AHEAD, OnError
from snaps.profiling.run import Run, methods_of
from snaps.profiling.session import open_session
from snaps.profiling.shards import play_shards

#: One network plays at a time in a process: what a session sets holds for all of its threads.
_PLAYING = Lock()


#: Recordings that travel to workers: where they lie, or themselves.
Shipped = FileCorpus | list[Recording]


@dataclass(frozen=True)
class Plan:
    """Everything that a worker needs besides the recordings.

    Attributes
    ----------
    version : str
        Version of this package.
    network : str
        File of the network.
    witnesses : tuple of str
        Some of the corpus's files, that a worker sees if it sees the corpus.
    weights : str
        Hash of its weights.
    padding : str
        How the network pads, which may be set after loading.
    groupings : tuple of Grouping
        What frames are averaged by.
    inventory : Inventory
        Columns of the whole corpus's frame table, and its labels.
    aligners : mapping of str to aligner
        How epochs are aligned.
    units : mapping of str to sequence of int
        Units to keep of some layers.
    variance : bool
        Whether second moments are kept.
    on_error : {"raise", "skip"}
        What becomes of recordings that cannot be read.
    options : mapping
        Passed to `snaps.profiling.session.open_session`.
    """

    version: str
    network: str
    witnesses: tuple[str, ...]
    weights: str
    padding: str
    groupings: tuple[Grouping, ...]
    inventory: Inventory
    aligners: Mapping[str, Alignment]
    units: Mapping[str, Sequence[int]]
    variance: bool
    on_error: OnError
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Packed:
    """A part on its way from a worker: what JSON can hold, and arrays by name."""

    described: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def part(self) -> Part:
        """Put the part together, on the CPU."""
        tensors = {name: torch.from_numpy(_writable(array)) for name, array in self.arrays.items()}
        return unpack(self.described, tensors, device=torch.device("cpu"))


class BlockError(InputError):
    """A block of shards could not be computed, and no recording is to blame: it may be in another attempt."""


def compute_block(
    plan: Plan,
    recordings: Shipped,
    *,
    level: int,
    without: Mapping[str, str] | None = None,
    tell: Callable[[str], object] | None = None,
) -> Packed:
    """Compute the shards of one block, and merge them here.

    Parameters
    ----------
    plan : Plan
        What to compute.
    recordings : FileCorpus or list of Recording
        The recordings of these shards alone.
    level : int
        The block's level.
    without : mapping of str to str, optional
        Recordings that are left out, and why.
    tell : callable, optional
        On the last attempt: takes every recording's name before it is loaded, and none is loaded before its turn, so
        that it is known of which one a process died. It returns when the name is where the process cannot take it
        along.

    Raises
    ------
    RecordingError
        If a recording cannot be read, or anything goes wrong while it is loaded or played.
    BlockError
        If anything goes wrong that is no recording's doing.
    InputError
        If the network or the corpus is not here, or is another, or the sums do not fit into this worker's memory.
    """
    look_around(plan)
    names = names_of(recordings)
    corpus = _Watched(recordings, names, without or {}, tell)
    with _PLAYING:
        network = load_network(plan.network, plan.weights)
        network.padding = plan.padding  # type: ignore[assignment]
        try:
            with open_session(network, methods=methods_of(plan.aligners.values()), **plan.options) as session:
                run = _BlamingRun(
                    session, plan.groupings, plan.inventory, aligners=plan.aligners, units=plan.units,
                    variance=plan.variance, sums_held=1 + level,
                )  # fmt: skip
                counter = Counter()
                ahead = READ_AHEAD if tell is None else 1
                for part in play_shards(run, corpus, on_error=plan.on_error, ahead=ahead):
                    counter.push(part)
                assert len(counter.levels) <= level + 1
                described, tensors = pack(counter.close())
        except InputError:
            raise
        except _Blamed as blamed:
            error, name = blamed.error, blamed.recording
            sentence = f"recording {name!r} cannot be played on {here()}: {_what(error)}"
            if isinstance(error, MemoryError | torch.OutOfMemoryError):
                raise BlockError(sentence) from error
            raise RecordingError(name, sentence) from error
        except Exception as error:
            raise BlockError(
                f"the recordings {names[0]!r} to {names[-1]!r} cannot be played on {here()}: {_what(error)}"
            ) from error
        return Packed(described, {name: tensor.cpu().numpy() for name, tensor in tensors.items()})


def names_of(recordings: Shipped) -> Sequence[str]:
    """Identifiers of recordings, of which none is read."""
    return recordings.ids if isinstance(recordings, FileCorpus) else [recording.id for recording in recordings]


@functools.lru_cache(maxsize=1)
def load_network(path: str, weights: str) -> Wav2Letter:
    """Load the network once, and make sure that it is the one that is meant.

    Raises
    ------
    InputError
        If it has other weights.
    """
    network = load_model(path)
    if weights_hash(network) != weights:
        raise InputError(
            f"the network in {path!r} has other weights than the one that was given; save it with save_model, and load "
            "it from there"
        )
    return network


def look_around(plan: Plan) -> None:
    """Make sure that this worker has the same version, and sees network and corpus.

    Workers come and go, so each looks before every block: recordings that it does not see must not be taken for
    broken ones.

    Raises
    ------
    InputError
        Naming this worker, and the path that it does not see.
    """
    if snaps.__version__ != plan.version:
        raise InputError(f"the worker on {here()} has the version {snaps.__version__} of snaps, and not {plan.version}")
    for path in (plan.network, *plan.witnesses):
        if not Path(path).exists():
            raise InputError(
                f"the worker on {here()} does not see {path!r}; network and corpus must be on paths that all workers "
                "share"
            )


def here() -> str:
    """Machine and process, for a sentence."""
    return f"{socket.gethostname()} (process {os.getpid()})"


def _what(error: BaseException) -> str:
    return f"{type(error).__name__}: {reason_of(error)}" if str(error) else type(error).__name__


class _Blamed(Exception):  # noqa: N818
    """What went wrong while one recording was loaded or played."""

    def __init__(self, recording: str, error: Exception) -> None:
        super().__init__(recording)
        self.recording, self.error = recording, error


@contextmanager
def _blaming(recording: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise _Blamed(recording, error) from error


class _BlamingRun(Run):
    """A run that tells which recording could not be played."""

    def add(self, recording: Recording) -> None:
        with _blaming(recording.id):
            super().add(recording)


class _Watched:
    """Recordings of which some are left out, and whose names are told before they are loaded."""

    name = fingerprint = "watched"

    def __init__(
        self,
        recordings: CorpusLike,
        names: Sequence[str],
        without: Mapping[str, str],
        tell: Callable[[str], object] | None,
    ) -> None:
        self._recordings, self._names, self._without, self._tell = recordings, names, without, tell

    def __len__(self) -> int:
        return len(self._recordings)

    def __getitem__(self, index: int) -> Any:
        name = self._names[index]
        if name in self._without:
            raise RecordingError(name, self._without[name])
        if self._tell is not None:
            self._tell(name)
        with _blaming(name):
            return self._recordings[index]


def _writable(array: np.ndarray) -> np.ndarray:
    """Torch warns about arrays that lie in what came over the network."""
    return array if array.flags.writeable else array.copy()
