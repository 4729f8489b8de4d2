"""Sums of neighbouring shards, and the one shape in which they are merged.

A corpus is cut into shards of `SHARD` recordings. Sums of shards are merged as the digits of a counter carry: `FAN_IN`
shards into one part, `FAN_IN` of these into one of the next level, always from left to right. The shape depends on
the shards' numbers alone, so that floating-point sums are the same to the bit wherever and whenever they were had.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snaps.accumulators import GroupingMoments, LayerShape, LayerSums, Sums
from snaps.datasets.drops import DropLog
from snaps.datasets.recording import Recording
from snaps.errors import InputError

#: Recordings of a shard.
SHARD = 16
#: Parts that are merged into one of the next level.
FAN_IN = 8

#: Sums by aligner and grouping.
Totals = dict[str, dict[str, GroupingMoments]]


def count_shards(n_recordings: int) -> int:
    """Number of shards of a corpus.

    Examples
    --------
    >>> count_shards(33)
    3
    """
    return -(-n_recordings // SHARD)


def sums_held(n_shards: int) -> int:
    """How many sums are held at once at most: one a level of the counter, and that of the shard at hand.

    Examples
    --------
    >>> [sums_held(n) for n in (1, 2, 9, 65, 18_000)]
    [1, 2, 3, 4, 6]
    """
    levels = 0
    while FAN_IN**levels < n_shards:
        levels += 1
    return 1 + levels


@dataclass(eq=False)
class Part:
    """What neighbouring shards came to.

    Attributes
    ----------
    totals : dict
        Sums by aligner and grouping; empty where no recording could be read.
    drops : DropLog
        What was left out.
    n_recordings, n_frames : int
        Recordings that were read, and frames that were not left out.
    like : Recording or None
        The first recording without its steps: identifier, number of units, step, frequencies.
    batch_size : int
        Frames that were responded to at once; 0 where no recording could be read.
    """

    totals: Totals = field(default_factory=dict)
    drops: DropLog = field(default_factory=DropLog)
    n_recordings: int = 0
    n_frames: int = 0
    like: Recording | None = None
    batch_size: int = 0

    def merge(self, other: "Part") -> None:
        """Add what the shards behind these came to.

        Raises
        ------
        InputError
            If their recordings do not fit together.
        """
        if self.like is not None and other.like is not None:
            check_alike(self.like, other.like)
            for aligner, groupings in other.totals.items():
                for grouping, moments in groupings.items():
                    self.totals[aligner][grouping].merge(moments)
        elif other.like is not None:
            self.totals, self.like, self.batch_size = other.totals, other.like, other.batch_size
        self.drops.merge(other.drops)
        self.n_recordings += other.n_recordings
        self.n_frames += other.n_frames


def check_alike(before: Recording, recording: Recording) -> None:
    """Refuse a recording whose units or step are others than those before it have.

    Raises
    ------
    InputError
        Naming the recording.
    """
    if len(recording.features) != len(before.features):
        raise InputError(
            f"recording {recording.id!r} has features of {len(recording.features)} units; those before it have "
            f"{len(before.features)}"
        )
    if recording.step != before.step:
        raise InputError(
            f"recording {recording.id!r} has a step of {recording.step} s; those before it have {before.step} s"
        )


class Counter:
    """Merges parts in the order of their shards, holding no more than one a level.

    Parameters
    ----------
    done : int
        Shards that were merged already.
    levels : list of (Part or None), optional
        What they came to, by level.

    Attributes
    ----------
    done : int
        Shards that were merged.
    levels : list of (Part or None)
        Parts that wait for those behind them. That at place n holds up to ``FAN_IN - 1`` merged parts of
        ``FAN_IN ** n`` shards each.
    whole : bool
        Whether the parts are as they should be; False after a merge that was interrupted.
    """

    def __init__(self, done: int = 0, levels: list[Part | None] | None = None) -> None:
        self.done = done
        self.levels: list[Part | None] = [] if levels is None else levels
        self.whole = True

    def push(self, part: Part, *, shards: int = 1, level: int = 0) -> None:
        """Merge the part of the next shards.

        Parameters
        ----------
        part : Part
            It may be changed.
        shards : int
            How many shards it is: ``FAN_IN ** level``, or fewer at the corpus's end.
        level : int
            Its level; `done` is a multiple of ``FAN_IN ** level``.

        Raises
        ------
        InputError
            If its recordings do not fit to those before them; nothing is merged then.
        """
        for before in self.levels:
            if before is not None and before.like is not None and part.like is not None:
                check_alike(before.like, part.like)
        self.whole = False
        number = self.done // FAN_IN**level
        while True:
            while len(self.levels) <= level:
                self.levels.append(None)
            waiting = self.levels[level]
            if waiting is None:
                waiting = self.levels[level] = part
            else:
                waiting.merge(part)
            number += 1
            if number % FAN_IN:
                break
            part, self.levels[level] = waiting, None
            number, level = number // FAN_IN - 1, level + 1
        self.done += shards
        self.whole = True

    def close(self) -> Part:
        """Merge what waits, from the lowest level upwards, and begin anew."""
        last: Part | None = None
        for level, part in enumerate(self.levels):
            self.levels[level] = None
            if part is not None:
                if last is not None:
                    part.merge(last)
                last = part
        self.done, self.levels = 0, []
        return Part() if last is None else last


@dataclass(frozen=True)
class Block:
    """Shards that are computed in one place: ``FAN_IN ** level`` of them, or fewer at the corpus's end.

    Examples
    --------
    >>> [(block.first, block.shards) for block in blocks(6, 20, level=1)]
    [(6, 1), (7, 1), (8, 8), (16, 4)]
    """

    first: int
    shards: int
    level: int

    @property
    def recordings(self) -> slice:
        """Recordings of these shards."""
        return slice(self.first * SHARD, (self.first + self.shards) * SHARD)


def blocks(done: int, n_shards: int, *, level: int) -> Iterator[Block]:
    """Cut the shards that are still to be computed into blocks of a level, or lower ones up to the first of it."""
    while done < n_shards:
        fits = next(lower for lower in range(level, -1, -1) if done % FAN_IN**lower == 0)
        shards = min(FAN_IN**fits, n_shards - done)
        yield Block(done, shards, fits)
        done += shards


def pack(part: Part) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Take a part apart into what JSON can hold, and tensors that share its memory."""
    tensors: dict[str, Tensor] = {}
    counts: dict[str, dict[str, list[Any]]] = {}
    shapes: dict[str, list[int]] = {}
    variance = False
    for place, (aligner, groupings) in enumerate(part.totals.items()):
        counts[aligner] = {}
        for number, (grouping, moments) in enumerate(groupings.items()):
            counts[aligner][grouping] = [list(item) for item in moments.counts.items()]
            shapes = {name: [shape.units, shape.lags] for name, shape in moments.shapes.items()}
            variance = moments.variance
            for row, layer in enumerate(shapes):
                sums = moments.result(layer)
                for name, tensor in _tensors(sums).items():
                    tensors[f"{place}.{number}.{row}.{name}"] = tensor
    described = {
        "drops": part.drops.to_dict(),
        "n_recordings": part.n_recordings,
        "n_frames": part.n_frames,
        "batch_size": part.batch_size,
        "like": None if part.like is None else _described(part.like),
        "counts": counts,
        "shapes": shapes,
        "variance": variance,
    }
    return described, tensors


