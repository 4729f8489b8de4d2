"""Frames of a recording, their labels, and what a grouping makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from snaps.datasets.recording import Recording
from tests.reference.networks import ReferenceNetwork

Row = dict[str, Any]


def frame_starts(n_steps: int, *, frame_steps: int, hop: int) -> list[int]:
    """First input step of every frame that lies wholly inside the recording (section 4, "frame")."""
    starts = []
    start = 0
    while start + frame_steps <= n_steps:
        starts.append(start)
        start += hop
    return starts


def label_at(intervals: Iterable[tuple[float, float, str]], time: float) -> str | None:
    """Label of the first interval in file order that holds the time, definition (2)."""
    for start, end, label in intervals:
        if start <= time < end:
            return label or None
    return None


def row_of(recording: Recording, *, centre: int, predicted: str | None) -> Row:
    """One row of the frame table (section 4): the frame's centre, its prediction, its labels."""
    time = recording.step * centre
    row: Row = {"recording": recording.id, "step": centre, "time": time, "predicted": predicted}
    row.update({name: label_at(intervals, time) for name, intervals in recording.tiers.items()})
    row.update(recording.attributes)
    return row


def reference_frame_table(model: torch.nn.Module, corpus: Sequence[Recording]) -> list[Row]:
    """Rows of the frame table of a ``Wav2Letter``; blanks and the like are kept."""
    network = ReferenceNetwork(model)
    rows = []
    field = network.geometry.receptive_field
    for recording in corpus:
        for start in frame_starts(recording.n_steps, frame_steps=field, hop=network.geometry.stride):
            logits = network.run(recording.features[:, start : start + field], pad=False)["logits"]
            predicted = model.symbols[int(logits[:, 0].argmax())]
            rows.append(row_of(recording, centre=start + field // 2, predicted=predicted))
    return rows


def named_groupings(groupings: Sequence | Mapping) -> dict[str, Any]:
    """Groupings by name (section 4, "grouping"): a list's members name themselves."""
    if isinstance(groupings, Mapping):
        return dict(groupings)
    return {name if isinstance(name, str) else "+".join(name): name for name in groupings}


def group_of(row: Row, grouping: Any) -> str | None:
    """Label of a frame in a grouping: a column, several joined by ``+``, or a column that is mapped."""
    if isinstance(grouping, str):
        return row.get(grouping) or None
    if len(grouping) == 2 and isinstance(grouping[1], Mapping):
        column, mapping = grouping
        return mapping.get(row.get(column)) or None
    labels = [row.get(column) for column in grouping]
    return "+".join(labels) if all(labels) else None
