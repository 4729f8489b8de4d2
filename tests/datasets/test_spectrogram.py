import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaps.datasets import SETTINGS, STEP, mel_frequencies, mel_spectrogram
from snaps.errors import InputError


def slow_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Section 5.0, window by window, in float64."""
    import librosa

    bands = librosa.filters.mel(sr=16000, n_fft=512, n_mels=128, dtype=np.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    padded = np.concatenate([np.zeros(256), samples, np.zeros(256)])
    columns = []
    for start in range(0, len(samples) + 1, 128):
        power = np.abs(np.fft.rfft(hann * padded[start : start + 512])) ** 2
        columns.append(10 * np.log10(np.maximum(bands @ power, 1e-10) / 1e-10))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("n_samples", [1, 127, 128, 400, 16000, 20001])
def test_equals_slow_reference(n_samples: int, recwarn: pytest.WarningsRecorder) -> None:
    samples = np.random.default_rng(1).standard_normal(n_samples) * 0.1
    found = mel_spectrogram(samples)
    assert found.dtype == np.float32
    assert found.shape == (128, 1 + n_samples // 128)
    np.testing.assert_allclose(found, slow_spectrogram(samples), rtol=1e-4, atol=1e-3)
    assert not recwarn.list


def test_is_librosas_own() -> None:
    import librosa

    samples = (np.random.default_rng(2).standard_normal(8000) * 0.1).astype(np.float32)
    power = librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=512, win_length=512, hop_length=128, n_mels=128)
    expected = librosa.power_to_db(power, ref=1e-10, amin=1e-10, top_db=None)
    np.testing.assert_array_equal(mel_spectrogram(samples), expected)


@settings(max_examples=20, deadline=None)
@given(level=st.floats(0, 1), seed=st.integers(0, 99))
def test_never_negative(level: float, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-level, level, 2000)
    assert mel_spectrogram(samples).min() >= 0


def test_silence_is_zero() -> None:
    assert not mel_spectrogram(np.zeros(4000)).any()
    assert not mel_spectrogram(np.full(4000, 1e-9)).any()


@pytest.mark.parametrize("hertz", [700, 2700, 6000])
@pytest.mark.parametrize("rate", [16000, 22050, 44100])
def test_tone_is_loudest_in_its_band(hertz: float, rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)
    loudest = mel_spectrogram(tone, rate)[:, 60].argmax()
    assert abs(mel_frequencies()[loudest] - hertz) < hertz / 40


def test_other_rates_keep_time() -> None:
    samples = np.zeros(44100)
    samples[22050] = 1.0
    assert abs(mel_spectrogram(samples, 44100).sum(axis=0).argmax() * STEP - 0.5) <= STEP


def test_frequencies() -> None:
    centres = mel_frequencies()
    assert centres.shape == (128,) and centres.dtype == np.float64
    assert (np.diff(centres) > 0).all() and centres[0] > 0 and centres[-1] < 8000
    with pytest.raises(ValueError, match="read-only"):
        centres[0] = 1


def test_settings_can_be_stored() -> None:
    import json

    assert json.loads(json.dumps(SETTINGS)) == SETTINGS
    assert STEP == 0.008 == SETTINGS["step"]


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((10, 2)), np.array([0.0, np.nan]), np.array([np.inf])])
def test_refuses(samples: np.ndarray) -> None:
    with pytest.raises(InputError, match="samples"):
        mel_spectrogram(samples)


@pytest.mark.parametrize("rate", [0, -16000])
def test_refuses_rate(rate: int) -> None:
    with pytest.raises(InputError, match=f"the sample rate is {rate}"):
        mel_spectrogram(np.zeros(100), rate)
