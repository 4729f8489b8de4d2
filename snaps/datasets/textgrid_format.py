"""Praat's TextGrid text files, long and short form, read as Praat itself reads them.

Praat takes strings, free-standing numbers and flags in their order, and ignores everything else. So the long
form, with its ``xmin =`` and ``intervals [2]:``, and the short form are one format. Praat also ignores what follows
the last tier; here that is an error, because it is what a size that is too small leaves over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from snaps.datasets.recording import Interval
from snaps.errors import shown

_TOKEN = re.compile(
    r"""
      "(?P<string>[^"]*(?:""[^"]*)*)"
    | (?P<comment>![^\r\n]*)
    | (?<!\S)(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)
    | (?<!\S)(?P<flag><\w+>)(?!\S)
    | (?P<stray>")
    """,
    re.VERBOSE,
)


class TextGridError(Exception):
    """The text is no TextGrid, or a damaged one."""


@dataclass(frozen=True)
class TextGrid:
    """Tiers of a TextGrid.

    Attributes
    ----------
    tiers : tuple of (str, tuple of Interval)
        Interval tiers in file order, with their intervals as they stand: nothing is sorted or refused.
    point_tiers : tuple of str
        Names of the point tiers, which are skipped.
    """

    tiers: tuple[tuple[str, tuple[Interval, ...]], ...]
    point_tiers: tuple[str, ...]


def parse_textgrid(text: str) -> TextGrid:
    r"""Read the text of a TextGrid file in its long or short form.

    Raises
    ------
    TextGridError
        If it is something else, ends early or late, or has another thing where a number or a label is due.

    Examples
    --------
    >>> parse_textgrid('"ooTextFile"\n"TextGrid"\n0 1 <exists> 1 "IntervalTier" "phones" 0 1 1 0 1 "a"').tiers
    (('phones', (Interval(start=0.0, end=1.0, label='a'),)),)
    """
    tokens = _Tokens(text)
    if not tokens.string("file type").startswith("ooTextFile") or tokens.string("object class") != "TextGrid":
        raise TextGridError("it is no text file of the class TextGrid")
    tokens.number("start")
    tokens.number("end")
    if tokens.take("flag", "tiers' flag") != "<exists>":
        tokens.end("its header")
        return TextGrid(tiers=(), point_tiers=())
    tiers, point_tiers = [], []
    for _ in range(tokens.count("number of tiers")):
        kind, name = tokens.string("class of a tier"), tokens.string("name of a tier")
        tier = f"the tier {shown(name)}"
        tokens.number(f"start of {tier}")
        tokens.number(f"end of {tier}")
        size = tokens.count(f"size of {tier}")
        if kind == "IntervalTier":
            tiers.append((name, tuple(_intervals(tokens, tier, size))))
        elif kind == "TextTier":
            for _ in range(size):
                tokens.number(f"time in {tier}")
                tokens.string(f"mark in {tier}")
            point_tiers.append(name)
        else:
            raise TextGridError(f"{tier} has the class {shown(kind)}; known are IntervalTier and TextTier")
    # A size that is too small would lose what lies behind.
    tokens.end("its last tier")
    return TextGrid(tiers=tuple(tiers), point_tiers=tuple(point_tiers))


def _intervals(tokens: "_Tokens", tier: str, size: int) -> Iterator[Interval]:
    for number in range(1, size + 1):
        where = f"of the interval {number} in {tier}"
        yield Interval(tokens.number(f"start {where}"), tokens.number(f"end {where}"), tokens.string(f"label {where}"))


class _Tokens:
    """Strings, numbers and flags of a text, taken one by one."""

    def __init__(self, text: str) -> None:
        self._matches = (match for match in _TOKEN.finditer(text) if match.lastgroup != "comment")

    def take(self, kind: str, due: str) -> str:
        match = next(self._matches, None)
        if match is None:
            raise TextGridError(f"it ends where the {due} is due")
        if match.lastgroup != kind:
            raise TextGridError(f"it has {shown(match[0], limit=40)} where the {due} is due")
        return match[kind]

    def end(self, last: str) -> None:
        match = next(self._matches, None)
        if match is not None:
            raise TextGridError(f"it goes on behind {last} with {shown(match[0], limit=40)}")

    def string(self, due: str) -> str:
        return self.take("string", due).replace('""', '"')

    def number(self, due: str) -> float:
        return float(self.take("number", due))

    def count(self, due: str) -> int:
        number = self.number(due)
        if not (number >= 0 and number.is_integer()):
            raise TextGridError(f"it has {number} where the {due} is due")
        return int(number)
