"""The stages of a reproduction, told on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """Says which stage begins, and keeps how long it took."""

    def __init__(self, seconds: dict[str, float], *, total: int, progress: bool) -> None:
        self.seconds, self.total, self.progress = seconds, total, progress
        self.number = 0

    @contextmanager
    def __call__(self, name: str, *, there: bool = False) -> Iterator[bool]:
        """Give whether the stage is to be done; one whose result is there is only told."""
        self.tell(f"{name}{': there already' if there else ''}")
        begun = time.monotonic()
        yield not there
        if not there:
            self.seconds[name] = time.monotonic() - begun

    def tell(self, name: str) -> None:
        """Say that a stage begins, or that it ended where several run at a time."""
        self.number += 1
        if self.progress:
            sys.stderr.write(f"[{self.number}/{self.total}] {name}\n")
            sys.stderr.flush()
