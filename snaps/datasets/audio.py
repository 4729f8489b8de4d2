"""Audio from disk: any format, rate and number of channels becomes mono at 16 kHz."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from snaps.datasets.headers import UNKNOWN_LENGTH, FlacChecksum, ogg_ends, riff_junk, sphere_count
from snaps.datasets.paths import require_file
from snaps.datasets.resampling import resample
from snaps.errors import RecordingError

#: Endings, in lower case, of the files that are taken for audio.
AUDIO_SUFFIXES = (
    *(".wav", ".sph", ".nist", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".au", ".snd", ".caf", ".w64", ".rf64"),
)

#: Samples per second that are accepted; a wrong header would make hours of a second, or nothing of an hour.
RATES = (1_000, 768_000)
#: The longest audio that is read, in seconds and in samples of one channel: few bytes may promise terabytes.
MOST_SECONDS = 4 * 3600
MOST_SAMPLES = 1 << 29
#: Bytes of the largest audio file that is read.
MOST_AUDIO_BYTES = 8 << 30
#: Largest sample that is accepted; full scale is 1, and files that forgot to scale have up to 2³¹.
LOUDEST = float(1 << 31)

# Samples of all channels that are read at once.
_BLOCK = 1 << 20
# How libsndfile's log reports a part that is longer in its header than in the file.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_RIFF_BLOCK = re.compile(
    r"^\s*Block Align\s*:\s*(\d+).*^data : (\d+)(?: \(should be (\d+)\))?", re.MULTILINE | re.DOTALL
)
# Bytes behind the last chunk of a RIFF file that are put up with.
_PADDING = 1024


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound of one file.

    Attributes
    ----------
    samples : array of shape (samples,)
        Mono, 16 kHz, float32, full scale ±1.
    duration : float
        Seconds, as the file has them before resampling.
    """

    samples: Float32[np.ndarray, " sample"]
    duration: float


class _AudioError(ValueError):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


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
        Its samples at 16 kHz, and how long it was before.

    Raises
    ------
    RecordingError
        If the file does not exist, is empty or no audio, has a wrong header, is truncated, is longer than four
        hours or than 2²⁹ samples a channel (3.1 hours at 48 kHz), is larger than 8 GiB, has fewer than 1,000 or more
        than 768,000 samples a second, or contains samples that are NaN, infinite or beyond 2³¹.
    """
    try:
        return _read(path)
    except _AudioError as error:
        raise RecordingError(recording, f"the audio file '{path}' {error}") from None


def _read(path: Path) -> Audio:
    import soundfile

    try:
        if require_file(path, most=MOST_AUDIO_BYTES) == 0:
            raise _AudioError("is empty (0 bytes)")
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            if not RATES[0] <= rate <= RATES[1]:
                raise _AudioError(f"has {rate:,} samples a second; accepted are {RATES[0]:,} to {RATES[1]:,}")
            checksum = FlacChecksum(path) if file.format == "FLAC" else None
            blocks = list(_blocks(file, checksum))
            promised, log = int(file.frames), str(file.extra_info)
            kind, plain = str(file.format), str(file.subtype).startswith(("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW"))
    except soundfile.LibsndfileError as error:
        raise _AudioError(
            f"cannot be read: it is no audio or its header or data are damaged ({error.error_string.rstrip('.')})"
        ) from None
    except OSError as error:
        raise _AudioError(f"cannot be read: {error.strerror or error}") from None
    except UnicodeEncodeError:
        raise _AudioError("cannot be read: its name is not in UTF-8") from None
    samples = np.concatenate([block.samples for block in blocks]) if blocks else np.zeros(0, dtype=np.float32)
    _refuse_truncated(path, held=len(samples), promised=promised, log=log, kind=kind)
    if kind in ("WAV", "WAVEX") and plain:
        _refuse_wrong_riff(path, held=len(samples), log=log)
    if checksum is not None and not checksum.holds():
        raise _AudioError(f"is damaged: its {len(samples)} samples a channel are not those of its checksum")
    if len(samples) == 0:
        raise _AudioError("holds no samples")
    broken = sum(block.broken for block in blocks)
    if broken:
        raise _AudioError(f"has {broken} samples that are NaN or infinite")
    loudest = max(block.loudest for block in blocks)
    if loudest > LOUDEST:
        raise _AudioError(f"has samples of up to {loudest:.3g}; full scale is 1, accepted are at most 2³¹")
    return Audio(samples=resample(samples, rate), duration=len(samples) / rate)


@dataclass(frozen=True, eq=False)
class _Block:
    """Samples in a row, averaged over channels; how many were not finite, and the largest of the others."""

    samples: Float32[np.ndarray, " sample"]
    broken: int
    loudest: float


def _blocks(file: Any, checksum: FlacChecksum | None) -> Iterator[_Block]:
    """Read in blocks, because some headers leave the length open and others promise terabytes."""
    most = min(MOST_SAMPLES, MOST_SECONDS * file.samplerate)
    at_once = max(1, _BLOCK // file.channels)
    held = 0
    while len(block := file.read(at_once, dtype="float32", always_2d=True)):
        held += len(block)
        if held > most:
            raise _AudioError(
                f"is too long; accepted are at most {most:,} samples a channel at "
                f"{file.samplerate:,} a second ({most / file.samplerate / 3600:.3g} hours)"
            )
        if checksum is not None:
            checksum.update(block)
        finite = np.isfinite(block)
        mono = block[:, 0] if file.channels == 1 else block.mean(axis=1, dtype=np.float64).astype(np.float32)
        yield _Block(
            samples=np.ascontiguousarray(mono),
            broken=block.size - int(np.count_nonzero(finite)),
            loudest=float(np.abs(block).max(where=finite, initial=0.0)),
        )


def _refuse_truncated(path: Path, *, held: int, promised: int, log: str, kind: str) -> None:
    """Compare what the header promises with what the file holds; libsndfile is often content with less."""
    if kind == "NIST":
        count = sphere_count(path)
        if count is None:
            raise _AudioError(
                "has a wrong header: it has no sample_count that is a whole number, or no "
                "size that is a multiple of 1024"
            )
        promised = count
        wrong = promised != held
    else:
        wrong = held < promised < UNKNOWN_LENGTH
    if wrong:
        trouble = "is truncated" if held < promised else "has a wrong header"
        raise _AudioError(f"{trouble}: its header promises {promised} samples a channel, it holds {held}")
    if kind == "OGG" and not ogg_ends(path):
        raise _AudioError("is truncated: its last Ogg page is not marked as the end")
    for part in _CUT_SHORT.finditer(log):
        size, there = int(part[1]), int(part[2])
        if there < size < UNKNOWN_LENGTH:
            raise _AudioError(f"is truncated: its header promises {size} bytes, it holds {there}")


def _refuse_wrong_riff(path: Path, *, held: int, log: str) -> None:
    """Compare the fields of a RIFF header with each other and with the file's length."""
    block = _RIFF_BLOCK.search(log)
    size, there = (int(block[1]), int(block[3] or block[2])) if block else (0, 0)
    if size and there // size != held:
        raise _AudioError(
            f"has a wrong header: with {size} bytes for a sample of all channels and "
            f"{there} bytes of data it cannot hold {held} samples a channel"
        )
    junk = riff_junk(path)
    if junk and (junk.inside or junk.size > _PADDING):
        raise _AudioError(
            f"has a wrong header: it ends the data after {held} samples a channel, "
            f"and what follows from byte {junk.position} is no chunk"
        )
