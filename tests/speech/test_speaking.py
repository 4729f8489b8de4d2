"""What is said: words, sentences, speakers, the table of symbols, and phones from eSpeak NG's marks."""

import ast
import ctypes
import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from snaps.datasets import PHONES_61
from snaps.errors import InputError
from snaps.speech import espeak
from snaps.speech.corpus import DIALECT_SENTENCES, SENTENCES, VARIANTS, assign_sentences, cast_speakers, words_of
from snaps.speech.labels import (
    CLOSURES,
    SONORANTS,
    TABLE,
    VOICES,
    VOWELS,
    Phoneme,
    Speech,
    phones_of,
    timit_symbols,
)
from snaps.speech.recording import STRESS, Engine, Speaker, find_engine, noise_floor, record

if importlib.util.find_spec("espeakng_loader") is None:
    pytest.skip("eSpeak NG is an extra", allow_module_level=True)

RATE = 1000
#: All symbols that the table of mnemonics has.
SYMBOLS = {symbol for row in TABLE.values() for cell in row.values() for symbol in cell.split("+")}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return SENTENCES.read_text().splitlines()


@pytest.fixture(scope="module")
def words(sentences: list[str]) -> list[str]:
    return sorted({word for text in sentences for word in words_of(text)})


# Sentences


def test_sentences_are_five_to_ten_words_and_all_different(sentences: list[str]) -> None:
    assert len(sentences) == len(set(sentences)) == 2500
    assert not set(sentences) & set(DIALECT_SENTENCES)
    assert {len(words_of(text)) for text in sentences} == {5, 6, 7, 8, 9, 10}
    assert all(re.fullmatch(r"[A-Z][A-Za-z' ,]*[.?]", text) for text in sentences)


def test_a_sentence_is_split_into_words() -> None:
    assert words_of("No, Beth's owl didn't.") == ["no", "beth's", "owl", "didn't"]


def pronounce(engine: Engine, words: list[str], voice: str) -> dict[str, list[str]]:
    """Mnemonics of every word, said alone and without audio."""
    library, _ = espeak.load(engine.library, engine.data, voice)
    translate = library.espeak_TextToPhonemes
    translate.restype = ctypes.c_char_p
    pronounced = {}
    for word in words:
        buffer = ctypes.create_string_buffer(word.encode())
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        # Bits 8 to 23 of the mode hold the character that is put between phonemes.
        spoken = translate(ctypes.byref(position), espeak.espeakCHARS_UTF8, ord(".") << 8).decode()
        mnemonics = (mnemonic.lstrip(STRESS) for mnemonic in spoken.replace(" ", ".").split("."))
        pronounced[word] = [mnemonic for mnemonic in mnemonics if mnemonic]
    library.espeak_Terminate()
    return pronounced


def symbols_of(engine: Engine, texts: Iterable[str], language: str) -> list[list[str]]:
    """Symbols of every sentence in a dialect, without speaking it."""
    lines = [words_of(text) for text in texts]
    pronounced = pronounce(engine, sorted({word for line in lines for word in line}), language)
    symbols = {
        word: [symbol for name in names for symbol in timit_symbols(name, voice=language, where=word)]
        for word, names in pronounced.items()
    }
    return [[symbol for word in line for symbol in symbols[word]] for line in lines]


def test_the_sentences_cover_phonemes_pairs_and_words(engine: Engine, sentences: list[str], words: list[str]) -> None:
    """The grammar that the file was chosen from makes 1,470 pairs and 2,150 words in as many sentences."""
    spoken = {voice: symbols_of(engine, sentences, voice) for voice in VOICES.values()}
    assert {symbol for lines in spoken.values() for line in lines for symbol in line} == SYMBOLS
    assert len({pair for lines in spoken.values() for line in lines for pair in pairwise(line)}) >= 1470
    assert len({pair for line in spoken["en-us"] for pair in pairwise(line)}) >= 1305
    assert len(words) >= 2150


