"""Symbol tables, and the target sequence of one recording.

As in section 4.2 of the SNAP paper, a target is a sequence without any timing: the letters of the sentence,
or the labels of a tier in file order.
"""

from collections.abc import Iterable, Sequence
from string import ascii_lowercase

from snaps.datasets import CorpusLike, OnError, Recording, iterate_annotations
from snaps.errors import InputError, RecordingError, one_of

BLANK = "_"
#: The name under which letters are asked for; every other name of labels is that of a tier.
LETTER = "letter"
#: Blank, space, apostrophe and a–z: the 29 output units of Table 1.
LETTERS: tuple[str, ...] = (BLANK, " ", "'", *ascii_lowercase)

_DROPPED = '.,?!;:"“”…'
_SPACES = "-‐‑–—\t\r\n"
_SPELLING = str.maketrans({**dict.fromkeys(_DROPPED, ""), **dict.fromkeys(_SPACES, " "), "’": "'", "‘": "'"})


def phoneme_symbols(corpus: CorpusLike, tier: str = "phoneme", *, on_error: OnError = "raise") -> tuple[str, ...]:
    """Symbol table of a tier: the blank, then all labels that occur, sorted.

    Parameters
    ----------
    corpus : corpus or sequence of Recording
        Where to look; no spectrograms are computed if the corpus can do without.
    tier : str
        The tier's name.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the search or is passed over.

    Returns
    -------
    tuple of str
        The blank ``_`` comes first.

    Raises
    ------
    InputError
        If no recording has such a tier with a label in it, or a label is the blank itself.
    RecordingError
        If a recording cannot be read, and is not to be passed over.

    Examples
    --------
    >>> from snaps.datasets import Interval
    >>> import numpy as np
    >>> tiers = {"phoneme": [Interval(0.0, 0.1, "sh"), Interval(0.1, 0.2, "iy")]}
    >>> phoneme_symbols([Recording("a", np.zeros((128, 25)), tiers=tiers)])
    ('_', 'iy', 'sh')
    """
    labels: set[str] = set()
    tiers: set[str] = set()
    for recording in iterate_annotations(corpus, on_error=on_error):
        tiers.update(recording.tiers)
        labels.update(interval.label for interval in recording.tiers.get(tier, ()) if interval.label)
    if not labels:
        raise InputError(f"no recording has labels in a tier {tier!r}; the tiers are {one_of(sorted(tiers))}")
    if BLANK in labels:
        raise InputError(f"the tier {tier!r} has the label {BLANK!r}, which stands for the blank; relabel it")
    return (BLANK, *sorted(labels))


def symbols_for(corpus: CorpusLike, labels: str = "phoneme", *, on_error: OnError = "raise") -> tuple[str, ...]:
    """Symbol table for training on `labels`: `LETTERS` for ``"letter"``, else the labels that occur in the tier.

    Parameters
    ----------
    corpus : corpus or sequence of Recording
        The corpus to train on.
    labels : str
        ``"letter"`` or the name of a tier.
    on_error : {"raise", "skip"}
        As `phoneme_symbols`.

    Raises
    ------
    InputError
        As `phoneme_symbols`.
    """
    return LETTERS if labels == LETTER else phoneme_symbols(corpus, labels, on_error=on_error)


def spell(text: str) -> str:
    """Text as letters: lower case, without punctuation, with single spaces.

    The marks ``. , ? ! ; : "`` and the ellipsis are dropped, hyphens and dashes become spaces, a typographic
    apostrophe becomes ``'``. Everything else, digits too, stays as it is: how a number is read aloud cannot
    be guessed.

    Examples
    --------
    >>> spell("She had your dark-blue suit, didn't she?")
    "she had your dark blue suit didn't she"
    """
    return " ".join(text.lower().translate(_SPELLING).split())


def targets(recording: Recording, labels: str, symbols: Sequence[str], *, blank: str | None = BLANK) -> tuple[int, ...]:
    """Target sequence of one recording, as positions in a network's symbol table.

    Parameters
    ----------
    recording : Recording
        For letters its attribute ``text`` is read, else the tier called `labels`.
    labels : str
        ``"letter"`` or the name of a tier.
    symbols : sequence of str
        The network's symbol table.
    blank : str or None
        The symbol that is no target, although it is in the table.

    Returns
    -------
    tuple of int
        One position a symbol; intervals without a label are passed over.

    Raises
    ------
    RecordingError
        If the recording lacks the text or the tier, or holds a symbol that the table lacks.

    Examples
    --------
    >>> import numpy as np
    >>> targets(Recording("a", np.zeros((128, 25)), attributes={"text": "Ab, a."}), "letter", LETTERS)
    (3, 4, 1, 3)
    """
    sequence: Iterable[str]
    if labels == LETTER:
        if "text" not in recording.attributes:
            raise RecordingError(
                recording.id,
                f"recording {recording.id!r} has no attribute 'text' to learn letters from; "
                f"it has {one_of(recording.attributes)}",
            )
        sequence, where, kind = spell(recording.attributes["text"]), "text", "character"
    elif labels in recording.tiers:
        sequence = (interval.label for interval in recording.tiers[labels] if interval.label)
        where, kind = f"tier {labels!r}", "label"
    else:
        raise RecordingError(
            recording.id,
            f"recording {recording.id!r} has no tier {labels!r}; it has {one_of(recording.tiers)}, "
            f"and {LETTER!r} takes the letters of its text",
        )
    table = {symbol: position for position, symbol in enumerate(symbols) if symbol != blank}
    try:
        return tuple(table[label] for label in sequence)
    except KeyError as error:
        raise RecordingError(
            recording.id,
            f"the {where} of recording {recording.id!r} has the {kind} {error.args[0]!r}, which the network's symbols "
            f"lack; they are {one_of(table, limit=64)}",
        ) from None
