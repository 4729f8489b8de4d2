"""Frames of one recording: their times, their labels, and the frame table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from snaps.datasets.recording import Interval, Recording
from snaps.errors import InputError, one_of

#: Columns of every frame table; tiers and attributes follow.
FRAME_COLUMNS = ("recording", "step", "time", "predicted")


def interval_labels(intervals: Sequence[Interval], times: Float64[np.ndarray, " frame"]) -> np.ndarray:
    """Label of a tier at each time (definition 2).

    It is that of the first interval in file order with ``start ≤ t < end``. If that label is empty, there is
    none, also where a later interval would have one.

    Parameters
    ----------
    intervals : sequence of Interval
        Intervals in file order, which may overlap; seconds.
    times : array of shape (frames,)
        Seconds, in any order.

    Returns
    -------
    object array of shape (frames,)
        Labels, None where there is none.

    Examples
    --------
    >>> interval_labels([Interval(0.0, 0.5, "sh"), Interval(0.4, 1.0, "iy")], np.array([0.1, 0.45, 0.5, 1.0]))
    array(['sh', 'sh', 'iy', None], dtype=object)
    """
    times = np.asarray(times, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    ascending = times[order]
    found = np.full(len(times), None, dtype=object)
    starts = np.searchsorted(ascending, [interval.start for interval in intervals], side="left")
    ends = np.searchsorted(ascending, [interval.end for interval in intervals], side="left")
    # Written from the last to the first, so that the first has the last word.
    for number in range(len(intervals) - 1, -1, -1):
        found[starts[number] : ends[number]] = intervals[number].label or None
    labels = np.empty_like(found)
    labels[order] = found
    return labels


def frame_rows(
    recording: Recording, *, n_frames: int, hop: int, centre: int, predicted: Sequence[str] | np.ndarray
) -> pd.DataFrame:
    """Frame table of one recording.

    Parameters
    ----------
    recording : Recording
        Its tiers and attributes become columns.
    n_frames : int
        Number of frames.
    hop : int
        Input steps from one frame to the next.
    centre : int
        Input steps from a frame's beginning to its centre, where it is labelled.
    predicted : sequence of str
        Predicted symbol of every frame.

    Returns
    -------
    DataFrame
        One row a frame: ``recording``; ``step``, the input step of its centre; ``time`` of that step in
        seconds; ``predicted``; the label of every tier, None where it has none; every attribute.

    Raises
    ------
    InputError
        If a tier or an attribute has the name of another column, or `predicted` another length.
    """
    if len(predicted) != n_frames:
        raise InputError(f"recording {recording.id!r} has {n_frames} frames, but {len(predicted)} predictions")
    check_column_names(recording)
    steps = np.arange(n_frames, dtype=np.int64) * hop + centre
    times = steps * np.float64(recording.step)
    columns: dict[str, object] = {"recording": recording.id, "step": steps, "time": times, "predicted": predicted}
    columns |= {name: interval_labels(tier, times) for name, tier in recording.tiers.items()}
    columns |= recording.attributes
    table = pd.DataFrame(columns, index=range(n_frames), dtype=object)  # texts are objects in any version of pandas
    return table.astype({"step": "int64", "time": "float64"})


def check_column_names(recording: Recording) -> None:
    """Refuse tiers and attributes that would share a column of the frame table.

    Raises
    ------
    InputError
        If there is one; the sentence names the column.
    """
    taken = set(FRAME_COLUMNS)
    for kind, names in (("tier", recording.tiers), ("attribute", recording.attributes)):
        for name in names:
            if name in taken:
                raise InputError(
                    f"recording {recording.id!r} has the {kind} {name!r}, but the frame table has such a "
                    "column already; accepted are names that all differ, and are none of "
                    f"{one_of(FRAME_COLUMNS)}"
                )
        taken |= set(names)
