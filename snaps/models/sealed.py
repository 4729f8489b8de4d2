"""Tensors on disk under a seal: ``safetensors`` with the SHA-256 of the whole file inside.

The digest is the first entry of the metadata, and is taken with 64 zeros in its own place. Whatever reads
``safetensors`` reads these files, and ours sees any damage. Tensors are written one after the other, so that no copy
of all of them is made. Nothing is ever unpickled.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from snaps.errors import InputError, one_of, shortened
from snaps.schema import parsed_json

BEGIN = b'{"__metadata__":{"sha256":"'
_DIGEST = 64
#: What the format calls the types of tensors.
TYPES: Mapping[torch.dtype, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_DTYPES = {name: dtype for dtype, name in TYPES.items()}
#: The format itself allows no longer header: none is written, none is read.
LARGEST_HEADER = 100 * 2**20


class UnsealedError(ValueError):
    """A file does not begin as sealed ones do."""


class BrokenSealError(ValueError):
    """A sealed file is not as it was written."""


def write_sealed(file: BinaryIO, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and texts to a file that is empty.

    Parameters
    ----------
    file : binary file
        It must be seekable.
    tensors : mapping of str to Tensor
        Of any shapes.
    metadata : mapping of str to str
        Texts to keep with them.

    Raises
    ------
    InputError
        If a tensor has a type that is not stored, or what describes the tensors and the texts are too long to be read
        back; nothing is written then.
    """
    entries: dict[str, Any] = {"__metadata__": {"sha256": "0" * _DIGEST, **metadata}}
    end = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in TYPES:
            raise InputError(
                f"the tensor {name!r} is of the type {tensor.dtype}; accepted are {one_of(map(str, TYPES))}"
            )
        begin, end = end, end + tensor.numel() * tensor.element_size()
        entries[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LARGEST_HEADER:
        raise InputError(
            f"what is said about the tensors takes {len(header):,} bytes; accepted are at most {LARGEST_HEADER:,}"
        )
    assert header.startswith(BEGIN)
    start = len(header).to_bytes(8, "little") + header
    digest = hashlib.sha256(start)
    file.write(start)
    for tensor in tensors.values():
        if tensor.numel():
            array = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
            digest.update(array)
            file.write(array)
    file.seek(8 + len(BEGIN))
    file.write(digest.hexdigest().encode())


def is_sealed(path: Path) -> bool:
    """Whether a file begins as sealed ones do."""
    with path.open("rb") as file:
        return file.read(8 + len(BEGIN))[8:] == BEGIN


def checked_header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Header of a sealed file that is as it was written, and where the tensors begin in it.

    Raises
    ------
    UnsealedError
        If the file is something else.
    BrokenSealError
        If its content and its SHA-256 differ.
    ValueError
        If the header is no JSON text.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if file.read(len(BEGIN)) != BEGIN or length > LARGEST_HEADER:
        raise UnsealedError("it does not begin as sealed files do")
    if length > size:
        raise BrokenSealError("it ends before its header does")
    told = file.read(_DIGEST)
    header = file.read(max(0, length - len(BEGIN) - _DIGEST))
    digest = hashlib.sha256(length.to_bytes(8, "little") + BEGIN + b"0" * _DIGEST + header)
    while piece := file.read(2**20):
        digest.update(piece)
    if digest.hexdigest().encode() != told:
        raise BrokenSealError("its content and its SHA-256 differ")
    return parsed_json(BEGIN + told + header, dict), 8 + length


class SealedTensors(Mapping[str, Tensor]):
    """Tensors of a sealed file, each read when it is asked for.

    Parameters
    ----------
    file : binary file
        It must stay open.
    header : mapping
        As `checked_header` gives it.
    start : int
        Where the tensors begin.
    """

    def __init__(self, file: BinaryIO, header: Mapping[str, Any], *, start: int) -> None:
        self._file, self._start = file, start
        self._entries = {name: entry for name, entry in header.items() if name != "__metadata__"}

    def below(self, prefix: str) -> "SealedTensors":
        """Those whose names begin with a prefix, which they lose."""
        named = {name.removeprefix(prefix): entry for name, entry in self._entries.items() if name.startswith(prefix)}
        return SealedTensors(self._file, named, start=self._start)

    def __getitem__(self, name: str) -> Tensor:
        entry = self._entries[name]
        (begin, end), shape, dtype = entry["data_offsets"], entry["shape"], _DTYPES[entry["dtype"]]
        whole = [begin, end, *shape]
        if any(type(number) is not int or number < 0 for number in whole):
            raise ValueError(f"{name} has the shape and place {whole}; accepted are whole numbers from 0")
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} has {end - begin} bytes for the shape {shape}")
        size = self._file.seek(0, os.SEEK_END)
        if self._start + end > size:
            raise ValueError(f"{name} ends behind the end of the file")
        if begin == end:
            return torch.empty(shape, dtype=dtype)
        self._file.seek(self._start + begin)
        return torch.frombuffer(bytearray(self._file.read(end - begin)), dtype=dtype).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@contextmanager
def opened_state(path: Path, where: str, *, no: str, form: str) -> Iterator[tuple[Mapping[str, str], SealedTensors]]:
    """Open the state of something that is to go on; whatever is wrong with it, also within the block, is one sentence.

    Parameters
    ----------
    path : Path
        The file.
    where : str
        How sentences call it.
    no : str
        What it is else, such as ``"no state of a run"``.
    form : str
        The format that its metadata must name.

    Yields
    ------
    metadata : mapping of str to str
        Texts that were kept with the tensors.
    tensors : SealedTensors
        The tensors, as long as the block lasts.

    Raises
    ------
    InputError
        If the file is something else, is damaged, cannot be read, or the block finds that it is not as it should be.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError(f"{where} cannot be read: it is neither a file nor a folder; give another name")
        with path.open("rb") as file:
            header, start = checked_header(file)
            metadata = header["__metadata__"]
            if metadata.get("format") != form:
                raise InputError(f"{where} is {no}: it is a file of another kind; give another name")
            yield metadata, SealedTensors(file, header, start=start)
    except InputError:
        raise
    except UnsealedError as error:
        raise InputError(f"{where} is {no}: {error}; give another name, or delete it") from None
    except BrokenSealError as error:
        raise InputError(f"{where} is damaged: {error}; delete it to begin anew") from None
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError, MemoryError) as error:
        raise InputError(f"{where} is {no}: {shortened(error)}; delete it to begin anew") from None
