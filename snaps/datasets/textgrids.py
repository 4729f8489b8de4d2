"""Audio with Praat TextGrids, as forced aligners write them; LibriSpeech with its alignments among them."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from snaps.datasets.audio import AUDIO_SUFFIXES
from snaps.datasets.files import Annotation, Entry, FileCorpus, read_text
from snaps.datasets.paths import exists, require_folder, walk_files
from snaps.datasets.recording import Interval
from snaps.datasets.textgrid_format import TextGrid, TextGridError, parse_textgrid
from snaps.errors import InputError, RecordingError, legible, one_of

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
    """Load a corpus of audio files with TextGrids, in whatever folders.

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

    Returns
    -------
    FileCorpus
        The corpus; nothing but its list of files has been read yet.

    Raises
    ------
    MissingFileError
        If a folder does not exist.
    InputError
        If there is no audio, or no TextGrid at all, a folder cannot be read, or an option is none of those accepted.

    Notes
    -----
    Reading a recording raises a `RecordingError` if it has no TextGrid or several that fit, if that lacks a
    tier or is damaged, if the audio is, or if an interval ends before it starts or lies outside the audio.
    Intervals that end after the audio are cut, and counted in `Recording.clipped`. Neighbours may overlap.
    """
    if not isinstance(tiers, Mapping) or not tiers or not all(_is_name(n) for p in tiers.items() for n in p):
        raise InputError(f"tiers is {tiers!r}; accepted is a mapping from a tier's name to what it is to be called")
    names = list(tiers.values())
    if len(set(names)) < len(names):
        raise InputError(f"tiers gives the same name to two tiers: {one_of(names)}")
    if refused := [name for name in names if name in _TAKEN]:
        raise InputError(f"tiers gives a tier the name {refused[0]!r}; it is taken, as are {one_of(_TAKEN)}")
    audio_root = require_folder(root, "corpus")
    grid_root = audio_root if annotations is None else require_folder(annotations, "folder of the annotations")
    audio = [path for path in walk_files(audio_root) if path.suffix.lower() in AUDIO_SUFFIXES]
    if not audio:
        raise InputError(f"'{audio_root}' holds no audio; accepted endings are {one_of(AUDIO_SUFFIXES)}")
    grids = [path for path in walk_files(grid_root) if path.suffix.lower() == ".textgrid"]
    if not grids:
        raise InputError(f"'{grid_root}' holds no TextGrids; accepted are files that end in .TextGrid")
    matched = _match(_below(audio_root, audio), _below(grid_root, grids))
    entries = [_entry(path, key, matched[key], relative=grid_root) for key, path in _below(audio_root, audio).items()]
    return FileCorpus(
        name=f"textgrids-{legible(audio_root.resolve().name)}",
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
            there = one_of(own[:60] for own, _ in grid.tiers)
            points = (
                f" (and the point tiers {one_of(own[:60] for own in grid.point_tiers)})" if grid.point_tiers else ""
            )
            number = "no interval tier" if not found else f"{len(found)} interval tiers"
            raise RecordingError(entry.id, f"'{path}' has {number} {name!r}; its interval tiers are {there}{points}")
        mapping = self.relabel.get(self.tiers[name], {})
        return [i._replace(label=mapping.get(i.label, i.label) or "") for i in found[0]]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _below(root: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """Files by their path below the root, without the ending."""
    files: dict[str, Path] = {}
    for path in sorted(paths):
        key = path.relative_to(root).with_suffix("").as_posix()
        if key in files:
            raise InputError(f"two files have the same name but for the ending: '{files[key]}' and '{path}'")
        files[key] = path
    return files


def _match(
    audio: Mapping[str, Path], grids: Mapping[str, Path]
) -> dict[str, tuple[tuple[Path, ...], tuple[Path, ...]]]:
    """Match by the same path; then, of what is left, by the most parts in common, counted from the end.

    Returns, by recording, the TextGrids that fit (one if all is well), and all recordings that these fit if there
    are several.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for key in grids:
        same["/".join(_parts(key))].append(key)
    matched = {key: [key] if key in grids else same["/".join(_parts(key))] for key in audio}
    used = {grid for keys in matched.values() for grid in keys}
    matches: dict[str, tuple[tuple[Path, ...], tuple[Path, ...]]] = {
        key: (tuple(grids[grid] for grid in keys), ()) for key, keys in matched.items()
    }
    open_audio = {key: _parts(key) for key in audio if not matched[key]}
    open_grids = {key: _parts(key) for key in grids if key not in used}
    names = Counter(_parts(key)[-1] for keys in (audio, grids) for key in keys)
    for depth in range(max(map(len, open_audio.values()), default=0), 0, -1):
        by_end = _by_end(open_grids, depth)
        for end, keys in _by_end(open_audio, depth).items():
            fit = by_end.get(end, [])
            # A name like 001 says nothing: without folders in common it has to be the only one.
            if not fit or (depth == 1 and names[end[0]] > 2):
                continue
            rivals = tuple(audio[key] for key in keys) if len(keys) > 1 else ()
            for key in keys:
                matches[key] = (tuple(grids[grid] for grid in fit), rivals)
                del open_audio[key]
            for grid in fit:
                del open_grids[grid]
    return matches


def _parts(key: str) -> tuple[str, ...]:
    """Path as it is compared: case and the composition of accents are file systems' own business."""
    return tuple(unicodedata.normalize("NFC", key).lower().split("/"))


def _by_end(keys: Mapping[str, tuple[str, ...]], depth: int) -> dict[tuple[str, ...], list[str]]:
    """Paths by their last parts."""
    ends: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, parts in keys.items():
        if len(parts) >= depth:
            ends[parts[-depth:]].append(key)
    return ends


def _entry(path: Path, key: str, match: tuple[tuple[Path, ...], tuple[Path, ...]], *, relative: Path) -> Entry:
    grids, rivals = match
    *folders, stem = key.split("/")
    librispeech = _LIBRISPEECH.fullmatch(stem)
    attributes, annotations, problem = {}, {}, None
    if librispeech:
        attributes["speaker"] = librispeech["speaker"]
        transcript = path.with_name(f"{librispeech['chapter']}.trans.txt")
        # A name of digits alone may be so long that this one is none.
        with suppress(InputError):
            if exists(transcript):
                annotations["transcript"] = transcript
    elif folders:
        attributes["speaker"] = legible(folders[-1])
    if len(grids) > 1:
        problem = f"'{path}' has several TextGrids that fit: {one_of(map(str, grids))}"
    elif rivals:
        problem = f"the TextGrid '{grids[0]}' fits several recordings: {one_of(map(str, rivals))}"
    elif grids:
        annotations["textgrid"] = grids[0]
    else:
        problem = f"'{path}' has no TextGrid in '{relative}'"
    # Names that are not in UTF-8 could be written into no file.
    return Entry(id=legible(key), audio=path, annotations=annotations, attributes=attributes, problem=problem)


def _relabel_by_tier(relabel: Relabel | Mapping[str, Relabel] | None, names: Sequence[str]) -> dict[str, Relabel]:
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
