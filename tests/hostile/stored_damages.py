"""Damages: to bytes, to JSON, to names in the file system."""

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st


class Payload:
    """What a hostile pickle would run."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("unpickled",)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of a file after one damage, or a few."""
    found = bytearray(content)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 5]))):
        if not found:
            break
        place = draw(st.integers(0, len(found) - 1))
        kind = draw(st.sampled_from(["cut", "flip", "flip", "flip", "insert", "delete", "overwrite", "repeat"]))
        if kind == "cut":
            del found[place:]
        elif kind == "flip":
            found[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            found[place:place] = draw(st.binary(min_size=1, max_size=20))
        elif kind == "delete":
            del found[place : place + draw(st.integers(1, 50))]
        elif kind == "overwrite":
            noise = draw(st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7, b"[" * 40, b"\n", b'"']))
            found[place : place + len(noise)] = noise
        else:
            found[place:place] = found[place : place + draw(st.integers(1, 200))]
    return bytes(found)


#: Values where others are expected.
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**9, -(10**9), 2**63, 10**30, 10**4200, 0.5, float("nan"), float("inf"),
    "", "0", "text", "x" * 10**6, "é\n\x1b[31m", "../..", "/", [], [[]], [None], [1, 2], ["a", "a"], [["a"]], [{}],
    {}, {"a": 1}, {"name": None}, {"": {}}, {"counts": 3}, {"counts": {"a": 1}}, {"symbols": 5}, "NaN", "null", "[",
    "{}", "[]", '["a", "a"]', "[" * 500, "[" * 10**5, "|O", "<U1000000000", "<M8[ns]", [10**9, 10**9], [-1], [0],
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, found: Any) -> Any:
    """A JSON value of which one place holds something else, or is missing."""
    if isinstance(found, dict | list) and found and draw(st.integers(0, 5)):
        names = list(found) if isinstance(found, dict) else list(range(len(found)))
        name = draw(st.sampled_from(names))
        copy: Any = dict(found) if isinstance(found, dict) else list(found)
        if draw(st.integers(0, 6)) == 0:
            del copy[name]
        else:
            copy[name] = draw(changed(found[name]))
        return copy
    if isinstance(found, str) and found[:1] in ("{", "[") and draw(st.booleans()):
        return json.dumps(draw(changed(json.loads(found))))
    return draw(st.sampled_from(STRANGE))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Payload()))


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _folder_circle(path: Path) -> None:
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / "inner").symlink_to(path)


def _deep_folder(path: Path) -> None:
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    for _ in range(30):
        path /= "deeper"
        path.mkdir()


def _folder_of_pipes(path: Path) -> None:
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    os.mkfifo(path / ".zattrs")


def _written(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


#: What may stand in place of a file.
IMPOSTORS: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda path: None,
    "empty file": _written(b""),
    "zeros": _written(bytes(5000)),
    "text": _written("Not at all; é.\n".encode() * 50),
    "Latin 1": _written(b"\xe9\xff\n" * 50),
    "picture": _written(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)),
    "HDF5 signature": _written(b"\x89HDF\r\n\x1a\n"),
    "pickle": _written(pickle.dumps(Payload())),
    "archive": _archive,
    "folder": Path.mkdir,
    "circle": _circle,
    "broken link": lambda path: path.symlink_to("nowhere"),
    "pipe": _pipe,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder in a circle": _folder_circle,
    "deep folder": _deep_folder,
    "folder of pipes": _folder_of_pipes,
    "nested list": _written(b"[" * 10**5),
    "nested dict": _written(b'{"a":' * 10**5),
    "long number": _written(b"9" * 10**6),
    "long header": _written((2**62).to_bytes(8, "little") + b'{"__metadata__":{"sha256":"' + bytes(500)),
    "nested header": _written((10**5).to_bytes(8, "little") + b'{"a":' * (2 * 10**4)),
}


def remove(path: Path) -> None:
    """Remove whatever stands there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
