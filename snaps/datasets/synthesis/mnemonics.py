"""From eSpeak NG's phoneme mnemonics to TIMIT's symbols: the one table.

`TABLE` has a row for every mnemonic that the voices in use emit. A row's first column holds for all of
them; a dialect's voice that makes another sound of the same mnemonic has a column of its own (the
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
  `snaps.datasets.synthesis.labels` says.

TIMIT's ``em eng nx hv ax-h`` have no counterpart in eSpeak NG and do not occur.
"""

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

CLOSURES = {
    "b": "bcl", "d": "dcl", "g": "gcl", "p": "pcl", "t": "tcl", "k": "kcl", "jh": "dcl", "ch": "tcl",
}  # fmt: skip
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

_EVERY = ""
_US, _GB, _RP, _SCOTS, _LANCS, _CARIB = VOICES.values()

TABLE: dict[str, dict[str, str]] = {
    # Plosives and affricates
    "p": {_EVERY: "p"},
    "t": {_EVERY: "t"},
    "t2": {_EVERY: "t"},  # into
    "t[": {_EVERY: "t"},  # thin, Caribbean
    "t#": {_EVERY: "dx"},  # butter, American
    "k": {_EVERY: "k"},
    "b": {_EVERY: "b"},
    "d": {_EVERY: "d"},
    "g": {_EVERY: "g"},
    "?": {_EVERY: "q"},  # button, American
    "tS": {_EVERY: "ch"},
    "dZ": {_EVERY: "jh"},
    # Fricatives
    "f": {_EVERY: "f"},
    "v": {_EVERY: "v"},
    "T": {_EVERY: "th"},
    "D": {_EVERY: "dh"},
    "s": {_EVERY: "s"},
    "z": {_EVERY: "z"},
    "S": {_EVERY: "sh"},
    "Z": {_EVERY: "zh"},
    "h": {_EVERY: "hh"},
    # Nasals
    "m": {_EVERY: "m"},
    "n": {_EVERY: "n"},
    "n-": {_EVERY: "en"},  # button, American
    "N": {_EVERY: "ng"},
    # Liquids and glides
    "l": {_EVERY: "l"},
    "@L": {_EVERY: "el"},  # bottle
    "r": {_EVERY: "r"},
    "r-": {_EVERY: "r"},  # far away
    "w": {_EVERY: "w"},
    "w#": {_EVERY: "w"},  # when, Scottish
    "j": {_EVERY: "y"},
    ";": {_EVERY: "y"},  # the short glide of: piano, shy animal
    # Short vowels
    "I": {_EVERY: "ih"},
    "I2": {_EVERY: "ih"},  # the first of: before
    "I#": {_EVERY: "ix"},  # roses, American
    "i": {_EVERY: "iy", _RP: "ih", _SCOTS: "ih"},  # happy
    "E": {_EVERY: "eh"},
    "a": {_EVERY: "ae"},
    "aa": {_EVERY: "ae", _RP: "aa", _SCOTS: "aa", _CARIB: "aa"},  # bath
    "0": {_EVERY: "aa"},  # lot
    "O2": {_EVERY: "ao"},  # along, American
    "V": {_EVERY: "ah", _LANCS: "uh"},
    "U": {_EVERY: "uh", _SCOTS: "ux"},
    # Weak vowels
    "@": {_EVERY: "ax"},
    "@2": {_EVERY: "ax"},  # the
    "@5": {_EVERY: "ax"},  # to, Received Pronunciation
    "@-": {_EVERY: "ax"},  # wouldn't
    "a#": {_EVERY: "ax", _CARIB: "ah"},  # a, along
    "3": {_EVERY: "ax", _US: "axr"},  # better
    # Long vowels
    "i:": {_EVERY: "iy"},
    "u:": {_EVERY: "uw", _SCOTS: "ux"},
    "A:": {_EVERY: "aa"},
    "O:": {_EVERY: "ao"},
    "3:": {_EVERY: "er", _SCOTS: "eh"},  # nurse; serve
    "IR": {_EVERY: "er"},  # bird, Scottish
    "VR": {_EVERY: "er"},  # nurse, Scottish
    # Diphthongs
    "eI": {_EVERY: "ey"},
    "aI": {_EVERY: "ay"},
    "aI2": {_EVERY: "ay"},  # shy, Scottish
    "OI": {_EVERY: "oy"},
    "oU": {_EVERY: "ow"},
    "aU": {_EVERY: "aw"},
    # Vowels before a written r: in American they contain it, in Scottish it follows, elsewhere there is none
    "A@": {_EVERY: "aa", _US: "aa r"},  # march
    "O@": {_EVERY: "ao", _US: "ao r"},  # for
    "o@": {_EVERY: "ao", _US: "ao r"},  # before
    "e@": {_EVERY: "eh ax", _US: "eh r", _SCOTS: "eh"},  # there
    "i@3": {_EVERY: "iy ax", _US: "ih r", _SCOTS: "ih"},  # clear
    "U@": {_EVERY: "uh ax", _US: "uh r", _RP: "ao", _SCOTS: "ux r"},  # sure
    "i@": {_EVERY: "iy ax"},  # idea
    "aI@": {_EVERY: "ay ax"},  # violet
    "aI3": {_EVERY: "ay axr"},  # fire, American
}


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
    return tuple(row.get(voice, row[_EVERY]).split())
