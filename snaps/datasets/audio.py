"""Audio files of any format, rate and number of channels, read as mono at 16 kHz."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from snaps.datasets.paths import require_file
from snaps.datasets.spectrogram import resample
from snaps.errors import RecordingError

#: Endings of audio files, in lower case.
AUDIO_SUFFIXES = (
    *(".wav", ".sph", ".nist", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".au", ".snd", ".caf", ".w64", ".rf64"),
)

#: Least and most samples per second; a wrong header would make hours of a second, or nothing of an hour.
RATES = (1_000, 768_000)
#: The longest audio that is read, in seconds and in samples of one channel: few bytes may promise terabytes.
MOST_SECONDS = 4 * 3600
MOST_SAMPLES = 1 << 29
#: Bytes of the largest audio file that is read.
MOST_AUDIO_BYTES = 8 << 30
#: Largest sample that is accepted; full scale is 1, and files that forgot to scale have up to 2³¹.
LOUDEST = float(1 << 31)

#: Programs that write into a pipe cannot know the length, and put a number near 2³¹ or 2³² in its place.
_UNKNOWN_LENGTH = 0x7FFF_0000
# How libsndfile's log reports a part that is longer in its header than in the file.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_SPHERE_COUNT = re.compile(rb"^sample_count\s+-i\s+(\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Audio:
    """Samples of one audio file.

    Attributes
    ----------
    samples : array of shape (samples,)
        Mono, 16 kHz, float32, full scale ±1.
    duration : float
        Seconds before resampling.
    """

    samples: Float32[np.ndarray, " sample"]
    duration: float


def read_audio(path: Path, *, recording: str) -> Audio:
    """Read an audio file; channels are averaged and other rates resampled to 16 kHz.

    Parameters
    ----------
    path : Path
        A file in any format that libsndfile reads: NIST SPHERE, RIFF WAV, FLAC, Ogg and more.
    recording : str
        Identifier of the recording, for the error.

    Returns
    -------
    Audio
        Samples at 16 kHz, and the duration before resampling.

    Raises
    ------
    RecordingError
        If the file does not exist, is empty or no audio, is compressed with shorten, is truncated, is longer than four
        hours or than 2²⁹ samples a channel (3.1 hours at 48 kHz), is larger than 8 GiB, has fewer than 1,000 or more
        than 768,000 samples a second, or contains samples that are NaN, infinite or beyond 2³¹.
    """
    try:
        samples, rate = _read(path)
    except ValueError as error:
        raise RecordingError(recording, f"the audio file '{path}' {error}") from None
    return Audio(samples=resample(samples, rate), duration=len(samples) / rate)


def _read(path: Path) -> tuple[Float32[np.ndarray, " sample"], int]:
    """Samples and rate of a file; the reason why it cannot be used is a `ValueError`."""
    import soundfile

    head = b""
    try:
        if require_file(path, most=MOST_AUDIO_BYTES) == 0:
            raise ValueError("is empty (0 bytes)")
        with path.open("rb") as raw:
            head = raw.read(1024)
        with soundfile.SoundFile(path) as file:
            rate, promised, log = int(file.samplerate), int(file.frames), str(file.extra_info)
            if not RATES[0] <= rate <= RATES[1]:
                raise ValueError(f"has {rate:,} samples a second; accepted are {RATES[0]:,} to {RATES[1]:,}")
            most = min(MOST_SAMPLES, MOST_SECONDS * rate)
            blocks = [np.zeros(0, dtype=np.float32)]
            # In blocks, because some headers leave the length open and others promise terabytes.
            for block in file.blocks(max(1, (1 << 20) // file.channels), dtype="float32", always_2d=True):
                _refuse_unusable(block)
                blocks.append(block.mean(axis=1, dtype=np.float64).astype(np.float32))
                if sum(map(len, blocks)) > most:
                    raise ValueError(
                        f"is too long; accepted are at most {most:,} samples a channel at "
                        f"{rate:,} a second ({most / rate / 3600:.3g} hours)"
                    )
    except soundfile.LibsndfileError as error:
        if b"shorten" in head:
            raise ValueError("is compressed with shorten; decompress it, for example with sph2pipe -f wav") from None
        reason = error.error_string.rstrip(".")
        raise ValueError(f"cannot be read: it is no audio or its header or data are damaged ({reason})") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from None
    except UnicodeEncodeError:
        raise ValueError("cannot be read: its name is not in UTF-8") from None
    samples = np.concatenate(blocks)
    _refuse_truncated(head, held=len(samples), promised=promised, log=log)
    return samples, rate


def _refuse_unusable(block: Float32[np.ndarray, "sample channel"]) -> None:
    finite = np.isfinite(block)
    if not finite.all():
        raise ValueError(f"has {np.count_nonzero(~finite)} samples that are NaN or infinite")
    loudest = float(np.abs(block).max(initial=0.0))
    if loudest > LOUDEST:
        raise ValueError(f"has samples of up to {loudest:.3g}; full scale is 1, accepted are at most 2³¹")


def _refuse_truncated(head: bytes, *, held: int, promised: int, log: str) -> None:
    """Refuse a file that holds less than its header promises, which libsndfile does not."""
    count = _SPHERE_COUNT.search(head.split(b"end_head")[0]) if head.startswith(b"NIST_1A") else None
    promised = int(count[1]) if count else promised
    if held < promised and (count or promised < _UNKNOWN_LENGTH):
        raise ValueError(f"is truncated: its header promises {promised} samples a channel, it holds {held}")
    if count and held > promised:
        raise ValueError(f"has a wrong header: its header promises {promised} samples a channel, it holds {held}")
    for part in _CUT_SHORT.finditer(log):
        size, there = int(part[1]), int(part[2])
        if there < size < _UNKNOWN_LENGTH:
            raise ValueError(f"is truncated: its header promises {size} bytes, it holds {there}")
    if held == 0:
        raise ValueError("holds no samples")
