"""Runs over a dask cluster: workers compute blocks of shards, this process merges them in their order."""

import time
import uuid
import warnings
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from snaps.datasets.corpus import CorpusLike
from snaps.datasets.files import FileCorpus
from snaps.errors import InputError, RecordingError
from snaps.profiling.parts import FAN_IN, SHARD, Block, Counter, Part, blocks, count_shards
from snaps.profiling.planning import absolute, name_as_given
from snaps.profiling.reading import progress_bar
from snaps.profiling.run import Run
from snaps.profiling.shards import keeping
from snaps.profiling.state import StateFile
from snaps.profiling.workers import BlockError, Packed, Plan, Shipped, compute_block, names_of

#: How often a block of shards is tried.
ATTEMPTS = 3
#: Blocks that each thread of the cluster should get at least; and levels of a block at most.
BLOCKS_EACH = 3
HIGHEST_LEVEL = 3
#: Blocks a thread that may be computed and not yet merged, because one before them is late.
UNMERGED_EACH = 3
#: Seconds without workers before a warning, and before the run ends; the latter is also the limit of every other wait
#: for scheduler or workers, but not of a computation, whose length nobody knows.
PATIENCE = 10.0
LIMIT = 600.0
#: Seconds between two looks whether a block is computed.
GLANCE = 0.01
#: Seconds that a worker has before a block that may kill it: dask may not start one again that dies while it starts.
SETTLING = 0.5
GONE = "the cluster's scheduler is gone; the same call goes on where the run stopped"


