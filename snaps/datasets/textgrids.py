"""Audio with Praat TextGrids, as forced aligners write them; LibriSpeech with its alignments among them.

TextGrids are read as Praat itself reads them: it takes strings, free-standing numbers and flags in their order, and
ignores everything else. So the long form, with its ``xmin =`` and ``intervals [2]:``, and the short form are one
format. Praat also ignores what follows the last tier; here that is an error: a size that is too small leaves it.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from snaps.datasets.audio import AUDIO_SUFFIXES
from snaps.datasets.files import Annotation, Entry, FileCorpus, read_text
from snaps.datasets.paths import exists, require_folder, walk_files
from snaps.datasets.recording import Interval
from snaps.errors import InputError, RecordingError, check_type, legible, one_of, shown

Relabel = Mapping[str, str | None]

#: Our names of the tiers of forced aligners.
ALIGNER_TIERS: Mapping[str, str] = MappingProxyType({"phones": "phoneme", "words": "word"})

_TOKEN = re.compile(
    r"""
      "(?P<string>[^"]*(?:""[^"]*)*)"
    | (?P<comment>![^\r\n]*)
    | (?<!\S)(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)
    | (?<!\S)(?P<flag><\w+>)(?!\S)
    | (?P<stray>")
    """,
    re.VERBOSE,
)
_LIBRISPEECH = re.compile(r"(?P<chapter>(?P<speaker>\d+)-\d+)-\d+")
_TAKEN = ("recording", "step", "time", "predicted", "speaker", "text")


def load_textgrids(
    root: str | Path,
    *,
    annotations: str | Path | None = None,
    tiers: Mapping[str, str] = ALIGNER_TIERS,
    relabel: Relabel | Mapping[str, Relabel] | None = None,
) -> FileCorpus:
    """Load a corpus of audio files with TextGrids, in folders of any layout.

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
        Interval tiers to read, and their names here; ``{"phones": "phoneme", "words": "word"}`` unless
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
    check_type("tiers", tiers, Mapping, accepted="a mapping from a tier's name to what it is to be called")
    if not tiers or not all(isinstance(name, str) and name for pair in tiers.items() for name in pair):
        raise InputError(f"tiers is {tiers!r}; accepted is a mapping from a tier's name to what it is to be called")
    names = list(tiers.values())
    if len({*names, *_TAKEN}) < len(names) + len(_TAKEN):
        raise InputError(
            f"tiers gives the names {one_of(names)}; accepted are names that differ and are none of {one_of(_TAKEN)}"
        )
    audio_root = require_folder(root, "corpus")
    grid_root = audio_root if annotations is None else require_folder(annotations, "folder of the annotations")
    audio = _files_below(audio_root, AUDIO_SUFFIXES)
    if not audio:
        raise InputError(f"'{audio_root}' holds no audio; accepted endings are {one_of(AUDIO_SUFFIXES)}")
    grids = _files_below(grid_root, (".textgrid",))
    if not grids:
        raise InputError(f"'{grid_root}' holds no TextGrids; accepted are files that end in .TextGrid")
    matched = _match(audio, grids)
    entries = [_entry(path, key, matched[key], relative=grid_root) for key, path in audio.items()]
    return FileCorpus(
        name=f"textgrids-{legible(audio_root.resolve().name)}",
        entries=tuple(sorted(entries, key=lambda entry: entry.id)),
        reader=TextGridReader(tiers=dict(tiers), relabel=_relabel_by_tier(relabel, names)),
    )


@dataclass(frozen=True)
class TextGridReader:
    """Reader of the chosen tiers of a TextGrid, and of LibriSpeech's transcript.

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
        """Options that change what is read."""
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

    def _tier(self, grid: "TextGrid", name: str, *, entry: Entry) -> list[Interval]:
        path = entry.annotations["textgrid"]
        found = [intervals for own, intervals in grid.tiers if own == name]
        if len(found) != 1:
            number = f"{len(found)} interval tiers" if found else "no interval tier"
            there, points = one_of(own[:60] for own, _ in grid.tiers), one_of(own[:60] for own in grid.point_tiers)
            raise RecordingError(
                entry.id, f"'{path}' has {number} {name!r}; its interval tiers are {there}, its point tiers {points}"
            )
        mapping = self.relabel.get(self.tiers[name], {})
        return [i._replace(label=mapping.get(i.label, i.label) or "") for i in found[0]]


def _files_below(root: Path, endings: Collection[str]) -> dict[str, Path]:
    """Files with one of the endings, by their path below the root without it."""
    files: dict[str, Path] = {}
    for path in sorted(path for path in walk_files(root) if path.suffix.lower() in endings):
        key = path.relative_to(root).with_suffix("").as_posix()
        if key in files:
            raise InputError(f"two files have the same name but for the ending: '{files[key]}' and '{path}'")
        files[key] = path
    return files


def _match(audio: Mapping[str, Path], grids: Mapping[str, Path]) -> dict[str, tuple[list[Path], list[Path]]]:
    """Match recordings and TextGrids by the same path, then by the most parts in common, counted from the end.

    Returns, by recording, the TextGrids that fit (one if all is well), and all recordings that these fit (one as well).
    """
    matches: dict[str, tuple[list[Path], list[Path]]] = {key: ([], []) for key in audio}
    open_audio, open_grids = list(audio), list(grids)
    names = Counter(_parts(key)[-1] for keys in (audio, grids) for key in keys)
    depths = range(max(len(_parts(key)) for key in audio), 0, -1)
    ways: list[Callable[[str], Sequence[str]]] = [str, _parts, *(partial(_parts, depth=depth) for depth in depths)]
    for end_of in ways:
        fitting = _by_end(open_grids, end_of)
        for end, keys in _by_end(open_audio, end_of).items():
            # A name like 001 says nothing: without folders in common it has to be the only one.
            if end in fitting and (end_of in (str, _parts) or len(end) > 1 or names[end[0]] <= 2):
                for key in keys:
                    matches[key] = ([grids[grid] for grid in fitting[end]], [audio[key] for key in keys])
        open_audio = [key for key in open_audio if not matches[key][0]]
        used = {grid for found, _ in matches.values() for grid in found}
        open_grids = [key for key in open_grids if grids[key] not in used]
    return matches


def _parts(key: str, *, depth: int = 0) -> tuple[str, ...]:
    """Last `depth` parts of a path (none if it is shorter), or all; case and composed accents do not count."""
    parts = tuple(unicodedata.normalize("NFC", key).lower().split("/"))
    return parts[-depth:] if len(parts) >= depth else ()


def _by_end(keys: Iterable[str], end_of: Callable[[str], Sequence[str]]) -> dict[Sequence[str], list[str]]:
    """Group paths by their ends; paths without an end are left out."""
    ends: dict[Sequence[str], list[str]] = defaultdict(list)
    for key in keys:
        if end := end_of(key):
            ends[end].append(key)
    return ends


def _entry(path: Path, key: str, match: tuple[list[Path], list[Path]], *, relative: Path) -> Entry:
    grids, rivals = match
    *folders, stem = key.split("/")
    attributes, annotations, problem = {}, {}, None
    if librispeech := _LIBRISPEECH.fullmatch(stem):
        attributes["speaker"] = librispeech["speaker"]
        transcript = path.with_name(f"{librispeech['chapter']}.trans.txt")
        # A name of digits alone may be so long that this one is none.
        with suppress(InputError):
            if exists(transcript):
                annotations["transcript"] = transcript
    elif folders:
        attributes["speaker"] = legible(folders[-1])
    if not grids:
        problem = f"'{path}' has no TextGrid in '{relative}'"
    elif len(grids) > 1:
        problem = f"'{path}' has several TextGrids that fit: {one_of(map(str, grids))}"
    elif len(rivals) > 1:
        problem = f"the TextGrid '{grids[0]}' fits several recordings: {one_of(map(str, rivals))}"
    else:
        annotations["textgrid"] = grids[0]
    # Names that are not in UTF-8 could be written into no file.
    return Entry(id=legible(key), audio=path, annotations=annotations, attributes=attributes, problem=problem)


def _relabel_by_tier(relabel: Relabel | Mapping[str, Relabel] | None, names: Sequence[str]) -> dict[str, Relabel]:
    if relabel is None:
        return {}
    check_type("relabel", relabel, Mapping, accepted="a mapping from label to label")
    by_tier: dict[str, Any] = dict(relabel)
    if not any(isinstance(value, Mapping) for value in by_tier.values()):
        by_tier = dict.fromkeys(names, by_tier)
    for name, mapping in by_tier.items():
        if name not in names:
            raise InputError(f"relabel names the tier {name!r}; the tiers are {one_of(names)}")
        if not isinstance(mapping, Mapping) or not all(isinstance(new, str | None) for new in mapping.values()):
            raise InputError(f"relabel of the tier {name!r} is {mapping!r}; accepted is a mapping to texts and None")
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


class TextGridError(Exception):
    """A text that is no TextGrid, or a damaged one."""


@dataclass(frozen=True)
class TextGrid:
    """Tiers of a TextGrid.

    Attributes
    ----------
    tiers : tuple of (str, tuple of Interval)
        Interval tiers in file order, with their intervals as they stand: nothing is sorted or refused.
    point_tiers : tuple of str
        Names of the point tiers, which are skipped.
    """

    tiers: tuple[tuple[str, tuple[Interval, ...]], ...]
    point_tiers: tuple[str, ...]


def parse_textgrid(text: str) -> TextGrid:
    r"""Read the text of a TextGrid file in its long or short form.

    Raises
    ------
    TextGridError
        If it is something else, ends early or late, or has another thing where a number or a label is due.

    Examples
    --------
    >>> parse_textgrid('"ooTextFile"\n"TextGrid"\n0 1 <exists> 1 "IntervalTier" "phones" 0 1 1 0 1 "a"').tiers
    (('phones', (Interval(start=0.0, end=1.0, label='a'),)),)
    """
    tokens = _Tokens(text)
    if not tokens.string("file type").startswith("ooTextFile") or tokens.string("object class") != "TextGrid":
        raise TextGridError("it is no text file of the class TextGrid")
    tokens.number("start")
    tokens.number("end")
    if tokens.take("flag", "tiers' flag") != "<exists>":
        tokens.end("its header")
        return TextGrid(tiers=(), point_tiers=())
    tiers, point_tiers = [], []
    for _ in range(tokens.count("number of tiers")):
        kind, name = tokens.string("class of a tier"), tokens.string("name of a tier")
        tier = f"the tier {shown(name)}"
        tokens.number(f"start of {tier}")
        tokens.number(f"end of {tier}")
        size = tokens.count(f"size of {tier}")
        if kind == "IntervalTier":
            tiers.append((name, tuple(_intervals(tokens, tier, size))))
        elif kind == "TextTier":
            for _ in range(size):
                tokens.number(f"time in {tier}")
                tokens.string(f"mark in {tier}")
            point_tiers.append(name)
        else:
            raise TextGridError(f"{tier} has the class {shown(kind)}; known are IntervalTier and TextTier")
    tokens.end("its last tier")
    return TextGrid(tiers=tuple(tiers), point_tiers=tuple(point_tiers))


def _intervals(tokens: "_Tokens", tier: str, size: int) -> Iterator[Interval]:
    for number in range(1, size + 1):
        where = f"of the interval {number} in {tier}"
        yield Interval(tokens.number(f"start {where}"), tokens.number(f"end {where}"), tokens.string(f"label {where}"))


class _Tokens:
    """Iterator over the strings, numbers and flags of a text."""

    def __init__(self, text: str) -> None:
        self._matches = (match for match in _TOKEN.finditer(text) if match.lastgroup != "comment")

    def take(self, kind: str, due: str) -> str:
        match = next(self._matches, None)
        if match is None:
            raise TextGridError(f"it ends where the {due} is due")
        if match.lastgroup != kind:
            raise TextGridError(f"it has {shown(match[0], limit=40)} where the {due} is due")
        return match[kind]

    def end(self, last: str) -> None:
        match = next(self._matches, None)
        if match is not None:
            raise TextGridError(f"it goes on behind {last} with {shown(match[0], limit=40)}")

    def string(self, due: str) -> str:
        return self.take("string", due).replace('""', '"')

    def number(self, due: str) -> float:
        return float(self.take("number", due))

    def count(self, due: str) -> int:
        number = self.number(due)
        if not (number >= 0 and number.is_integer()):
            raise TextGridError(f"it has {number} where the {due} is due")
        return int(number)
