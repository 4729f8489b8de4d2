"""Labels as TIMIT has them, from the phonemes that eSpeak NG reports: phones without gaps, with closures, and words.

The file ``mnemonics.txt`` has a row for every mnemonic that the voices in use emit, with example words in brackets.
Its first symbols hold for all voices; a dialect whose voice makes another sound of the mnemonic is named after them
(the Lancastrian ``V`` of *butter* is a ``uh``). They follow eSpeak NG's own rendering of each mnemonic in the
International Phonetic Alphabet. Marks of stress are not part of a mnemonic. The vowel of *lot* is ``aa`` in every
dialect, also where it is rounded, so that it stays apart from *thought* (``ao``). TIMIT's ``em eng nx hv ax-h`` have
no counterpart in eSpeak NG and do not occur.

eSpeak NG marks where a phoneme begins. Five rules make phones of the marks; "quiet" is a stretch of samples
below `QUIET` that ends at a mark.

1. Quiet before a plosive or an affricate is its closure; if it lasts less than `SHORTEST_CLOSURE`, it is
   part of the release. Quiet before a pause belongs to the pause, quiet before and after a glottal stop to
   that. Other quiet belongs to the phone before it, or is an ``epi`` if it lasts `SHORTEST_EPI` or more.
2. A voiced plosive or affricate that neither quiet nor a pause precedes, if it lasts `SHORTEST_VOICED` or
   more, begins with a closure of `VOICE_BAR`, three quarters of it at most: so long is the voice bar that
   eSpeak NG plays, whatever the voice or the rate. In a long ``b`` or ``g`` it takes `VOICE_BAR_SHARE`.
3. eSpeak NG may render a liquid as the end of its vowel, and then marks it at the end of both. A phone, no
   plosive, that would last less than `SHORTEST_PHONE` begins earlier: it takes `BORROWED_SHARE` of the
   phone before it and itself, `BORROWED` at most.
4. After a nasal, a liquid or a glide eSpeak NG marks a vowel where its onset is over, not where it begins. The
   consonant keeps `SONORANT_SHARE` of its stretch, which is where the spectrum changes most after nasals.
5. Two symbols for one mnemonic share its stretch: the first takes `FIRST_SHARE` of it, or all where the second
   one is also what comes next (``eh r`` before the linking ``r`` of *fairy*).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from snaps.errors import InputError

#: Dialect folder -> eSpeak NG's voice: American, British, Received Pronunciation, Scottish, Lancastrian and Caribbean
#: English. (New York's and the West Midlands' are left out: they drop the h, the former with the word's mark.)
VOICES: dict[str, str] = {
    "DR1": "en-us",
    "DR2": "en",
    "DR3": "en-gb-x-rp",
    "DR4": "en-gb-scotland",
    "DR5": "en-gb-x-gbclan",
    "DR6": "en-029",
}

PAUSES = frozenset({"_", "_:", "_!", "_|"})
#: Closure of each release, as TIMIT names them.
CLOSURES = {**{release: f"{release}cl" for release in "bdgptk"}, "jh": "dcl", "ch": "tcl"}
VOICED_RELEASES = frozenset({"b", "d", "g", "jh"})
SONORANTS = frozenset({"m", "n", "ng", "l", "r", "w", "y"})
VOWELS = frozenset(
    (
        *("iy", "ih", "eh", "ey", "ae", "aa", "aw", "ay", "ah", "ao"),
        *("oy", "ow", "uh", "uw", "ux", "er", "ax", "ix", "axr", "el"),
    )
)

#: Largest absolute value of a 16-bit sample of quiet: 44 dB below full scale.
QUIET = 200
# Seconds, and shares of a stretch.
SHORTEST_QUIET = 0.005
SHORTEST_CLOSURE = 0.015
SHORTEST_EPI = 0.020
SHORTEST_VOICED = 0.050
VOICE_BAR = 0.042
VOICE_BAR_SHARE = 0.6
SHORTEST_PHONE = 0.020
BORROWED = 0.060
BORROWED_SHARE = 0.4
SONORANT_SHARE = 0.6
FIRST_SHARE = 0.6

_GLOTTAL_STOP = ("q",)
_SILENT = frozenset({"h#", "pau", "epi", "q", *CLOSURES.values()})


@dataclass(frozen=True)
class Phoneme:
    """A phoneme that eSpeak NG reported.

    Attributes
    ----------
    sample : int
        Where it begins, in samples of the speech.
    mnemonic : str
        eSpeak NG's name for it, without stress marks.
    word : int
        Index of the word that it belongs to; -1 before the first one.
    """

    sample: int
    mnemonic: str
    word: int


@dataclass(frozen=True, eq=False)
class Speech:
    """A spoken sentence.

    Attributes
    ----------
    samples : array of shape (samples,)
        16-bit mono.
    rate : int
        Samples a second.
    phonemes : tuple of Phoneme
        In the order in which they are spoken; pauses are among them.
    """

    samples: Int16[np.ndarray, " sample"]
    rate: int
    phonemes: tuple[Phoneme, ...]


@dataclass(frozen=True)
class Phone:
    """A phone and its place.

    Attributes
    ----------
    start, end : int
        In samples; `end` is the next phone's `start`.
    symbol : str
        One of TIMIT's 61 symbols.
    word : int
        Index of its word, -1 for a pause.
    """

    start: int
    end: int
    symbol: str
    word: int


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


#: Symbols of each mnemonic by voice, those of all other voices under an empty name; two are joined by ``+``.
TABLE = _read_table()


def timit_symbols(mnemonic: str, *, voice: str, where: str) -> tuple[str, ...]:
    """TIMIT's symbols for a mnemonic.

    Parameters
    ----------
    mnemonic : str
        eSpeak NG's mnemonic without stress marks; no pause.
    voice : str
        One of the values of `VOICES`.
    where : str
        The word or the sentence that has it, named in errors.

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


