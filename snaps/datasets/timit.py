"""TIMIT, and any corpus in its layout."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snaps.datasets.annotation import Annotation
from snaps.datasets.files import Entry, FileCorpus, read_text
from snaps.datasets.paths import exists, expand, list_folder
from snaps.datasets.recording import Interval
from snaps.datasets.resampling import RATE
from snaps.datasets.timit_symbols import FOLD_39, PHONES_61
from snaps.errors import InputError, MissingFileError, RecordingError, legible, one_of, shown

SPLITS = ("test", "train")

_ANY = re.compile(".*", re.DOTALL)
_DIALECT = re.compile(r"dr\d+")
_KINDS = {"phn": "phone", "wrd": "word", "txt": "text"}
# Some copies put a RIFF file beside the original, and call it SA1.WAV.wav; the shortest name is the original.
_FILE = re.compile(r"(?P<stem>.+?)\.(?P<kind>wav(?=\.wav\Z|\Z)|phn\Z|wrd\Z|txt\Z)(?:\.wav)?", re.DOTALL)
_SAMPLE = re.compile(r"[-+]?[0-9]{1,15}")


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
        What becomes of the two sentences that all speakers read, SA1 and SA2. A number keeps that many
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
    if split is not None and split not in SPLITS:
        raise InputError(f"split is {split!r}; accepted are {one_of(SPLITS)} and None, which means both")
    if phones not in (61, 39) or isinstance(phones, bool):
        raise InputError(f"phones is {phones!r}; accepted are 61 and 39")
    counted = isinstance(dialect_sentences, int | np.integer) and not isinstance(dialect_sentences, bool)
    if dialect_sentences not in ("keep", "drop") and not (counted and int(dialect_sentences) >= 0):
        raise InputError(
            f"dialect_sentences is {dialect_sentences!r}; accepted are 'keep', 'drop' and whole numbers from 0"
        )
    base = _find_base(expand(root))
    found = {name: folders for name, folders in _splits(base).items() if folders}
    wanted = SPLITS if split is None else (split,)
    entries = [entry for name in wanted for folder in found.get(name, ()) for entry in _list_split(folder, name)]
    if not entries:
        where = f"no recordings of the split {split!r}" if split else "no recordings"
        raise InputError(f"the TIMIT corpus '{base}' has {where}; its splits are {one_of(found)}")
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
    """Reads ``.PHN``, ``.WRD`` and ``.TXT``; their sample numbers count at 16 kHz.

    Parameters
    ----------
    phones : {61, 39}
        Symbols of the phoneme tier.
    """

    phones: Literal[61, 39] = 61

    def options(self) -> dict[str, Any]:
        """Everything that changes what is read."""
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


def _find_base(root: Path) -> Path:
    """Folder that holds the splits: the root, or a folder up to two levels below it."""
    if not exists(root):
        raise MissingFileError(f"the corpus '{root}' does not exist")
    if not root.is_dir():
        raise InputError(f"the corpus '{root}' is a file; accepted is the folder of a TIMIT corpus")
    level = list_folder(root).folders
    if any(_splits(root).values()):
        return root
    unreadable: list[InputError] = []
    for _ in range(2):
        found: dict[tuple[int, int], Path] = {}
        below: list[Path] = []
        for folder in level:
            try:
                listing = list_folder(folder)
                # A link beside the folder it points to is no second corpus.
                if any(_splits(folder).values()):
                    found.setdefault(listing.identity, folder)
                below += listing.folders
            except InputError as error:
                unreadable.append(error)
        bases = list(found.values())
        if len(bases) > 1:
            raise InputError(f"'{root}' holds several TIMIT corpora, name one of them: {one_of(map(str, bases))}")
        if bases:
            return bases[0]
        level = tuple(below)
    if unreadable:
        raise unreadable[0]
    raise InputError(
        f"'{root}' is no TIMIT corpus: neither it nor a folder up to two levels below it has a folder TRAIN "
        "or TEST with dialect folders DR1 to DR8"
    )


def _splits(folder: Path) -> dict[str, list[Path]]:
    """Folders of each split, of which a copy that was merged from two may have both TRAIN and train."""
    children = list_folder(folder).folders
    return {
        split: [
            child
            for child in children
            if child.name.lower() == split
            and any(_DIALECT.fullmatch(dialect.name.lower()) for dialect in list_folder(child).folders)
        ]
        for split in SPLITS
    }


def _list_split(folder: Path, split: str) -> Iterator[Entry]:
    for dialect in _folders(folder, _DIALECT):
        for speaker in _folders(dialect):
            yield from _list_speaker(speaker, split, dialect.name.lower())


def _folders(folder: Path, names: re.Pattern[str] = _ANY) -> list[Path]:
    """Folders of certain names in a folder; a link in the place of one has to lead to one, or to a file."""
    listing = list_folder(folder)
    for path in listing.files:
        if names.fullmatch(path.name.lower()) and path in listing.links and not path.is_file():
            list_folder(path)
    return [path for path in listing.folders if names.fullmatch(path.name.lower())]


def _list_speaker(folder: Path, split: str, dialect: str) -> Iterator[Entry]:
    files: dict[str, dict[str, list[Path]]] = {}
    listing = list_folder(folder)
    for path in sorted((*listing.folders, *listing.files), key=lambda path: (len(path.name), path.name)):
        match = _FILE.fullmatch(path.name.lower())
        if match:
            files.setdefault(match["stem"], {}).setdefault(match["kind"], []).append(path)
    speaker = legible(folder.name.lower())
    attributes = {"speaker": speaker, "dialect": dialect, "split": split}
    if speaker[0] in "fm":
        attributes["sex"] = speaker[0]
    for stem, found in files.items():
        # A lone text is no recording: speakers' folders may hold notes.
        if found.keys() != {"txt"}:
            kinds = {kind: paths[0] for kind, paths in found.items()}
            sentence = legible(stem)
            yield Entry(
                id=f"{split}/{dialect}/{speaker}/{sentence}",
                audio=kinds.pop("wav", None),
                annotations=kinds,
                attributes={**attributes, "sentence": sentence},
                problem=next(filter(None, map(_rivals, found.values())), None),
            )


def _rivals(paths: list[Path]) -> str | None:
    """What is wrong where names differ by their case alone: two recordings, or two states of one."""
    first, *others = paths
    for path in others:
        if path.name.lower() == first.name.lower() and not _is_same(path, first):
            return f"'{first}' and '{path}' differ by the case of their names alone; accepted is one of them"
    return None


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _thin_dialect_sentences(entries: list[Entry], *, keep: int, seed: int) -> list[Entry]:
    generator = np.random.default_rng(seed)
    kept = {entry.id for entry in entries}
    for sentence in ("sa1", "sa2"):
        ids = [entry.id for entry in entries if entry.attributes["sentence"] == sentence]
        drawn = generator.permutation(len(ids))[:keep]
        kept -= set(ids) - {ids[place] for place in drawn}
    return [entry for entry in entries if entry.id in kept]


def _read_intervals(path: Path, recording: str) -> list[Interval]:
    """Lines ``start end label``, in samples at 16 kHz."""
    intervals = []
    for number, line in enumerate(read_text(path, recording=recording).splitlines(), start=1):
        if not line.strip():
            continue
        start, end, label = [*line.split(maxsplit=2), "", "", ""][:3]
        if not (_SAMPLE.fullmatch(start) and _SAMPLE.fullmatch(end) and label):
            raise RecordingError(
                recording,
                f"'{path}' has the line {number} {shown(line.strip())}; accepted are two sample numbers and a label",
            )
        intervals.append(Interval(int(start) / RATE, int(end) / RATE, label.strip().lower()))
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
