"""The corpora that the command line knows by name."""

import inspect
from collections.abc import Callable
from typing import Any

from snaps.datasets.files import FileCorpus
from snaps.datasets.textgrids import load_textgrids
from snaps.datasets.timit import load_timit
from snaps.errors import InputError, one_of

#: Function that loads a corpus from a folder, by the name in front of the colon.
LOADERS: dict[str, Callable[..., FileCorpus]] = {
    "timit": load_timit,
    "textgrids": load_textgrids,
}


def load_corpus(source: str, **options: Any) -> FileCorpus:
    """Load the corpus that a text like ``timit:PATH`` names.

    Parameters
    ----------
    source : str
        Name in `LOADERS`, a colon, and the folder.
    **options
        Keywords of the function that loads it; those that are None are left to its defaults.

    Returns
    -------
    FileCorpus
        As that function gives it.

    Raises
    ------
    InputError
        If the text names no corpus, or the function does not know an option or refuses the folder.
    """
    name, colon, root = source.partition(":")
    if name not in LOADERS or not colon or not root:
        raise InputError(f"the corpus is {source!r}; accepted is NAME:PATH, where NAME is one of {one_of(LOADERS)}")
    given = {option: value for option, value in options.items() if value is not None}
    keywords = [
        parameter.name
        for parameter in inspect.signature(LOADERS[name]).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for option in given:
        if option not in keywords:
            raise InputError(f"a corpus {name!r} has no option {option!r}; its options are {one_of(keywords)}")
    return LOADERS[name](root, **given)
