"""The network that hostile trees are played to, and the watchdog over every test here."""

import signal
from collections.abc import Iterator

import pytest
import torch

from snaps.models import Wav2Letter

#: Seconds that a test may take; the whole folder takes less than one of them may.
LIMIT = 60


class HangError(BaseException):
    """It took too long; no reader may take this for an error of a file."""


@pytest.fixture(autouse=True)
def watchdog(request: pytest.FixtureRequest) -> Iterator[None]:
    """End a test that hangs: a pipe that is waited for would otherwise be waited for without end."""
    limit = 20 * LIMIT if request.node.get_closest_marker("campaign") else LIMIT

    def bark(*_: object) -> None:
        raise HangError(f"it took more than {limit} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(limit)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def network() -> Wav2Letter:
    """A network with the frames that `tests.hostile.speech` counts."""
    torch.manual_seed(0)
    return Wav2Letter(("a", "b", "_"), layers=[(4, 5, 2), (3, 3, 1)], n_inputs=128, padding="valid").eval()
