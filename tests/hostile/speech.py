"""Recordings whose every number is known, the files that hold them, and what reading these must come to.

Nothing here comes from the package: lengths are counted in whole samples, frames and labels by plain loops.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

#: Receptive field, stride and centre of the network that the trees here are played to.
FIELD, HOP, CENTRE = 9, 2, 4
#: Samples at 16 kHz from one step of the spectrogram to the next.
STEP = 128

Span = tuple[int, int, str]

PHONEMES: tuple[Span, ...] = (
    *((0, 900, "h#"), (900, 2100, "sh"), (2000, 3300, "iy"), (3300, 3301, "q")),
    *((3301, 5000, "hv"), (5000, 6400, "ae"), (6400, 8000, "h#")),
)
WORDS: tuple[Span, ...] = ((900, 3300, "she"), (3301, 6400, "had"))


@dataclass(frozen=True)
class Utterance:
    """Noise and its labels; times are counted in samples at 16 kHz, whatever the rate of the file."""

    samples: int = 8000
    rate: int = 16000
    channels: int = 1
    phonemes: tuple[Span, ...] = PHONEMES
    words: tuple[Span, ...] = WORDS
    seed: int = 0

    @property
    def tiers(self) -> dict[str, tuple[Span, ...]]:
        return {"phoneme": self.phonemes, "word": self.words}

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    @property
    def frames(self) -> int:
        """Number of windows of `FIELD` steps, `HOP` steps apart, that lie wholly inside."""
        steps = 1 + -(-self.samples * 16000 // self.rate) // STEP
        found = 0
        while found * HOP + FIELD <= steps:
            found += 1
        return found

    @property
    def clipped(self) -> int:
        """Intervals that end after the audio."""
        return sum(end / 16000 > self.seconds + 1e-6 for tier in self.tiers.values() for _, end, _ in tier)

    def labels(self, tier: str) -> list[str | None]:
        """Label of every frame: that of the first interval in file order that holds its centre."""
        found: list[str | None] = []
        for number in range(self.frames):
            time = (number * HOP + CENTRE) * 0.008
            spans = [label for start, end, label in self.tiers[tier] if start / 16000 <= time < end / 16000]
            found.append(spans[0] or None if spans else None)
        return found

    def noise(self) -> np.ndarray:
        shape = (self.samples, self.channels)
        return (np.random.default_rng(self.seed).standard_normal(shape) * 3000).astype("<i2")


#: Fields of a header as TIMIT has it; `None` in the place of a value leaves the field out.
SPHERE_FIELDS: dict[str, str | None] = {
    "database_id": "-s5 TIMIT",
    "channel_count": "-i 1",
    "sample_count": "-i 8000",
    "sample_rate": "-i 16000",
    "sample_min": "-i -2191",
    "sample_max": "-i 2790",
    "sample_n_bytes": "-i 2",
    "sample_byte_format": "-s2 01",
    "sample_sig_bits": "-i 16",
}


def sphere_header(fields: dict[str, str | None], *, magic: str = "NIST_1A", size: object = 1024, end: str = "end_head"):
    """Header of a NIST SPHERE file, padded with blanks."""
    lines = [f"{name} {value}" for name, value in fields.items() if value is not None]
    return "\n".join([magic, f"{size:>7}", *lines, end, ""]).encode().ljust(1024)


def write_audio(path: Path, utterance: Utterance, container: str) -> None:
    if container == "sphere":
        own = {"channel_count": utterance.channels, "sample_count": utterance.samples, "sample_rate": utterance.rate}
        fields = SPHERE_FIELDS | {name: f"-i {value}" for name, value in own.items()}
        path.write_bytes(sphere_header(fields) + utterance.noise().tobytes())
    else:
        kind = {"riff": "WAV", "flac": "FLAC"}[container]
        soundfile.write(path, utterance.noise(), utterance.rate, format=kind, subtype="PCM_16")


def lines(spans: Iterable[Span]) -> bytes:
    """A tier as TIMIT writes it."""
    return "".join(f"{start} {end} {label}\n" for start, end, label in spans).encode()


@dataclass
class Field:
    """One field of a TextGrid in the long form: a number, a quoted text, or a line that Praat ignores."""

    where: str
    text: str


def grid_fields(utterance: Utterance) -> list[Field]:
    """Fields of a TextGrid, in the order of the file; ``where`` says which one it is."""
    end = f"{utterance.seconds}"
    fields = [
        Field("file type", 'File type = "ooTextFile"'),
        Field("object class", 'Object class = "TextGrid"'),
        Field("start", "xmin = 0"),
        Field("end", f"xmax = {end}"),
        Field("flag", "tiers? <exists>"),
        Field("size", "size = 2"),
        Field("", "item []:"),
    ]
    for number, (name, tier) in enumerate({"words": utterance.words, "phones": utterance.phonemes}.items(), start=1):
        fields += [
            Field("", f"    item [{number}]:"),
            Field(f"{name} class", '        class = "IntervalTier"'),
            Field(f"{name} name", f'        name = "{name}"'),
            Field(f"{name} start", "        xmin = 0"),
            Field(f"{name} end", f"        xmax = {end}"),
            Field(f"{name} size", f"        intervals: size = {len(tier)}"),
        ]
        for place, (first, last, label) in enumerate(tier, start=1):
            fields += [
                Field("", f"        intervals [{place}]:"),
                Field(f"{name} {place} start", f"            xmin = {first / 16000!r}"),
                Field(f"{name} {place} end", f"            xmax = {last / 16000!r}"),
                Field(f"{name} {place} text", f'            text = "{label}"'),
            ]
    return fields


def grid_text(fields: Iterable[Field]) -> str:
    return "".join(f"{part.text}\n" for part in fields)


@dataclass
class Files:
    """Where the files of one recording lie.

    Attributes
    ----------
    layout : str
        ``timit`` or ``textgrids``.
    container : str
        ``sphere``, ``riff`` or ``flac``.
    name : str
        Name without an ending; damages may give it another.
    id : str
        What the corpus will call it.
    """

    layout: str
    folder: Path
    name: str
    id: str
    container: str
    paths: dict[str, Path] = field(default_factory=dict)

    def name_paths(self) -> None:
        if self.layout == "timit":
            endings = {"audio": ".WAV", "phn": ".PHN", "wrd": ".WRD", "txt": ".TXT"}
        else:
            suffix = {"sphere": ".sph", "riff": ".wav", "flac": ".flac"}[self.container]
            endings = {"audio": suffix, "grid": ".TextGrid"}
        self.paths = {kind: self.folder / f"{self.name}{ending}" for kind, ending in endings.items()}

    def write(self, utterance: Utterance) -> None:
        self.name_paths()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_audio(self.paths["audio"], utterance, self.container)
        if self.layout == "timit":
            self.paths["phn"].write_bytes(lines(utterance.phonemes))
            self.paths["wrd"].write_bytes(lines(utterance.words))
            self.paths["txt"].write_bytes(b"0 8000 She had.\n")
        else:
            self.paths["grid"].write_text(grid_text(grid_fields(utterance)), encoding="utf-8")
