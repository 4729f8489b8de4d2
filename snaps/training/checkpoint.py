"""The state of a training between two epochs, on disk, so that an interrupted run can go on.

The file is one of ``safetensors`` with a SHA-256 of itself inside (`snaps.models.sealed`); what is no tensor is JSON
in its metadata.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from snaps.errors import InputError, shortened
from snaps.models import Wav2Letter
from snaps.models.sealed import opened_state, write_sealed
from snaps.outputs import replacing
from snaps.schema import parsed_json
from snaps.training.settings import Settings

FORMAT = "neuron-snaps training"
FORMAT_VERSION = 2
#: Name of the file, where a folder is given.
FILE_NAME = "training.ckpt"

#: What is known of every epoch.
COLUMNS = frozenset({"epoch", "train_loss", "val_loss", "error_rate", "lr", "seconds"})

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

    Raises
    ------
    OSError, InputError
        If it cannot be written, or would be too large to be read back; what was there is untouched.
    """
    tensors: dict[str, Tensor] = {}
    told = {"run": dict(described), "state": _packed(vars(state), tensors)}
    metadata = {"format": FORMAT, "version": str(FORMAT_VERSION), **{name: json.dumps(told[name]) for name in told}}
    with replacing(path) as partial, partial.open("wb") as file:
        write_sealed(file, tensors, metadata)


def load_state(path: Path, described: Mapping[str, Any], *, network: Wav2Letter) -> RunState:
    """Read a run's state; nothing is ever unpickled.

    Parameters
    ----------
    path : Path
        The file.
    described : mapping
        What the run is about that is to go on.
    network : Wav2Letter
        The network that is to learn on; the stored weights must fit it.

    Returns
    -------
    RunState
        As it was after the last epoch.

    Raises
    ------
    InputError
        If the file is no state of a training, is damaged, or that of another run; the sentence names the option
        that differs.
    """
    with opened_state(path, str(path), no="not the state of a training", form=FORMAT) as (metadata, tensors):
        if (version := int(metadata["version"])) > FORMAT_VERSION:
            raise InputError(
                f"{path} has the version {version}; this version of snaps reads up to {FORMAT_VERSION}: "
                "install a newer one"
            )
        _refuse_another(path, parsed_json(metadata["run"], dict), described)
        content = _unpacked(parsed_json(metadata["state"], dict), tensors)
        if not isinstance(content, dict):
            raise ValueError("it holds no state")
        state = RunState(**{item.name: content[item.name] for item in fields(RunState)})
        _check(state, network, epochs=described["epochs"])
    return state


def _refuse_another(path: Path, earlier: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    for name, value in json.loads(json.dumps(dict(described))).items():
        if earlier.get(name) != value:
            raise InputError(
                f"{path} is the state of a run with {name}={shortened(repr(earlier.get(name)))}, and this one has "
                f"{name}={shortened(repr(value))}; go on with the same options, give another checkpoint, or delete the "
                "file"
            )


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """What JSON can hold, with tensors put aside; dicts become pairs, since their names may be numbers."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[name, _packed(inner, tensors)] for name, inner in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_packed(inner, tensors) for inner in value]}
    if isinstance(value, list):
        return [_packed(inner, tensors) for inner in value]
    return value


def _unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(inner, tensors) for inner in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "tuple":
        return tuple(_unpacked(inner, tensors) for inner in held)
    if kind == "dict":
        return {name: _unpacked(inner, tensors) for name, inner in held}
    raise ValueError(f"it holds a {kind!r}")


def _check(state: RunState, network: Wav2Letter, *, epochs: int) -> None:
    """Refuse a state that no run leaves.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong.
    """
    if not 1 <= len(state.history) <= epochs:
        raise ValueError(f"it has {len(state.history)} of {epochs} epochs")
    for number, row in enumerate(state.history, start=1):
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in row.values())
        if set(row) != COLUMNS or not numbers or row["epoch"] != number:
            raise ValueError(f"its epoch {number} is {row!r}")
    if type(state.best_epoch) is not int or not 1 <= state.best_epoch <= len(state.history):
        raise ValueError(f"its best epoch is {state.best_epoch!r}")
    asked = network.state_dict()
    for stored in (state.best, state.last):
        if {name: (tensor.shape, tensor.dtype) for name, tensor in stored.items()} != {
            name: (tensor.shape, tensor.dtype) for name, tensor in asked.items()
        }:
            raise ValueError("its weights do not fit the network")