@dataclass(frozen=True)
class _Stretch:
    """Samples from one mark to the next: sound up to `quiet`, then quiet."""

    start: int
    quiet: int
    end: int
    symbols: tuple[str, ...]
    word: int

    @property
    def is_pause(self) -> bool:
        return not self.symbols

    @property
    def is_stop(self) -> bool:
        return bool(self.symbols) and self.symbols[0] in CLOSURES

    @property
    def begins_quietly(self) -> bool:
        return self.is_stop or self.symbols == _GLOTTAL_STOP


def phones_of(speech: Speech, *, voice: str, text: str) -> tuple[Phone, ...]:
    """Phones of a spoken sentence.

    Parameters
    ----------
    speech : Speech
        The spoken sentence.
    voice : str
        eSpeak NG's voice, which chooses the table's column.
    text : str
        The sentence, named in errors.

    Returns
    -------
    tuple of Phone
        Contiguous, from sample 0 to the end of the audio, ``h#`` at both ends.

    Raises
    ------
    InputError
        If the table has no entry for a mnemonic.
    """
    phones = list(_phones(_stretches(speech, voice=voice, text=text), speech.rate))
    phones = _with_room_for_all(phones, speech.rate)
    n_samples = len(speech.samples)
    if phones[-1].symbol == "pau":
        phones.pop()
    first, last = phones[0], phones[-1]
    phones = [Phone(0, first.start, "h#", -1), *phones, Phone(last.end, n_samples, "h#", -1)]
    return tuple(phones)


def _stretches(speech: Speech, *, voice: str, text: str) -> list[_Stretch]:
    """Stretches between the marks; consecutive pauses, and the quiet before them, are one stretch."""
    loud = np.abs(speech.samples.astype(np.int32)) > QUIET
    marks = [phoneme.sample for phoneme in speech.phonemes]
    stretches: list[_Stretch] = []
    for phoneme, end in zip(speech.phonemes, [*marks[1:], len(speech.samples)], strict=True):
        start = phoneme.sample
        if phoneme.mnemonic in PAUSES:
            if stretches:
                start = stretches[-1].quiet
                stretches[-1] = replace(stretches[-1], end=start)
            if stretches and stretches[-1].is_pause:
                stretches[-1] = replace(stretches[-1], quiet=end, end=end)
            else:
                stretches.append(_Stretch(start, end, end, (), -1))
            continue
        symbols = timit_symbols(phoneme.mnemonic, voice=voice, where=text)
        sounding = np.flatnonzero(loud[start:end])
        quiet = start + (int(sounding[-1]) + 1 if len(sounding) else 0)
        if symbols == _GLOTTAL_STOP or end - quiet < SHORTEST_QUIET * speech.rate:
            quiet = end
        stretches.append(_Stretch(start, quiet, end, symbols, phoneme.word))
    return _with_onsets(stretches)


