"""Blocks of content, sections, and the page as one self-contained HTML file. Every text is escaped."""

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError, legible
from snaps.profiles import quality
from snaps.schema import Provenance

#: Text of a cell in a column of numbers.
NUMBER = re.compile(r"|undefined|[−\d.,]*\d[.,]?( %)?")
#: Dots per inch of the figures; pages show them at 96, so that they are sharp on dense screens.
DPI = 144


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, embedded as a PNG.

    Parameters
    ----------
    figure : Figure
        Figure to show.
    alt : str
        Description of the figure for readers who cannot see it.
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
        Number of columns of rows into which a long and narrow table is divided.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    fold: int = 1

    @property
    def cells(self) -> list[list[tuple[str, bool]]]:
        """Rows, the headings first; a cell is its text and whether its column holds numbers."""
        rows = [[_text(value) for value in row] for row in self.rows]
        numeric = [all(map(NUMBER.fullmatch, column)) and any(column) for column in zip(*rows, strict=True)]
        return [list(zip(row, numeric or [False] * len(row), strict=True)) for row in (self.columns, *rows)]

    @property
    def pieces(self) -> list[list[list[tuple[str, bool]]]]:
        """Rows of the table in `fold` parts."""
        _, *rows = self.cells
        height = max(1, -(-len(rows) // max(1, self.fold)))
        return [rows[start : start + height] for start in range(0, len(rows), height)] or [[]]


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
        Content in order: texts become paragraphs, data frames become tables without their index.
    sections : sequence of Section
        Sections within it.
    folded : bool
        Whether the content is hidden until the reader opens it.

    Raises
    ------
    InputError
        If the content holds something else.
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
        """Content with the name of its type, for the template; data frames as tables without their index."""
        content = [
            Table([str(name) for name in block.columns], block.astype(object).values.tolist())
            if isinstance(block, pd.DataFrame)
            else block
            for block in self.content
        ]
        return [(type(block).__name__, block) for block in content]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return number(value) if not np.isnan(value) else "undefined"
    return str(value)


def number(value: object, form: str = ".3f") -> str:
    """A number with the sign that is as wide as a plus."""
    return format(value, form).replace("-", "−")


def drawn_on(width: float, height: float, *draws: Callable[[Axes], object]) -> Figure:
    """A figure of so many inches with axes side by side, one for each function that draws on them."""
    figure = Figure(figsize=(width, height), layout="constrained")
    for ax, draw in zip(figure.subplots(1, len(draws), squeeze=False).flat, draws, strict=True):
        draw(ax)
    return figure


def left_out_text(result: xr.Dataset) -> str:
    """Sentence with the numbers of frames or recordings that an evaluation left out, by reason."""
    counts = Provenance.of(result).left_out
    return "Left out: " + "; ".join(f"{reason}: {sum(by.values()):,}" for reason, by in counts.items()) + "."


def render_page(
    title: str,
    sections: Sequence[Section],
    *,
    lead: str = "",
    results: Mapping[str, xr.DataTree | xr.Dataset] = MappingProxyType({}),
) -> str:
    """Render sections as a page; every text in them is escaped.

    Parameters
    ----------
    title : str
        Heading of the page.
    sections : sequence of Section
        Content of the page.
    lead : str
        A line below the heading.
    results : mapping of str to DataTree or Dataset
        Results by the names of the networks, or by an empty name if there is only one. The top of the page shows error
        rate, share of blanks and number of frames of each, and a warning if they are too bad.

    Returns
    -------
    str
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Jinja does not escape by default in templates with this file ending.
    environment = Environment(
        loader=PackageLoader("snaps.report", "templates"), autoescape=True, undefined=StrictUndefined,
        finalize=_legible, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    qualities = {name: quality(result) for name, result in results.items()}
    page = environment.get_template("page.html.j2")
    return page.render(title=title, sections=sections, lead=lead, qualities=qualities)


def _legible(value: object) -> object:
    """Text without characters that HTML cannot hold or that change the direction of text."""
    # The output of a macro is a subclass of str that marks HTML; it must not be changed.
    return legible(value, keep="\t\n") if type(value) is str else value
