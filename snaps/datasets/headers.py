"""What the headers of audio files promise, where libsndfile believes them too readily or not at all."""

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32

#: Programs that write into a pipe cannot know the length, and put a number near 2³¹ or 2³² in its place.
UNKNOWN_LENGTH = 0x7FFF_0000

_NIST = re.compile(rb"NIST_1A\n *(\d{1,9})\n")
_NIST_COUNT = re.compile(rb"^sample_count\s+-i\s+(\d+)\s*$", re.MULTILINE)


def sphere_count(path: Path) -> int | None:
    """Samples a channel that a NIST SPHERE header promises; None without such a number, or in a wrong header."""
    with path.open("rb") as file:
        head = file.read(4096)
    size = _NIST.match(head)
    # Headers come in blocks of 1,024 bytes; any other size would shift the samples by some bytes.
    if size is None or int(size[1]) == 0 or int(size[1]) % 1024:
        return None
    count = _NIST_COUNT.search(head.split(b"end_head")[0])
    return int(count[1]) if count else None


@dataclass(frozen=True)
class Junk:
    """Bytes behind the samples of a RIFF file that belong to no chunk.

    Attributes
    ----------
    position : int
        The first of them.
    size : int
        How many there are up to the file's end.
    inside : bool
        Whether the RIFF header counts them to the file.
    """

    position: int
    size: int
    inside: bool


def riff_junk(path: Path) -> Junk | None:
    """Find what lies behind the samples of a RIFF file and is neither a chunk nor zeros."""
    total = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        order = ">" if head.startswith(b"RIFX") else "<"
        (size,) = struct.unpack(f"{order}I", head[4:8])
        end = _data_end(file, order)
        if end is None or end >= total:
            return None
        # Some programs leave out the byte that makes the length of a chunk even.
        position = end
        for start in {end, end + end % 2}:
            chunks_end = _last_chunk_end(file, start, order=order, total=total)
            if chunks_end is None:
                return None
            position = max(position, chunks_end)
    return Junk(position=position, size=total - position, inside=position < 8 + size <= total + 1)


def _data_end(file: BinaryIO, order: str) -> int | None:
    """First byte behind the samples; None if the header does not say."""
    position = 12
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return None
        (size,) = struct.unpack(f"{order}I", head[4:])
        if head[:4] == b"data":
            return None if size >= UNKNOWN_LENGTH else position + 8 + size
        position += 8 + size + size % 2


def _last_chunk_end(file: BinaryIO, position: int, *, order: str, total: int) -> int | None:
    """Where chunks that follow each other end; None if that is the file's end, but for zeros."""
    while position < total:
        file.seek(position)
        head = file.read(8)
        (size,) = struct.unpack(f"{order}I", head[4:]) if len(head) == 8 else (total,)
        if not all(32 <= sign < 127 for sign in head[:4]) or position + 8 + size > total:
            file.seek(position)
            return position if any(any(block) for block in iter(lambda: file.read(1 << 20), b"")) else None
        position += 8 + size + size % 2
    return None


class FlacChecksum:
    """Holds the samples of a FLAC file against the MD5 sum in its header, which libsndfile does not.

    So a file is known whose header promises fewer samples than there are.

    Parameters
    ----------
    path : Path
        The file; one without such a sum, or whose samples float32 cannot hold, always holds.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            head = file.read(42)
        self.bits = ((head[20] & 1) << 4 | head[21] >> 4) + 1 if len(head) == 42 else 0
        self.expected = head[26:42] if head.startswith(b"fLaC") and self.bits in (8, 16, 24) else b""
        self.digest = hashlib.md5(usedforsecurity=False)

    def update(self, block: Float32[np.ndarray, "sample channel"]) -> None:
        """Take the next samples of all channels."""
        if any(self.expected):
            whole = np.rint(block * np.float32(1 << (self.bits - 1))).astype("<i4")
            self.digest.update(whole[..., None].view(np.uint8)[..., : self.bits // 8].tobytes())

    def holds(self) -> bool:
        """Whether the samples are those of the sum."""
        return not any(self.expected) or self.digest.digest() == self.expected


def ogg_ends(path: Path) -> bool:
    """Whether the last page of an Ogg file is whole and marked as the last one (RFC 3533, section 6)."""
    with path.open("rb") as file:
        # A page takes at most 65,307 bytes.
        file.seek(max(0, path.stat().st_size - 2 * 65_307))
        _, mark, page = file.read().rpartition(b"OggS")
    if not mark or len(page) < 23:
        return False
    segments = page[23 : 23 + page[22]]
    whole = len(segments) == page[22] and len(page) >= 23 + len(segments) + sum(segments)
    return whole and bool(page[1] & 4)