def _with_onsets(stretches: list[_Stretch]) -> list[_Stretch]:
    """Let vowels begin at their onset (rule 4)."""
    moved = stretches[:1]
    for stretch in stretches[1:]:
        before = moved[-1]
        is_sonorant = len(before.symbols) == 1 and before.symbols[0] in SONORANTS
        if is_sonorant and before.quiet == before.end and stretch.symbols[:1] and stretch.symbols[0] in VOWELS:
            onset = before.start + round(SONORANT_SHARE * (before.end - before.start))
            moved[-1] = replace(before, quiet=onset, end=onset)
            stretch = replace(stretch, start=onset)
        moved.append(stretch)
    return moved


def _phones(stretches: list[_Stretch], rate: int) -> Iterator[Phone]:
    """Phones of the stretches, closures among them (rules 1, 2 and 5)."""
    closing = None
    after_pause = True
    for index, stretch in enumerate(stretches):
        after = stretches[index + 1] if index + 1 < len(stretches) else None
        if stretch.is_pause:
            yield Phone(stretch.start, stretch.end, "pau", -1)
            closing, after_pause = None, True
            continue
        given_on = after is not None and after.begins_quietly
        is_epi = not given_on and stretch.end - stretch.quiet >= SHORTEST_EPI * rate
        end = stretch.quiet if given_on or is_epi else stretch.end
        if stretch.is_stop:
            yield from _stop(stretch, end, closing=closing, after_pause=after_pause, rate=rate)
        else:
            start = stretch.start if closing is None else closing
            yield from _shared(replace(stretch, start=start), end, after)
        if is_epi:
            yield Phone(stretch.quiet, stretch.end, "epi", -1)
        closing = end if given_on and end < stretch.end else None
        after_pause = False


def _stop(stretch: _Stretch, end: int, *, closing: int | None, after_pause: bool, rate: int) -> Iterator[Phone]:
    """Closure and release of a plosive or an affricate; `closing` is where quiet before it begins."""
    release = stretch.symbols[0]
    start, burst = stretch.start, stretch.start
    lasts = end - stretch.start
    if closing is not None:
        start = closing
        if burst - start < SHORTEST_CLOSURE * rate:
            burst = start
    elif release in VOICED_RELEASES and not after_pause and lasts >= SHORTEST_VOICED * rate:
        bar = max(VOICE_BAR * rate, VOICE_BAR_SHARE * lasts if release in ("b", "g") else 0)
        burst += round(min(bar, 0.75 * lasts))
    if burst > start:
        yield Phone(start, burst, CLOSURES[release], stretch.word)
    yield Phone(burst, end, release, stretch.word)


def _shared(stretch: _Stretch, end: int, after: _Stretch | None) -> Iterator[Phone]:
    """One symbol, or two that share a stretch."""
    first, *second = stretch.symbols
    if not second or (after is not None and after.symbols[:1] == (second[0],)):
        yield Phone(stretch.start, end, first, stretch.word)
        return
    middle = stretch.start + round(FIRST_SHARE * (end - stretch.start))
    yield Phone(stretch.start, middle, first, stretch.word)
    yield Phone(middle, end, second[0], stretch.word)


def _with_room_for_all(phones: list[Phone], rate: int) -> list[Phone]:
    """Lengthen phones that are too short (rule 3)."""
    roomy = phones[:1]
    for phone in phones[1:]:
        before = roomy[-1]
        short = phone.end - phone.start < SHORTEST_PHONE * rate
        if short and phone.symbol not in _SILENT | CLOSURES.keys() and before.symbol not in _SILENT:
            taken = round(min(BORROWED * rate, BORROWED_SHARE * (phone.end - before.start)))
            roomy[-1] = replace(before, end=phone.end - taken)
            phone = replace(phone, start=phone.end - taken)
        roomy.append(phone)
    return roomy
