"""From eSpeak NG's phoneme mnemonics to TIMIT's symbols: the one table.

The file ``mnemonics.txt`` has a row for every mnemonic that the voices in use emit, and words that have it in
brackets. A row's first symbols hold for all voices; a dialect's voice that makes another sound of the same mnemonic
is named after them (the
Lancastrian ``V`` of *butter* is a ``uh``, the American ``A@`` of *march* is a vowel with an r, the British
one is not). What a voice makes of a mnemonic was taken from eSpeak NG's own rendering of it in the
International Phonetic Alphabet.

- Two symbols in one cell share the mnemonic's stretch, the first one taking `FIRST_SHARE` of it. When the
  second one is also what comes next (``eh r`` before the linking ``r``, as in *fairy*), the first one takes
  all.
- Marks of stress are not part of a mnemonic. ``_`` and ``_:`` are pauses: ``h#`` at the ends, ``pau``
  between.
- The vowel of *lot* is ``aa`` in every dialect, also where it is rounded, so that it stays apart from
  *thought* (``ao``) everywhere.
- Plosives and affricates stand with their release alone; their closures (`CLOSURES`) come from the audio, as
  `snaps.speech.labels` says.

TIMIT's ``em eng nx hv ax-h`` have no counterpart in eSpeak NG and do not occur.
"""

from pathlib import Path

from snaps.errors import InputError

VOICES: dict[str, str] = {
    "DR1": "en-us",
    "DR2": "en",
    "DR3": "en-gb-x-rp",
    "DR4": "en-gb-scotland",
    "DR5": "en-gb-x-gbclan",
    "DR6": "en-029",
}
"""Dialect folder of the corpus -> eSpeak NG's voice: American, British, Received Pronunciation, Scottish,
Lancastrian and Caribbean English. (New York's and the West Midlands' are left out: they drop the h, the
former with the word's mark.)"""

FIRST_SHARE = 0.6
"""Share of a stretch that the first of two symbols takes."""

PAUSES = frozenset({"_", "_:", "_!", "_|"})

CLOSURES = {**{release: f"{release}cl" for release in "bdgptk"}, "jh": "dcl", "ch": "tcl"}
"""Release -> its closure, as TIMIT names them."""

SONORANTS = frozenset(["m", "n", "ng", "l", "r", "w", "y"])
VOWELS = frozenset(
    [
        "iy",
        "ih",
        "eh",
        "ey",
        "ae",
        "aa",
        "aw",
        "ay",
        "ah",
        "ao",
        "oy",
        "ow",
        "uh",
        "uw",
        "ux",
        "er",
        "ax",
        "ix",
        "axr",
        "el",
    ]
)
VOICED_RELEASES = frozenset({"b", "d", "g", "jh"})


def _read_table() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for line in Path(__file__).with_name("mnemonics.txt").read_text(encoding="ascii").splitlines():
        if not line.startswith("# "):
            mnemonic, everywhere, *others = line.partition("(")[0].split()
            table[mnemonic] = {"": everywhere}
            for other in others:
                dialect, _, symbols = other.partition("=")
                table[mnemonic][VOICES[dialect]] = symbols
    return table


TABLE = _read_table()
"""Mnemonic -> symbols by voice, those of all other voices under an empty name; two symbols are joined by ``+``."""


def timit_symbols(mnemonic: str, *, voice: str, where: str) -> tuple[str, ...]:
    """TIMIT's symbols for a mnemonic.

    Parameters
    ----------
    mnemonic : str
        eSpeak NG's mnemonic without stress marks; no pause.
    voice : str
        One of the values of `VOICES`.
    where : str
        The word or the sentence in which it was met, for the error's sentence.

    Returns
    -------
    tuple of str
        One symbol, or two that share the stretch.

    Raises
    ------
    InputError
        If the table has no such row.

    Examples
    --------
    >>> timit_symbols("A@", voice="en-us", where="march"), timit_symbols("A@", voice="en", where="march")
    (('aa', 'r'), ('aa',))
    """
    row = TABLE.get(mnemonic)
    if row is None:
        raise InputError(
            f"eSpeak NG's mnemonic {mnemonic!r}, met in {where!r} with the voice {voice}, has no entry in "
            f"the table of TIMIT's symbols; it has entries for {' '.join(TABLE)}"
        )
    return tuple(row.get(voice, row[""]).split("+"))
