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


@pytest.mark.parametrize(("kind", "ending", "tolerance"), FORMATS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_refuses_truncated(tmp_path: Path, kind: str, ending: str, tolerance: float, part: float) -> None:
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


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (16001, "is truncated: its header promises 16001 samples a channel, it holds 16000"),
        (8000, "has a wrong header: its header promises 8000 samples a channel, it holds 16000"),
    ],
)
def test_sphere_header_has_to_fit(
    tmp_path: Path, write_sphere: Callable[..., bytes], count: int, sentence: str
) -> None:
    path = tmp_path / "SA1.WAV"
    path.write_bytes(write_sphere(RAMP, count=count))
    with pytest.raises(RecordingError, match=sentence):
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


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (20, struct.pack("<H", 99)),
        (22, struct.pack("<H", 0)),
        (22, struct.pack("<H", 2)),
        (24, struct.pack("<I", 0)),
        (32, struct.pack("<H", 7)),
        (34, struct.pack("<H", 8)),
        (40, struct.pack("<I", 16000)),
        (36, b"junk"),
    ],
)
def test_refuses_wrong_riff_header(tmp_path: Path, at: int, field: bytes) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 16000), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + field + whole[at + len(field) :])
    with pytest.raises(RecordingError, match=r"a\.wav'.* header"):
        read_audio(path, recording="a")


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


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("sample_count -i 16000\n", ""),
        ("-i 16000\nsample_rate", "-i -16000\nsample_rate"),
        ("count -i 16", "count -i x"),
    ],
)
def test_sphere_without_a_count_may_be_cut(
    tmp_path: Path, write_sphere: Callable[..., bytes], field: str, wrong: str
) -> None:
    path = tmp_path / "SA1.WAV"
    header = write_sphere(RAMP)
    path.write_bytes(header[:1024].replace(field.encode(), wrong.encode(), 1).ljust(1024) + header[1024:])
    with pytest.raises(RecordingError, match=r"SA1\.WAV' has a wrong header: it has no sample_count"):
        read_audio(path, recording="a")


@pytest.mark.parametrize("size", [0, 512, 1023, 1025, 1536, "abc", ""])
def test_sphere_header_of_a_size_that_is_none(tmp_path: Path, write_sphere: Callable[..., bytes], size: object) -> None:
    path = tmp_path / "SA1.WAV"
    whole = write_sphere(RAMP)
    path.write_bytes(whole[:8] + f"{size:>7}\n".encode() + whole[16:])
    with pytest.raises(RecordingError, match=r"SA1\.WAV' (has a wrong header|is truncated)"):
        read_audio(path, recording="a")


@pytest.mark.parametrize("seed", range(3))
def test_riff_that_ends_its_data_too_early(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 8000), 16000)
    whole = path.read_bytes()
    for length in (0, 1, 2, 3, 17, 64, 255, 12345, 15000, 15900, 15998):
        path.write_bytes(whole[:40] + struct.pack("<I", length) + whole[44:])
        with pytest.raises(RecordingError, match=r"a\.wav' (has a wrong header: it ends the data after|holds no samp)"):
            read_audio(path, recording="a")


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 3])
def test_flac_is_held_against_its_checksum(tmp_path: Path, subtype: str, channels: int) -> None:
    path = tmp_path / "a.flac"
    samples = np.random.default_rng(0).uniform(-1, 1, (8000, channels))
    samples[:2] = [[-1.0], [1.0]]
    soundfile.write(path, samples, 16000, subtype=subtype)
    whole = path.read_bytes()
    assert len(read_audio(path, recording="a").samples) == 8000
    # Without a sum, as some programs leave it.
    path.write_bytes(whole[:26] + bytes(16) + whole[42:])
    assert len(read_audio(path, recording="a").samples) == 8000
    for at, wrong in ((25, whole[25] - 1), (24, whole[24] // 2), (30, whole[30] ^ 1)):
        path.write_bytes(whole[:at] + bytes([wrong]) + whole[at + 1 :])
        with pytest.raises(
            RecordingError, match=r"a\.flac' is damaged: its \d+ samples a channel are not those of its"
        ):
            read_audio(path, recording="a")


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
