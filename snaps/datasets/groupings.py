"""Groupings: the label under which every frame is averaged, and the labels that a corpus may have."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from snaps.datasets.corpus import CorpusLike, iterate_annotations
from snaps.datasets.frames import FRAME_COLUMNS, check_column_names
from snaps.datasets.recording import Recording
from snaps.errors import InputError, check_name, check_text, check_type, one_of

#: Specification of one grouping: a column, several, or a column and the mapping of its labels.
GroupingSpec = str | Sequence[str] | tuple[str | Sequence[str], Mapping[str, str | None]]

_ACCEPTED = (
    "accepted is a list of columns and tuples of columns, or a dictionary from name to a column, a tuple of "
    "columns, or a tuple of a column and a mapping of its labels"
)


@dataclass(frozen=True)
class Grouping:
    r"""A column of the frame table, several of them, or a mapping of their labels.

    Parameters
    ----------
    name : str
        Name of the grouping; in a profiles file it is the name of a node.
    columns : tuple of str
        Columns of the frame table; labels of several are joined by ``+``.
    mapping : mapping of str to str, optional
        New label by old one. Labels that it lacks, or maps to None or an empty text, are no label.

    Raises
    ------
    InputError
        If the name cannot be that of a node in a profiles file: it is no text, is empty, is ``.`` or ``..``, contains
        ``/``, ``\``, NUL or half of a surrogate pair, begins with ``.z`` or ``__``, or takes more than 240 bytes. If
        there is no column, or one is no text; if the mapping has anything but texts for texts, and None for no label.
    """

    name: str
    columns: tuple[str, ...]
    mapping: Mapping[str, str | None] | None = None

    def __post_init__(self) -> None:
        check_type("the grouping's name", self.name, str, accepted="a text")
        check_name(self.name, "the grouping's name")
        if not self.columns or not all(isinstance(column, str) and column for column in self.columns):
            raise InputError(f"the grouping {self.name!r} has the columns {self.columns!r}; {_ACCEPTED}")
        for old, new in (self.mapping or {}).items():
            if not (isinstance(old, str) and isinstance(new, str | None)):
                raise InputError(
                    f"the mapping of the grouping {self.name!r} has {old!r}: {new!r}; "
                    "accepted are texts for texts, and None for no label"
                )

    def labels(self, rows: pd.DataFrame, *, known: Iterable[str] = ()) -> np.ndarray:
        """Label of every frame.

        Parameters
        ----------
        rows : DataFrame
            Frames, as `snaps.datasets.frame_rows` gives them.
        known : iterable of str
            Columns that other recordings of the corpus have; where only these `rows` lack one of them, their
            frames have no label.

        Returns
        -------
        object array of shape (frames,)
            Texts, and None for no label: where any of several columns has none.

        Raises
        ------
        InputError
            If a column does not exist; the sentence lists those that do.
        """
        self.check_columns([*rows.columns, *known])

        # One look at each distinct combination instead of one at each frame.
        @lru_cache(maxsize=None, typed=True)
        def join(*parts: Any) -> str | None:
            return self.join_labels("" if pd.isna(part) else str(part) for part in parts)

        parts = rows.reindex(columns=list(self.columns))  # a column that these rows lack has no labels
        return np.array([join(*row) for row in parts.itertuples(index=False, name=None)], dtype=object)

    def join_labels(self, parts: Iterable[str]) -> str | None:
        """Label of a frame from those of its columns; None for no label, as where a part is empty."""
        parts = list(parts)
        label: str | None = "+".join(parts) if all(parts) else None
        check_text(label or "", f"a label of the grouping {self.name!r}")
        if label is not None and self.mapping is not None:
            label = self.mapping.get(label)
        return label or None

    def check_columns(self, columns: Iterable[str]) -> None:
        """Refuse the grouping if one of its columns is none of those given.

        Raises
        ------
        InputError
            Naming the column, and those that exist.
        """
        columns = list(dict.fromkeys(columns))
        for column in self.columns:
            if column not in columns:
                raise InputError(
                    f"the grouping {self.name!r} needs the column {column!r}, which does not exist; "
                    f"there are {one_of(columns)}"
                )


def parse_groupings(
    groupings: Sequence[str | Sequence[str] | Grouping] | Mapping[str, GroupingSpec | Grouping],
) -> list[Grouping]:
    """Groupings from a list or a dictionary.

    Parameters
    ----------
    groupings : list or dict
        A list of columns (``"phoneme"``) and tuples of columns (``("phoneme", "sex")``, which is named
        ``phoneme+sex``); or a dictionary from name to one of these or to a column with a mapping of its
        labels (``{"manner": ("phoneme", {"s": "fricative"})}``).

    Returns
    -------
    list of Grouping
        In the order in which they were given.

    Raises
    ------
    InputError
        If it is something else or empty, or a name is unusable or occurs twice.

    Examples
    --------
    >>> [grouping.name for grouping in parse_groupings(["phoneme", ("phoneme", "sex")])]
    ['phoneme', 'phoneme+sex']
    """
    if isinstance(groupings, str | bytes) or not isinstance(groupings, Mapping | Sequence):
        raise InputError(f"groupings is {groupings!r}; {_ACCEPTED}")
    if isinstance(groupings, Mapping):
        parsed = [_parse(spec, name) for name, spec in groupings.items()]
    else:
        parsed = [_parse(spec) for spec in groupings]
    if not parsed:
        raise InputError(f"groupings is empty; {_ACCEPTED}")
    names = [grouping.name for grouping in parsed]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two groupings have the same name {name!r}; accepted are different names")
    return parsed


def _parse(spec: GroupingSpec | Grouping, name: str | None = None) -> Grouping:
    """One grouping; without a name it is called after its columns."""
    if isinstance(spec, Grouping):
        return spec if name is None else replace(spec, name=name)
    columns: Any = spec
    mapping = None
    if name is not None and isinstance(spec, tuple | list) and len(spec) == 2 and isinstance(spec[1], Mapping):
        columns, mapping = spec
    if isinstance(columns, str):
        columns = (columns,)
    if not isinstance(columns, Sequence) or not columns or not all(isinstance(column, str) for column in columns):
        raise InputError(f"one of the groupings is {spec!r}; {_ACCEPTED}")
    return Grouping("+".join(columns) if name is None else name, tuple(columns), mapping)


@dataclass(frozen=True)
class Inventory:
    """Columns of a corpus's frame table, and labels of groupings, known before any audio is read.

    Attributes
    ----------
    columns : tuple of str, or None
        Columns that at least one recording has; None if the corpus gives annotations only with audio.
    labels : dict of str to (set of str, or None)
        By grouping, all labels that may occur; some may turn out to have no frame. None where that cannot be
        known beforehand.
    """

    columns: tuple[str, ...] | None
    labels: dict[str, AbstractSet[str] | None]


def take_inventory(
    corpus: CorpusLike, groupings: Sequence[Grouping], *, symbols: Sequence[str] | None = None
) -> Inventory:
    """Columns and possible labels of a corpus, in one pass over its annotations.

    Recordings whose annotations cannot be read are left out here; reading them says why.

    Parameters
    ----------
    corpus : Corpus or list of Recording
        The corpus to group.
    groupings : sequence of Grouping
        As `snaps.datasets.parse_groupings` gives them.
    symbols : sequence of str, optional
        Symbols that a network may predict. Without them, labels of groupings by ``predicted`` are not known.

    Returns
    -------
    Inventory
        Columns and labels that are known before anything is computed.

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
    return Inventory(tuple(columns), {grouping.name: labels.get(grouping.name) for grouping in groupings})


def _possible(recording: Recording, grouping: Grouping, symbols: Sequence[str]) -> Iterator[str]:
    """Labels that frames of one recording may have: every combination of the columns' labels."""
    choices: dict[str, Iterable[object]] = {
        **{name: [value] for name, value in recording.attributes.items()},
        **{name: {interval.label for interval in tier} for name, tier in recording.tiers.items()},
        "predicted": symbols,
        "recording": [recording.id],
    }
    for combination in itertools.product(*(choices.get(column, ()) for column in grouping.columns)):
        label = grouping.join_labels(map(str, combination))
        if label is not None:
            yield label
