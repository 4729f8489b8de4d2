"""Audio with Praat TextGrids, as forced aligners write them; LibriSpeech with its alignments among them."""

import itertools
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from snaps.datasets.annotation import Annotation
from snaps.datasets.audio import AUDIO_SUFFIXES
from snaps.datasets.files import Entry, FileCorpus, read_text
from snaps.datasets.recording import Interval
from snaps.datasets.textgrid_format import TextGrid, TextGridError, parse_textgrid
from snaps.errors import InputError, MissingFileError, RecordingError, one_of

Relabel = Mapping[str, str | None]

#: What forced aligners call their tiers, and what we call them.
ALIGNER_TIERS: Mapping[str, str] = MappingProxyType({"phones": "phoneme", "words": "word"})

_LIBRISPEECH = re.compile(r"(?P<chapter>(?P<speaker>\d+)-\d+)-\d+")
_TAKEN = ("recording", "step", "time", "predicted", "speaker", "text")


def load_textgrids(
    root: str | Path,
    *,
    annotations: str | Path | None = None,
    tiers: Mapping[str, str] = ALIGNER_TIERS,
    relabel: Relabel | Mapping[str, Relabel] | None = None,
) -> FileCorpus:
    """Corpus of audio files with TextGrids, in whatever folders.

    A recording's `id` is its path below `root` without the ending; recordings are sorted by it. Each is
    matched with the TextGrid of the same path below `annotations` (case aside); else with the one of the same
    name that has the most folders in common with it, counted from the end; else with the one of the same
    name, if no other recording and no other TextGrid has that name.

    Attributes: ``speaker`` is the first number of a name like LibriSpeech's ``84-121123-0000``, else the name
    of the folder that the audio lies in (none in `root` itself); ``text``, in lower case, is LibriSpeech's
    transcript (``84-121123.trans.txt``) if that lies beside the audio, else the labels of the tier that is
    called ``word``, in a row.

    Parameters
    ----------
    root : path
        Folder of the audio: WAV, NIST SPHERE, FLAC, Ogg and more, at any depth.
    annotations : path, optional
        Folder of the TextGrids, where they lie in a tree of their own.
    tiers : mapping of str to str
        Which interval tiers to read, and what to call them; ``{"phones": "phoneme", "words": "word"}`` unless
        given.
    relabel : mapping, optional
        New labels by old ones, for all tiers: ``{"AH0": "ah", "sp": None}``; or one such mapping by the name
        that `tiers` gives: ``{"phoneme": {…}}``. None or an empty text is no label. Labels that the mapping
        lacks, and all labels without it, stay as they stand in the file.

    Raises
    ------
    MissingFileError
        If a folder does not exist.
    InputError
        If there is no audio, or no TextGrid at all, or an option is none of those accepted.

    Notes
    -----
    Reading a recording raises a `RecordingError` if it has no TextGrid or several that fit, if that lacks a
    tier or is damaged, if the audio is, or if an interval ends before it starts or starts after the audio.
    Intervals that end after the audio are cut, and counted in `Recording.clipped`. Neighbours may overlap.
    """
    if not isinstance(tiers, Mapping) or not tiers or not all(_is_name(n) for p in tiers.items() for n in p):
        raise InputError(
            f"tiers is {tiers!r}; accepted is a mapping from a tier's name to what it is to be called"
        )
    names = list(tiers.values())
    if len(set(names)) < len(names):
        raise InputError(f"tiers gives the same name to two tiers: {one_of(names)}")
    if refused := [name for name in names if name in _TAKEN]:
        raise InputError(f"tiers gives a tier the name {refused[0]!r}; it is taken, as are {one_of(_TAKEN)}")
    audio_root = _folder(root, "corpus")
    grid_root = audio_root if annotations is None else _folder(annotations, "annotations")
    audio = [path for path in _walk(audio_root) if path.suffix.lower() in AUDIO_SUFFIXES]
    if not audio:
        raise InputError(f"'{audio_root}' holds no audio; accepted endings are {one_of(AUDIO_SUFFIXES)}")
    grids = [path for path in _walk(grid_root) if path.suffix.lower() == ".textgrid"]
    if not grids:
        raise InputError(f"'{grid_root}' holds no TextGrids; accepted are files that end in .TextGrid")
    matched = _match(_below(audio_root, audio), _below(grid_root, grids))
    entries = [
        _entry(path, key, matched[key], relative=grid_root) for key, path in _below(audio_root, audio).items()
    ]
    return FileCorpus(
        name=f"textgrids-{audio_root.resolve().name}",
        entries=tuple(sorted(entries, key=lambda entry: entry.id)),
        reader=TextGridReader(tiers=dict(tiers), relabel=_relabel_by_tier(relabel, names)),
    )


