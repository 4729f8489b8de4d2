"""Who speaks: women and men of several dialects, each with variant, pitch and rate of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snaps.datasets.synthesis.mnemonics import VOICES

WOMEN = ("f1", "f2", "f3", "f4", "f5", "Annie", "linda", "belinda")
"""eSpeak NG's voice variants that sound like women."""
MEN = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Gene", "max")
"""eSpeak NG's voice variants that sound like men. Whispers, robots and other special effects are left out."""

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
