"""A language of four tones, learned in a second: each label sounds on its own two of eight bands."""

from collections.abc import Callable

import numpy as np
import pytest

from snaps.datasets import Interval, Recording
from snaps.models import Wav2Letter

STEP = 0.008
LABELS = "abcd"


def make_tones(n: int = 36, *, speakers: int = 6, seed: int = 0) -> list[Recording]:
    """Recordings of three to six tones; the text spells the same labels as the tier."""
    random = np.random.default_rng(seed)
    recordings = []
    for number in range(n):
        pieces, tier, step = [], [], 0
        for label in random.integers(4, size=random.integers(3, 7)):
            pause, length = int(random.integers(3, 6)), int(random.integers(8, 14))
            sound = random.normal(10, 1, (8, pause + length))
            sound[2 * label : 2 * label + 2, pause:] += 20
            pieces.append(sound)
            tier.append(Interval((step + pause) * STEP, (step + pause + length) * STEP, LABELS[label]))
            step += pause + length
        recordings.append(
            Recording(
                f"tones/{number}",
                np.concatenate(pieces, axis=1),
                step=STEP,
                tiers={"phoneme": tier},
                attributes={
                    "speaker": f"s{number % speakers}",
                    "text": "".join(interval.label for interval in tier),
                },
            )
        )
    return recordings


def make_network(**options: object) -> Wav2Letter:
    """Three small convolutions for the four tones."""
    from snaps.training import create_network

    symbols = ("_", *LABELS)
    layers = [(16, 4, 2), (12, 3, 1), (len(symbols), 1, 1)]
    return create_network(symbols, layers=layers, n_inputs=8, **options)  # type: ignore[arg-type]


#: Enough to learn the tones.
QUICKLY = {"epochs": 6, "batch_size": 4, "lr": 3e-2, "progress": False}


@pytest.fixture(scope="session")
def tones() -> list[Recording]:
    return make_tones()


@pytest.fixture
def network() -> Wav2Letter:
    return make_network()


@pytest.fixture(scope="session")
def networks() -> Callable[..., Wav2Letter]:
    return make_network


@pytest.fixture(scope="session")
def quickly() -> dict[str, object]:
    return dict(QUICKLY)
