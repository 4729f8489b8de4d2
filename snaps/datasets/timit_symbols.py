"""TIMIT's phone symbols, and the customary fold to fewer."""

from collections.abc import Mapping
from types import MappingProxyType

#: All symbols of TIMIT's phonetic transcription, in alphabetical order.
PHONES_61: tuple[str, ...] = (
    *("aa", "ae", "ah", "ao", "aw", "ax", "ax-h", "axr", "ay", "b", "bcl", "ch", "d", "dcl", "dh", "dx"),
    *("eh", "el", "em", "en", "eng", "epi", "er", "ey", "f", "g", "gcl", "h#", "hh", "hv", "ih", "ix"),
    *("iy", "jh", "k", "kcl", "l", "m", "n", "ng", "nx", "ow", "oy", "p", "pau", "pcl", "q", "r", "s"),
    *("sh", "t", "tcl", "th", "uh", "uw", "ux", "v", "w", "y", "z", "zh"),
)

_FOLDED = {
    "aa": "ao",
    "ah": "ax ax-h",
    "er": "axr",
    "hh": "hv",
    "ih": "ix",
    "l": "el",
    "m": "em",
    "n": "en nx",
    "ng": "eng",
    "sh": "zh",
    "sil": "bcl dcl gcl pcl tcl kcl h# pau epi",
    "uw": "ux",
    "": "q",
}

#: Symbol by symbol, the fold of Lee and Hon (1989) from 61 to 39: silences, pauses and closures become
#: ``sil``, and the glottal stop ``q`` an empty label, which is none.
FOLD_39: Mapping[str, str] = MappingProxyType(
    {symbol: symbol for symbol in PHONES_61}
    | {symbol: folded for folded, symbols in _FOLDED.items() for symbol in symbols.split()}
)