def test_any_130_sentences_in_a_row_have_every_american_phoneme(engine: Engine, sentences: list[str]) -> None:
    lines = symbols_of(engine, sentences, "en-us")
    all_symbols = {symbol for line in lines for symbol in line}
    around = lines + lines[:130]
    for start in range(0, 2500, 10):
        assert {symbol for line in around[start : start + 130] for symbol in line} == all_symbols


# Who says what


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_phoneme_most_pairs_and_600_words_occur_at_the_default_size(engine: Engine, seed: int) -> None:
    cast = cast_speakers(20, seed=seed)
    assigned = assign_sentences(cast, n_sentences=10, seed=seed)
    symbols: Counter[str] = Counter()
    pairs: set[tuple[str, str]] = set()
    for dialect in {speaker.dialect for speaker in cast}:
        texts = [text for speaker in cast if speaker.dialect == dialect for text in assigned[speaker.id].values()]
        for line in symbols_of(engine, texts, VOICES[dialect]):
            symbols.update(line)
            pairs.update(pairwise(line))
    assert set(symbols) == SYMBOLS
    assert min(symbols.values()) >= 10
    assert min(count for symbol, count in symbols.items() if symbol not in ("q", "en", "ux")) >= 20
    assert len({word for own in assigned.values() for text in own.values() for word in words_of(text)}) >= 600
    assert len(pairs) >= 940


@pytest.mark.parametrize(("n_speakers", "n_sentences"), [(2, 1), (2, 2), (2, 3), (20, 10), (400, 10)])
def test_sentences_are_given_out_as_asked(n_speakers: int, n_sentences: int) -> None:
    """The last case needs more sentences than the file has: they return, but never in the other part."""
    cast = cast_speakers(n_speakers, seed=0)
    assigned = assign_sentences(cast, n_sentences=n_sentences, seed=0)
    assert [len(own) for own in assigned.values()] == [n_sentences] * n_speakers
    assert all(list(own)[:2] == ["SA1", "SA2"][:n_sentences] for own in assigned.values())
    said = {
        split: [text for s in cast if s.split == split for name, text in assigned[s.id].items() if name[:2] != "SA"]
        for split in ("TRAIN", "TEST")
    }
    assert not set(said["TRAIN"]) & set(said["TEST"])
    if n_speakers < 400:
        assert all(len(set(assigned[s.id].values())) == n_sentences for s in cast)


@pytest.mark.parametrize("n_speakers", [2, 4, 8, 20, 41])
def test_one_speaker_of_four_is_in_the_test_part(n_speakers: int) -> None:
    cast = cast_speakers(n_speakers, seed=5)
    assert len({speaker.id for speaker in cast}) == n_speakers
    assert all(speaker.id[0] == speaker.sex for speaker in cast)
    tested = [speaker for speaker in cast if speaker.split == "TEST"]
    assert n_speakers // 4 <= len(tested) <= -(-n_speakers // 4)
    if n_speakers >= 20:
        for part in ("TRAIN", "TEST"):
            assert len({speaker.dialect for speaker in cast if speaker.split == part}) >= 3


def test_variants_exist_and_are_of_the_sex_that_they_are_used_for(engine: Engine) -> None:
    for sex, stated in (("F", "female"), ("M", "male")):
        for variant in VARIANTS[sex]:
            described = (Path(engine.data) / "voices" / "!v" / variant).read_text()
            assert re.findall(r"^gender (\w+)", described, re.MULTILINE) in ([], [stated])


# The table


def test_the_table_has_every_mnemonic_of_every_word(engine: Engine, words: list[str]) -> None:
    used = set()
    for voice in VOICES.values():
        for word, names in pronounce(engine, words, voice).items():
            assert names
            for name in names:
                assert 1 <= len(timit_symbols(name, voice=voice, where=word)) <= 2
                used.add(name)
    # Some mnemonics belong to words in their sentences alone: a weak "to", a "shy animal".
    assert set(TABLE) - used <= {"@5", ";", "r-", "t2", "@2"}


