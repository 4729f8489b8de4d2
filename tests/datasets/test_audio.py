import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snaps.datasets import mel_spectrogram, read_audio
from snaps.errors import RecordingError

RAMP = (np.arange(16000) % 2000 / 4000).astype(np.float32)
# The format, the ending, and how closely it keeps the samples.
FORMATS = [
    *[("NIST", "sph", 1e-4), ("WAV", "wav", 1e-4), ("FLAC", "flac", 1e-4), ("AIFF", "aiff", 1e-4)],
    *[("AU", "au", 1e-4), ("W64", "w64", 1e-4), ("RF64", "rf64", 1e-4), ("CAF", "caf", 1e-4)],
    *[("OGG", "ogg", 0.3), ("WAVEX", "wav", 1e-4)],
]


@pytest.mark.parametrize(("kind", "ending", "tolerance"), FORMATS)
def test_reads(tmp_path: Path, kind: str, ending: str, tolerance: float) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, RAMP, 16000, format=kind)
    audio = read_audio(path, recording="a")
    assert audio.samples.dtype == np.float32 and audio.samples.shape == (16000,)
    assert audio.duration == 1.0
    np.testing.assert_allclose(audio.samples, RAMP, atol=tolerance)


@pytest.mark.parametrize(("kind", "ending"), [row[:2] for row in FORMATS if row[0] != "OGG"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_refuses_truncated(tmp_path: Path, kind: str, ending: str, part: float) -> None:
    path = tmp_path / f"a.{ending}"
    noisy = np.random.default_rng(0).uniform(-0.5, 0.5, 32000)
    soundfile.write(path, noisy, 16000, format=kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(RecordingError, match=r"a\.") as caught:
        read_audio(path, recording="train/a")
    assert caught.value.recording == "train/a"
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_sphere_as_timit_writes_it(tmp_path: Path, write_sphere: Callable[..., bytes]) -> None:
    path = tmp_path / "SA1.WAV"
    path.write_bytes(write_sphere(RAMP))
    np.testing.assert_allclose(read_audio(path, recording="a").samples, RAMP, atol=1e-4)
    oracle, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read_audio(path, recording="a").samples, oracle)


def test_sphere_header_that_promises_more(tmp_path: Path, write_sphere: Callable[..., bytes]) -> None:
    path = tmp_path / "SA1.WAV"
    path.write_bytes(write_sphere(RAMP, count=16001))
    with pytest.raises(RecordingError, match="is truncated: its header promises 16001 samples a channel, it holds 160"):
        read_audio(path, recording="a")


def test_shorten_is_named_with_the_way_out(tmp_path: Path, write_sphere: Callable[..., bytes]) -> None:
    """As TIMIT and others were delivered on their CD-ROMs."""
    path = tmp_path / "SA1.WAV"
    whole = write_sphere(RAMP)
    coded = whole[:1024].replace(b"end_head", b"sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head")
    path.write_bytes(coded[:1024] + b"ajkg" + whole[1024:9000])
    with pytest.raises(RecordingError, match=r"SA1\.WAV' is compressed with shorten; decompress it, .* sph2pipe"):
        read_audio(path, recording="a")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("sample_rate -i 16000", "sample_rate -i 0"),
        ("channel_count -i 1", "channel_count -i 0"),
        ("NIST_1A", "NIST_9Z"),
    ],
)
def test_refuses_wrong_sphere_header(
    tmp_path: Path, write_sphere: Callable[..., bytes], field: str, wrong: str
) -> None:
    path = tmp_path / "SA1.WAV"
    path.write_bytes(write_sphere(RAMP).replace(field.encode(), wrong.encode()))
    with pytest.raises(RecordingError, match=r"SA1\.WAV' cannot be read: it is no audio or its header"):
        read_audio(path, recording="a")


