"""Random recordings with labels that overlap, leave gaps, stand out of order or are empty."""

from collections.abc import Sequence

import numpy as np

from snaps.datasets.recording import Interval, Recording

PHONEMES = ("aa", "iy", "s", "t")
#: Recordings go through these in turn; of the third, the sex is not known.
SPEAKERS = ({"speaker": "fcjf0", "sex": "f"}, {"speaker": "mdab0", "sex": "m"}, {"speaker": "mwbt0"})


def random_intervals(rng: np.random.Generator, n_steps: int, *, step: float) -> list[Interval]:
    """Intervals over a recording; about one in five leaves a gap, overlaps its neighbour, or has no label."""
    intervals = []
    start = 0
    while start < n_steps:
        length = int(rng.integers(2, 12))
        overlap, gap = (int(rng.integers(1, 4)) if rng.random() < 0.2 else 0 for _ in range(2))
        label = "" if rng.random() < 0.15 else str(rng.choice(PHONEMES))
        intervals.append(Interval(step * start, step * (start + length + overlap), label))
        start += length + gap
    if len(intervals) > 2 and rng.random() < 0.5:
        first, second = rng.choice(len(intervals), size=2, replace=False)
        intervals[first], intervals[second] = intervals[second], intervals[first]
    return intervals


def random_recording(rng: np.random.Generator, n_steps: int, *, index: int, n_units: int, step: float) -> Recording:
    """One recording of Gaussian noise with a tier ``phoneme``, a tier ``word``, and a speaker."""
    word = Interval(0.0, step * n_steps * 0.7, "she")
    return Recording(
        f"r{index}",
        rng.normal(0.3, 1.0, size=(n_units, n_steps)).astype(np.float32),
        step=step,
        tiers={"phoneme": random_intervals(rng, n_steps, step=step), "word": [word]},
        attributes=SPEAKERS[index % len(SPEAKERS)],
    )


def random_corpus(seed: int, lengths: Sequence[int], *, n_units: int = 6, step: float = 0.008) -> list[Recording]:
    """Recordings of the given numbers of steps."""
    rng = np.random.default_rng(seed)
    return [
        random_recording(rng, n_steps, n_units=n_units, step=step, index=index) for index, n_steps in enumerate(lengths)
    ]
