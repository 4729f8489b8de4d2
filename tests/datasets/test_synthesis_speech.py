"""What is said: words, sentences, speakers, the table of symbols, and phones from eSpeak NG's marks."""

import ast
import importlib.util
import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from snaps.datasets import PHONES_61
from snaps.datasets.synthesis import espeak, mnemonics
from snaps.datasets.synthesis.grammar import Grammar, Sentence, sentence_of, vocabulary
from snaps.datasets.synthesis.labels import phones_of
from snaps.datasets.synthesis.mnemonics import CLOSURES, SONORANTS, TABLE, VOICES, VOWELS, timit_symbols
from snaps.datasets.synthesis.rules import RULES
from snaps.datasets.synthesis.selection import assign_sentences
from snaps.datasets.synthesis.sound import add_noise, at_level, noise_floor
from snaps.datasets.synthesis.speakers import MEN, WOMEN, Speaker, cast_speakers
from snaps.datasets.synthesis.speech import Engine, Phoneme, Speech, find_engine
from snaps.datasets.synthesis.words import VERBS, participle, plural
from snaps.errors import InputError
from tests.waiting import wait_until

if importlib.util.find_spec("espeakng_loader") is None:
    pytest.skip("eSpeak NG is an extra", allow_module_level=True)

RATE = 1000


@pytest.fixture(scope="module")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return list(islice(Grammar(np.random.default_rng(0)).sentences(), 4000))


@pytest.fixture(scope="module")
def words(sentences: list[Sentence]) -> list[str]:
    return sorted({word for sentence in sentences for word in sentence.words})


# Words and sentences


def test_the_vocabulary_is_large_and_used(words: list[str]) -> None:
    assert len(vocabulary()) >= 600
    # Plurals and participles come on top; all but a few words of the lists turn up.
    assert len(vocabulary() - set(words)) < 0.02 * len(vocabulary())


def test_sentences_are_five_to_ten_words_and_all_different(sentences: list[Sentence]) -> None:
    assert {len(sentence.words) for sentence in sentences} == {5, 6, 7, 8, 9, 10}
    assert len({sentence.text for sentence in sentences}) == len(sentences)
    assert all(re.fullmatch(r"[A-Z][A-Za-z' ,]*[.?]", sentence.text) for sentence in sentences)
    assert not any(
        re.search(r"\b[aA] [aeio]|\ban [^aeiouh]", sentence.text)
        for sentence in sentences
        if "one" not in sentence.words
    )


def test_every_rule_can_be_filled() -> None:
    grammar = Grammar(np.random.default_rng(0))
    named = {name for ways in RULES.values() for way in ways for name in re.findall(r"<([a-z_]+)", way)}
    assert named - {"a"} <= grammar._kinds.keys()
    assert set(RULES) <= named | {"sentence"}


@pytest.mark.parametrize(
    ("noun", "expected"), [("wish", "wishes"), ("boy", "boys"), ("woman", "women"), ("cherry", "cherries")]
)
def test_plurals(noun: str, expected: str) -> None:
    assert plural(noun) == expected


def test_participles() -> None:
    made = {participle(pair.split(":")[0]) for kind in VERBS.values() for pair in kind}
    assert {
        "running",
        "baking",
        "dyeing",
        "tiptoeing",
        "seeing",
        "fixing",
        "knowing",
        "thinking about",
        "labeling",
    } <= made


def test_a_sentence_is_split_into_words() -> None:
    assert sentence_of("No, Beth's owl didn't.").words == ("no", "beth's", "owl", "didn't")


# Who says what


def count_symbols(engine: Engine, speakers: tuple[Speaker, ...]) -> tuple[Counter[str], set[tuple[str, str]], set[str]]:
    """Phonemes, pairs of them and words of a corpus of this cast, 10 sentences each, without speaking it."""
    assigned = assign_sentences(engine, speakers, n_sentences=10, seed=0)
    symbols: Counter[str] = Counter()
    pairs: set[tuple[str, str]] = set()
    said: set[str] = set()
    for language in {speaker.language for speaker in speakers}:
        own = [a.sentence for s in speakers if s.language == language for a in assigned[s.id]]
        pronounced = engine.pronounce(sorted({word for sentence in own for word in sentence.words}), voice=language)
        for sentence in own:
            line = [
                symbol
                for word in sentence.words
                for mnemonic in pronounced[word]
                for symbol in timit_symbols(mnemonic, voice=language, where=word)
            ]
            symbols.update(line)
            pairs.update(pairwise(line))
            said.update(sentence.words)
    return symbols, pairs, said


def test_every_phoneme_most_pairs_and_600_words_occur_at_the_default_size(engine: Engine) -> None:
    symbols, pairs, said = count_symbols(engine, cast_speakers(20, seed=0))
    assert set(symbols) == {symbol for row in TABLE.values() for cell in row.values() for symbol in cell.split()}
    assert min(symbols.values()) >= 12
    assert min(count for symbol, count in symbols.items() if symbol not in ("q", "en")) >= 25
    assert len(said) >= 600
    assert len(pairs) >= 900


