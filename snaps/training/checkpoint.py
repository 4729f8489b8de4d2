"""The state of a training between two epochs, on disk, so that an interrupted run can go on."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snaps.errors import InputError
from snaps.outputs import replacing
from snaps.training.settings import Settings

FORMAT = "neuron-snaps training"
FORMAT_VERSION = 1
#: Name of the file, where a folder is given.
FILE_NAME = "training.ckpt"

#: Why a run stopped.
FINISHED, PATIENCE, TIME = "finished", "patience", "time"


@dataclass
class RunState:
    """Everything that a run needs to go on after its last epoch.

    Attributes
    ----------
    history : list of dict
        One row an epoch.
    best_epoch : int
        The epoch with the lowest error rate, from 1; 0 before the first.
    best, last : dict of str to Tensor
        The network's weights and statistics after the best and after the last epoch.
    optimizer, schedule : dict
        States of the optimiser and of the learning-rate schedule.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    last: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)

    def reason_to_stop(self, settings: Settings) -> str | None:
        """Why no epoch is to come, as far as the epochs themselves say so."""
        epoch = len(self.history)
        if epoch >= settings.epochs:
            return FINISHED
        if settings.patience is not None and epoch - self.best_epoch >= settings.patience:
            return PATIENCE
        return None

    def is_best(self, row: Mapping[str, Any]) -> bool:
        """Whether the epoch `row` has the lowest error rate so far, or the lower loss with the same.

        Without a validation every epoch is better than the one before.
        """
        if not self.best_epoch:
            return True
        best = self.history[self.best_epoch - 1]
        return not (row["error_rate"], row["val_loss"]) >= (best["error_rate"], best["val_loss"])


def checkpoint_file(path: str | os.PathLike[str]) -> Path:
    """File that keeps a run's state: `path`, or ``training.ckpt`` in it if it is a folder."""
    path = Path(path)
    return path / FILE_NAME if path.is_dir() or not path.suffix else path


def save_state(state: RunState, path: Path, described: Mapping[str, Any]) -> None:
    """Write a run's state; the file is replaced at once and whole.

    Parameters
    ----------
    state : RunState
        The state after an epoch.
    path : Path
        The file.
    described : mapping
        What the run is about; a run that goes on must be about the same.
    """
    content = {"format": FORMAT, "version": FORMAT_VERSION, "run": dict(described), "state": vars(state)}
    with replacing(path) as partial:
        torch.save(content, partial)


def load_state(path: Path, described: Mapping[str, Any]) -> RunState:
    """Read a run's state; nothing but tensors and plain values is ever unpickled.

    Parameters
    ----------
    path : Path
        The file.
    described : mapping
        What the run is about that is to go on.

    Raises
    ------
    InputError
        If the file is no state of a training, or that of another run; the sentence names the option that
        differs.
    """
    try:  # torch raises whatever its readers stumble over
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path} is not the state of a training, or is damaged: {type(error).__name__}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not the state of a training")
    if content["version"] > FORMAT_VERSION:
        raise InputError(
            f"{path} has the version {content['version']}; this version of snaps reads up to "
            f"{FORMAT_VERSION}: install a newer one"
        )
    for name, value in described.items():
        earlier = content["run"].get(name)
        if earlier != value:
            raise InputError(
                f"{path} is the state of a run with {name}={earlier!r}, and this one has {name}={value!r}; "
                "go on with the same options, give another checkpoint, or delete the file"
            )
    return RunState(**{item.name: content["state"][item.name] for item in fields(RunState)})
