"""Sentences: put together from `snaps.datasets.synthesis.rules` and `snaps.datasets.synthesis.words`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snaps.datasets.synthesis.rules import RULES
from snaps.datasets.synthesis.words import (
    ADJECTIVES,
    ADVERBS,
    FUNCTION,
    NOUNS,
    VERBS,
    article,
    participle,
    plural,
)

WORDS_PER_SENTENCE = (5, 10)
"""Fewest and most words of a sentence: some two to four seconds of speech."""

DIALECT_SENTENCES = (
    "Four merry farmers carried warm water past the garage.",
    "Both boys thought the music on Tuesday was rather good.",
)
"""SA1 and SA2: every speaker says them. They hold sounds by which dialects differ."""

_SLOT = re.compile(r"<([a-z_]+)(\+|-ed|-ing)?>")


@dataclass(frozen=True)
class Sentence:
    """A sentence and its words as an annotation writes them.

    Attributes
    ----------
    text : str
        As printed, with capitals and punctuation.
    words : tuple of str
        In lower case, without punctuation; apostrophes stay.
    """

    text: str
    words: tuple[str, ...]


def sentence_of(text: str) -> Sentence:
    """Take a text apart into words.

    Examples
    --------
    >>> sentence_of("Yes, Julia's boy didn't.").words
    ('yes', "julia's", 'boy', "didn't")
    """
    return Sentence(text, tuple(word.strip(".,?!").lower() for word in text.split()))


def vocabulary() -> frozenset[str]:
    """Every word that the lists contain, in lower case, without plurals and participles."""
    entries = [
        entry for kinds in (NOUNS, ADJECTIVES, VERBS, ADVERBS, FUNCTION) for kind in kinds.values() for entry in kind
    ]
    return frozenset(word for entry in entries for word in entry.replace(":", " ").lower().split())


class Grammar:
    """Endless supply of sentences.

    Words of a kind, and ways of a rule, are drawn like cards: each once before any comes again, so that
    rare words are as frequent as common ones.

    Parameters
    ----------
    rng : numpy.random.Generator
        What the sentences follow from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._kinds = {**NOUNS, **ADJECTIVES, **VERBS, **ADVERBS, **FUNCTION, **RULES}
        self._cards: dict[str, list[str]] = {}

    def sentences(self) -> Iterator[Sentence]:
        """Yield sentences of 5 to 10 words, no two of them the same."""
        fewest, most = WORDS_PER_SENTENCE
        seen: set[str] = set()
        while True:
            sentence = sentence_of(self._finish(self._expand("<sentence>")))
            if fewest <= len(sentence.words) <= most and sentence.text not in seen:
                # A sentence that says a word twice teaches less, and mostly sounds odd.
                content = [word for word in sentence.words if len(word) > 3]
                if len(set(content)) == len(content):
                    seen.add(sentence.text)
                    yield sentence

    def _draw(self, kind: str) -> str:
        cards = self._cards.get(kind)
        if not cards:
            cards = list(self._kinds[kind])
            self._rng.shuffle(cards)
            self._cards[kind] = cards
        return cards.pop()

    def _expand(self, pattern: str) -> str:
        def fill(slot: re.Match[str]) -> str:
            kind, form = slot.group(1), slot.group(2)
            if kind == "a":
                return slot.group(0)
            drawn = self._draw(kind)
            if kind in RULES:
                return self._expand(drawn)
            if kind in VERBS:
                base, past = drawn.split(":")
                forms = {None: base, "-ed": past, "-ing": participle(base)}
                return forms[form]
            return plural(drawn) if form else drawn

        return _SLOT.sub(fill, pattern)

    @staticmethod
    def _finish(text: str) -> str:
        """Choose the articles and capitalise the beginning."""
        words = text.split()
        chosen = [
            article(after) if word == "<a>" else word for word, after in zip(words, [*words[1:], ""], strict=True)
        ]
        text = " ".join(chosen)
        return text[0].upper() + text[1:]
