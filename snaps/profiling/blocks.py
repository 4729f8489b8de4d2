"""Blocks of recordings: the unit of resuming a run and of spreading it over machines.

A corpus is cut into blocks of consecutive recordings. Each block's sums are computed by themselves and merged in the
order of the blocks, as a tree of fixed shape, so that sums are the same to the bit whoever computed them.
A finished block is one file, written atomically. It is an npz archive, whose members carry CRC-32 checksums.
"""

import json
import os
import shutil
import socket
import warnings
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from operator import call
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

import snaps
from snaps.alignment import Alignment
from snaps.datasets import CorpusLike, FileCorpus, Recording
from snaps.errors import InputError, reason_of, shortened
from snaps.outputs import PARTIAL, replacing
from snaps.profiling.averaging import Averaging, Sums, average
from snaps.profiling.listen import OnError
from snaps.profiling.network import Playing, prepared

#: Recordings of a block at least, and number of blocks at most.
LEAST_RECORDINGS, MOST_BLOCKS = 16, 256
#: Upper bound on the stored sums per recording, in bytes; ignored below `FEW_BLOCKS` blocks.
BYTES_A_RECORDING, FEW_BLOCKS = 1 << 20, 8
#: Description of a run, in the folder of its blocks.
RUN = "run.json"

#: Batch size of workers: the same everywhere, because float32 sums of other batches differ in the last bits.
FRAMES_AT_ONCE = {"cpu": 64, "cuda": 256}
#: How often dask computes a block again that failed for another reason than its input.
RETRIES = 2
#: Blocks queued per worker thread.
AHEAD = 2
#: Polling interval, and time without workers before the run fails, in seconds.
GLANCE, LIMIT = 1.0, 600.0

#: One network plays at a time in a process: what `prepared` sets holds for all threads.
_PLAYING = Lock()