def test_the_table_speaks_timits_language() -> None:
    assert set(PHONES_61) >= SYMBOLS
    assert {voice for row in TABLE.values() for voice in row} <= {"", *VOICES.values()}
    assert all("" in row for row in TABLE.values())
    assert set(CLOSURES) | SONORANTS | VOWELS <= SYMBOLS


def test_a_mnemonic_without_entry_is_named() -> None:
    with pytest.raises(InputError, match=r"'Q:', met in 'loch' with the voice en, has no entry"):
        timit_symbols("Q:", voice="en", where="loch")


# eSpeak NG


def test_the_speaking_process_imports_next_to_nothing() -> None:
    tree = ast.parse(Path(espeak.__file__).read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"ctypes", "sys"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))


SPEAKER = Speaker("FAAA0", "F", "TRAIN", "DR1", "f2", pitch=50, pitch_range=50, rate=160)


def test_a_sentence_sounds_the_same_every_time_and_every_word_is_marked(engine: Engine) -> None:
    said = "In the evening, it was on the top of the hill."
    first, second = (engine.speak(said, SPEAKER, seed=1) for _ in range(2))
    assert first.phonemes == second.phonemes
    assert np.array_equal(first.samples, second.samples)
    # The noise of a breathy voice follows from the seed, and not from the time of day.
    assert not np.array_equal(first.samples, engine.speak(said, SPEAKER, seed=2).samples)
    assert {phoneme.word for phoneme in first.phonemes} == set(range(11))
    # A comma makes a pause.
    assert sum(phoneme.mnemonic == "_:" for phoneme in first.phonemes) == 2


def test_a_voice_that_is_missing_is_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VOICES, "DR1", "xx")
    with pytest.raises(RuntimeError, match=r"voice xx\+f2 failed with exit status 1: (.|\n)* no voice 'xx\+f2'"):
        engine.speak("one", SPEAKER, seed=0)


# From marks to phones


def speech(*parts: tuple[str, int, int], word: int = 0) -> Speech:
    """Phonemes, each some samples of sound and some of quiet long; a sample is a millisecond."""
    samples: list[int] = []
    phonemes = []
    for name, sound, quiet in parts:
        phonemes.append(Phoneme(len(samples), name, word))
        samples += [1000] * sound + [0] * quiet
    return Speech(np.array(samples, np.int16), RATE, tuple(phonemes))


def spoken(*parts: tuple[str, int, int]) -> Iterator[tuple[str, int]]:
    """Symbol and length of every phone but the silence at both ends."""
    phones = phones_of(speech(*parts, ("_:", 0, 50)), voice="en-us", text="test")
    assert phones[0].start == 0
    assert phones[-1].symbol == "h#"
    return ((phone.symbol, phone.end - phone.start) for phone in phones[1:-1])


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # Quiet before a plosive is its closure; a short one belongs to the release.
        ([("a", 100, 40), ("t", 30, 0)], [("ae", 100), ("tcl", 40), ("t", 30)]),
        ([("a", 100, 12), ("t", 30, 0)], [("ae", 100), ("t", 42)]),
        ([("a", 100, 40), ("dZ", 30, 0)], [("ae", 100), ("dcl", 40), ("jh", 30)]),
        ([("s", 90, 0), ("t", 30, 0)], [("s", 90), ("t", 30)]),
        # Other quiet: part of the phone, or an epi; all of it for a glottal stop.
        ([("a", 100, 10), ("s", 90, 0)], [("ae", 110), ("s", 90)]),
        ([("a", 100, 30), ("s", 90, 0)], [("ae", 100), ("epi", 30), ("s", 90)]),
        ([("V", 80, 40), ("?", 0, 20), ("n-", 90, 0)], [("ah", 80), ("q", 60), ("en", 90)]),
        # The quiet before a pause belongs to it.
        ([("a", 100, 10), ("_:", 0, 60), ("_", 0, 40), ("d", 60, 0)], [("ae", 100), ("pau", 110), ("d", 60)]),
        # A voice bar, where it is long enough.
        ([("a", 100, 0), ("d", 70, 0)], [("ae", 100), ("dcl", 42), ("d", 28)]),
        ([("a", 100, 0), ("d", 52, 0)], [("ae", 100), ("dcl", 39), ("d", 13)]),
        ([("a", 100, 0), ("b", 120, 0)], [("ae", 100), ("bcl", 72), ("b", 48)]),
        ([("n", 80, 0), ("d", 36, 0)], [("n", 80), ("d", 36)]),
        ([("d", 70, 0)], [("d", 70)]),
        # A liquid that was rendered as the end of its vowel.
        ([("O:", 100, 0), ("l", 0, 0)], [("ao", 60), ("l", 40)]),
        ([("O:", 200, 0), ("l", 0, 50), ("k", 40, 0)], [("ao", 140), ("l", 60), ("kcl", 50), ("k", 40)]),
        # The onset of a vowel after a sonorant.
        ([("n", 100, 0), ("u:", 100, 0)], [("n", 60), ("uw", 140)]),
        ([("n", 100, 0), ("s", 100, 0)], [("n", 100), ("s", 100)]),
        # Two symbols for one mnemonic, unless the second one comes anyway.
        ([("A@", 100, 0), ("tS", 60, 0)], [("aa", 60), ("r", 40), ("ch", 60)]),
        ([("e@", 100, 0), ("r-", 50, 0), ("s", 60, 0)], [("eh", 100), ("r", 50), ("s", 60)]),
    ],
)
def test_rules_for_phones(parts: list[tuple[str, int, int]], expected: list[tuple[str, int]]) -> None:
    assert list(spoken(*parts)) == expected


