"""Speaks one sentence, or pronounces a list of words, in a fresh process."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from snaps.errors import InputError
from snaps.speech.espeak import SEPARATOR

#: Seconds that eSpeak NG may take for a sentence or a list of words; it needs some hundredths of one.
LIMIT = 300
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); import espeak; espeak.serve(*sys.argv[2:])"


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
class Engine:
    """Where eSpeak NG lies.

    Attributes
    ----------
    library, data : str
        Paths of the shared library and of its data folder.
    """

    library: str
    data: str

    def has_variant(self, variant: str) -> bool:
        """Whether there is a voice variant of this name; eSpeak NG itself would silently do without."""
        return (Path(self.data) / "voices" / "!v" / variant).is_file()

    def speak(self, words: Sequence[str], *, voice: str, rate: int, pitch: int, pitch_range: int, seed: int) -> Speech:
        """Speak the words of a sentence, punctuation included.

        Parameters
        ----------
        words : sequence of str
            The sentence, split at its spaces.
        voice : str
            Voice and variant, e.g. ``en-us+f3``.
        rate : int
            Words a minute.
        pitch, pitch_range : int
            From 0 to 100; 50 is the voice's own.
        seed : int
            What the noise of a breathy voice follows from.

        Raises
        ------
        RuntimeError
            If eSpeak NG fails, gives no answer, or reports another number of words.
        """
        (head, *events), pcm = self._ask(_parted(words), voice, rate, pitch, pitch_range, seed)
        phonemes: list[Phoneme] = []
        word = -1
        for event in events:
            kind, sample, *name = event.split(" ")
            if kind == "word":
                word += 1
            else:
                phonemes.append(Phoneme(int(sample), without_stress(name[0]), word))
        if word + 1 != len(words):
            raise RuntimeError(
                f"eSpeak NG's voice {voice} reported {word + 1} words in {' '.join(words)!r}, which has {len(words)}"
            )
        return Speech(np.frombuffer(pcm, dtype=np.int16), int(head), tuple(phonemes))

    def pronounce(self, words: Sequence[str], *, voice: str) -> dict[str, tuple[str, ...]]:
        """Mnemonics of every word, said alone."""
        lines, _ = self._ask("\n".join(words), voice)
        pronounced = (tuple(filter(None, map(without_stress, line.split(" ")))) for line in lines)
        return dict(zip(words, pronounced, strict=True))

    def _ask(self, text: str, voice: str, *speech: int) -> tuple[list[str], bytes]:
        """Run `snaps.speech.espeak.serve` in a process of its own."""
        # eSpeak NG takes no data path of more than some 160 characters, so it runs in the data folder.
        arguments = [self.library, ".", voice, *map(str, speech)]
        # -I and -S leave the user's settings and installed packages out: a faster start, and no surprises.
        try:
            process = subprocess.run(  # noqa: S603
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(Path(__file__).parent), *arguments],
                input=text.encode(),
                capture_output=True,
                cwd=self.data,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"eSpeak NG's voice {voice} gave no answer within {LIMIT} seconds") from None
        if process.returncode != 0:
            reason = process.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(
                f"eSpeak NG's voice {voice} failed with exit status {process.returncode}: "
                f"{reason[-1] if reason else 'no reason given'}"
            )
        lines, _, pcm = process.stdout.partition(b"\n\n")
        return lines.decode().split("\n"), pcm


def _parted(words: Sequence[str]) -> str:
    """Text that eSpeak NG takes word by word; it pauses at a comma only where a space follows."""
    return "".join(word + (" " if word[-1] in ".,?!" else SEPARATOR) for word in words).rstrip(" " + SEPARATOR)


def without_stress(mnemonic: str) -> str:
    """Leave the marks of stress out that may stand before a mnemonic.

    Examples
    --------
    >>> without_stress("'aI@")
    'aI@'
    """
    return mnemonic.lstrip("',%=|")


def find_engine() -> Engine:
    """Find eSpeak NG.

    Raises
    ------
    InputError
        If the wheel ``espeakng-loader`` is not installed.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise InputError(
            "synthesising a corpus needs eSpeak NG, which is not installed: "
            'pip install "neuron-snaps[synthesis]" installs it'
        )
    import espeakng_loader

    data = Path(espeakng_loader.get_data_path())
    return Engine(str(Path(espeakng_loader.get_library_path()).resolve()), str(data.resolve()))
