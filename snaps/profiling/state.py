"""The state of a run between two shards, on disk, so that one that was stopped can go on.

The file is one of ``safetensors``, whose first entry of metadata is the SHA-256 of the whole file with 64 zeros in
the digest's place. Sums are written one after the other, so that no copy of all of them is made.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from snaps.errors import InputError
from snaps.outputs import replacing
from snaps.profiling.parts import FAN_IN, Counter, pack, unpack

FORMAT = "neuron-snaps run"
FORMAT_VERSION = 1
#: Seconds between two states, at least; and how many times as long as writing one took.
INTERVAL = 60.0
TIMES_WRITING = 20

_BEGIN = b'{"__metadata__":{"sha256":"'
_DIGEST = 64
_DTYPES = {"float64": "F64", "int64": "I64"}
_LARGEST_HEADER = 100 * 2**20


class StateFile:
    """Where a run keeps its state, and what the run is about.

    Parameters
    ----------
    path : Path
        The file.
    about : mapping
        What the run is about, in values that JSON can hold; a run that goes on must be about the same.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.about = json.loads(json.dumps(dict(about)))
        self._next = time.monotonic() + INTERVAL
        self._written: int | None = None

    def load(self, *, device: torch.device, n_shards: int) -> Counter:
        """Read what an earlier run left; without a file, begin anew.

        Raises
        ------
        InputError
            If the file is no state of a run, is damaged, or is that of another run; the sentence names what
            differs.
        """
        if not self.path.exists():
            return Counter()
        counter = read_state(self.path, self.about, device=device, n_shards=n_shards)
        self._written = counter.done
        return counter

    def offer(self, counter: Counter) -> None:
        """Write the state if the last one is a minute old, or more where writing takes long."""
        if time.monotonic() >= self._next:
            self.write(counter)

    def write(self, counter: Counter) -> None:
        """Write the state, unless it is on disk already; the file is replaced at once and whole.

        Raises
        ------
        InputError
            If it cannot be written; the state before it is kept.
        """
        if self._written == counter.done or not counter.whole:
            return
        begun = time.monotonic()
        try:
            write_state(self.path, counter, self.about)
        except OSError as error:
            kept = (
                f"that of {self._written} shards is kept, and the same command goes on from there"
                if self._written
                else "there is none before it"
            )
            raise InputError(
                f"the state of the run cannot be written to {str(self.path)!r}: {error.strerror or error}; {kept}"
            ) from error
        now = time.monotonic()
        self._written = counter.done
        self._next = now + max(INTERVAL, TIMES_WRITING * (now - begun))


def write_state(path: Path, counter: Counter, about: Mapping[str, Any]) -> None:
    """Write a state, which takes its place at once and whole.

    Raises
    ------
    OSError
        If it cannot be written; what was there is untouched.
    """
    tensors: dict[str, Tensor] = {}
    parts: list[Any] = []
    for level, part in enumerate(counter.levels):
        if part is None:
            parts.append(None)
            continue
        described, own = pack(part)
        parts.append(described)
        tensors |= {f"{level}.{name}": tensor for name, tensor in own.items()}
    run = {"version": FORMAT_VERSION, "about": about, "done": counter.done, "parts": parts}
    with replacing(path, alone=True) as partial, partial.open("wb") as file:
        _write_tensors(file, tensors, {"format": FORMAT, "run": json.dumps(run)})