def test_what_a_dialect_makes_of_a_mnemonic() -> None:
    marks = speech(("A@", 100, 0), ("s", 90, 0), ("_:", 0, 50))
    assert [phone.symbol for phone in phones_of(marks, voice="en", text="test")] == ["h#", "aa", "s", "h#"]


# Sound


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_noise_has_its_slope_and_power(slope: float) -> None:
    noise = noise_floor(100_000, slope=slope, rng=np.random.default_rng(0))
    assert noise.shape == (100_000,)
    assert np.mean(noise**2) == pytest.approx(1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(100_000, 1 / 16000)
    low, high = (np.mean(power[(frequency > f) & (frequency < 1.2 * f)]) for f in (200, 5000))
    assert np.log(low / high) / np.log(5000 / 200) == pytest.approx(slope, abs=0.1)


class Square(Engine):
    """Speaks 0.5 s of a square wave of one phoneme, whatever it is asked."""

    def speak(self, text: str, speaker: Speaker, *, seed: int) -> Speech:
        wave = np.where(np.arange(8000) % 20 < 10, 1000, -1000).astype(np.int16)
        return Speech(wave, 16000, (Phoneme(0, "a", 0), Phoneme(8000, "_:", 0)))


def recorded(*, level: float, snr: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the square wave, and those of the silence around it."""
    ratio = None if snr is None else (snr, snr)
    samples, phones = record(
        Square("", ""), SPEAKER, "a", levels=(level, level), snr=ratio, rng=np.random.default_rng(0)
    )
    spoken = slice(phones[0].end, phones[-1].start)
    assert len(samples[spoken]) == 8000
    return samples[spoken], np.delete(samples, spoken)


def test_noise_is_added_at_its_ratio() -> None:
    wave, silence = recorded(level=-6.0, snr=20.0)
    whole = np.mean(wave.astype(float) ** 2)
    noise = np.mean(silence.astype(float) ** 2)
    # The noise floor fluctuates: its power in the short silences is known to about a dB.
    assert 10 * np.log10((whole - noise) / noise) == pytest.approx(20.0, abs=1)
    assert not recorded(level=-6.0, snr=None)[1].any()


def test_the_level_is_that_of_the_peak() -> None:
    for level, most in ((-6.0, round(32768 * 10 ** (-6 / 20))), (0.0, 32768)):
        wave, _ = recorded(level=level, snr=None)
        assert (wave.max(), wave.min()) == (min(most, 32767), -most)
