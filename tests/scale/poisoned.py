"""Recordings that harm whoever plays them; workers import them, so they lie in a module of their own."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from snaps.datasets import synthesize_corpus
from snaps.datasets.recording import Recording


class Poison(Recording):
    """A recording whose steps do something when a worker counts them."""

    def __init__(self, like: Recording, deed: str, *, often: int = 10**6, folder: Path | None = None) -> None:
        super().__init__(like.id, like.features, like.step, like.tiers, like.attributes)
        self.__dict__.update(deed=deed, often=often, folder=folder, home=os.getpid())

    @property
    def n_steps(self) -> int:
        if os.getpid() != self.__dict__["home"]:
            DEEDS[self.__dict__["deed"]](self.__dict__)
        return self.features.shape[1]


def _raise(about: dict[str, Any]) -> None:
    if about["folder"] is not None:
        done = len(list(about["folder"].glob("*.done")))
        if done >= about["often"]:
            return
        (about["folder"] / f"{done}.done").touch()
    raise RuntimeError("poison")


def _die(_: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _sleep(_: dict[str, Any]) -> None:
    time.sleep(0.05)


DEEDS = {"raise": _raise, "die": _die, "sleep": _sleep}


def tree(root: Path) -> None:
    """TIMIT's layout with speech of two speakers, one sentence broken."""
    synthesize_corpus(root, speakers=4, sentences=5, progress=False)
    broken = sorted(root.rglob("*.[wW][aA][vV]"))[3]
    broken.write_bytes(np.zeros(10, dtype=np.uint8).tobytes())