def _write_tensors(file: BinaryIO, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    entries: dict[str, Any] = {"__metadata__": {"sha256": "0" * _DIGEST, **metadata}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        dtype = _DTYPES[str(tensor.dtype).removeprefix("torch.")]
        entries[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    assert header.startswith(_BEGIN)
    start = len(header).to_bytes(8, "little") + header
    digest = hashlib.sha256(start)
    file.write(start)
    for tensor in tensors.values():
        if tensor.numel():
            array = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
            digest.update(array)
            file.write(array)
    file.seek(8 + len(_BEGIN))
    file.write(digest.hexdigest().encode())


def read_state(path: Path, about: Mapping[str, Any], *, device: torch.device, n_shards: int) -> Counter:
    """Read a state; nothing is ever unpickled.

    Raises
    ------
    InputError
        If the file is no state of a run, is damaged, of a later version, or that of another run; the sentence
        names what differs.
    """
    try:
        with path.open("rb") as file:
            header, start = _checked_header(path, file)
            run = json.loads(header["__metadata__"]["run"])
            if int(run["version"]) > FORMAT_VERSION:
                raise InputError(
                    f"{str(path)!r} is the state of a run in version {run['version']}; this version of snaps reads up "
                    f"to {FORMAT_VERSION}: install a newer one"
                )
            _refuse_another(path, dict(run["about"]), about)
            levels = [
                None
                if part is None
                else unpack(part, _Stored(file, header, start=start, prefix=f"{level}."), device=device)
                for level, part in enumerate(run["parts"])
            ]
            done = int(run["done"])
            if not 0 <= done <= n_shards:
                raise ValueError(f"{done} of {n_shards} shards are done")
            waiting = [done // FAN_IN**level % FAN_IN > 0 for level in range(len(levels))]
            if done < n_shards and waiting != [part is not None for part in levels]:
                raise ValueError(f"its sums are not those of {done} shards")
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError, MemoryError) as error:
        raise InputError(f"{str(path)!r} is no state of a run: {_first_line(error)}; delete it to begin anew") from None
    return Counter(done, levels)


class _Stored(Mapping[str, Tensor]):
    """Tensors of a file whose names begin alike, each read when it is asked for."""

    def __init__(self, file: BinaryIO, header: Mapping[str, Any], *, start: int, prefix: str) -> None:
        self._file, self._start = file, start
        self._entries = {name.removeprefix(prefix): entry for name, entry in header.items() if name.startswith(prefix)}

    def __getitem__(self, name: str) -> Tensor:
        entry = self._entries[name]
        begin, end = entry["data_offsets"]
        dtype = np.dtype({text: kind for kind, text in _DTYPES.items()}[entry["dtype"]])
        count = math.prod(entry["shape"])
        if not 0 <= begin <= end or end - begin != count * dtype.itemsize:
            raise ValueError(f"{name} has {end - begin} bytes for the shape {entry['shape']}")
        self._file.seek(self._start + begin)
        array = np.frombuffer(bytearray(self._file.read(end - begin)), dtype=dtype)
        return torch.from_numpy(array.reshape(entry["shape"]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _checked_header(path: Path, file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Header of a file that is as it was written, and where the tensors begin in it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if file.read(len(_BEGIN)) != _BEGIN or length > min(size, _LARGEST_HEADER):
        raise InputError(f"{str(path)!r} is no state of a run; give another name, or delete it")
    told = file.read(_DIGEST)
    header = file.read(max(0, length - len(_BEGIN) - _DIGEST))
    digest = hashlib.sha256(length.to_bytes(8, "little") + _BEGIN + b"0" * _DIGEST + header)
    while piece := file.read(2**20):
        digest.update(piece)
    if digest.hexdigest().encode() != told:
        raise InputError(
            f"{str(path)!r} is the state of a run, but damaged: its content and its SHA-256 differ; delete it to begin "
            "anew"
        )
    return dict(json.loads(_BEGIN + told + header)), 8 + length


def _refuse_another(path: Path, earlier: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    for name in dict.fromkeys([*about, *earlier]):
        if earlier.get(name) != about.get(name):
            raise InputError(
                f"{str(path)!r} is the state of a run with another {name}: {_short(earlier.get(name))}, and this one "
                f"has {_short(about.get(name))}; go on with the same, or delete the file (--overwrite) to begin anew"
            )


def _short(value: Any, *, limit: int = 160) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
