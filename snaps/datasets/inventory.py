"""What a corpus can be grouped by, and which labels there may be, without computing anything on audio."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from snaps.datasets.corpus import CorpusLike, iterate_annotations
from snaps.datasets.frames import FRAME_COLUMNS, check_column_names
from snaps.datasets.groupings import Grouping
from snaps.datasets.recording import Recording
from snaps.errors import check_text


@dataclass(frozen=True)
class Inventory:
    """Columns of a corpus's frame table, and the labels that groupings may have.

    Attributes
    ----------
    columns : tuple of str, or None
        Columns that at least one recording has; None if the corpus tells its annotations only with its audio.
    labels : dict of str to (frozenset of str, or None)
        By grouping, all labels that may occur; some may turn out to have no frame. None where that cannot be
        known beforehand.
    """

    columns: tuple[str, ...] | None
    labels: dict[str, frozenset[str] | None]


def take_inventory(
    corpus: CorpusLike, groupings: Sequence[Grouping], *, symbols: Sequence[str] | None = None
) -> Inventory:
    """Columns and possible labels of a corpus, in one pass over its annotations.

    Recordings whose annotations cannot be read are left out here; reading them says why.

    Parameters
    ----------
    corpus : Corpus or list of Recording
        What is going to be grouped.
    groupings : sequence of Grouping
        As `snaps.datasets.parse_groupings` gives them.
    symbols : sequence of str, optional
        What a network may predict. Without it, groupings by ``predicted`` cannot be known.

    Returns
    -------
    Inventory
        What is known before anything is computed.

    Raises
    ------
    InputError
        If a grouping needs a column that no recording has, naming those that exist, or a recording has two
        columns of one name.
    """
    if not (hasattr(corpus, "annotation") or isinstance(corpus, list | tuple)):
        return Inventory(columns=None, labels={grouping.name: None for grouping in groupings})
    columns: dict[str, None] = dict.fromkeys(FRAME_COLUMNS)
    knowable = [
        grouping
        for grouping in groupings
        if not {"step", "time"} & set(grouping.columns) and ("predicted" not in grouping.columns or symbols)
    ]
    labels: dict[str, set[str]] = {grouping.name: set() for grouping in knowable}
    for recording in iterate_annotations(corpus, on_error="skip"):
        check_column_names(recording)
        columns.update(dict.fromkeys([*recording.tiers, *recording.attributes]))
        for grouping in knowable:
            labels[grouping.name].update(_possible(recording, grouping, symbols or ()))
    for grouping in groupings:
        grouping.check_columns(columns)
    found = {grouping.name: labels.get(grouping.name) for grouping in groupings}
    return Inventory(
        columns=tuple(columns),
        labels={name: None if some is None else frozenset(some) for name, some in found.items()},
    )


def label_inventory(
    corpus: CorpusLike, grouping: Grouping, *, symbols: Sequence[str] | None = None
) -> frozenset[str] | None:
    """All labels that may occur in one grouping; see `take_inventory`."""
    return take_inventory(corpus, [grouping], symbols=symbols).labels[grouping.name]


def _possible(recording: Recording, grouping: Grouping, symbols: Sequence[str]) -> Iterator[str]:
    """Labels that frames of one recording may have: every combination of the columns' labels."""
    choices = [_column_labels(recording, column, symbols) for column in grouping.columns]
    for combination in itertools.product(*choices):
        label = grouping.map_label("+".join(combination))
        if label is not None:
            check_text(label, f"a label of the grouping {grouping.name!r} in the recording {recording.id!r}")
            yield label


def _column_labels(recording: Recording, column: str, symbols: Sequence[str]) -> set[str]:
    labels: Iterable[object]
    if column == "predicted":
        labels = symbols
    elif column == "recording":
        labels = [recording.id]
    elif column in recording.tiers:
        labels = [interval.label for interval in recording.tiers[column]]
    else:
        labels = [recording.attributes.get(column)]
    return {str(label) for label in labels if label is not None and label != ""}