def cut_into_blocks(n_recordings: int, n_bytes: int) -> list[slice]:
    """Cut a corpus into blocks by its size and by that of one block's sums.

    Parameters
    ----------
    n_recordings : int
        Recordings of the corpus.
    n_bytes : int
        Size of one block's sums in bytes.

    Examples
    --------
    >>> cut_into_blocks(40, 10**6)
    [slice(0, 16, None), slice(16, 32, None), slice(32, 40, None)]
    """
    smallest, largest = -(-n_recordings // MOST_BLOCKS), -(-n_recordings // FEW_BLOCKS)
    size = max(LEAST_RECORDINGS, smallest, min(largest, n_bytes // BYTES_A_RECORDING))
    return [slice(first, min(first + size, n_recordings)) for first in range(0, n_recordings, size)]


@dataclass(eq=False)
class BlockFolder:
    """Folder of a run's finished blocks.

    Attributes
    ----------
    path : Path or None
        The folder; None where nothing is kept.
    identity : mapping
        Everything that decides the run's numbers, in values that JSON can hold; a run that goes on has the same.
    blocks : list of slice
        Blocks of the corpus.
    on_error : {"raise", "skip"}
        Whether recordings may have been left out.
    """

    path: Path | None
    identity: Mapping[str, Any]
    blocks: Sequence[slice]
    on_error: OnError = "raise"
    is_full: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.path is None:
            return
        size = self.blocks[0].stop - self.blocks[0].start
        self.identity = json.loads(json.dumps({**self.identity, "recordings a block": size}))
        earlier = read_identity(self.path)
        if earlier is not None:
            _refuse_another(self.path, earlier, self.identity)
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.path / RUN) as partial:
            partial.write_text(json.dumps(self.identity), encoding="utf-8")

    def file(self, number: int) -> Path:
        """File of a block."""
        assert self.path is not None
        return self.path / f"{number + 1:04d}-of-{len(self.blocks):04d}.npz"

    def missing(self) -> list[slice]:
        """Blocks that have no file yet."""
        return [block for number, block in enumerate(self.blocks) if not self._is_there(number)]

    def sums(self, computed: Iterator[Sums], bar: "tqdm[Any]", device: torch.device) -> Iterator[Sums]:
        """Sums of all blocks in their order: read from their files, or taken from `computed` and written."""
        there = [self._is_there(number) for number in range(len(self.blocks))]
        for number, block in enumerate(self.blocks):
            if there[number]:
                yield self._load(number, device)
                bar.update(block.stop - block.start)
            else:
                sums = next(computed)
                self._save(number, sums)
                yield sums

    def _is_there(self, number: int) -> bool:
        return self.path is not None and self.file(number).is_file()

    def _save(self, number: int, sums: Sums) -> None:
        if self.path is None or self.is_full:
            return
        try:
            with replacing(self.file(number)) as partial, partial.open("wb") as file:
                np.savez(file, **sums.to_arrays())  # type: ignore[arg-type]
        except (OSError, InputError) as error:
            # The profiles may fit where another block does not, so the run goes on.
            warnings.warn(
                f"block {number + 1} of {len(self.blocks)} cannot be written to {str(self.path)!r}: "
                f"{getattr(error, 'strerror', None) or error}; the run goes on, but if it is stopped, it begins again "
                "at this block",
                stacklevel=2,
            )
            self.is_full = True

    def _load(self, number: int, device: torch.device) -> Sums:
        file = self.file(number)
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                sums = Sums.from_arrays({name: arrays[name] for name in arrays.files}, device)
        except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{str(file)!r} is damaged, or no block of a run: {reason_of(error)}; delete it, and the same call "
                "computes it again"
            ) from error
        if sums.log.drops.skipped and self.on_error == "raise":
            name, reason = next(iter(sums.log.drops.skipped.items()))
            raise InputError(
                f"{str(self.path)!r} is of a run that left out the recording {name!r} ({reason}), and this one has "
                "on_error='raise'; go on with on_error='skip', or delete the folder (--overwrite) to begin anew"
            )
        return sums


def read_identity(path: Path) -> dict[str, Any] | None:
    """Identity of the run whose blocks lie in a folder; None where there is no folder, or one without blocks.

    Raises
    ------
    InputError
        If it is something else.
    """
    try:
        if not os.path.lexists(path):
            return None
        if path.is_dir() and all(file.name == RUN or file.name.startswith(PARTIAL) for file in path.iterdir()):
            return None
        return dict(json.loads((path / RUN).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{str(path)!r} is no folder of a run's blocks: {reason_of(error)}; accepted is a folder that a run made, "
            "or one that does not exist"
        ) from None


def with_batch_size(playing: Playing, path: str | os.PathLike[str] | None, *, on_cluster: bool) -> Playing:
    """Playing options with the batch size of the run to resume, or of the cluster's workers."""
    size = playing.batch_size
    if size is None and path is not None:
        size = (read_identity(Path(path)) or {}).get("batch size")
    if size is None and on_cluster:
        size = FRAMES_AT_ONCE["cuda" if str(playing.device or "cpu").startswith("cuda") else "cpu"]
    return replace(playing, batch_size=size)


def remove_blocks(path: Path) -> None:
    """Remove the folder of a run's blocks, if there is one; refuse any other folder.

    Raises
    ------
    InputError
        If it is something else.
    """
    if read_identity(path) is not None:
        shutil.rmtree(path)


def _refuse_another(path: Path, earlier: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    for name in dict.fromkeys([*own, *earlier]):
        if earlier.get(name) != own.get(name):
            was, is_ = (shortened(json.dumps(of.get(name), ensure_ascii=False), limit=160) for of in (earlier, own))
            raise InputError(
                f"{str(path)!r} holds blocks of a run with another {name}: {was}, and this one has {is_}; go on with "
                "the same, or delete the folder (--overwrite) to begin anew"
            )


@dataclass(frozen=True)
class Task:
    """What a worker needs besides the network and the recordings.

    Attributes
    ----------
    playing, aligners, averaging
        How recordings are played, aligned and averaged.
    first : Recording
        First recording of the corpus, without its steps.
    folder : str
        Where relative paths begin.
    version : str
        Version of this package.
    """

    playing: Playing
    aligners: Mapping[str, Alignment]
    averaging: Averaging
    first: Recording
    folder: str = field(default_factory=lambda: str(Path.cwd()))
    version: str = field(default_factory=lambda: snaps.__version__)


def compute_block(model: nn.Module, recordings: CorpusLike, task: Task) -> dict[str, np.ndarray] | InputError:
    """Sums of one block as arrays, on a worker; input errors are returned, so that dask does not retry them."""
    here = f"the worker on {socket.gethostname()} (process {os.getpid()})"
    try:
        if snaps.__version__ != task.version:
            return InputError(f"{here} has the version {snaps.__version__} of snaps, and not {task.version}")
        if isinstance(recordings, FileCorpus) and not os.path.isdir(task.folder):  # noqa: PTH112
            return InputError(f"{here} does not see {task.folder!r}; paths must be shared by all workers")
        with _PLAYING, chdir(task.folder), prepared(model, task.playing, task.aligners) as network:
            network.fit(task.first)
            return average(network, recordings, task.averaging, bar=tqdm(disable=True)).to_arrays()
    except InputError as error:
        return error


@contextmanager
def open_cluster(address: str) -> Iterator[Any]:
    """Connect to a dask scheduler, or start one here.

    Parameters
    ----------
    address : str
        Address of a scheduler, e.g. ``tcp://10.0.0.1:8786``; or ``local:N`` for N processes on this machine.

    Raises
    ------
    InputError
        If there is no such scheduler, or dask.distributed is not installed.
    """
    distributed = _distributed()
    kind, colon, number = address.partition(":")
    if kind == "local":
        if not colon or not number.isdecimal() or int(number) < 1:
            raise InputError(f"the scheduler is {address!r}; accepted are an address and local:N, with N from 1")
        with (
            distributed.LocalCluster(
                n_workers=int(number), threads_per_worker=1, processes=True, memory_limit=0, dashboard_address=None,
                silence_logs="ERROR",
            ) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client
        return
    try:
        client = distributed.Client(address, timeout="20s")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"there is no scheduler at {address!r} ({type(error).__name__}); accepted are the address of a dask "
            "scheduler, e.g. tcp://10.0.0.1:8786, and local:N"
        ) from None
    with client:
        yield client


def compute_on_cluster(
    client: Any, model: nn.Module, task: Task, *, corpus: CorpusLike, blocks: Iterable[slice], bar: "tqdm[Any]"
) -> Iterator[Sums]:
    """Sums of blocks in their order, computed by the workers of a dask cluster.

    Parameters
    ----------
    client : distributed.Client
        The cluster. Dask sends the network, retries a block that failed, and gives the blocks of a worker that died to
        another.
    model : Module
        The network.
    task : Task
        How it is played to.
    corpus : FileCorpus or list of Recording
        What is played; files must be on paths that all workers see.
    blocks : iterable of slice
        Blocks to compute.
    bar : tqdm
        Progress bar.

    Raises
    ------
    InputError
        If the corpus cannot be sent, a block cannot be computed, or the cluster is gone or has been without workers for
        `LIMIT` seconds.
    """
    distributed = _distributed()
    if not isinstance(client, distributed.Client) or client.asynchronous:
        raise InputError(
            f"client is a {type(client).__name__}; accepted is a distributed.Client that is not asynchronous"
        )
    if not isinstance(corpus, FileCorpus | list | tuple):
        raise InputError(
            f"the corpus is a {type(corpus).__name__}; on a cluster accepted are corpora of load_* functions and lists "
            "of recordings"
        )
    waiting, running = deque(blocks), deque[tuple[slice, Any]]()
    try:
        # A task of its own, so that the network is sent once, and again where every worker that had it died. As part of
        # a function, so that it is pickled: dask's own way of sending modules turns named tuples into tuples.
        network = client.submit(partial(partial, compute_block, model), pure=False)
        while waiting or running:
            threads = max(1, sum(client.nthreads(callback_timeout=LIMIT).values()))
            while waiting and len(running) < AHEAD * threads:
                block = waiting.popleft()
                running.append((block, client.submit(call, network, corpus[block], task, pure=False, retries=RETRIES)))
            block, future = running.popleft()
            yield Sums.from_arrays(_result(client, future, block), torch.device("cpu"))
            bar.update(block.stop - block.start)
    except (OSError, CancelledError, distributed.client.ClosedClientError) as error:
        raise InputError("the cluster's scheduler is gone; the same call goes on where the run stopped") from error


def _result(client: Any, future: Any, block: slice) -> Mapping[str, np.ndarray]:
    """Result of a block; a cluster that is without workers for long is an error."""
    distributed = _distributed()
    while not future.done():
        try:
            distributed.wait([future], timeout=GLANCE)
        except TimeoutError:
            # A scheduler that is stopped, and not gone, would never answer.
            if client.nthreads(callback_timeout=LIMIT):
                continue
            warnings.warn("the cluster has no workers; the run goes on when there is one", stacklevel=2)
            try:
                client.wait_for_workers(1, timeout=LIMIT)
            except TimeoutError:
                raise InputError(
                    f"the cluster has been without workers for {LIMIT:.0f} s; the same call goes on where the run "
                    "stopped"
                ) from None
    try:
        found = future.result(timeout=LIMIT)
    except distributed.scheduler.KilledWorker as error:
        raise InputError(
            f"recordings {block.start + 1} to {block.stop} cannot be computed: every worker that tried died "
            f"({reason_of(error)})"
        ) from error
    if isinstance(found, InputError):
        raise found
    return dict(found)


def _distributed() -> Any:
    """Import dask.distributed, which is an extra."""
    try:
        import distributed
    except ModuleNotFoundError:
        raise InputError(
            "runs over a cluster need dask.distributed, which is not installed: pip install 'neuron-snaps[cluster]'"
        ) from None
    return distributed
