"""Corpora of files: listed at once, read one recording at a time."""

import functools
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import index as as_index
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np

from snaps.datasets.audio import MOST_AUDIO_BYTES, read_audio
from snaps.datasets.paths import require_file
from snaps.datasets.recording import Interval, Recording
from snaps.datasets.spectrogram import N_MELS, SETTINGS, STEP, mel_frequencies, mel_spectrogram
from snaps.errors import InputError, RecordingError, shown

#: Seconds by which times may differ and still count as equal: files round them.
ROUNDING = 1e-6
#: Bytes of the largest annotation that is read; hours of speech take a few million.
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Entry:
    """Files and attributes of one recording, before anything is read.

    Attributes
    ----------
    id : str
        Identifier, unique in the corpus.
    audio : Path or None
        The audio file; None where only annotations were found.
    annotations : mapping of str to Path
        Annotation files by kind, e.g. ``phn``.
    attributes : mapping of str to str
        Attributes that follow from the file's folder and name.
    problem : str or None
        Reason why it cannot be read, if that is known already; reading it raises a `RecordingError` with it.
    """

    id: str
    audio: Path | None
    annotations: Mapping[str, Path] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True)
class Annotation:
    """Tiers and attributes of one recording, as its annotation files hold them.

    Attributes
    ----------
    tiers : mapping of str to sequence of Interval
        Intervals by tier, in file order.
    sources : mapping of str to Path
        The file that each tier comes from, for errors.
    attributes : mapping of str to str
        Attributes that hold for the whole recording.
    """

    tiers: Mapping[str, Sequence[Interval]]
    sources: Mapping[str, Path]
    attributes: Mapping[str, str] = field(default_factory=dict)


class AnnotationReader(Protocol):
    """Reader of the annotation files of one entry."""

    def read(self, entry: Entry) -> Annotation:
        """Read tiers and attributes; every problem is a `RecordingError`."""

    def options(self) -> dict[str, Any]:
        """Options that change what is read, in values that JSON can hold."""


@dataclass(frozen=True, eq=False, repr=False)
class FileCorpus:
    """Corpus whose recordings lie in files, as ``load_*`` functions return it.

    Indexing reads one recording and raises a `RecordingError` if that recording cannot be used; a slice, or
    `select`, gives a smaller corpus without reading anything.

    Parameters
    ----------
    name : str
        Name of the corpus.
    entries : tuple of Entry
        The recordings, in order.
    reader : AnnotationReader
        Reader of the annotation files.
    """

    name: str
    entries: tuple[Entry, ...]
    reader: AnnotationReader

    def __post_init__(self) -> None:
        seen: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.id in seen:
                raise InputError(
                    f"two recordings have the same identifier {entry.id!r}: "
                    f"'{seen[entry.id].audio}' and '{entry.audio}'"
                )
            seen[entry.id] = entry

    @property
    def settings(self) -> dict[str, Any]:
        """How features are made: `snaps.datasets.spectrogram.SETTINGS`."""
        return dict(SETTINGS)

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers of the recordings, in order; nothing is read."""
        return tuple(entry.id for entry in self.entries)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that determines the recordings and their order.

        Identifiers, attributes, the bytes of all audio and annotation files, and the options; not the place
        where the corpus lies, nor the dates of its files. Computed on first access.
        """
        digest = hashlib.sha256(_canonical([self.settings, self.reader.options()]))
        for entry in self.entries:
            files = {kind: _file_digest(path, most=MOST_BYTES) for kind, path in entry.annotations.items()}
            audio = None if entry.audio is None else _file_digest(entry.audio, most=MOST_AUDIO_BYTES)
            digest.update(_canonical([entry.id, dict(entry.attributes), audio, files, entry.problem is None]))
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Recording: ...

    @overload
    def __getitem__(self, index: slice) -> "FileCorpus": ...

    def __getitem__(self, index: int | slice) -> "Recording | FileCorpus":
        """Read one recording, or take a slice as a smaller corpus.

        Raises
        ------
        RecordingError
            If a file is missing, is damaged, or contradicts itself.
        IndexError
            If there is no such recording.
        """
        if isinstance(index, slice):
            return replace(self, entries=self.entries[index])
        return self._read(self.entries[as_index(index)], with_audio=True)

    def __iter__(self) -> Iterator[Recording]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"FileCorpus(name={self.name!r}, recordings={len(self)})"

    def annotation(self, index: int) -> Recording:
        """Read a recording without its audio: features of no steps, and tiers as they stand in the files.

        Raises
        ------
        RecordingError
            If an annotation is missing, is damaged, or has an interval that ends before it starts.
        """
        return self._read(self.entries[as_index(index)], with_audio=False)

    def select(self, indices: Iterable[int]) -> "FileCorpus":
        """Corpus of some of the recordings, in the order given; nothing is read.

        Parameters
        ----------
        indices : iterable of int
            Places in this corpus.

        Returns
        -------
        FileCorpus
            These recordings, with the same reader and name.
        """
        return replace(self, entries=tuple(self.entries[as_index(index)] for index in indices))

    def _read(self, entry: Entry, *, with_audio: bool) -> Recording:
        if entry.problem is not None:
            raise RecordingError(entry.id, entry.problem)
        annotation = self.reader.read(entry)
        features, duration = np.zeros((N_MELS, 0), dtype=np.float32), math.inf
        if with_audio:
            if entry.audio is None:
                raise RecordingError(entry.id, f"recording {entry.id!r} has annotations but no audio file")
            audio = read_audio(entry.audio, recording=entry.id)
            features, duration = mel_spectrogram(audio.samples), audio.duration
        tiers, clipped = check_tiers(annotation, recording=entry.id, duration=duration)
        return Recording(
            id=entry.id,
            features=features,
            step=STEP,
            tiers=tiers,
            attributes={**entry.attributes, **annotation.attributes},
            frequency=mel_frequencies() if with_audio else None,
            clipped=clipped,
        )


