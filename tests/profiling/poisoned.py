"""Recordings that harm whoever plays them; workers import them, so they lie in a module of their own."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from snaps.datasets.recording import Recording
from snaps.errors import RecordingError
from snaps.speech import synthesize_corpus
from tests.waiting import wait_until


class Poison(Recording):
    """A recording whose steps do something when a worker counts them.

    With a folder, each time leaves a file there, ``0.done`` and so on, and after so many times it does nothing more.
    """

    def __init__(self, like: Recording, deed: str, *, often: int = 10**6, folder: Path | None = None) -> None:
        super().__init__(like.id, like.features, like.step, like.tiers, like.attributes)
        self.__dict__.update(deed=deed, often=often, folder=folder, home=os.getpid())

    @property
    def n_steps(self) -> int:
        about = self.__dict__
        if os.getpid() != about["home"] and _once_more(about["folder"], about["often"]):
            DEEDS[about["deed"]](about["folder"])
        return self.features.shape[1]


def _once_more(folder: Path | None, often: int) -> bool:
    if folder is None:
        return True
    done = len(list(folder.glob("*.done")))
    if done < often:
        (folder / f"{done}.done").touch()
    return done < often


def _raise(_: Any) -> None:
    raise RuntimeError("poison")


def _die(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hold(folder: Path) -> None:
    wait_until((folder / "let go").exists, "the test lets go")


def _refuse(_: Any) -> None:
    raise RecordingError("broken", "it is broken")


DEEDS = {"raise": _raise, "unreadable": _refuse, "die": _die, "hold": _hold}


def tree(root: Path) -> None:
    """TIMIT's layout with speech of two speakers, one sentence broken."""
    synthesize_corpus(root, speakers=4, sentences=3, progress=False)
    broken = sorted(root.rglob("*.[wW][aA][vV]"))[3]
    broken.write_bytes(np.zeros(10, dtype=np.uint8).tobytes())
