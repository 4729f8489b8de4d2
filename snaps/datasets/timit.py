"""TIMIT, and any corpus in its layout."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from snaps.datasets.files import Annotation, Entry, FileCorpus, read_text
from snaps.datasets.paths import require_folder, unreadable_folder, walk_files
from snaps.datasets.recording import Interval
from snaps.datasets.spectrogram import RATE
from snaps.errors import InputError, RecordingError, check_choice, legible, one_of, shown

SPLITS = ("test", "train")

#: All symbols of TIMIT's phonetic transcription, in alphabetical order.
PHONES_61: tuple[str, ...] = (
    *("aa", "ae", "ah", "ao", "aw", "ax", "ax-h", "axr", "ay", "b", "bcl", "ch", "d", "dcl", "dh", "dx"),
    *("eh", "el", "em", "en", "eng", "epi", "er", "ey", "f", "g", "gcl", "h#", "hh", "hv", "ih", "ix"),
    *("iy", "jh", "k", "kcl", "l", "m", "n", "ng", "nx", "ow", "oy", "p", "pau", "pcl", "q", "r", "s"),
    *("sh", "t", "tcl", "th", "uh", "uw", "ux", "v", "w", "y", "z", "zh"),
)

_FOLDED = {
    "aa": "ao",
    "ah": "ax ax-h",
    "er": "axr",
    "hh": "hv",
    "ih": "ix",
    "l": "el",
    "m": "em",
    "n": "en nx",
    "ng": "eng",
    "sh": "zh",
    "sil": "bcl dcl gcl pcl tcl kcl h# pau epi",
    "uw": "ux",
    "": "q",
}

#: Symbol by symbol, the fold of Lee and Hon (1989) from 61 to 39: silences, pauses and closures become
#: ``sil``, and the glottal stop ``q`` an empty label, which is none.
FOLD_39: Mapping[str, str] = MappingProxyType(
    {symbol: symbol for symbol in PHONES_61}
    | {symbol: folded for folded, symbols in _FOLDED.items() for symbol in symbols.split()}
)

_KINDS = {"phn": "phone", "wrd": "word", "txt": "text"}
# Some copies put a RIFF file beside the original, and call it SA1.WAV.wav; the shortest name is the original.
_FILE = re.compile(r"(?P<stem>.+?)\.(?P<kind>wav(?=\.wav\Z|\Z)|phn\Z|wrd\Z|txt\Z)(?:\.wav)?", re.DOTALL)
_DIALECT = re.compile(r"dr\d+")
_LINE = re.compile(r"(?P<start>[-+]?[0-9]{1,15})\s+(?P<end>[-+]?[0-9]{1,15})\s+(?P<label>\S.*)", re.DOTALL)


def load_timit(
    root: str | Path,
    *,
    split: str | None = None,
    dialect_sentences: Literal["keep", "drop"] | int = "keep",
    phones: Literal[61, 39] = 61,
    seed: int = 0,
) -> FileCorpus:
    """TIMIT, or a corpus in its layout: ``{TRAIN,TEST}/DR1/FCJF0/SA1.{WAV,PHN,WRD,TXT}``.

    Names may be in upper, lower or mixed case. Audio may be NIST SPHERE or RIFF. Recordings are sorted by
    their identifiers, which look like ``train/dr1/fcjf0/sa1``. They have the tiers ``phoneme`` and ``word``
    and the attributes ``speaker``, ``sex`` (``f`` or ``m``, the speaker's first letter), ``dialect``,
    ``split``, ``sentence`` and ``text`` (the transcript, punctuation included), all in lower case.

    Parameters
    ----------
    root : path
        Folder that holds ``TRAIN`` or ``TEST``, or lies one or two levels above it.
    split : {"train", "test"}, optional
        One part of the corpus; both unless given.
    dialect_sentences : {"keep", "drop"} or int
        Whether the two sentences that all speakers read, SA1 and SA2, are kept. A number keeps that many
        recordings of each, drawn from all that `split` selects (the SNAP paper keeps 7 for training).
    phones : {61, 39}
        Symbols of the phoneme tier: TIMIT's own, or the customary fold of Lee and Hon (1989), see `FOLD_39`.
        There, closures, pauses and the silence at both ends (``h#``, ``pau``, ``epi``) become ``sil``, which
        is a label like any other, and ``q`` becomes an empty label, which is none.
    seed : int
        Seed of the draw that a number of `dialect_sentences` needs.

    Returns
    -------
    FileCorpus
        The corpus; nothing but its list of files has been read yet.

    Raises
    ------
    MissingFileError
        If `root` does not exist.
    InputError
        If it is no TIMIT corpus, lacks the split, has a folder that cannot be read, or an option is none of those
        accepted.

    Notes
    -----
    Reading a recording raises a `RecordingError` if a file of it is missing or damaged, if a symbol is none
    of the 61, or if an interval ends before it starts or lies outside the audio. Intervals that end after the
    audio are cut, and counted in `Recording.clipped`.
    """
    check_choice("split", split, (*SPLITS, None))
    check_choice("phones", phones, (61, 39))
    counted = isinstance(dialect_sentences, int | np.integer) and not isinstance(dialect_sentences, bool)
    if dialect_sentences not in ("keep", "drop") and not (counted and int(dialect_sentences) >= 0):
        raise InputError(
            f"dialect_sentences is {dialect_sentences!r}; accepted are 'keep', 'drop' and whole numbers from 0"
        )
    base, files = _find_corpus(require_folder(root, "corpus"))
    wanted = SPLITS if split is None else (split,)
    speakers = {folder: found for folder, found in files.items() if folder[0].lower() in wanted}
    entries = [entry for folder, found in speakers.items() for entry in _list_speaker(folder, found)]
    if not entries:
        where = f"no recordings of the split {split!r}" if split else "no recordings"
        found_splits = sorted({folder[0].lower() for folder in files})
        raise InputError(f"the TIMIT corpus '{base}' has {where}; its splits are {one_of(found_splits)}")
    entries.sort(key=lambda entry: entry.id)
    if dialect_sentences != "keep":
        keep = 0 if dialect_sentences == "drop" else int(dialect_sentences)
        entries = _thin_dialect_sentences(entries, keep=keep, seed=seed)
        if not entries:
            raise InputError(f"no recordings are left of '{base}' without its dialect sentences")
    name = "timit" if split is None else f"timit-{split}"
    return FileCorpus(name=name, entries=tuple(entries), reader=TimitReader(phones=phones))


@dataclass(frozen=True)
class TimitReader:
    """Reader of ``.PHN``, ``.WRD`` and ``.TXT`` files, whose sample numbers count at 16 kHz.

    Parameters
    ----------
    phones : {61, 39}
        Symbols of the phoneme tier.
    """

    phones: Literal[61, 39] = 61

    def options(self) -> dict[str, Any]:
        """Options that change what is read."""
        return {"layout": "timit", "phones": self.phones}

    def read(self, entry: Entry) -> Annotation:
        """Read tiers and transcript of one recording.

        Raises
        ------
        RecordingError
            If a file is missing, empty or damaged, or a phone symbol is none of the 61.
        """
        for kind, noun in _KINDS.items():
            if kind not in entry.annotations:
                beside = entry.audio or next(iter(entry.annotations.values()))
                raise RecordingError(entry.id, f"'{beside}' has no {noun} annotation (.{kind.upper()}) beside it")
        phn, wrd, txt = (entry.annotations[kind] for kind in _KINDS)
        phonemes = _read_intervals(phn, entry.id)
        for number, phone in enumerate(phonemes, start=1):
            if phone.label not in FOLD_39:
                raise RecordingError(
                    entry.id,
                    f"'{phn}' has the phone symbol {shown(phone.label)} in its interval {number}; "
                    f"accepted are TIMIT's 61: {one_of(PHONES_61, limit=61)}",
                )
        if self.phones == 39:
            phonemes = [phone._replace(label=FOLD_39[phone.label]) for phone in phonemes]
        return Annotation(
            tiers={"phoneme": phonemes, "word": _read_intervals(wrd, entry.id)},
            sources={"phoneme": phn, "word": wrd},
            attributes={"text": _read_transcript(txt, entry.id)},
        )


def _find_corpus(root: Path) -> tuple[Path, dict[tuple[str, str, str], list[Path]]]:
    """Folder of the splits, up to two levels below the root, and its files by split, dialect and speaker."""
    unreadable: list[OSError] = []
    bases: dict[Path, dict[tuple[str, str, str], list[Path]]] = {}
    for path in walk_files(root, depth=5, unreadable=unreadable):
        folders = path.relative_to(root).parts[:-1]
        is_folder = any(_DIALECT.fullmatch(name.lower()) for name in (*folders[-1:], path.name))  # dialect or speaker
        if is_folder and not path.suffix and path.is_symlink() and not path.exists():
            raise InputError(f"the folder '{path}' cannot be read: it is a link to nothing")
        for level in range(min(3, len(folders) - 1)):
            split, dialect, *speaker = folders[level:]
            if split.lower() in SPLITS and _DIALECT.fullmatch(dialect.lower()):
                found = bases.setdefault(root.joinpath(*folders[:level]), {})
                if len(speaker) == 1:
                    found.setdefault((split, dialect, speaker[0]), []).append(path)
                break
    if len(bases) > 1:
        raise InputError(f"'{root}' holds several TIMIT corpora, name one of them: {one_of(map(str, bases))}")
    for error in unreadable:
        if not bases or Path(error.filename).is_relative_to(*bases):
            raise unreadable_folder(error)
    if not bases:
        raise InputError(
            f"'{root}' is no TIMIT corpus: neither it nor a folder up to two levels below it has a folder TRAIN "
            "or TEST with dialect folders DR1 to DR8"
        )
    return next(iter(bases.items()))


def _list_speaker(folders: tuple[str, str, str], paths: list[Path]) -> list[Entry]:
    """Recordings of one speaker's folder."""
    split, dialect, speaker = (legible(name.lower()) for name in folders)
    attributes = {"speaker": speaker, "dialect": dialect, "split": split}
    if speaker[0] in "fm":
        attributes["sex"] = speaker[0]
    files: dict[str, dict[str, list[Path]]] = {}
    for path in sorted(paths, key=lambda path: (len(path.name), path.name)):
        match = _FILE.fullmatch(path.name.lower())
        if match:
            files.setdefault(match["stem"], {}).setdefault(match["kind"], []).append(path)
    entries = []
    for stem, found in files.items():
        # A lone text is no recording: speakers' folders may hold notes.
        if found.keys() == {"txt"}:
            continue
        kinds = {kind: same[0] for kind, same in found.items()}
        sentence = legible(stem)
        entries.append(
            Entry(
                id=f"{split}/{dialect}/{speaker}/{sentence}",
                audio=kinds.pop("wav", None),
                annotations=kinds,
                attributes={**attributes, "sentence": sentence},
                problem=next(filter(None, map(_rivals, found.values())), None),
            )
        )
    return entries


def _rivals(paths: list[Path]) -> str | None:
    """Problem of a recording that has two files whose names differ by their case alone."""
    first, *others = paths
    for path in others:
        if path.name.lower() == first.name.lower() and os.path.realpath(path) != os.path.realpath(first):
            return f"'{first}' and '{path}' differ by the case of their names alone; accepted is one of them"
    return None


def _thin_dialect_sentences(entries: list[Entry], *, keep: int, seed: int) -> list[Entry]:
    generator = np.random.default_rng(seed)
    kept = {entry.id for entry in entries}
    for sentence in ("sa1", "sa2"):
        ids = [entry.id for entry in entries if entry.attributes["sentence"] == sentence]
        drawn = generator.permutation(len(ids))[:keep]
        kept -= set(ids) - {ids[place] for place in drawn}
    return [entry for entry in entries if entry.id in kept]


def _read_intervals(path: Path, recording: str) -> list[Interval]:
    """Intervals from lines ``start end label``, in samples at 16 kHz."""
    intervals = []
    for number, line in enumerate(read_text(path, recording=recording).splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise RecordingError(
                recording,
                f"'{path}' has the line {number} {shown(line.strip())}; accepted are two sample numbers and a label",
            )
        intervals.append(Interval(int(match["start"]) / RATE, int(match["end"]) / RATE, match["label"].lower()))
    if not intervals:
        raise RecordingError(recording, f"the annotation '{path}' holds no intervals")
    return intervals


def _read_transcript(path: Path, recording: str) -> str:
    words = read_text(path, recording=recording).lower().split()
    if len(words) > 2 and words[0].isdecimal() and words[1].isdecimal():
        words = words[2:]
    if not words:
        raise RecordingError(recording, f"the transcript '{path}' is empty")
    return " ".join(words)
