"""What a section of the page is made of. Nothing of it is HTML; the page escapes every text."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from snaps.errors import InputError

#: Dots per inch of the pictures; they are shown at 96, so that dense screens have more to show.
DPI = 144


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, embedded as a PNG.

    Parameters
    ----------
    figure : Figure
        What to show.
    alt : str
        What is to be seen, for those who cannot see it.
    caption : str
        Text below the picture.
    """

    figure: Figure
    alt: str
    caption: str = ""

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

    @property
    def width(self) -> int:
        """Width in CSS pixels."""
        return round(self.figure.get_figwidth() * 96)


@dataclass(frozen=True)
class Table:
    """A table; columns of numbers are set to the right.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences
        Cells: text, whole numbers, numbers (shown with three decimals; NaN is shown as "undefined"), or None
        for an empty one.
    caption : str
        Text above the table.
    fold : int
        Number of pieces that a long and narrow table is laid out in, side by side.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    fold: int = 1

    @property
    def pieces(self) -> list[list[list[tuple[str, bool]]]]:
        """Rows of every piece; a cell is its text and whether its column is one of numbers."""
        rows = [[_text(value) for value in row] for row in self.rows]
        numeric = [all(map(_numeric, column)) and any(column) for column in zip(*rows, strict=True)]
        cells = [list(zip(row, numeric, strict=True)) for row in rows]
        height = max(1, -(-len(rows) // max(1, self.fold)))
        return [cells[start : start + height] for start in range(0, len(rows), height)] or [[]]

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """Headings, and whether their columns are of numbers."""
        first = self.pieces[0][:1]
        numeric = [number for _, number in first[0]] if first else [False] * len(self.columns)
        return list(zip(self.columns, numeric, strict=True))


@dataclass(frozen=True)
class LabelSet:
    """Labels that belong together, e.g. the groups of one cluster.

    Parameters
    ----------
    name : str
        Heading of the set.
    labels : sequence of str
        Its members.
    color : str
        CSS colour of the mark beside the heading; none if empty.
    """

    name: str
    labels: Sequence[str]
    color: str = ""


@dataclass(frozen=True)
class LabelSets:
    """Several sets of labels below each other.

    Parameters
    ----------
    sets : sequence of LabelSet
        The sets.
    caption : str
        Text above them.
    """

    sets: Sequence[LabelSet]
    caption: str = ""


Block = str | Picture | Table | LabelSets | pd.DataFrame


@dataclass(frozen=True, eq=False)
class Section:
    """A section of the page, listed in its table of contents.

    Parameters
    ----------
    title : str
        Heading.
    content : sequence of str, Picture, Table, LabelSets or pandas.DataFrame
        What it shows, in this order: texts become paragraphs, data frames tables without their index.
    sections : sequence of Section
        Sections within it.
    folded : bool
        Whether readers unfold the content first.

    Raises
    ------
    InputError
        If a piece of the content is something else.
    """

    title: str
    content: Sequence[Block] = ()
    sections: "Sequence[Section]" = field(default=())
    folded: bool = False

    def __post_init__(self) -> None:
        for block in self.content:
            if not isinstance(block, Block):
                raise InputError(
                    f"the section {self.title!r} contains a {type(block).__name__}; accepted are str, "
                    "Picture, Table, LabelSets and pandas.DataFrame"
                )

    @property
    def blocks(self) -> list[tuple[str, Any]]:
        """Content with the name of its kind, for the page."""
        return [_named(block) for block in self.content]


def _named(block: Block) -> tuple[str, Any]:
    if isinstance(block, str):
        return "text", block
    if isinstance(block, pd.DataFrame):
        return "table", Table([str(name) for name in block.columns], block.astype(object).values.tolist())
    return {Picture: "picture", Table: "table", LabelSets: "labels"}[type(block)], block


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return "undefined" if np.isnan(value) else f"{value:.3f}".replace("-", "−")
    return str(value)


def _numeric(text: str) -> bool:
    return text in ("", "undefined") or re.fullmatch(r"[−\d.,]*\d[.,]?( %)?", text) is not None
