"""Who speaks, and what: speakers of several dialects, and the sentences that each of them reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from snaps.speech.mnemonics import VOICES

WOMEN = ("f1", "f2", "f3", "f4", "f5", "Annie", "linda", "belinda")
"""eSpeak NG's voice variants that sound like women."""
MEN = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Gene", "max")
"""eSpeak NG's voice variants that sound like men. Whispers, robots and other special effects are left out."""

DIALECT_SENTENCES = (
    "Four merry farmers carried warm water past the garage.",
    "Both boys thought the music on Tuesday was rather good.",
)
"""SA1 and SA2: every speaker says them. They hold sounds by which dialects differ."""

SENTENCES = Path(__file__).with_name("sentences.txt")
"""All other sentences, one a line: 5 to 10 words each, in an order in which any 130 in a row have all phonemes."""

SHARED_PART = 4
"""Of the sentences that are no dialect sentences, one of this many is shared (SX); the others are a
speaker's own (SI)."""
SHARED_BY = 4
"""Speakers of the same part that share one."""

_DIALECTS = ("DR1", "DR2", "DR1", "DR3", "DR1", "DR4", "DR1", "DR5", "DR1", "DR6")
"""Dialects in the order in which speakers get them: every other one speaks American English, as TIMIT's
do."""

PITCH = (38, 62)
PITCH_RANGE = (40, 65)
RATE = (138, 182)
"""From, up to and including: pitch and its range from 0 to 100, 50 being the variant's own; words a
minute."""


@dataclass(frozen=True)
class Speaker:
    """One speaker.

    Attributes
    ----------
    id : str
        As TIMIT names speakers: sex, three initials, a digit, e.g. ``FCJF0``.
    sex : str
        ``F`` or ``M``.
    split : str
        ``TRAIN`` or ``TEST``.
    dialect : str
        ``DR1`` to ``DR6``.
    variant : str
        eSpeak NG's voice variant.
    pitch, pitch_range : int
        From 0 to 100.
    rate : int
        Words a minute.
    """

    id: str
    sex: str
    split: str
    dialect: str
    variant: str
    pitch: int
    pitch_range: int
    rate: int

    @property
    def language(self) -> str:
        """ESpeak NG's voice for the dialect."""
        return VOICES[self.dialect]

    @property
    def voice(self) -> str:
        """Voice and variant, as eSpeak NG names them together."""
        return f"{self.language}+{self.variant}"


def cast_speakers(n_speakers: int, *, seed: int, test_speakers: int | None = None) -> tuple[Speaker, ...]:
    """Choose the speakers of a corpus.

    One of every four is in the test part, unless their number is given; sexes and dialects go round in both parts.

    Parameters
    ----------
    n_speakers : int
        How many, 2 at least.
    seed : int
        What pitches, rates, variants and initials follow from.
    test_speakers : int, optional
        How many of them, the last ones, are in the test part.
    """
    rng = np.random.default_rng([seed, 0])
    variants = {"F": _rounds(WOMEN, rng), "M": _rounds(MEN, rng)}
    taken: set[str] = set()
    speakers = []
    for index in range(n_speakers):
        sex = "FM"[index // 2 % 2]
        name = _name(sex, rng)
        while name in taken:
            name = _name(sex, rng)
        taken.add(name)
        variant = variants[sex].pop()
        if not variants[sex]:
            variants[sex] = _rounds(WOMEN if sex == "F" else MEN, rng)
        # The place of the test speaker among four moves on, so that it meets every dialect and both sexes.
        is_test = index % 4 == -(index // 4) % 4 if test_speakers is None else index >= n_speakers - test_speakers
        speakers.append(
            Speaker(
                id=name,
                sex=sex,
                split="TEST" if is_test else "TRAIN",
                dialect=_DIALECTS[index % len(_DIALECTS)],
                variant=variant,
                pitch=int(rng.integers(*PITCH, endpoint=True)),
                pitch_range=int(rng.integers(*PITCH_RANGE, endpoint=True)),
                rate=int(rng.integers(*RATE, endpoint=True)),
            )
        )
    return tuple(speakers)


def _rounds(variants: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [variants[index] for index in rng.permutation(len(variants))]


def _name(sex: str, rng: np.random.Generator) -> str:
    initials = "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index] for index in rng.integers(26, size=3))
    return f"{sex}{initials}0"


def words_of(text: str) -> list[str]:
    """Words of a sentence as an annotation writes them: in lower case, without punctuation; apostrophes stay.

    Examples
    --------
    >>> words_of("Yes, Julia's boy didn't.")
    ['yes', "julia's", 'boy', "didn't"]
    """
    return [word.strip(".,?!").lower() for word in text.split()]


def assign_sentences(speakers: Sequence[Speaker], *, n_sentences: int, seed: int) -> dict[str, dict[str, str]]:
    """Choose every speaker's sentences.

    Every speaker says the two dialect sentences (SA1, SA2). Of the others, one in four is shared by up to
    four speakers (SX), the rest is said once (SI). They are read from the text file in its order, from a line
    that the seed chooses. No sentence but the dialect sentences is in both the train and the test part; where
    more are needed than the file has, sentences return within their part.

    Parameters
    ----------
    speakers : sequence of Speaker
        Who speaks.
    n_sentences : int
        Sentences per speaker, the dialect sentences among them.
    seed : int
        What the first line follows from.

    Returns
    -------
    dict of str to dict of str to str
        Speaker's identifier -> sentence's name, as TIMIT names it (``SA1``, ``SX12``, ``SI345``) -> text.
    """
    dialect = {f"SA{index + 1}": text for index, text in enumerate(DIALECT_SENTENCES[:n_sentences])}
    n_shared, n_other = max(n_sentences - 2, 0) // SHARED_PART, max(n_sentences - 2, 0)
    parts = {split: [speaker for speaker in speakers if speaker.split == split] for split in ("TRAIN", "TEST")}
    groups = {
        split: [part[start : start + SHARED_BY] for start in range(0, len(part), SHARED_BY)]
        for split, part in parts.items()
    }
    needed = {split: n_shared * len(groups[split]) + (n_other - n_shared) * len(parts[split]) for split in parts}
    lines = SENTENCES.read_text(encoding="ascii").splitlines()
    first = int(np.random.default_rng([seed, 1]).integers(len(lines)))
    lines = lines[first:] + lines[:first]
    # Each part has its share of the lines, one at least, so that only what it needs beyond them returns.
    share = needed["TRAIN"] / max(sum(needed.values()), 1)
    cut = min(max(round(len(lines) * share), 1), len(lines) - 1)
    texts = {"TRAIN": cycle(lines[:cut]), "TEST": cycle(lines[cut:])}
    chosen = {speaker.id: dict(dialect) for speaker in speakers}
    number = 0
    for _ in range(n_shared):
        for group in groups["TRAIN"] + groups["TEST"]:
            number += 1
            text = next(texts[group[0].split])
            for speaker in group:
                chosen[speaker.id][f"SX{number}"] = text
    for _ in range(n_other - n_shared):
        for speaker in speakers:
            number += 1
            chosen[speaker.id][f"SI{number}"] = next(texts[speaker.split])
    return chosen
