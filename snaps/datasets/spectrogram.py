"""Mel spectrograms, the input of networks (definition 0)."""

import functools
import warnings
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from snaps.errors import InputError

#: Samples per second of all audio from which features are computed.
RATE = 16_000
WINDOW = 512
HOP = 128
N_MELS = 128
FLOOR = 1e-10

#: Seconds between two steps.
STEP = HOP / RATE

#: How features are made; stored with everything that is computed from them.
SETTINGS: dict[str, Any] = {
    "features": "mel spectrogram",
    "unit": "dB above the floor",
    "sample_rate": RATE,
    "window": WINDOW,
    "hop": HOP,
    "n_mels": N_MELS,
    "floor": FLOOR,
    "step": STEP,
}


def mel_spectrogram(samples: np.ndarray, rate: int = RATE) -> Float32[np.ndarray, "unit step"]:
    """Mel spectrogram in dB above the floor.

    With the power `S` of librosa's mel spectrogram (window 512 samples, hop 128, 128 bands, 16 kHz) the
    result is ``10 log10(max(S, 1e-10) / 1e-10)``: never negative, and 0 is silence.

    Parameters
    ----------
    samples : array of shape (samples,)
        Mono audio in [−1, 1].
    rate : int
        Samples per second; other rates than 16,000 are resampled first.

    Returns
    -------
    array of shape (128, 1 + samples // 128)
        dB, float32. Step ``i`` is centred on the time ``0.008 · i`` seconds.

    Raises
    ------
    InputError
        If the samples are not one-dimensional, empty, or not finite, or the rate is not positive.

    Examples
    --------
    >>> mel_spectrogram(np.zeros(16000)).shape
    (128, 126)
    """
    import librosa

    samples = np.asarray(samples)
    if samples.ndim != 1 or samples.size == 0:
        raise InputError(f"samples have the shape {samples.shape}; accepted is mono audio that is not empty")
    if not np.isfinite(samples).all():
        raise InputError("samples contain NaN or infinite values; accepted are finite ones")
    samples = resample(samples.astype(np.float32, copy=False), rate)
    with warnings.catch_warnings():
        # A recording shorter than the window is fine: the window reaches into silence on both sides.
        warnings.filterwarnings("ignore", message="n_fft=.* is too large", category=UserWarning)
        spectrum = librosa.stft(samples, n_fft=WINDOW, win_length=WINDOW, hop_length=HOP)  # (frequency, step)
    # As `librosa.feature.melspectrogram`, which builds the filters anew and takes five times as long.
    power = _mel_filters() @ np.abs(spectrum) ** 2
    decibel = librosa.power_to_db(power, ref=FLOOR, amin=FLOOR, top_db=None)
    # In float32 the logarithm of the floor misses 0 by some 1e-5 on the negative side.
    return np.maximum(decibel, 0.0).astype(np.float32, copy=False)


@functools.cache
def _mel_filters() -> Float32[np.ndarray, "unit frequency"]:
    import librosa

    return librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=N_MELS)


@functools.cache
def mel_frequencies() -> Float64[np.ndarray, " unit"]:
    """Centre frequency in Hz of each of the 128 mel bands, in ascending order (read-only).

    Examples
    --------
    >>> mel_frequencies().shape
    (128,)
    """
    import librosa

    edges = librosa.mel_frequencies(n_mels=N_MELS + 2, fmin=0.0, fmax=RATE / 2)
    centres = np.asarray(edges[1:-1], dtype=np.float64)
    centres.flags.writeable = False
    return centres


def resample(samples: Float32[np.ndarray, " sample"], rate: int) -> Float32[np.ndarray, " resampled"]:
    """Resample mono audio to 16 kHz (soxr's high-quality band-limited resampling).

    Parameters
    ----------
    samples : array of shape (samples,)
        Mono audio.
    rate : int
        Its samples per second.

    Returns
    -------
    array of shape (ceil(samples · 16000 / rate),)
        The same sound at 16 kHz; the very same array if it has that rate already.

    Raises
    ------
    InputError
        If the rate is not positive.
    """
    if not rate > 0:
        raise InputError(f"the sample rate is {rate!r}; accepted are rates above 0 Hz")
    if rate == RATE:
        return samples
    import librosa

    resampled: np.ndarray = librosa.resample(samples, orig_sr=rate, target_sr=RATE, res_type="soxr_hq")
    return resampled.astype(np.float32, copy=False)