@pytest.mark.parametrize("length", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000])
def test_riff_from_a_pipe_has_no_length(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, RAMP, 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + struct.pack("<I", length) + whole[44:])
    assert len(read_audio(path, recording="a").samples) == 16000


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("tail", [b"", b"\0" * 3000, b"\xee\x21\x07\x79" * 9, b"LIST\4\0\0\0INFO"])
def test_sound_riff_headers_pass(tmp_path: Path, subtype: str, tail: bytes) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([RAMP, RAMP], axis=1), 16000, subtype=subtype)
    path.write_bytes(path.read_bytes() + tail)
    np.testing.assert_allclose(read_audio(path, recording="a").samples, RAMP, atol=0.02)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resamples(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    seconds = np.arange(2 * rate) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * seconds), rate, subtype="FLOAT")
    audio = read_audio(path, recording="a")
    assert audio.duration == 2.0 and len(audio.samples) == 32000
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)
    np.testing.assert_allclose(audio.samples[500:-500], expected[500:-500], atol=1e-3)


@pytest.mark.parametrize("kind", ["WAV", "NIST", "FLAC"])
def test_channels_are_averaged(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([RAMP, 0 * RAMP, -0.5 * RAMP], axis=1), 16000, format=kind)
    np.testing.assert_allclose(read_audio(path, recording="a").samples, RAMP / 6, atol=1e-4)


def test_long_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.tile(RAMP, 70), 16000)
    assert len(read_audio(path, recording="a").samples) == 70 * 16000 > 1 << 20


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_what_is_not_finite(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.wav"
    samples = RAMP.copy()
    samples[[3, 77]] = value
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    with pytest.raises(RecordingError, match=r"a\.wav' has 2 samples that are NaN or infinite"):
        read_audio(path, recording="a")


def test_refuses_empty_missing_and_foreign_files(tmp_path: Path, write_sphere: Callable[..., bytes]) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(RecordingError, match=r"a\.wav' cannot be read: No such file"):
        read_audio(path, recording="a")
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match=r"a\.wav' is empty \(0 bytes\)"):
        read_audio(path, recording="a")
    path.write_bytes(write_sphere(RAMP[:0]))
    with pytest.raises(RecordingError, match=r"a\.wav' holds no samples"):
        read_audio(path, recording="a")
    path.write_bytes(b"She had your dark suit in greasy wash water all year. " * 50)
    with pytest.raises(RecordingError, match=r"a\.wav' cannot be read: it is no audio"):
        read_audio(path, recording="a")
    path.unlink()
    path.mkdir()
    with pytest.raises(RecordingError, match=r"a\.wav' cannot be read"):
        read_audio(path, recording="a")
    link = tmp_path / "loop.wav"
    link.symlink_to(link)
    with pytest.raises(RecordingError, match=r"loop\.wav' cannot be read"):
        read_audio(link, recording="a")


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2**31 - 1])
def test_refuses_rates_that_no_speech_has(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, RAMP, 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[:24] + struct.pack("<I", rate) + whole[28:])
    with pytest.raises(RecordingError, match=rf"a\.wav' has {rate:,} samples a second; accepted are 1,000 to 768,000"):
        read_audio(path, recording="a")


@pytest.mark.parametrize("rate", [1000, 768_000])
def test_slowest_and_fastest_rate(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", RAMP, rate)
    assert len(read_audio(tmp_path / "a.wav", recording="a").samples) == -(-16000 * 16000 // rate)


def test_few_bytes_that_unfold_to_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(4_000_000), 16000)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr("snaps.datasets.audio.MOST_SECONDS", 100)
    with pytest.raises(RecordingError, match=r"a\.flac' is too long; accepted are at most 1,600,000 samples a channel"):
        read_audio(path, recording="a")
    monkeypatch.setattr("snaps.datasets.audio.MOST_SAMPLES", 1_000_000)
    with pytest.raises(RecordingError, match="at most 1,000,000 samples a channel at 16,000 a second"):
        read_audio(path, recording="a")


def test_many_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    gains = np.linspace(-1, 2, 64)
    soundfile.write(path, RAMP[:, None] * gains, 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path, recording="a").samples, RAMP * gains.mean(), atol=1e-6)


@pytest.mark.parametrize("value", [3e38, -3e38, 2.2e9])
def test_refuses_samples_that_no_spectrogram_can_hold(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.where(np.arange(8000) == 50, value, 0), 8000, subtype="FLOAT")
    with pytest.raises(RecordingError, match=r"a\.wav' has samples of up to .*; full scale is 1, accepted are at most"):
        read_audio(path, recording="a")
    soundfile.write(path, np.full(8000, -(2.0**31)), 8000, subtype="FLOAT")
    assert np.isfinite(mel_spectrogram(read_audio(path, recording="a").samples)).all()