@contextmanager
def open_cluster(address: str) -> Iterator[Any]:
    """Connect to a scheduler, or start one here.

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
        # One thread each; no limit of memory, and a block whose worker dies comes back at once.
        with (
            distributed.LocalCluster(
                n_workers=int(number), threads_per_worker=1, processes=True, memory_limit=0, dashboard_address=None,
                scheduler_kwargs={"allowed_failures": 0}, silence_logs="ERROR",
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


def run_on_cluster(
    client: Any,
    plan: Plan,
    corpus: CorpusLike,
    *,
    run: Run,
    counter: Counter,
    progress: bool,
    state: StateFile | None,
) -> Part:
    """Compute and merge all shards that are still to come, on the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    plan : Plan
        What to compute.
    corpus : FileCorpus or list of Recording
        What is played.
    run : Run
        What the plan was made of; it starts here with the first part that comes.
    counter : Counter
        What an earlier run came to.
    progress : bool
        Whether a progress bar is shown.
    state : StateFile, optional
        Where to keep the state; it is written as the run goes and however it ends.

    Raises
    ------
    RecordingError
        If a block fails three times, naming the recording, and such are not skipped; all before it is merged and kept.
    InputError
        If a worker does not see network or corpus, a block fails three times for another reason than a recording, the
        sums do not fit into this process's memory, or the cluster is gone or has been without workers for `LIMIT`
        seconds.
    """
    distributed = _distributed()
    if not isinstance(client, distributed.Client) or client.asynchronous:
        raise InputError(
            f"client is a {type(client).__name__}; accepted is a distributed.Client that is not asynchronous"
        )
    if count_shards(len(corpus)) <= counter.done:
        return counter.close()
    shipped = absolute(corpus)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        warnings.warn("the cluster has no workers yet; the run begins when there is one", stacklevel=2)
        try:
            client.wait_for_workers(1, timeout=LIMIT)
        except TimeoutError:
            raise _without_workers(PATIENCE + LIMIT) from None
    bar = progress_bar(corpus, "profiles", progress=progress, done=min(counter.done * SHARD, len(corpus)))
    with bar, keeping(state, counter):
        for block, part in _Driver(client, plan, shipped, counter.done).parts():
            if shipped is not corpus and isinstance(corpus, FileCorpus):
                name_as_given(part)
            if part.like is not None and not run.started:
                run.start(part.like)
                run.check_memory([part])
            counter.push(part, shards=block.shards, level=block.level)
            bar.update(min(counter.done * SHARD, len(corpus)) - bar.n)
            if state is not None and counter.done < count_shards(len(corpus)):
                state.offer(counter)
    return counter.close()


@dataclass
class _Driver:
    """Hands blocks to workers, and gives what they came to in the order of the corpus."""

    client: Any
    plan: Plan
    corpus: Shipped
    done: int
    name: str = field(default_factory=lambda: f"snaps-{uuid.uuid4().hex[:12]}")
    attempts: Tally[int] = field(default_factory=Tally)
    without: dict[int, dict[str, str]] = field(default_factory=dict)
    submitted: int = 0
    running: dict[Any, Block] = field(default_factory=dict)
    finished: dict[int, tuple[Block, Any]] = field(default_factory=dict)
    failure: InputError | None = None
    end: int = 0

    def parts(self) -> Iterator[tuple[Block, Part]]:
        """Blocks with what they came to; the error of one that failed comes after all before it."""
        n_shards = count_shards(len(self.corpus))
        level = block_level(n_shards - self.done, threads=self._threads())
        waiting = deque(blocks(self.done, n_shards, level=level))
        completed = _distributed().as_completed(loop=self.client.loop)
        self.end = n_shards
        try:
            while self.done < self.end:
                self._hand_out(waiting, completed)
                if self.done not in self.finished:
                    self._wait(completed)
                    future = next(completed)
                    block = self.running.pop(future)
                    if future.status == "finished":
                        self.finished[block.first] = (block, future)
                    elif block.first < self.end:
                        self._failed(block, self._error(future), waiting)
                    continue
                block, future = self.finished.pop(self.done)
                try:
                    packed: Packed = future.result(timeout=LIMIT)
                except Exception as error:  # its worker died before it was fetched, and then it failed or never came
                    self._failed(block, error, waiting)
                    continue
                part = packed.part()
                del packed
                future.release()
                self.done += block.shards
                yield block, part
        except OSError as error:  # of the connection to the scheduler
            raise InputError(GONE) from error
        finally:
            with _quiet(self.client):
                self.client.cancel([*self.running, *(future for _, future in self.finished.values())])
        if self.failure is not None:
            raise self.failure

    def _wait(self, completed: Any) -> None:
        """Wait until a block is computed, or failed; tell if there are no workers left who could, and end in time."""
        looked = seen = time.monotonic()
        told = False
        while not completed.has_ready():
            time.sleep(GLANCE)
            now = time.monotonic()
            if now - looked < PATIENCE / 10:
                continue
            looked = now
            if self._nthreads():
                seen, told = now, False
            elif now - seen > LIMIT:
                raise _without_workers(now - seen)
            elif not told and now - seen > PATIENCE:
                told = True
                warnings.warn(
                    "the cluster has no workers left; the run goes on when there is one, and the same call goes on "
                    "where it stopped",
                    stacklevel=2,
                )

    def _nthreads(self) -> int:
        # A scheduler that is stopped, and not gone, would never answer.
        return sum(self.client.nthreads(callback_timeout=LIMIT).values())

    def _threads(self) -> int:
        return max(1, self._nthreads())

    def _hand_out(self, waiting: deque[Block], completed: Any) -> None:
        """Keep every thread busy, and no more: a worker that dies takes only blocks along that it was computing."""
        threads = self._threads()
        while waiting and waiting[0].first < self.end and len(self.running) < threads:
            block = waiting[0]
            if block.first > self.done and len(self.finished) >= UNMERGED_EACH * threads:
                return
            waiting.popleft()
            self.attempts[block.first] += 1
            self.submitted += 1
            future = self.client.submit(
                _on_worker, self.plan, self._recordings(block), level=block.level,
                without=self.without.get(block.first, {}),
                topic=self._topic(block) if self.attempts[block.first] >= ATTEMPTS else None,
                settling=SETTLING if self.attempts[block.first] > 1 or block.first in self.without else 0.0,
                key=f"{self.name}-{block.first}-{self.submitted}", priority=-block.first, pure=False,
            )  # fmt: skip
            self.running[future] = block
            completed.add(future)

    def _recordings(self, block: Block) -> Shipped:
        return self.corpus[block.recordings]

    def _topic(self, block: Block) -> str:
        return f"{self.name}-{block.first}-without-{len(self.without.get(block.first, {}))}"

    def _error(self, future: Any) -> BaseException:
        if future.status == "error":
            return future.exception()
        return ConnectionError(f"the block of shards was {future.status}")

    def _failed(self, block: Block, error: BaseException, waiting: deque[Block]) -> None:
        """Try a block again, then without the recording that fails if such are skipped; else end the run before it."""
        if self.client.status != "running":
            raise InputError(GONE) from error
        final = self.attempts[block.first] >= ATTEMPTS or (
            isinstance(error, InputError) and not isinstance(error, RecordingError | BlockError)
        )
        if not final:
            # What its scheduler has tried several times already is tried once more, to learn the recording's name.
            if getattr(error, "allowed_failures", 0):
                self.attempts[block.first] = max(self.attempts[block.first], ATTEMPTS - 1)
            self._put_back(block, waiting)
            return
        failure = self._sentence(block, error)
        without = self.without.setdefault(block.first, {})
        if (
            self.plan.on_error == "skip"
            and isinstance(failure, RecordingError)
            and failure.recording not in without  # else leaving it out does not help
        ):
            without[failure.recording] = failure.reason
            self.attempts[block.first] = 0
            self._put_back(block, waiting)
            return
        self.end, self.failure = block.first, failure

    def _put_back(self, block: Block, waiting: deque[Block]) -> None:
        again = sorted([block, *waiting], key=lambda one: one.first)
        waiting.clear()
        waiting.extend(again)

    def _sentence(self, block: Block, error: BaseException) -> InputError:
        if isinstance(error, InputError):
            return error
        told = [event[1] for event in self.client.get_events(self._topic(block)) or ()]
        ended = f"cannot be played: {ATTEMPTS} workers in turn ended while they computed it ({type(error).__name__})"
        if told:
            return RecordingError(told[-1], f"recording {told[-1]!r} {ended}")
        names = names_of(self._recordings(block))
        return InputError(f"one of the recordings {names[0]!r} to {names[-1]!r} {ended}")


def _on_worker(
    plan: Plan, recordings: Shipped, *, level: int, without: Mapping[str, str], topic: str | None, settling: float
) -> Packed:
    """Compute a block; on its last attempt every recording's name is told to the scheduler."""
    time.sleep(settling)
    if topic is None:
        return compute_block(plan, recordings, level=level, without=without)
    worker = _distributed().get_worker()

    def tell(name: str) -> None:
        # Until the scheduler has it: what `worker.log_event` only sends may be lost when the worker dies.
        _distributed().utils.sync(
            worker.loop, worker.scheduler.log_event, topic=topic, msg=name, callback_timeout=LIMIT
        )

    return compute_block(plan, recordings, level=level, without=without, tell=tell)


def block_level(n_shards: int, *, threads: int) -> int:
    """How many levels are merged on the workers: as many as leave every thread `BLOCKS_EACH` blocks.

    Examples
    --------
    >>> [block_level(n, threads=4) for n in (10, 105, 18_000, 2_000_000)]
    [0, 1, 3, 3]
    """
    level = 0
    while level < HIGHEST_LEVEL and n_shards >= BLOCKS_EACH * threads * FAN_IN ** (level + 1):
        level += 1
    return level


def _without_workers(seconds: float) -> InputError:
    return InputError(
        f"the cluster has been without workers for {seconds:.0f} seconds; the same call goes on where the run stopped"
    )


@contextmanager
def _quiet(client: Any) -> Iterator[None]:
    """Clean up, as far as the cluster is still there."""
    try:
        yield
    except Exception:
        if client.status == "running":
            raise


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError(
            "runs over a cluster need dask.distributed, which is not installed: pip install 'neuron-snaps[cluster]'"
        ) from None
    return distributed
