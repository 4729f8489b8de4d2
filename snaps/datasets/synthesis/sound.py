"""From what eSpeak NG says to a recording: silence around it, 16 kHz, a noise floor, a level."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64, Int16

from snaps.datasets.synthesis.speech import Speech

FULL_SCALE = 32768
LOWEST_NOISE = 50.0
"""Below this frequency in Hz noise does not grow any more."""


def with_silence(speech: Speech, *, before: int, after: int) -> Speech:
    """Put silence at both ends.

    Parameters
    ----------
    speech : Speech
        What was said.
    before, after : int
        Samples of silence.
    """
    samples = np.concatenate([np.zeros(before, np.int16), speech.samples, np.zeros(after, np.int16)])
    moved = tuple(replace(phoneme, sample=phoneme.sample + before) for phoneme in speech.phonemes)
    return Speech(samples, speech.rate, moved)


def noise_floor(n_samples: int, *, rate: int, slope: float, rng: np.random.Generator) -> Float64[np.ndarray, " sample"]:
    """Steady noise whose power falls with frequency as 1 / frequency^slope: white for 0, pink for 1.

    Parameters
    ----------
    n_samples : int
        How long.
    rate : int
        Samples a second.
    slope : float
        Exponent.
    rng : numpy.random.Generator
        What the noise follows from.

    Returns
    -------
    array of shape (samples,)
        Noise with a root mean square of 1.
    """
    # A power of two: the transform of a length without small factors is slow.
    length = 1 << max(n_samples - 1, 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / rate)
    coloured = np.fft.irfft(spectrum * np.maximum(frequency, LOWEST_NOISE) ** (-slope / 2), length)
    noise = coloured[:n_samples]
    return noise / np.sqrt(np.mean(noise**2))


def add_noise(
    samples: Float32[np.ndarray, " sample"],
    noise: Float64[np.ndarray, " sample"],
    *,
    snr: float,
    spoken: slice,
) -> Float64[np.ndarray, " sample"]:
    """Add noise at a signal-to-noise ratio.

    Parameters
    ----------
    samples, noise : array of shape (samples,)
        Speech; noise with a root mean square of 1.
    snr : float
        Mean power of the speech over that of the noise, in dB.
    spoken : slice
        Samples from the first to the last sound, over which the speech's power is taken.
    """
    power = np.mean(samples[spoken].astype(np.float64) ** 2)
    return samples + noise * np.sqrt(power / 10 ** (snr / 10))


def at_level(samples: np.ndarray, level: float) -> Int16[np.ndarray, " sample"]:
    """Bring the largest absolute value to a level, as 16-bit samples.

    Parameters
    ----------
    samples : array of shape (samples,)
        Audio, not all of it 0.
    level : float
        dB relative to full scale, 0 at most.
    """
    peak = 10 ** (level / 20) * FULL_SCALE
    scaled = np.round(samples * (peak / np.max(np.abs(samples))))
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
