"""What is known about a recording beside its sound, and the one place where its intervals are checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snaps.datasets.recording import Interval
from snaps.errors import RecordingError, shown

#: Seconds by which times may differ and still count as equal: files round them.
ROUNDING = 1e-6

Tiers = Mapping[str, Sequence[Interval]]


@dataclass(frozen=True)
class Annotation:
    """Tiers and attributes of one recording, as they were read.

    Attributes
    ----------
    tiers : mapping of str to sequence of Interval
        Intervals by tier, in file order.
    sources : mapping of str to Path
        The file that each tier comes from, for errors.
    attributes : mapping of str to str
        What the annotation says about the whole recording.
    """

    tiers: Tiers
    sources: Mapping[str, Path]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedTiers:
    """Tiers whose intervals lie inside the audio.

    Attributes
    ----------
    tiers : mapping of str to sequence of Interval
        Intervals by tier, in file order.
    clipped : int
        How many intervals ended after the audio and were cut at its end.
    """

    tiers: Tiers
    clipped: int


def check_tiers(annotation: Annotation, *, recording: str, duration: float = math.inf) -> CheckedTiers:
    """Refuse intervals that cannot be right, and cut those that end after the audio.

    Overlapping intervals and intervals of length zero are fine, and file order is kept. Times that differ by
    at most a microsecond count as equal.

    Parameters
    ----------
    annotation : Annotation
        What was read.
    recording : str
        Identifier of the recording, for the error.
    duration : float
        Seconds of audio; without it only the order of start and end is checked.

    Raises
    ------
    RecordingError
        If an interval ends before it starts or before the audio begins, starts after the audio's end, or has a time
        that is not finite.
    """
    clipped = 0
    tiers: dict[str, list[Interval]] = {}
    for name, intervals in annotation.tiers.items():
        tiers[name] = []
        for interval in intervals:
            start, end, label = interval
            if not (math.isfinite(start) and math.isfinite(end)):
                wrong = "has a time that is not finite"
            elif end < start - ROUNDING:
                wrong = "ends before it starts"
            elif end < -ROUNDING:
                wrong = "ends before the audio begins"
            elif start > duration + ROUNDING:
                wrong = f"starts after the end of the audio at {duration:.10g} s"
            else:
                over = end > duration
                clipped += end > duration + ROUNDING
                tiers[name].append(Interval(min(start, duration), duration, label) if over else interval)
                continue
            raise RecordingError(
                recording,
                f"'{annotation.sources[name]}': the interval {shown(label)} of the tier {name!r} "
                f"({start:.10g} s to {end:.10g} s) {wrong}",
            )
    return CheckedTiers(tiers=tiers, clipped=clipped)
