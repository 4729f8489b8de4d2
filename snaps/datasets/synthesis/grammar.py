"""Sentences: a small grammar over the words of `snaps.datasets.synthesis.words`.

A rule is a list of ways to say something; ``<name>`` in it stands for another rule or for a word:

=============  ======================================================================
``<person>``   a noun, an adjective, an adverb or another word of that kind
``<person+>``  the noun in the plural
``<move>``     a verb of that kind, its base form
``<move-ed>``  the verb in the past tense
``<a>``        ``a`` or ``an``, whichever the next word demands
``<who>``      one way, chosen at random, of the rule of that name
=============  ======================================================================
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snaps.datasets.synthesis.words import ADJECTIVES, ADVERBS, FUNCTION, NOUNS, VERBS, article, plural

WORDS_PER_SENTENCE = (5, 10)
"""Fewest and most words of a sentence: some two to four seconds of speech."""

DIALECT_SENTENCES = (
    "Four merry farmers carried warm water past the garage.",
    "Both boys thought the new music on Tuesday was rather good.",
)
"""SA1 and SA2: every speaker says them. They hold sounds by which dialects differ."""

RULES: dict[str, tuple[str, ...]] = {
    "who": (
        "<name>", "<name>", "the <person>", "the <of_person> <person>", "<possessive> <person>",
        "<possessive> <of_person> <person>", "<a> <person>", "<a> <of_person> <person>", "the <person+>",
        "<number> <of_person> <person+>", "<name>'s <person>",
    ),
    "one_person": ("<name>", "the <person>", "the <of_person> <person>", "<possessive> <person>"),
    "what": (
        "the <thing>", "<a> <of_thing> <thing>", "the <of_thing> <thing>", "<possessive> <colour> <thing>",
        "<a> <material> <thing>", "<number> <thing+>", "<few> <of_thing> <thing+>", "the <colour> <thing+>",
        "<name>'s <thing>", "<one> <thing>", "<a> <colour> <thing>",
    ),
    "dish": (
        "the <food>", "<a> <of_food> <food>", "<number> <of_food> <food+>", "<few> <food+>", "the <of_food> <food+>",
        "<possessive> <of_food> <food>", "<number> <food+>",
    ),
    "clothes": (
        "the <garment>", "<possessive> <colour> <garment>", "<a> <material> <garment>", "<number> <garment+>",
        "<possessive> <of_thing> <garment+>", "the <colour> <garment>", "<name>'s <garment>",
    ),
    "creature": (
        "the <animal>", "<a> <of_thing> <animal>", "<number> <animal+>", "the <colour> <animal>", "<few> <animal+>",
        "<possessive> <animal>", "the <of_person> <animal>",
    ),
    "ride": ("the <vehicle>", "<a> <colour> <vehicle>", "<possessive> <of_thing> <vehicle>", "<name>'s <vehicle>"),
    "house": ("the <building>", "the <of_place> <building>", "<a> <of_thing> <building>", "<possessive> <building>"),
    "notion": (
        "the <idea>", "the <of_idea> <idea>", "<possessive> <idea>", "<a> <of_idea> <idea>", "<name>'s <idea>",
        "<possessive> <of_idea> <idea>", "the <idea> of the <idea>",
    ),
    "place": (
        "in the <nature>", "at the <building>", "<near> the <building>", "<near> the <nature>", "near the <of_place> <nature>",
        "<near> the <of_place> <nature>", "from the <of_place> <building>", "to the <building>", "into the <nature>",
        "with the <person>",
    ),
    "past_time": (
        "yesterday", "last <weekday>", "in <month>", "on <weekday>", "this <part_of_day>", "<number> days ago", "at noon",
        "before lunch", "after dinner", "during the <part_of_day>", "<before> <month>", "in the <part_of_day>",
        "on <weekday> <part_of_day>",
    ),
    "future_time": (
        "tomorrow", "next <weekday>", "in <month>", "on <weekday>", "tonight", "soon", "after breakfast", "by <month>",
        "in <number> weeks", "tomorrow <part_of_day>", "before <weekday>",
    ),
    "usual_time": ("every <weekday>", "each <month>", "at night", "on <weekday> <part_of_day>", "every <part_of_day>"),
    "not_past": ("didn't", "couldn't", "wouldn't", "never could", "did not"),
    "will": ("will", "won't", "should", "must", "might", "can", "can't", "could", "may"),
    "do": (
        "<do_food> <dish>", "<do_thing> <what>", "<do_garment> <clothes>", "<do_animal> <creature>", "<do_vehicle> <ride>",
        "<do_building> <house>", "<do_idea> <notion>", "<move> <place>", "<rest> <manner>", "play the <instrument>",
    ),
    "did": (
        "<do_food-ed> <dish>", "<do_thing-ed> <what>", "<do_garment-ed> <clothes>", "<do_animal-ed> <creature>",
        "<do_vehicle-ed> <ride>", "<do_building-ed> <house>", "<do_idea-ed> <notion>", "<move-ed> <place>",
        "<rest-ed> <manner>", "played <possessive> <material> <instrument>",
    ),
    "sentence": (
        "<who> <did> <past_time>.", "<who> <manner> <did>.", "<who> <did> <place>.", "<who> <did> and <did>.",
        "<subject> <often> <did> <past_time>.", "<subject> <will> <do> <future_time>.", "<who> <will> <do>.",
        "<who> <not_past> <do>.", "<who> <will> <often> <do> <usual_time>.", "<subject>'d rather <do> <usual_time>.",
        "<creature> <move-ed> <manner> <place>.", "<creature> <move-ed> <place>.", "<creature> <rest-ed> <place>.",
        "<notion> <stir-ed> <who>.", "<notion> <stir-ed> <object> <past_time>.", "<name>'s <idea> <will> <stir> <who>.",
        "It was <a> <of_idea> <idea> for <who>.", "There was <a> <of_thing> <thing> <near> the <building>.",
        "There were <number> <animal+> <near> the <of_place> <nature>.", "The <nature> was <of_place> and <of_place>.",
        "<one_person> is as <of_person> as <possessive> <person>.", "<one_person> was <of_person> but rather <of_person>.",
        "The <building> <near> the <nature> has <number> <colour> <thing+>.",
        "<name> plays the <material> <instrument> <usual_time>.", "<name> and <name> <did>.", "<name> gave <object> <what>.",
        "<one_person> told <object> about <notion>.", "We heard the <instrument> and the <instrument> <past_time>.",
        "Did <who> <do>?", "Did <who> <do> <past_time>?", "Why did <who> <do>?", "Where did <who> <do_thing> <what>?",
        "When <modal> <subject> <do>?", "Who <did> <past_time>?", "Which <thing> did <subject> <do_thing> first?",
        "How many <food+> <modal> <who> <do_food>?", "Whose <garment> did <who> <do_garment>?", "<modal> <who> <do>?",
        "Please <do> <future_time>.", "Don't <do> <future_time>.", "Let's <do> <future_time>.", "<often> <do>, <name>.",
        "<name>, please <do>.", "Yes, <who> <did>.", "No, <subject> <not_past> <do>.", "Well, <subject> <will> <do>.",
        "I'm sure <who> <did>.", "They've seen <what> <place>.", "If <subject> <do_idea> <notion>, <subject> <will> <rest>.",
        "The <garment> is made of <colour> <material>.", "The <person> who <did> is <of_person>.",
        "<who> bought <what> for <number> dollars.", "<clothes> <modal> be <of_thing> and <of_thing>.",
        "<number> <person+> <did>.", "<dish> <modal> be <of_food> and <of_food>.", "<ride> <move-ed> <place> <past_time>.",
    ),
}  # fmt: skip

_SLOT = re.compile(r"<([a-z_]+)(\+|-ed)?>")


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
    """Every word form that a list of words contains, in lower case, without plurals."""
    entries = [entry for kinds in (NOUNS, ADJECTIVES, VERBS, ADVERBS, FUNCTION) for kind in kinds.values() for entry in kind]
    return frozenset(word for entry in entries for word in entry.replace(":", " ").lower().split())


class Grammar:
    """Endless supply of sentences.

    Words of a kind, and ways of a rule, are drawn like cards: each once before any comes again, so that rare words are as
    frequent as common ones.

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
                return (past if form else base).replace("_", " ")
            return plural(drawn) if form else drawn

        return _SLOT.sub(fill, pattern)

    @staticmethod
    def _finish(text: str) -> str:
        """Choose the articles and capitalise the beginning."""
        words = text.split()
        chosen = [article(after) if word == "<a>" else word for word, after in zip(words, [*words[1:], ""], strict=True)]
        text = " ".join(chosen)
        return text[0].upper() + text[1:]
