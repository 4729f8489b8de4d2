"""What a Zarr store declares, looked at before Zarr sees it (see `snaps.profiles.inspection`)."""

import math
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snaps.errors import InputError, shortened
from snaps.profiles.inspection import MOST_LEVELS, refuse_empty_promise
from snaps.schema import parsed_json

#: Codecs that may decode a store. Zarr knows more: one of them unpickles, and bzip2 makes gigabytes out of a kilobyte.
CODECS = frozenset({"blosc", "delta", "fixedscaleoffset", "gzip", "lz4", "shuffle", "vlen-utf8", "zlib", "zstd"})
#: Those of stores in format 3 that somebody else wrote.
CODECS_3 = frozenset({"blosc", "bytes", "crc32c", "gzip", "transpose", "vlen-utf8", "zstd"})
PACKING = frozenset({"blosc", "gzip", "lz4", "zlib", "zstd"})
#: Files that describe a store in format 2 or 3.
METADATA = frozenset({".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"})
LARGEST_METADATA = 100 * 2**20
#: Values of an array. Python's own numbers have no bound, and longer ones could not even be printed.
MOST_VALUES = 2**63 - 1
#: Chunks that may be missing from an array, beside sixteen for each that is there: those of nothing but fill values.
MISSING_CHUNKS = 1000
#: Texts have no fixed length; a chunk of them may hold so many bytes.
LARGEST_TEXTS = 64 * 2**20


class _Array(NamedTuple):
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    itemsize: int
    codecs: tuple[str, ...]


def is_store(path: Path) -> bool:
    """Whether a folder says of itself that it is a Zarr store."""
    return any((path / name).is_file() for name in (".zgroup", "zarr.json"))


