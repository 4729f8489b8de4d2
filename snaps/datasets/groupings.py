"""Groupings: which label every frame is averaged under."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from snaps.errors import InputError, check_name, check_text, one_of

#: One grouping as a caller writes it: a column, several, or a column and the mapping of its labels.
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
        if not isinstance(self.name, str):
            raise InputError(f"the grouping's name is {self.name!r}; accepted are texts")
        check_name(self.name, "the grouping's name")
        if not self.columns or not all(isinstance(column, str) and column for column in self.columns):
            raise InputError(f"the grouping {self.name!r} has the columns {self.columns!r}; {_ACCEPTED}")
        wrong = [
            item
            for item in (self.mapping or {}).items()
            if not isinstance(item[0], str) or not isinstance(item[1], str | None)
        ]
        if wrong:
            raise InputError(
                f"the mapping of the grouping {self.name!r} has {wrong[0][0]!r}: {wrong[0][1]!r}; "
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
        here = list(map(str, rows.columns))
        self.check_columns([*here, *known])
        missing = not set(self.columns) <= set(here)
        if missing or rows.empty:
            return np.full(len(rows), None, dtype=object)
        codes = np.zeros(len(rows), dtype=np.int64)
        joined: list[str | None] = [""]
        for place, column in enumerate(self.columns):
            # One look at each distinct value instead of one at each frame.
            own, values = pd.factorize(rows[column], use_na_sentinel=True)
            texts: list[str | None] = [str(value) or None for value in values] + [None]
            pairs, codes = np.unique(codes * len(texts) + own % len(texts), return_inverse=True)
            joined = [
                _join(joined[pair // len(texts)], texts[pair % len(texts)], first=place == 0) for pair in pairs.tolist()
            ]
        for label in joined:
            check_text(label or "", f"a label of the grouping {self.name!r}")
        labels = np.empty(len(joined), dtype=object)
        labels[:] = [self.map_label(label) for label in joined]
        return labels[codes]

    def map_label(self, label: str | None) -> str | None:
        """Label after the mapping, if there is one; None for no label."""
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
    """Make groupings from the list or the dictionary that callers give.

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
        parsed = [_from_item(name, spec) for name, spec in groupings.items()]
    else:
        parsed = [spec if isinstance(spec, Grouping) else _from_columns(spec) for spec in groupings]
    if not parsed:
        raise InputError(f"groupings is empty; {_ACCEPTED}")
    names = [grouping.name for grouping in parsed]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two groupings have the same name {name!r}; accepted are different names")
    return parsed


def _from_columns(spec: str | Sequence[str]) -> Grouping:
    columns = _columns(spec, spec)
    return Grouping("+".join(columns), columns)


def _from_item(name: str, spec: GroupingSpec | Grouping) -> Grouping:
    if isinstance(spec, Grouping):
        return Grouping(name, spec.columns, spec.mapping)
    if not isinstance(spec, str) and isinstance(spec, Sequence) and len(spec) == 2 and isinstance(spec[1], Mapping):
        return Grouping(name, _columns(spec[0], spec), dict(spec[1]))
    return Grouping(name, _columns(spec, spec))


def _columns(columns: object, spec: object) -> tuple[str, ...]:
    if isinstance(columns, str):
        return (columns,)
    if isinstance(columns, Sequence) and columns and all(isinstance(column, str) for column in columns):
        return tuple(columns)
    raise InputError(f"one of the groupings is {spec!r}; {_ACCEPTED}")


def _join(label: str | None, more: str | None, *, first: bool) -> str | None:
    if first or label is None or more is None:
        return more if first else None
    return f"{label}+{more}"