def test_sentences_are_given_out_as_asked(engine: Engine) -> None:
    cast = cast_speakers(2, seed=0)
    for n_sentences in (1, 2, 3):
        assigned = assign_sentences(engine, cast, n_sentences=n_sentences, seed=0)
        assert [len(own) for own in assigned.values()] == [n_sentences] * 2
        assert [assignment.name for own in assigned.values() for assignment in own[:1]] == ["SA1", "SA1"]


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
    for sex, variants in (("female", WOMEN), ("male", MEN)):
        for variant in variants:
            assert engine.has_variant(variant)
            described = (Path(engine.data) / "voices" / "!v" / variant).read_text()
            stated = re.findall(r"^gender (\w+)", described, re.MULTILINE)
            assert stated in ([], [sex])
    assert not engine.has_variant("nobody")


# The table


def test_the_table_has_every_mnemonic_of_every_word(engine: Engine, words: list[str]) -> None:
    used = set()
    for voice in VOICES.values():
        for word, names in engine.pronounce(words, voice=voice).items():
            assert names
            for name in names:
                assert 1 <= len(timit_symbols(name, voice=voice, where=word)) <= 2
                used.add(name)
    # Some mnemonics belong to words in their sentences alone: a weak "to", a "shy animal".
    assert set(TABLE) - used <= {"@5", ";", "r-", "t2", "@2"}


def test_the_table_speaks_timits_language() -> None:
    symbols = {symbol for row in TABLE.values() for cell in row.values() for symbol in cell.split()}
    assert symbols <= set(PHONES_61)
    assert {voice for row in TABLE.values() for voice in row} <= {"", *VOICES.values()}
    assert all("" in row for row in TABLE.values())
    assert set(CLOSURES) | SONORANTS | VOWELS <= symbols


def test_a_mnemonic_without_entry_is_named() -> None:
    with pytest.raises(InputError, match=r"'Q:', met in 'loch' with the voice en, has no entry"):
        timit_symbols("Q:", voice="en", where="loch")


# eSpeak NG


def test_the_speaking_process_imports_next_to_nothing() -> None:
    tree = ast.parse(Path(espeak.__file__).read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"ctypes", "sys"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))


def test_a_sentence_sounds_the_same_every_time_and_every_word_is_marked(engine: Engine) -> None:
    said = ["In", "the", "evening,", "it", "was", "on", "the", "top", "of", "the", "hill."]

    def speak(seed: int) -> Speech:
        return engine.speak(said, voice="en-us+f2", rate=160, pitch=50, pitch_range=50, seed=seed)

    first = speak(1)
    # Left alone, eSpeak NG seeds the noise of a breathy voice with the time in seconds.
    begun = int(time.time())
    wait_until(lambda: int(time.time()) != begun, "another second")
    second = speak(1)
    assert not np.array_equal(first.samples, speak(2).samples)
    assert first.phonemes == second.phonemes
    assert np.array_equal(first.samples, second.samples)
    assert {phoneme.word for phoneme in first.phonemes} == set(range(len(said)))
    # A comma makes a pause.
    assert sum(phoneme.mnemonic == "_:" for phoneme in first.phonemes) == 2


def test_a_voice_that_is_missing_is_named(engine: Engine) -> None:
    with pytest.raises(RuntimeError, match=r"voice xx failed .* no voice 'xx'"):
        engine.pronounce(["one"], voice="xx")


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
    assert mnemonics.VOICES["DR2"] == "en"


# Sound


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_noise_has_its_slope_and_power(slope: float) -> None:
    noise = noise_floor(100_000, rate=16000, slope=slope, rng=np.random.default_rng(0))
    assert noise.shape == (100_000,)
    assert np.mean(noise**2) == pytest.approx(1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(100_000, 1 / 16000)
    low, high = (np.mean(power[(frequency > f) & (frequency < 1.2 * f)]) for f in (200, 5000))
    assert np.log(low / high) / np.log(5000 / 200) == pytest.approx(slope, abs=0.1)


def test_noise_is_added_at_its_ratio() -> None:
    samples = np.concatenate([np.zeros(500), np.full(1000, 0.5)]).astype(np.float32)
    noisy = add_noise(samples, np.ones(1500), snr=20.0, spoken=slice(500, 1500))
    assert noisy[0] == pytest.approx(0.05)


def test_the_level_is_that_of_the_peak() -> None:
    assert np.abs(at_level(np.array([0.1, -0.4]), -6.0)).max() == pytest.approx(32768 * 10 ** (-6 / 20), abs=1)
    assert at_level(np.array([0.1, 0.4]), 0.0).max() == 32767
