"""Recordings of a corpus, read ahead of the network."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Any, Literal, Protocol

from tqdm.auto import tqdm

from snaps.datasets.drops import DropLog
from snaps.datasets.recording import Recording
from snaps.errors import InputError, RecordingError

OnError = Literal["raise", "skip"]

#: Recordings that are loaded while the network is busy with those before them.
READ_AHEAD = 3


def check_on_error(on_error: str) -> None:
    """Refuse what is neither ``"raise"`` nor ``"skip"``.

    Raises
    ------
    InputError
        Naming what was received.
    """
    if on_error not in ("raise", "skip"):
        raise InputError(f"on_error is {on_error!r}; accepted are 'raise', 'skip'")


class Loadable(Protocol):
    """As many recordings as it is long; indexing loads one."""

    def __len__(self) -> int:
        """Their number."""

    def __getitem__(self, index: int, /) -> Recording:
        """Load one."""


def progress_bar(corpus: Sized, what: str, *, progress: bool, done: int = 0) -> "tqdm[Any]":
    """Bar of a corpus' recordings, of which `done` are behind."""
    return tqdm(total=len(corpus), initial=done, desc=what, unit="recording", disable=not progress, dynamic_ncols=True)


def read_ahead(
    corpus: Loadable, drops: DropLog, *, on_error: OnError, progress: bool, what: str = "profiles"
) -> Iterator[Recording]:
    """Load recording after recording, a few ahead of the network, with a progress bar."""
    with progress_bar(corpus, what, progress=progress) as bar, closing(read_each(corpus, range(len(corpus)))) as each:
        for _, read in each:
            if not isinstance(read, RecordingError):
                yield read
            elif on_error == "raise":
                raise read
            else:
                drops.skip(read.recording, read.reason)
            bar.update()


def read_each(
    corpus: Loadable, indices: Iterable[int], *, ahead: int = READ_AHEAD
) -> Generator[tuple[int, Recording | RecordingError], None, None]:
    """Load the recordings with the given numbers, a few ahead; of one that cannot be read, give the error."""
    waiting = iter(indices)
    with ThreadPoolExecutor(max_workers=1) as reader:

        def ask(number: int) -> list[tuple[int, Future[Recording]]]:
            return [(index, reader.submit(corpus.__getitem__, index)) for index in islice(waiting, number)]

        asked = deque(ask(ahead))
        try:
            while asked:
                index, future = asked.popleft()
                try:
                    read: Recording | RecordingError = future.result()
                except RecordingError as error:
                    read = error
                yield index, read
                asked.extend(ask(1))
        finally:
            reader.shutdown(wait=False, cancel_futures=True)
