"""One recording: a speaker, the sentence that eSpeak NG speaks with silence around it, noise, and a level."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int16

from snaps.datasets import RATE, resample
from snaps.errors import InputError
from snaps.speech.espeak import SEPARATOR
from snaps.speech.labels import VOICES, Phone, Phoneme, Speech, phones_of

FULL_SCALE = 32768
#: Least and most silence at either end, in seconds.
SILENCE = (0.10, 0.30)
#: Share by which a speaker's rate varies from recording to recording.
RATE_VARIES = 0.06
#: Noise lies between white and pink; below this frequency in Hz it does not grow any more.
STEEPEST_NOISE, LOWEST_NOISE = 1.0, 50.0
#: Seconds that eSpeak NG may take for a sentence; it needs some hundredths of one.
LIMIT = 300

#: Marks of stress that may stand before a mnemonic.
STRESS = "',%=|"

_PROGRAM = "import sys; sys.path.append(sys.argv[1]); import espeak; espeak.speak(*sys.argv[2:])"


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
        From 0 to 100; 50 is the variant's own.
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
    def voice(self) -> str:
        """Voice and variant, as eSpeak NG names them together."""
        return f"{VOICES[self.dialect]}+{self.variant}"


@dataclass(frozen=True)
class Engine:
    """eSpeak NG: the location of its library and data.

    Attributes
    ----------
    library, data : str
        Paths of the shared library and of its data folder.
    """

    library: str
    data: str

    def speak(self, text: str, speaker: Speaker, *, seed: int) -> Speech:
        """Speak a sentence in a process of its own.

        Parameters
        ----------
        text : str
            The sentence.
        speaker : Speaker
            Voice, pitch and rate.
        seed : int
            Seed of a breathy voice's noise.

        Raises
        ------
        RuntimeError
            If eSpeak NG fails or reports another number of words.
        subprocess.TimeoutExpired
            If it gives no answer.
        """
        words, voice = text.split(), speaker.voice
        # It takes the text word by word, and pauses at a comma only where a space follows.
        parted = "".join(word + (" " if word[-1] in ".,?!" else SEPARATOR) for word in words).rstrip(" " + SEPARATOR)
        numbers = map(str, (speaker.rate, speaker.pitch, speaker.pitch_range, seed))
        # -I and -S leave the user's settings and installed packages out: a faster start, and no surprises. eSpeak NG
        # takes no data path of more than some 160 characters, so it runs in the data folder.
        program = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(Path(__file__).parent), self.library, voice]
        process = subprocess.run(  # noqa: S603
            [*program, *numbers], input=parted.encode(), capture_output=True, cwd=self.data, timeout=LIMIT
        )
        if process.returncode != 0:
            reason = process.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"eSpeak NG's voice {voice} failed with exit status {process.returncode}: {reason}")
        lines, _, pcm = process.stdout.partition(b"\n\n")
        rate, *events = lines.decode().split("\n")
        phonemes: list[Phoneme] = []
        n_words = 0
        for event in events:
            kind, sample, *mnemonic = event.split(" ")
            if kind == "word":
                n_words += 1
            else:
                phonemes.append(Phoneme(int(sample), mnemonic[0].lstrip(STRESS), n_words - 1))
        if n_words != len(words):
            raise RuntimeError(
                f"eSpeak NG's voice {voice} reported {n_words} words in {text!r}, which has {len(words)}"
            )
        return Speech(np.frombuffer(pcm, dtype=np.int16), int(rate), tuple(phonemes))


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

    paths = (espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    return Engine(*(str(Path(path).resolve()) for path in paths))


def record(
    engine: Engine,
    speaker: Speaker,
    text: str,
    *,
    levels: tuple[float, float],
    snr: tuple[float, float] | None,
    rng: np.random.Generator,
) -> tuple[Int16[np.ndarray, " sample"], tuple[Phone, ...]]:
    """Make one recording: the spoken sentence with silence and noise around it, at a level.

    Parameters
    ----------
    engine : Engine
        eSpeak NG.
    speaker : Speaker
        The speaker.
    text : str
        The sentence.
    levels : (float, float)
        Lowest and highest level in dB relative to full scale.
    snr : (float, float) or None
        Lowest and highest signal-to-noise ratio in dB; None for no noise.
    rng : numpy.random.Generator
        Source of rate, silences, level and noise.

    Returns
    -------
    samples : array of shape (samples,)
        At 16 kHz, 16 bits.
    phones : tuple of Phone
        Its phones, in samples at 16 kHz.
    """
    varied = replace(speaker, rate=round(speaker.rate * rng.uniform(1 - RATE_VARIES, 1 + RATE_VARIES)))
    speech = engine.speak(text, varied, seed=int(rng.integers(2**31)))
    before, after = (round(speech.rate * rng.uniform(*SILENCE)) for _ in range(2))
    padded = np.pad(speech.samples, (before, after))
    marks = tuple(replace(phoneme, sample=phoneme.sample + before) for phoneme in speech.phonemes)
    phones = phones_of(Speech(padded, speech.rate, marks), voice=VOICES[speaker.dialect], text=text)

    samples: np.ndarray = resample(padded.astype(np.float32) / FULL_SCALE, speech.rate)
    limits = [0, *(round(phone.end * RATE / speech.rate) for phone in phones[:-1]), len(samples)]
    phones = tuple(
        replace(phone, start=start, end=end) for phone, start, end in zip(phones, limits[:-1], limits[1:], strict=True)
    )

    # Drawn whether it is needed or not, so that a level does not depend on there being noise.
    level, ratio, slope = (rng.uniform(*bounds) for bounds in (levels, snr or (0.0, 0.0), (0.0, STEEPEST_NOISE)))
    if snr is not None:
        power = np.mean(samples[phones[0].end : phones[-1].start].astype(np.float64) ** 2)
        samples = samples + noise_floor(len(samples), slope=slope, rng=rng) * np.sqrt(power / 10 ** (ratio / 10))
    peak = 10 ** (level / 20) * FULL_SCALE
    scaled = np.round(samples * (peak / np.max(np.abs(samples))))
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16), phones


def noise_floor(n_samples: int, *, slope: float, rng: np.random.Generator) -> Float64[np.ndarray, " sample"]:
    """Steady noise whose power falls with frequency as 1 / frequency^slope: white for 0, pink for 1.

    Parameters
    ----------
    n_samples : int
        Number of samples, at 16 kHz.
    slope : float
        Exponent.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    array of shape (samples,)
        Noise with a root mean square of 1.
    """
    # A power of two: the transform of a length without small factors is slow.
    length = 1 << max(n_samples - 1, 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    coloured = np.fft.irfft(spectrum * np.maximum(frequency, LOWEST_NOISE) ** (-slope / 2), length)
    noise = coloured[:n_samples]
    return noise / np.sqrt(np.mean(noise**2))
