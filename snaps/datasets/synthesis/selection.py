"""Chooses who says what, so that phonemes, pairs of them and words are spread evenly."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from snaps.datasets.synthesis.grammar import DIALECT_SENTENCES, Grammar, Sentence, sentence_of
from snaps.datasets.synthesis.mnemonics import timit_symbols
from snaps.datasets.synthesis.speakers import Speaker
from snaps.datasets.synthesis.speech import Engine

SHARED_PART = 4
"""Of the sentences that are no dialect sentences, one of this many is shared (SX); the others are a
speaker's own (SI)."""
SHARED_BY = 4
"""Speakers of the same part that share one."""
CANDIDATES = 60
"""Sentences among which the best is taken; the grammar is asked for `RESERVE` times as many as are needed,
and more."""
RESERVE = 12
EXTRA = 400


@dataclass(frozen=True)
class Assignment:
    """One recording to be made.

    Attributes
    ----------
    name : str
        As TIMIT names it: ``SA1``, ``SX12``, ``SI345``.
    sentence : Sentence
        What is said.
    """

    name: str
    sentence: Sentence


def assign_sentences(
    engine: Engine, speakers: Sequence[Speaker], *, n_sentences: int, seed: int
) -> dict[str, tuple[Assignment, ...]]:
    """Choose every speaker's sentences.

    Every speaker says the two dialect sentences (SA1, SA2). Of the others, one in four is shared by up to
    four speakers (SX), the rest is said once (SI). No sentence but the dialect sentences is in both the
    train and the test part.

    Parameters
    ----------
    engine : Engine
        eSpeak NG, which is asked how every dialect pronounces the words.
    speakers : sequence of Speaker
        Who speaks.
    n_sentences : int
        Sentences per speaker, the dialect sentences among them.
    seed : int
        What the grammar's sentences follow from.

    Returns
    -------
    dict of str to tuple of Assignment
        Speaker's identifier -> what the speaker says.
    """
    dialect = [Assignment(f"SA{index + 1}", sentence_of(text)) for index, text in enumerate(DIALECT_SENTENCES)]
    n_shared = max(n_sentences - len(dialect), 0) // SHARED_PART
    n_own = max(n_sentences - len(dialect), 0) - n_shared
    chosen: dict[str, list[Assignment]] = {speaker.id: dialect[:n_sentences] for speaker in speakers}

    groups = [
        part[start : start + SHARED_BY]
        for split in ("TRAIN", "TEST")
        for part in [[speaker for speaker in speakers if speaker.split == split]]
        for start in range(0, len(part), SHARED_BY)
    ]
    needed = n_shared * len(groups) + n_own * len(speakers)
    choice = _Choice(engine, needed, languages={speaker.language for speaker in speakers}, seed=seed)
    number = 0
    for turn in range(n_shared):
        for group in groups:
            number += 1
            # What is shared is scored in the dialect of one of its speakers, another one each time.
            sentence = choice.take(group[turn % len(group)].language)
            for speaker in group:
                chosen[speaker.id].append(Assignment(f"SX{number}", sentence))
    for _ in range(n_own):
        for speaker in speakers:
            number += 1
            chosen[speaker.id].append(Assignment(f"SI{number}", choice.take(speaker.language)))
    return {name: tuple(assignments) for name, assignments in chosen.items()}


class _Choice:
    """Takes the sentence that adds most of what has been rare so far."""

    def __init__(self, engine: Engine, needed: int, *, languages: Iterable[str], seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        sentences = Grammar(self._rng).sentences()
        self._reserve = [next(sentences) for _ in range(RESERVE * needed + EXTRA if needed else 0)]
        words = sorted({word for sentence in self._reserve for word in sentence.words})
        self._lexicon = {language: _lexicon(engine, words, language) for language in sorted(languages) if words}
        self._phonemes: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._words: Counter[str] = Counter()

    def take(self, language: str) -> Sentence:
        """Take a sentence out of the reserve for a speaker of this language."""
        drawn = self._rng.choice(len(self._reserve), size=min(CANDIDATES, len(self._reserve)), replace=False)
        scores = {int(index): self._gain(self._reserve[index], language) for index in drawn}
        best = max(scores, key=scores.__getitem__)
        # The last one takes the place of the one that is taken.
        self._reserve[best], self._reserve[-1] = self._reserve[-1], self._reserve[best]
        sentence = self._reserve.pop()
        phonemes = self._pronounced(sentence, language)
        self._phonemes.update(phonemes)
        self._pairs.update(pairwise(phonemes))
        self._words.update(sentence.words)
        return sentence

    def _gain(self, sentence: Sentence, language: str) -> float:
        phonemes = self._pronounced(sentence, language)
        mean = sum(self._phonemes.values()) / max(len(self._phonemes), 1) + 1
        rare_phonemes = sum(mean / (self._phonemes[phoneme] + 0.1 * mean) for phoneme in phonemes) / len(phonemes)
        new_pairs = sum(1 / (1 + self._pairs[pair]) for pair in pairwise(phonemes)) / len(phonemes)
        new_words = sum(1 / (1 + self._words[word]) ** 2 for word in sentence.words) / len(sentence.words)
        return rare_phonemes + new_pairs + new_words

    def _pronounced(self, sentence: Sentence, language: str) -> list[str]:
        lexicon = self._lexicon[language]
        return [symbol for word in sentence.words for symbol in lexicon[word]]


def _lexicon(engine: Engine, words: Sequence[str], language: str) -> dict[str, tuple[str, ...]]:
    """Words in TIMIT's symbols, without closures."""
    pronounced = engine.pronounce(words, voice=language)
    return {
        word: tuple(symbol for mnemonic in mnemonics for symbol in timit_symbols(mnemonic, voice=language, where=word))
        for word, mnemonics in pronounced.items()
    }
