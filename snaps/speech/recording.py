"""One recording: what eSpeak NG says, with silence around it, at 16 kHz, with a noise floor, at a level."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64, Int16

from snaps.datasets import RATE, resample
from snaps.speech.casting import Speaker
from snaps.speech.engine import Engine, Speech
from snaps.speech.labels import Phone, phones_of

FULL_SCALE = 32768
SILENCE = (0.10, 0.30)
"""Least and most silence at either end, in seconds."""
RATE_VARIES = 0.06
"""A speaker's rate varies by this share from recording to recording."""
STEEPEST_NOISE = 1.0
"""Noise lies between white and pink."""
LOWEST_NOISE = 50.0
"""Below this frequency in Hz noise does not grow any more."""


def record(
    engine: Engine,
    speaker: Speaker,
    text: str,
    *,
    levels: tuple[float, float],
    snr: tuple[float, float] | None,
    rng: np.random.Generator,
) -> tuple[Int16[np.ndarray, " sample"], tuple[Phone, ...]]:
    """Speak a sentence.

    Parameters
    ----------
    engine : Engine
        Where eSpeak NG lies.
    speaker : Speaker
        Who speaks.
    text : str
        The sentence.
    levels : (float, float)
        Lowest and highest level in dB relative to full scale.
    snr : (float, float) or None
        Lowest and highest signal-to-noise ratio in dB; None for no noise.
    rng : numpy.random.Generator
        What rate, silences, level and noise follow from.

    Returns
    -------
    samples : array of shape (samples,)
        At 16 kHz, 16 bits.
    phones : tuple of Phone
        Its phones, in samples at 16 kHz.
    """
    speech = engine.speak(
        text.split(),
        voice=speaker.voice,
        rate=round(speaker.rate * rng.uniform(1 - RATE_VARIES, 1 + RATE_VARIES)),
        pitch=speaker.pitch,
        pitch_range=speaker.pitch_range,
        seed=int(rng.integers(2**31)),
    )
    before, after = (round(speech.rate * rng.uniform(*SILENCE)) for _ in range(2))
    padded = np.pad(speech.samples, (before, after))
    marks = tuple(replace(phoneme, sample=phoneme.sample + before) for phoneme in speech.phonemes)
    phones = phones_of(Speech(padded, speech.rate, marks), voice=speaker.language, text=text)

    samples = resample(padded.astype(np.float32) / FULL_SCALE, speech.rate)
    limits = [0, *(round(phone.end * RATE / speech.rate) for phone in phones[:-1]), len(samples)]
    phones = tuple(
        replace(phone, start=start, end=end) for phone, start, end in zip(phones, limits[:-1], limits[1:], strict=True)
    )

    # Drawn whether it is needed or not, so that a level does not depend on there being noise.
    level, ratio, slope = (rng.uniform(*bounds) for bounds in (levels, snr or (0.0, 0.0), (0.0, STEEPEST_NOISE)))
    noisy: np.ndarray = samples
    if snr is not None:
        noise = noise_floor(len(samples), rate=RATE, slope=slope, rng=rng)
        noisy = add_noise(samples, noise, snr=ratio, spoken=slice(phones[0].end, phones[-1].start))
    return at_level(noisy, level), phones


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
