"""Recordings of a corpus, read ahead of the network."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Literal, Protocol

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


def read_ahead(
    corpus: Loadable, drops: DropLog, *, on_error: OnError, progress: bool, what: str = "profiles"
) -> Iterator[Recording]:
    """Load recording after recording, a few ahead of the network, with a progress bar."""
    indices = iter(range(len(corpus)))
    bar = tqdm(total=len(corpus), desc=what, unit="recording", disable=not progress, dynamic_ncols=True)
    with bar, ThreadPoolExecutor(max_workers=1) as reader:
        ahead = deque(reader.submit(corpus.__getitem__, index) for index in islice(indices, READ_AHEAD))
        while ahead:
            try:
                recording = ahead.popleft().result()
            except RecordingError as error:
                if on_error == "raise":
                    reader.shutdown(wait=False, cancel_futures=True)
                    raise
                drops.skip(error.recording, error.reason)
            else:
                yield recording
            ahead.extend(reader.submit(corpus.__getitem__, index) for index in islice(indices, 1))
            bar.update()