def read_text(path: Path, *, recording: str) -> str:
    """Text of an annotation file in UTF-8, with or without a byte-order mark, UTF-16, or else Latin-1.

    Raises
    ------
    RecordingError
        If the file cannot be read, is larger than 64 MiB, or has a NUL, which no text has.
    """
    try:
        require_file(path, most=MOST_BYTES)
        raw = path.read_bytes()
    except OSError as error:
        raise RecordingError(recording, f"the annotation '{path}' cannot be read: {error.strerror or error}") from None
    encoding = "utf-8-sig"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in raw[:2]:
        encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise RecordingError(
                recording, f"the annotation '{path}' is damaged: it is no text in UTF-16, as it claims"
            ) from None
        text = raw.decode("latin-1")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise RecordingError(recording, f"the annotation '{path}' is damaged: it has a NUL in its line {line}")
    return text


def check_tiers(
    annotation: Annotation, *, recording: str, duration: float = math.inf
) -> tuple[dict[str, list[Interval]], int]:
    """Refuse intervals that cannot be right, and cut those that end after the audio.

    Overlapping intervals and intervals of length zero are fine, and file order is kept. Times that differ by
    at most a microsecond count as equal.

    Parameters
    ----------
    annotation : Annotation
        Intervals as they were read.
    recording : str
        Identifier of the recording, for the error.
    duration : float
        Seconds of audio; without it only the order of start and end is checked.

    Returns
    -------
    tiers : dict of str to list of Interval
        Intervals by tier, in file order.
    clipped : int
        How many intervals ended after the audio and were cut at its end.

    Raises
    ------
    RecordingError
        If an interval ends before it starts or before the audio begins, starts after the audio's end, or has a time
        that is not finite.
    """
    clipped = 0
    tiers: dict[str, list[Interval]] = {}
    for name, intervals in annotation.tiers.items():
        tiers[name] = []
        for interval in intervals:
            start, end, label = interval
            if not (math.isfinite(start) and math.isfinite(end)):
                wrong = "has a time that is not finite"
            elif end < start - ROUNDING:
                wrong = "ends before it starts"
            elif end < -ROUNDING:
                wrong = "ends before the audio begins"
            elif start > duration + ROUNDING:
                wrong = f"starts after the end of the audio at {duration:.10g} s"
            else:
                wrong = ""
            if wrong:
                raise RecordingError(
                    recording,
                    f"'{annotation.sources[name]}': the interval {shown(label)} of the tier {name!r} "
                    f"({start:.10g} s to {end:.10g} s) {wrong}",
                )
            clipped += end > duration + ROUNDING
            tiers[name].append(Interval(min(start, duration), min(end, duration), label))
    return tiers, clipped


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def _file_digest(path: Path, *, most: int) -> str | None:
    """SHA-256 of a file; None if it cannot be read, which is an error only when its recording is read."""
    try:
        require_file(path, most=most)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