@dataclass(frozen=True)
class TextGridReader:
    """Reads the chosen tiers of a TextGrid, and LibriSpeech's transcript.

    Parameters
    ----------
    tiers : mapping of str to str
        Our name of each tier by its name in the file.
    relabel : mapping
        New labels by old ones, by our name of the tier.
    """

    tiers: Mapping[str, str]
    relabel: Mapping[str, Relabel] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """Everything that changes what is read."""
        relabel = {name: dict(mapping) for name, mapping in self.relabel.items()}
        return {"layout": "textgrids", "tiers": dict(self.tiers), "relabel": relabel}

    def read(self, entry: Entry) -> Annotation:
        """Read tiers and transcript of one recording.

        Raises
        ------
        RecordingError
            If the TextGrid is damaged or lacks a tier.
        """
        path = entry.annotations["textgrid"]
        try:
            grid = parse_textgrid(read_text(path, recording=entry.id))
        except TextGridError as error:
            raise RecordingError(entry.id, f"'{path}' is no TextGrid that can be read: {error}") from None
        tiers = {ours: self._tier(grid, name, entry=entry) for name, ours in self.tiers.items()}
        attributes = {}
        text = _transcript(entry)
        if text is None and "word" in tiers:
            text = " ".join(word.label for word in tiers["word"] if word.label)
        if text is not None:
            attributes["text"] = text.lower()
        return Annotation(tiers=tiers, sources=dict.fromkeys(tiers, path), attributes=attributes)

    def _tier(self, grid: TextGrid, name: str, *, entry: Entry) -> list[Interval]:
        path = entry.annotations["textgrid"]
        found = [intervals for own, intervals in grid.tiers if own == name]
        if len(found) != 1:
            there = one_of(own for own, _ in grid.tiers)
            points = f" (and the point tiers {one_of(grid.point_tiers)})" if grid.point_tiers else ""
            number = "no interval tier" if not found else f"{len(found)} interval tiers"
            raise RecordingError(
                entry.id, f"'{path}' has {number} {name!r}; its interval tiers are {there}{points}"
            )
        mapping = self.relabel.get(self.tiers[name], {})
        return [i._replace(label=mapping.get(i.label, i.label) or "") for i in found[0]]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _folder(path: str | Path, what: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.exists():
        raise MissingFileError(f"the folder '{folder}' of the {what} does not exist")
    if not folder.is_dir():
        raise InputError(f"the {what} '{folder}' is a file; accepted is a folder")
    return folder


def _walk(root: Path) -> list[Path]:
    """All files below a folder; linked folders are entered too, but each folder once, so that loops end."""
    files: list[Path] = []
    seen: set[Path] = set()
    queue = [root]
    while queue:
        linked: list[Path] = []
        for start in sorted(queue):
            for folder, below, names in os.walk(start):
                real = Path(folder).resolve()
                # A link to a folder above the root leads out of the corpus, and back into it.
                if real in seen or (Path(folder) != root and root.resolve().is_relative_to(real)):
                    below.clear()
                    continue
                seen.add(real)
                below[:] = [name for name in below if not name.startswith(".")]
                linked += [link for name in below if (link := Path(folder, name)).is_symlink()]
                files += [Path(folder, name) for name in names if not name.startswith(".")]
        queue = linked
    return files


def _below(root: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """Files by their path below the root, without the ending."""
    files: dict[str, Path] = {}
    for path in sorted(paths):
        key = path.relative_to(root).with_suffix("").as_posix()
        if key in files:
            raise InputError(f"two files have the same name but for the ending: '{files[key]}' and '{path}'")
        files[key] = path
    return files


@dataclass(frozen=True)
class _Match:
    """TextGrids that fit a recording (one if all is well), and other recordings that they fit as well."""

    grids: tuple[Path, ...] = ()
    rivals: tuple[Path, ...] = ()


def _match(audio: Mapping[str, Path], grids: Mapping[str, Path]) -> dict[str, _Match]:
    """Match by the same path first, then by the same name and the most folders of the same names."""
    by_path: dict[str, list[str]] = defaultdict(list)
    for key in grids:
        by_path[_fold(key)].append(key)
    same = {key: [key] if key in grids else by_path[_fold(key)] for key in audio}
    used = {grid for keys in same.values() for grid in keys}
    by_stem: dict[str, list[str]] = defaultdict(list)
    for key in grids:
        by_stem[_fold(key, stem=True)].append(key)
    namesakes: dict[str, list[str]] = defaultdict(list)
    for key in audio:
        namesakes[_fold(key, stem=True)].append(key)
    matches = {}
    for key, path in audio.items():
        fit, rivals = same[key], []
        if not fit:
            stem = _fold(key, stem=True)
            unique = len(by_stem[stem]) == len(namesakes[stem]) == 1
            # A name like 001 says nothing: without folders in common it has to be the only one.
            free = [g for g in by_stem[stem] if g not in used and (unique or _shared_end(key, g) > 1)]
            fit = [g for g in free if _shared_end(key, g) == max(_shared_end(key, other) for other in free)]
            others = [name for name in namesakes[stem] if name != key and not same[name]]
            nearer = {g: [o for o in others if _shared_end(o, g) >= _shared_end(key, g)] for g in fit}
            fit = [g for g in fit if all(_shared_end(o, g) == _shared_end(key, g) for o in nearer[g])]
            rivals = [audio[o] for g in fit for o in nearer[g]]
        matches[key] = _Match(grids=tuple(grids[g] for g in fit), rivals=(path, *rivals) if rivals else ())
    return matches


def _fold(key: str, *, stem: bool = False) -> str:
    """Path as it is compared: case and the composition of accents are file systems' own business."""
    folded = unicodedata.normalize("NFC", key).lower()
    return folded.rsplit("/", 1)[-1] if stem else folded


def _shared_end(one: str, other: str) -> int:
    """How many parts two paths share, counted from their ends."""
    pairs = zip(reversed(_fold(one).split("/")), reversed(_fold(other).split("/")), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _entry(path: Path, key: str, match: _Match, *, relative: Path) -> Entry:
    *folders, stem = key.split("/")
    librispeech = _LIBRISPEECH.fullmatch(stem)
    attributes, annotations, problem = {}, {}, None
    if librispeech:
        attributes["speaker"] = librispeech["speaker"]
        transcript = path.with_name(f"{librispeech['chapter']}.trans.txt")
        if transcript.exists():
            annotations["transcript"] = transcript
    elif folders:
        attributes["speaker"] = folders[-1]
    if match.rivals:
        problem = f"the TextGrid '{match.grids[0]}' fits several recordings: {one_of(map(str, match.rivals))}"
    elif len(match.grids) == 1:
        annotations["textgrid"] = match.grids[0]
    elif match.grids:
        problem = f"'{path}' has several TextGrids that fit: {one_of(map(str, match.grids))}"
    else:
        problem = f"'{path}' has no TextGrid in '{relative}'"
    return Entry(id=key, audio=path, annotations=annotations, attributes=attributes, problem=problem)


def _relabel_by_tier(
    relabel: Relabel | Mapping[str, Relabel] | None, names: Sequence[str]
) -> dict[str, Relabel]:
    if relabel is None:
        return {}
    if not isinstance(relabel, Mapping):
        raise InputError(f"relabel is a {type(relabel).__name__}; accepted is a mapping from label to label")
    by_tier: dict[str, Any] = dict(relabel)
    if not any(isinstance(value, Mapping) for value in by_tier.values()):
        by_tier = dict.fromkeys(names, by_tier)
    for name, mapping in by_tier.items():
        if name not in names:
            raise InputError(f"relabel names the tier {name!r}; the tiers are {one_of(names)}")
        wrong = not isinstance(mapping, Mapping) or [
            new for new in mapping.values() if not (new is None or isinstance(new, str))
        ]
        if wrong:
            raise InputError(f"relabel of the tier {name!r} has {wrong!r}; accepted are texts and None")
    return by_tier


def _transcript(entry: Entry) -> str | None:
    """LibriSpeech's line for this recording, if its transcript lies beside the audio."""
    path = entry.annotations.get("transcript")
    if path is None:
        return None
    own = entry.id.rsplit("/", 1)[-1]
    for line in read_text(path, recording=entry.id).splitlines():
        name, _, text = line.strip().partition(" ")
        if name == own:
            return text.strip()
    return None