def unpack(described: Mapping[str, Any], tensors: Mapping[str, Tensor], *, device: torch.device) -> Part:
    """Put together what `pack` took apart.

    Raises
    ------
    KeyError, TypeError, AttributeError, ValueError, RuntimeError
        If it is something else.
    """
    shapes = {name: LayerShape(int(units), int(lags)) for name, (units, lags) in described["shapes"].items()}
    totals: Totals = {}
    if described["counts"] and not shapes:
        raise ValueError("there are no layers")
    for place, (aligner, groupings) in enumerate(described["counts"].items()):
        totals[aligner] = {}
        for number, (grouping, pairs) in enumerate(groupings.items()):
            counts = {str(label): int(n) for label, n in pairs}
            totals[aligner][grouping] = GroupingMoments.holding(
                counts,
                {
                    layer: _sums(
                        tensors,
                        f"{place}.{number}.{row}.",
                        shape=(len(counts), shape.units, shape.lags),
                        variance=bool(described["variance"]),
                        device=device,
                    )
                    for row, (layer, shape) in enumerate(shapes.items())
                },
            )
    like = described["like"]
    try:
        drops = DropLog.from_dict(described["drops"])
        return Part(
            totals,
            drops,
            int(described["n_recordings"]),
            int(described["n_frames"]),
            None if like is None else _recording(like),
            int(described["batch_size"]),
        )
    except InputError as error:
        raise ValueError(str(error)) from None


def blank(recording: Recording) -> Recording:
    """Copy a recording without its steps, labels and attributes."""
    return Recording(recording.id, recording.features[:, :0].copy(), step=recording.step, frequency=recording.frequency)


def _described(like: Recording) -> dict[str, Any]:
    frequency = None if like.frequency is None else like.frequency.tolist()
    return {"id": like.id, "units": len(like.features), "step": like.step, "frequency": frequency}


def _recording(like: Mapping[str, Any]) -> Recording:
    frequency = None if like["frequency"] is None else np.array(like["frequency"], dtype=np.float64)
    empty = np.zeros((int(like["units"]), 0), dtype=np.float32)
    return Recording(str(like["id"]), empty, step=float(like["step"]), frequency=frequency)


def _tensors(sums: LayerSums) -> dict[str, Tensor]:
    found = {"unaligned": sums.unaligned}
    for name, own in (("activation", sums.activation), ("saliency", sums.saliency)):
        found |= {f"{name}.values": own.values, f"{name}.number": own.number}
        if own.squares is not None:
            found[f"{name}.squares"] = own.squares
    return found


def _sums(
    tensors: Mapping[str, Tensor], prefix: str, *, shape: tuple[int, int, int], variance: bool, device: torch.device
) -> LayerSums:
    def found(name: str, *dims: int) -> Tensor:
        tensor = tensors[prefix + name]
        dtype = torch.float64 if name.endswith(("values", "squares")) else torch.int64
        if tuple(tensor.shape) != dims or tensor.dtype != dtype:
            raise ValueError(f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}; accepted is {dtype} of {dims}")
        return tensor.to(device)

    def sums(name: str) -> Sums:
        squares = found(f"{name}.squares", *shape) if variance else None
        return Sums(found(f"{name}.values", *shape), found(f"{name}.number", shape[0], shape[2]), squares)

    return LayerSums(sums("activation"), sums("saliency"), found("unaligned", shape[0]))
