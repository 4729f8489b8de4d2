"""The libraries of the extra ``train``, which not everybody has installed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from snaps.errors import InputError


@contextmanager
def train_extra() -> Iterator[None]:
    """Say in one sentence what to install, where a library is missing.

    Raises
    ------
    InputError
        If an import in the block fails because a library is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("lightning", "torchmetrics"):
            raise
        raise InputError(
            f'training needs {error.name!r}, which is not installed: pip install "neuron-snaps[train]"'
        ) from None


def new_error_rate() -> Any:
    """Fresh counter of insertions, deletions and substitutions, `torchmetrics.text.WordErrorRate`.

    It compares texts of words; sequences of symbols are given to it through `words`.
    """
    with train_extra():
        from torchmetrics.text import WordErrorRate
    return WordErrorRate()


def words(positions: Iterable[int]) -> str:
    """Positions in a symbol table as words of a text: symbols themselves may be spaces.

    Examples
    --------
    >>> words((3, 1, 3))
    '3 1 3'
    """
    return " ".join(map(str, positions))
