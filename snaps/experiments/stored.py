"""What a reproduction reads back from its folder, beside networks and profiles; damage is one sentence."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from snaps.datasets.paths import require_file
from snaps.errors import InputError, shortened
from snaps.profiles import read_tree
from snaps.schema import parsed_json

#: Longest text that is read.
LARGEST_TEXT = 16 * 2**20
#: What the evaluation of an alignment always has.
EVALUATED = frozenset({"table", "n_unaligned"})


def stored_text(path: Path, what: str) -> str:
    """Read a short text file.

    Raises
    ------
    InputError
        If it is no file, cannot be read, is no text, or is too long.
    """
    advice = f"{what} {str(path)!r} cannot be read"
    try:
        require_file(path, most=LARGEST_TEXT)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{advice}: {shortened(error.strerror or error)}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{advice}: {shortened(error)}; delete it, or name another folder") from None


def stored_settings(path: Path) -> dict[str, Any]:
    """Settings of the reproduction in a folder; empty where they cannot be made out.

    Raises
    ------
    InputError
        If their file cannot be read.
    """
    text = stored_text(path, "the settings of the reproduction")
    try:
        return parsed_json(text, dict)
    except ValueError:
        return {}


def stored_curve(path: Path) -> pd.DataFrame:
    """Learning curve of a network: one row an epoch.

    Raises
    ------
    InputError
        If the file is none.
    """
    text = stored_text(path, "the learning curve")
    try:
        found = pd.read_csv(io.StringIO(text))
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"the learning curve {str(path)!r} is no CSV file: {shortened(error)}") from None
    numbers = all(kind.kind in "if" for kind in found.dtypes)
    if not {"epoch", "error_rate"} <= set(found.columns) or not len(found) or not numbers:
        raise InputError(
            f"the learning curve {str(path)!r} has the columns {shortened(list(found.columns))}; accepted are rows of "
            "numbers, with the columns 'epoch' and 'error_rate'"
        )
    return found


def stored_alignment(path: Path) -> xr.Dataset:
    """Evaluation of an alignment.

    Raises
    ------
    InputError
        If the file is none, or is damaged.
    """
    where, kind = f"the file {str(path)!r}", "an evaluation of an alignment"

    def check(tree: xr.DataTree) -> None:
        if tree.children or not set(tree.variables) >= EVALUATED or "tier" not in tree.attrs:
            raise InputError(f"{where} is not {kind}: it has the values {shortened(sorted(map(str, tree)))}")

    return read_tree(path, kind, check=check, stores=False).to_dataset()
