"""Recordings: features, annotations and attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from snaps.errors import RecordingError


class Interval(NamedTuple):
    """A labelled stretch of a recording.

    Parameters
    ----------
    start, end : float
        Seconds from the recording's beginning; `start` belongs to the interval, `end` does not.
    label : str
        The label; an empty one is no label.
    """

    start: float
    end: float
    label: str


@dataclass(frozen=True, eq=False)
class Recording:
    """Features of one recording, with its annotations.

    It takes any intervals: corpus loaders check them, a `Recording` that a caller builds is used as it is.

    Parameters
    ----------
    id : str
        Identifier, unique in its corpus, e.g. ``train/dr1/fcjf0/sa1``.
    features : array of shape (units, steps)
        Network input, converted to float32; for spectrograms dB per mel band and step.
    step : float
        Seconds between two steps.
    tiers : mapping of str to sequence of Interval
        Annotation tiers by name, in file order.
    attributes : mapping of str to str
        Properties of the whole recording, e.g. speaker, sex, dialect, text.
    frequency : array of shape (units,), optional
        Centre frequency of every unit in Hz, if known.
    clipped : int
        How many intervals ended after the audio and were cut by the corpus that loaded them.

    Raises
    ------
    RecordingError
        If `features` is not two-dimensional, `step` is not positive, or `frequency` does not fit.
    """

    id: str
    features: Float32[np.ndarray, "unit step"]
    step: float = 0.008
    tiers: Mapping[str, Sequence[Interval]] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    frequency: Float64[np.ndarray, " unit"] | None = None
    clipped: int = 0

    def __post_init__(self) -> None:
        features = np.asarray(self.features, dtype=np.float32)
        if features.ndim != 2:
            raise RecordingError(
                self.id,
                f"recording {self.id!r}: features have the shape {features.shape}; accepted is (units, steps)",
            )
        if not (np.isfinite(self.step) and self.step > 0):
            raise RecordingError(self.id, f"recording {self.id!r}: step is {self.step!r}; accepted are seconds above 0")
        object.__setattr__(self, "features", features)
        # Plain tuples will do where intervals are expected.
        tiers = {name: [Interval(*interval) for interval in tier] for name, tier in self.tiers.items()}
        object.__setattr__(self, "tiers", tiers)
        if self.frequency is not None:
            frequency = np.asarray(self.frequency, dtype=np.float64)
            if frequency.shape != features.shape[:1]:
                raise RecordingError(
                    self.id,
                    f"recording {self.id!r}: frequency has the shape {frequency.shape}; "
                    f"accepted is one value a unit, {features.shape[:1]}",
                )
            object.__setattr__(self, "frequency", frequency)

    @property
    def n_steps(self) -> int:
        """Number of input steps."""
        return self.features.shape[1]
