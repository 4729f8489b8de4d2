"""Closing tables of commands, for people or as JSON, and tables as CSV."""

import csv
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snaps.errors import legible
from snaps.schema import json_text

if TYPE_CHECKING:
    import pandas as pd

#: Entries of a long list or dictionary that are shown to people; JSON has them all.
SHOWN = 12


def print_outcome(title: str, outcome: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a command's results, and where they lie, on standard output.

    Parameters
    ----------
    title : str
        Heading of the table.
    outcome : mapping
        Values by name; JSON has them under the same names, with underscores for spaces, and null for NaN.
    as_json : bool
        Whether to print JSON instead of a table.
    """
    if as_json:
        named = {name.replace(" ", "_"): _json_value(value) for name, value in outcome.items()}
        text = json_text(named, allow_nan=False, indent=2)
        if _sayable(text) != text:
            text = json.dumps(named, allow_nan=False, indent=2)
        sys.stdout.write(text + "\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(_sayable(legible(title))), box=box.SIMPLE, show_header=False, title_justify="left")
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for name, value in outcome.items():
        table.add_row(Text(_sayable(legible(name))), Text(_sayable(_words(value))))
    Console(file=sys.stdout, highlight=False, emoji=False, markup=False).print(table)


def _sayable(text: str) -> str:
    """Text with escapes for characters that standard output cannot encode."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _json_value(value: Any) -> Any:
    """Turn a value into what JSON knows, which has no NaN."""
    if isinstance(value, Mapping):
        return {str(name): _json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        shown = [f"{legible(str(name))}: {_words(inner)}" for name, inner in list(value.items())[:SHOWN]]
        more = [f"… and {len(value) - SHOWN} more"] if len(value) > SHOWN else []
        text = any(isinstance(inner, str | Mapping) for inner in value.values())
        return ("\n" if text else ", ").join(shown + more) if value else "none"
    if isinstance(value, list | tuple):
        shown = [_words(inner) for inner in value[:SHOWN]]
        more = [f"… and {len(value) - SHOWN} more"] if len(value) > SHOWN else []
        return ", ".join(shown + more) if value else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return legible(str(value))


def write_table(table: "pd.DataFrame | pd.Series[Any]", path: Path, *, index: bool = False) -> None:
    """Write a table as CSV, with line ends that every reader understands.

    Parameters
    ----------
    table : DataFrame or Series
        What to write.
    path : Path
        File to write.
    index : bool
        Whether the index is written too.
    """
    text = table.to_csv(index=index, lineterminator="\n")
    if "\r" in text:
        # Pandas leaves carriage returns bare, where readers take them for the end of a line.
        text = table.to_csv(index=index, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    path.write_text(text, encoding="utf-8", newline="")
