"""Waits for events, each with an end: far beyond what a busy machine needs, and below the limit of a whole test."""

import time
from collections.abc import Callable

#: Seconds for whatever a test waits for: a process that ends, a file that appears. Nothing is measured by it.
PATIENCE = 300


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Look again and again whether something has happened.

    Parameters
    ----------
    happened : callable
        What tells so.
    what : str
        The event, for the message of a wait that came to its end.

    Raises
    ------
    TimeoutError
        If it has not happened within `PATIENCE` seconds.
    """
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.01)
