"""Trees of files described by bytes; loading and reading a whole tree is one target."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from snaps.datasets import load_textgrids, load_timit
from snaps.errors import InputError, RecordingError
from tests.hostile.place_damages import NAMES
from tests.hostile.speech import Files, Utterance, grid_fields, grid_text

LOADERS = (load_timit, load_textgrids)
#: Endings that the loaders know, and one that they ignore.
ENDINGS = (".WAV", ".PHN", ".WRD", ".TXT", ".wav", ".phn", ".TextGrid", ".flac", ".trans.txt", ".WAV.wav", "", ".x")
#: Folders at the top.
FOLDERS = ("", "TRAIN/DR1/F0", "TRAIN/DR1/f0", "TEST/DR2/M1", "train", "TRAIN/DR9", "84/121", "a")


class FindingError(AssertionError):
    """A reader or loader failed."""


def check_tree(data: bytes) -> None:
    """Write the tree that the bytes describe, load it in both layouts, and read every recording."""
    root = Path(tempfile.mkdtemp(prefix="tree"))
    try:
        _write(root / "tree", data)
        for load in LOADERS:
            try:
                corpus = load(root / "tree")
            except RecordingError as error:
                raise FindingError("loading refuses one recording") from error
            except InputError as error:
                _require_line(str(error))
                continue
            if not len(corpus.fingerprint) == 64:
                raise FindingError("no fingerprint")
            for index in range(len(corpus)):
                try:
                    corpus.annotation(index)
                    corpus[index]
                except RecordingError as error:
                    _require_line(error.reason)
    finally:
        shutil.rmtree(root)


def _require_line(sentence: str) -> None:
    if not sentence.isprintable():
        raise FindingError(f"no single line: {sentence!r}")


def _sound(folder: Path) -> dict[str, bytes]:
    files = Files("timit", folder, "s", "s", "sphere")
    utterance = Utterance(samples=600, phonemes=((0, 600, "sh"),), words=((0, 600, "she"),))
    files.write(utterance)
    found = {path.suffix: path.read_bytes() for path in files.paths.values()}
    return found | {".TEX": grid_text(grid_fields(utterance)).encode()}


def _write(root: Path, data: bytes) -> None:
    """Write the files of a tree; each takes five bytes (folder, ending, content, length of name, any) and a name."""
    root.mkdir()
    sound = _sound(root.parent / "sound")
    place = 0
    while place + 5 <= len(data):
        folder, ending, order, length, free = data[place : place + 5]
        name = os.fsdecode(data[place + 5 : place + 5 + length % 24].replace(b"/", b"").replace(b"\0", b""))
        place += 5 + length % 24
        path = root / FOLDERS[folder % len(FOLDERS)] / f"{name}{ENDINGS[ending % len(ENDINGS)]}"
        # Names may exist already, be too long, or be empty.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _put(path, order=order % 8, free=free, root=root, sound=sound)


def _put(path: Path, *, order: int, free: int, root: Path, sound: dict[str, bytes]) -> None:
    # Writing into a pipe would wait for a reader.
    if path.exists() or path.is_symlink():
        return
    if order <= 2:
        path.write_bytes(sound.get(path.suffix.upper()[:4], sound[".WAV"]))
    elif order == 3:
        path.write_bytes(bytes([free]) * free)
    elif order == 4:
        path.symlink_to(root)
    elif order == 5:
        path.symlink_to(path if free % 2 else "nowhere")
    elif order == 6:
        os.mkfifo(path)
    else:
        path.mkdir()


def tree_seeds() -> list[bytes]:
    """Trees of two recordings a layout, one of them with another kind of file in one place, for each odd name."""
    files = [*((1, ending) for ending in range(4)), (7, 4), (7, 6)]
    seeds = []
    for number, name in enumerate(NAMES):
        spelled = name.encode()[:23]
        orders = [(folder, ending, 0, b"s") for folder, ending in files]
        for place, (folder, ending) in enumerate(files):
            orders.append((folder, ending, number % 8 if place == number % 6 else 0, spelled))
        seeds.append(b"".join(bytes([*order, len(text), 7]) + text for *order, text in orders))
    return seeds
