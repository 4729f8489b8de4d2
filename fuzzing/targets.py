"""Targets of the fuzzer: one reader each, with seeds, and with the conditions that hold for any bytes.

Coverage is that of our own Python code. The code of libsndfile, soxr and librosa is not covered; their crashes are
noticed.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzzing.trees import FindingError, check_tree, tree_seeds
from snaps.datasets import Annotation, Entry, read_audio
from snaps.datasets.files import check_tiers
from snaps.datasets.textgrids import ALIGNER_TIERS, TextGridReader
from snaps.datasets.timit import TimitReader
from snaps.errors import RecordingError, legible
from tests.hostile.speech import Files, Utterance
from tests.hostile.trees import CATALOGUE

#: Bytes of the longest input; seeds that are longer are left out.
LONGEST = 40_000
RECORDING = "train/dr1/f0/sx0"


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes
    ----------
    check : callable
        Reads an input; any exception that it raises is a finding.
    seeds : callable
        First inputs.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def read_or_none(read: Callable[[], object], path: Path) -> object | None:
    """Result of a reader; None if it refuses the file, in one line that names the file."""
    try:
        return read()
    except RecordingError as error:
        if not error.reason.isprintable() or len(error.reason) > 2000:
            raise FindingError(f"the reason is no single line: {error.reason!r}") from error
        if legible(str(path)) not in error.reason:
            raise FindingError(f"the reason does not name {path}: {error.reason}") from error
        return None


def require(holds: bool, what: str) -> None:
    """Raise a finding unless a condition holds."""
    if not holds:
        raise FindingError(what)


_SCRATCH = Path(tempfile.mkdtemp(prefix="fuzzing"))


def forget_scratch() -> None:
    """Remove the files of inputs."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)


def _files(layout: str, container: str = "sphere") -> Files:
    files = Files(layout, _SCRATCH / layout / container, "sx0", RECORDING, container)
    if not files.folder.exists():
        files.write(Utterance())
    else:
        files.name_paths()
    return files


def _annotation_target(layout: str, kind: str) -> Target:
    """Target of an annotation file, among undamaged other files."""
    reader = TimitReader() if layout == "timit" else TextGridReader(tiers=dict(ALIGNER_TIERS))
    files = _files(layout)
    path = _SCRATCH / layout / f"input.{kind}"
    paths = {own: place for own, place in files.paths.items() if own != "audio"}
    paths = {("textgrid" if own == "grid" else own): place for own, place in (paths | {kind: path}).items()}
    entry = Entry(RECORDING, files.paths["audio"], paths)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        found = read_or_none(lambda: reader.read(entry), path)
        if not isinstance(found, Annotation):
            return
        count = {"grid": _count_grid, "txt": lambda *_: None}.get(kind, _count_lines)
        count(found, path, kind)
        read_or_none(lambda: check_tiers(found, recording=RECORDING, duration=0.5), path)

    return Target(check, lambda: _seeds(kind, files.paths[kind].read_bytes()))


def _count_lines(found: Annotation, path: Path, kind: str) -> None:
    """Require one interval for each line that is not blank."""
    from snaps.datasets.files import read_text

    tier = found.tiers[{"phn": "phoneme", "wrd": "word"}[kind]]
    lines = [line for line in read_text(path, recording=RECORDING).splitlines() if line.strip()]
    require(len(tier) == len(lines), f"{len(lines)} lines gave {len(tier)} intervals")


def _count_grid(found: Annotation, path: Path, _: str) -> None:
    """Require that every string of the file was read as a label or name: none is lost."""
    from snaps.datasets.files import read_text
    from snaps.datasets.textgrids import parse_textgrid

    text = read_text(path, recording=RECORDING)
    grid = parse_textgrid(text)
    if not grid.point_tiers:
        expected = 2 + sum(2 + len(intervals) for _, intervals in grid.tiers)
        require(_strings(text) == expected, f"{_strings(text)} strings, of which {expected} were read")
    require(set(found.tiers) == {"phoneme", "word"}, f"the tiers are {set(found.tiers)}")


def _strings(text: str) -> int:
    """Number of quoted strings, counted character by character; Praat doubles quotes within them."""
    number, place = 0, 0
    while place < len(text):
        if text[place] == "!":
            ends = [end for end in (text.find("\n", place), text.find("\r", place)) if end >= 0]
            place = min(ends, default=len(text))
        elif text[place] == '"':
            number += 1
            place += 1
            while text[place : place + 2] == '""' or text[place] != '"':
                place += 2 if text[place] == '"' else 1
        place += 1
    return number


def _audio_target(container: str) -> Target:
    files = _files("timit" if container == "sphere" else "textgrids", container)
    path = files.folder / "input.wav"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        audio = read_or_none(lambda: read_audio(path, recording=RECORDING), path)
        if audio is None:
            return
        samples: np.ndarray = audio.samples  # type: ignore[attr-defined]
        require(len(samples) > 0 and bool(np.isfinite(samples).all()), "samples are missing or not finite")
        require(audio.duration > 0, "it takes no time")  # type: ignore[attr-defined]
        count = re.search(rb"^sample_count -i (\d+)$", data[:1024].split(b"end_head")[0], re.MULTILINE)
        rate = re.search(rb"^sample_rate -i (\d+)$", data[:1024].split(b"end_head")[0], re.MULTILINE)
        if data.startswith(b"NIST_1A\n") and count and rate:
            seconds = int(count[1]) / int(rate[1])
            require(audio.duration >= seconds * 0.999, f"{seconds} s were promised")  # type: ignore[attr-defined]

    return Target(check, lambda: _seeds(container, files.paths["audio"].read_bytes()))


def _seeds(part: str, sound: bytes) -> list[bytes]:
    """An undamaged file, and the file with each damage of the catalogue."""
    kind = "audio" if part in ("sphere", "riff", "flac") else part
    changed = [damage.change(sound) for damage in CATALOGUE if damage.change and damage.part in (part, kind)]
    return [seed for seed in dict.fromkeys([sound, *changed]) if len(seed) <= LONGEST]


def _targets() -> Iterator[tuple[str, Callable[[], Target]]]:
    yield "textgrid", lambda: _annotation_target("textgrids", "grid")
    for kind in ("phn", "wrd", "txt"):
        yield kind, lambda kind=kind: _annotation_target("timit", kind)  # type: ignore[misc]
    for container in ("sphere", "riff", "flac"):
        yield container, lambda container=container: _audio_target(container)  # type: ignore[misc]
    yield "trees", lambda: Target(check_tree, tree_seeds)


#: Targets by name, made on request.
TARGETS: dict[str, Callable[[], Target]] = dict(_targets())
