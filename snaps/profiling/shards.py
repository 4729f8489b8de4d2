"""A run over a corpus, shard after shard, that keeps its state."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from snaps.datasets.corpus import CorpusLike
from snaps.errors import InputError, RecordingError
from snaps.profiling.parts import SHARD, Counter, Part, count_shards
from snaps.profiling.reading import READ_AHEAD, OnError, progress_bar, read_each
from snaps.profiling.run import Run
from snaps.profiling.state import StateFile


def play_shards(
    run: Run,
    corpus: CorpusLike,
    *,
    on_error: OnError,
    first: int = 0,
    ahead: int = READ_AHEAD,
    told: Callable[[int], object] = lambda _: None,
) -> Iterator[Part]:
    """Compute the shards of a corpus from the one with number `first` on, each with sums of its own.

    Parameters
    ----------
    run : Run
        What plays recordings.
    corpus : Corpus or list of Recording
        What is played.
    on_error : {"raise", "skip"}
        What becomes of recordings that cannot be read.
    first : int
        Number of the first shard.
    ahead : int
        Recordings that are loaded while others are played.
    told : callable
        Called with the number of each recording before it is played, and once more with their number at the end.
    """
    size = len(corpus)
    with closing(read_each(corpus, range(first * SHARD, size), ahead=ahead)) as each:
        for index, read in each:
            told(index)
            if isinstance(read, RecordingError):
                if on_error == "raise":
                    raise read
                run.drops.skip(read.recording, read.reason)
            else:
                if not run.started:
                    run.start(read)
                    run.check_memory()
                run.add(read)
            if (index + 1) % SHARD == 0 or index + 1 == size:
                told(index + 1)
                yield run.take()


@contextmanager
def keeping(state: StateFile | None, counter: Counter) -> Iterator[None]:
    """Write the state when a run ends, also by an error; that error is the one that is told.

    A run that came to its end is not lost for want of room for its state: a warning says so, and its profiles may yet
    fit.
    """
    try:
        yield
    except BaseException:
        if state is not None and counter.done:
            with suppress(InputError):
                state.write(counter)
        raise
    if state is not None:
        try:
            state.write(counter)
        except InputError as error:
            warnings.warn(f"{error}; all was computed, and the run goes on to its profiles", stacklevel=2)


def run_shards(
    run: Run, corpus: CorpusLike, counter: Counter, *, on_error: OnError, progress: bool, state: StateFile | None
) -> Part:
    """Compute and merge all shards that are still to come, in this process.

    Parameters
    ----------
    run : Run
        What plays recordings.
    corpus : Corpus or list of Recording
        What is played.
    counter : Counter
        What an earlier run came to.
    on_error : {"raise", "skip"}
        What becomes of recordings that cannot be read.
    progress : bool
        Whether a progress bar is shown.
    state : StateFile, optional
        Where to keep the state; it is written as the run goes and however it ends.
    """
    done = min(counter.done * SHARD, len(corpus))
    bar = progress_bar(corpus, "profiles", progress=progress, done=done)
    with bar, keeping(state, counter):
        for part in play_shards(
            run, corpus, on_error=on_error, first=counter.done, told=lambda index: bar.update(index - bar.n)
        ):
            counter.push(part)
            if state is not None and counter.done < count_shards(len(corpus)):
                state.offer(counter)
    return counter.close()