def inspect_store(path: Path, where: str) -> None:
    """Refuse a folder whose structure no Zarr store of ours or xarray's has.

    Parameters
    ----------
    path : Path
        The folder.
    where : str
        How sentences call it.

    Raises
    ------
    InputError
        If it is no store, holds something other than files and folders, leads in a circle, names a codec outside
        the list, or declares more values than it can hold.
    """
    if not is_store(path):
        raise InputError(f"the folder {str(path)!r} is not a profiles file: it is no Zarr store")
    declared = held = 0
    arrays: set[Path] = set()
    try:
        for folder, files in _folders(path, where):
            if any(parent in arrays for parent in folder.parents):
                continue
            name = f"/{folder.relative_to(path).as_posix()}".removesuffix("/.")
            if not files & {".zarray", ".zgroup", "zarr.json"}:
                raise InputError(f"{where} is damaged: its folder {shortened(repr(name))} is neither group nor array")
            array = _array(folder, files, name, where)
            if array is None:
                continue
            arrays.add(folder)
            chunks = [file for file in _chunks(folder, where) if file.name not in METADATA]
            wanted = math.prod(-(-size // step) for size, step in zip(array.shape, array.chunks, strict=True))
            if wanted > MISSING_CHUNKS + 16 * len(chunks):
                raise InputError(f"{where} is damaged: {len(chunks):,} of {wanted:.3g} chunks of an array are there")
            declared += math.prod(array.shape) * array.itemsize
            for chunk in chunks:
                held += chunk.stat().st_size
                _refuse_swelling(chunk, array, where)
    except OSError as error:
        raise InputError(f"{where} cannot be read: {shortened(error.strerror or error)}") from None
    refuse_empty_promise(where, declared=declared, held=held)


def _folders(root: Path, where: str) -> Iterator[tuple[Path, set[str]]]:
    """All folders down to arrays, with the names of their files."""
    levels = [(0, root)]
    seen = set()
    while levels:
        level, folder = levels.pop()
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            raise InputError(f"{where} is not read: the folder {shortened(repr(folder.name))} in it leads in a circle")
        seen.add((status.st_dev, status.st_ino))
        files = set()
        for entry in folder.iterdir():
            if entry.is_dir():
                levels.append((level + 1, entry))
            elif entry.is_file():
                files.add(entry.name)
            else:
                raise InputError(f"{where} is not read: {shortened(repr(entry.name))} in it is neither file nor folder")
        if level > MOST_LEVELS:
            raise InputError(f"{where} is not read: its folders are nested deeper than {MOST_LEVELS}")
        yield folder, files


def _chunks(folder: Path, where: str) -> Iterator[Path]:
    for inner, files in _folders(folder, where):
        yield from (inner / name for name in files)


def _array(folder: Path, files: set[str], name: str, where: str) -> _Array | None:
    """What a folder's metadata declares; None for one that is no array."""
    for file in sorted(files & METADATA):
        if (folder / file).stat().st_size > LARGEST_METADATA:
            raise InputError(f"{where} is not read: {file} of {name} is longer than {LARGEST_METADATA:,} bytes")
    array = None
    # Consolidated metadata are not read: they are copies.
    for file in sorted(files & METADATA - {".zmetadata"}):
        try:
            found = parsed_json((folder / file).read_bytes(), dict)
            if file != ".zattrs" and found["zarr_format"] != (3 if file == "zarr.json" else 2):
                raise ValueError(f"its format is {shortened(repr(found['zarr_format']))}")
            if file == "zarr.json" and found["node_type"] not in ("group", "array"):
                raise ValueError(f"its node is {shortened(repr(found['node_type']))}")
            if file == ".zarray":
                array = _array_2(found)
            elif file == "zarr.json" and found["node_type"] == "array":
                array = _array_3(found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise InputError(
                f"{where} is not a profiles file: {file} of {name!r} cannot be read ({shortened(error)})"
            ) from None
    if array is not None:
        if len(array.shape) != len(array.chunks):
            raise InputError(
                f"{where} is damaged: chunks of {name!r} have {len(array.chunks)} dimensions, not {len(array.shape)}"
            )
        if sum(codec in PACKING for codec in array.codecs) > 1:
            raise InputError(f"{where} is not read: its array {name!r} is packed twice")
        if "vlen-utf8" in array.codecs and not set(array.codecs) <= {"vlen-utf8", *PACKING}:
            raise InputError(f"{where} is not read: texts of its array {name!r} are coded twice")
        accepted = CODECS if ".zarray" in files else CODECS_3
        for codec in array.codecs:
            if codec not in accepted:
                raise InputError(
                    f"{where} is not read: its array {name!r} is stored with the codec {shortened(repr(codec))}; "
                    f"accepted are {', '.join(sorted(accepted))}"
                )
    return array


def _array_2(found: Mapping[str, Any]) -> _Array:
    codecs = [found.get("compressor"), *(found.get("filters") or ())]
    return _Array(
        _numbers(found["shape"], least=0),
        _numbers(found["chunks"], least=1),
        np.dtype(_text(found["dtype"])).itemsize,
        tuple(_text(codec["id"]) for codec in codecs if codec is not None),
    )


def _array_3(found: Mapping[str, Any]) -> _Array:
    kind = found["data_type"]
    if isinstance(kind, dict):
        itemsize = _numbers([kind["configuration"]["length_bytes"]], least=0)[0]
    else:
        itemsize = 16 if kind == "string" else np.dtype(_text(kind)).itemsize
    return _Array(
        _numbers(found["shape"], least=0),
        _numbers(found["chunk_grid"]["configuration"]["chunk_shape"], least=1),
        itemsize,
        tuple(_text(codec["name"]) for codec in found["codecs"]),
    )


def _numbers(values: Any, *, least: int) -> tuple[int, ...]:
    if not isinstance(values, list) or any(type(value) is not int or value < least for value in values):
        raise ValueError(f"{shortened(repr(values))} stands where whole numbers from {least} are accepted")
    if math.prod(values) > MOST_VALUES:
        raise ValueError(f"{shortened(repr(values))} are more values than any file holds")
    return tuple(values)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shortened(repr(value))} stands where a text is accepted")
    return value


def _refuse_swelling(chunk: Path, array: _Array, where: str) -> None:
    """Refuse a chunk that would unpack into more than its array has room for."""
    texts = "vlen-utf8" in array.codecs
    items = math.prod(array.chunks)
    most = max(items * max(array.itemsize, 16), LARGEST_TEXTS if texts else 0) + 1024
    if unpacked_size(chunk, array.codecs, most=most) > most:
        raise InputError(
            f"{where} is damaged: the chunk {shortened(repr(chunk.name))} of {shortened(repr(chunk.parent.name))} may "
            f"unpack into more than its {items:,} values"
        )
    if texts:
        _refuse_many_texts(chunk, array, where)


def unpacked_size(chunk: Path, codecs: tuple[str, ...], *, most: int) -> int:
    """Bytes into which a chunk unpacks, as far as its header says, or its first `most` bytes."""
    with chunk.open("rb") as file:
        head = file.read(18)
        if "blosc" in codecs:
            return int.from_bytes(head[4:8], "little")
        if "lz4" in codecs:
            return int.from_bytes(head[:4], "little")
        if "zstd" in codecs:
            return _zstd_size(head)
        if not {"gzip", "zlib"} & set(codecs):
            return os.fstat(file.fileno()).st_size
        file.seek(0)
        try:
            return len(zlib.decompressobj(zlib.MAX_WBITS + 32).decompress(file.read(), most + 1))
        except zlib.error:
            return 0  # The codec itself will say what is wrong.


def _refuse_many_texts(chunk: Path, array: _Array, where: str) -> None:
    """Refuse a chunk that tells of more texts than its array has room for: memory for all is taken at once."""
    import numcodecs

    told = chunk.read_bytes()
    try:
        for codec in array.codecs:
            if codec in PACKING:
                told = bytes(numcodecs.get_codec({"id": codec}).decode(told))
    except Exception as error:  # codecs raise whatever they stumble over
        raise InputError(f"{where} is damaged: {shortened(error)}") from None
    if len(told) < 4 or int.from_bytes(told[:4], "little") > math.prod(array.chunks):
        raise InputError(
            f"{where} is damaged: texts of {shortened(repr(chunk.parent.name))} are not as many as it says"
        )


def _zstd_size(head: bytes) -> int:
    """Size of the content that a frame of Zstandard tells (RFC 8878, section 3.1.1.1); no bound where it tells none."""
    if len(head) < 5 or head[:4] != b"\x28\xb5\x2f\xfd":
        return 0  # The codec itself will say what is wrong.
    descriptor = head[4]
    single = descriptor >> 5 & 1
    length = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    if length == 0:
        return sys.maxsize
    begin = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(head[begin : begin + length], "little") + (256 if length == 2 else 0)
