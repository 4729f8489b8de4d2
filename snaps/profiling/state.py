"""The state of a run between two shards, on disk, so that one that was stopped can go on.

The file is one of ``safetensors`` with a SHA-256 of itself inside (`snaps.models.sealed`).
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snaps.errors import InputError, shortened
from snaps.models.sealed import opened_state, write_sealed
from snaps.outputs import replacing
from snaps.profiling.parts import FAN_IN, Counter, pack, unpack
from snaps.schema import parsed_json

FORMAT = "neuron-snaps run"
FORMAT_VERSION = 1
#: Seconds between two states, at least; and how many times as long as writing one took.
INTERVAL = 60.0
TIMES_WRITING = 20
#: More shards than these levels can count, no corpus has.
MOST_LEVELS = 20


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
        try:
            if not self.path.exists():
                return Counter()
        except OSError as error:
            raise InputError(f"{str(self.path)!r} cannot be read: {error.strerror or error}") from None
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
        except (OSError, InputError) as error:
            kept = (
                f"that of {self._written} shards is kept, and the same command goes on from there"
                if self._written
                else "there is none before it"
            )
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"the state of the run cannot be written to {str(self.path)!r}: {reason}; {kept}"
            ) from error
        now = time.monotonic()
        self._written = counter.done
        self._next = now + max(INTERVAL, TIMES_WRITING * (now - begun))


def write_state(path: Path, counter: Counter, about: Mapping[str, Any]) -> None:
    """Write a state, which takes its place at once and whole.

    Raises
    ------
    OSError, InputError
        If it cannot be written, or would be too large to be read back; what was there is untouched.
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
    with replacing(path) as partial, partial.open("wb") as file:
        write_sealed(file, tensors, {"format": FORMAT, "run": json.dumps(run)})


def read_state(path: Path, about: Mapping[str, Any], *, device: torch.device, n_shards: int) -> Counter:
    """Read a state; nothing is ever unpickled.

    Raises
    ------
    InputError
        If the file is no state of a run, is damaged, of a later version, or that of another run; the sentence
        names what differs.
    """
    with opened_state(path, repr(str(path)), no="no state of a run", form=FORMAT) as (metadata, tensors):
        run = parsed_json(metadata["run"], dict)
        if int(run["version"]) > FORMAT_VERSION:
            raise InputError(
                f"{str(path)!r} is the state of a run in version {run['version']}; this version of snaps reads up to "
                f"{FORMAT_VERSION}: install a newer one"
            )
        _refuse_another(path, dict(run["about"]), about)
        if len(run["parts"]) > MOST_LEVELS:
            raise ValueError(f"it has sums of {len(run['parts'])} levels")
        levels = [
            None if part is None else unpack(part, tensors.below(f"{level}."), device=device)
            for level, part in enumerate(run["parts"])
        ]
        done = int(run["done"])
        if not 0 <= done <= n_shards:
            raise ValueError(f"{done} of {n_shards} shards are done")
        waiting = [done // FAN_IN**level % FAN_IN > 0 for level in range(len(levels))]
        if done < n_shards and waiting != [part is not None for part in levels]:
            raise ValueError(f"its sums are not those of {done} shards")
    return Counter(done, levels)


def _refuse_another(path: Path, earlier: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    for name in dict.fromkeys([*about, *earlier]):
        if earlier.get(name) != about.get(name):
            raise InputError(
                f"{str(path)!r} is the state of a run with another {name}: {_short(earlier.get(name))}, and this one "
                f"has {_short(about.get(name))}; go on with the same, or delete the file (--overwrite) to begin anew"
            )


def _short(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False), limit=160)
