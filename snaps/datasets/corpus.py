"""Corpora: sized, indexable, ordered collections of recordings, and those that the command line knows by name."""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from snaps.datasets.files import FileCorpus
from snaps.datasets.recording import Recording
from snaps.datasets.textgrids import load_textgrids
from snaps.datasets.timit import load_timit
from snaps.errors import InputError, RecordingError, check_choice, one_of

#: Whether a recording that cannot be read raises its error or is left out.
OnError = Literal["raise", "skip"]


@runtime_checkable
class Corpus(Protocol):
    """Sized, indexable, ordered collection of recordings; indexing loads one of them.

    A plain list of recordings will do wherever a corpus is expected. A corpus may also have

    - ``annotation(index)``, which gives the recording without its audio: a `Recording` whose `features` have
      no steps. It is used to learn labels and identifiers without computing spectrograms.
    - ``settings``, a mapping that says how features were made; it is stored with the profiles.
    """

    @property
    def name(self) -> str:
        """Name, e.g. ``timit-test``."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that determines the recordings and their order."""

    def __len__(self) -> int:
        """Return the number of recordings."""

    def __getitem__(self, index: int) -> Recording:
        """Load one recording."""


CorpusLike = Corpus | Sequence[Recording]


def corpus_name(corpus: CorpusLike) -> str:
    """Name of a corpus; a plain list of recordings is called ``recordings``."""
    return str(getattr(corpus, "name", "recordings"))


def corpus_settings(corpus: CorpusLike) -> dict[str, Any]:
    """Settings of the features of a corpus; none for a plain list."""
    return dict(getattr(corpus, "settings", {}))


def corpus_fingerprint(corpus: CorpusLike) -> str:
    """Hash that changes with the recordings, their annotations or their order.

    It is the corpus's own attribute; a plain list is hashed recording by recording.
    """
    own = getattr(corpus, "fingerprint", None)
    if own is not None:
        return str(own)
    digest = hashlib.sha256()
    for index in range(len(corpus)):
        recording = corpus[index]
        digest.update(recording.features.tobytes())
        described = [
            recording.id,
            recording.step,
            list(recording.features.shape),
            {name: [list(interval) for interval in tier] for name, tier in recording.tiers.items()},
            dict(recording.attributes),
        ]
        digest.update(json.dumps(described, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def iterate_annotations(corpus: CorpusLike, *, on_error: OnError = "raise") -> Iterator[Recording]:
    """Iterate over the annotations of a corpus, without computing spectrograms if it has ``annotation``.

    Parameters
    ----------
    corpus : Corpus or list of Recording
        The corpus.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read raises its error or is passed over.

    Yields
    ------
    Recording
        Only its identifier, tiers and attributes may be used.
    """
    check_choice("on_error", on_error, get_args(OnError))
    annotation = getattr(corpus, "annotation", corpus.__getitem__)
    for index in range(len(corpus)):
        try:
            recording = annotation(index)
        except RecordingError:
            if on_error == "raise":
                raise
        else:
            yield recording


#: Function that loads a corpus from a folder, by the name in front of the colon.
LOADERS: dict[str, Callable[..., FileCorpus]] = {"timit": load_timit, "textgrids": load_textgrids}


def load_corpus(source: str, **options: Any) -> FileCorpus:
    """Load a corpus from its name on the command line, such as ``timit:PATH``.

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
    _, *keywords = inspect.signature(LOADERS[name]).parameters
    for option in given:
        if option not in keywords:
            raise InputError(f"a corpus {name!r} has no option {option!r}; its options are {one_of(keywords)}")
    return LOADERS[name](root, **given)
