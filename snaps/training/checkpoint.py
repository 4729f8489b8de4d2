"""The state of a training between two epochs, on disk, so that an interrupted training can go on."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from snaps.errors import InputError, shortened
from snaps.outputs import replacing

FORMAT = "neuron-snaps training"
#: Version 3 is PyTorch's own format.
FORMAT_VERSION = 3
#: Name of the file, where a folder is given.
FILE_NAME = "training.ckpt"


def checkpoint_file(path: str | os.PathLike[str]) -> Path:
    """File that keeps a training's state: `path`, or ``training.ckpt`` in it if it is a folder."""
    path = Path(path)
    return path / FILE_NAME if path.is_dir() or not path.suffix else path


def save_state(state: Mapping[str, Any], path: Path, about: Mapping[str, Any]) -> None:
    """Write a training's state; the file is replaced at once and whole.

    Parameters
    ----------
    state : mapping
        What `Training.state_dict` gives.
    path : Path
        The file.
    about : mapping
        Options, network and corpus of the training, in values that JSON can hold; a training that goes on must have
        the same.

    Raises
    ------
    InputError
        If it cannot be written; what was there is untouched.
    """
    stored = {"format": FORMAT, "version": FORMAT_VERSION, "about": json.loads(json.dumps(about)), "state": state}
    try:
        with replacing(path) as partial:
            torch.save(stored, partial)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or shortened(error)
        n = len(state["history"]) - 1
        kept = f"that of {n} epochs is kept" if n and path.exists() else "there is none before it"
        raise InputError(f"the state of the training cannot be written to {str(path)!r}: {reason}; {kept}") from error


def load_state(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Read a training's state; nothing is ever unpickled.

    Parameters
    ----------
    path : Path
        The file.
    about : mapping
        Options, network and corpus of the training that is to go on.

    Returns
    -------
    dict
        As `Training.load_state_dict` takes it.

    Raises
    ------
    InputError
        If the file is no state of a training, is damaged, or that of another training; the sentence names the option
        that differs.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if stored["format"] != FORMAT:
            raise ValueError(f"its format is {stored['format']!r}")
        version, earlier, state = stored["version"], stored["about"], stored["state"]
    except Exception as error:
        raise InputError(
            f"{path} is not the state of a training: {shortened(error)}; delete it to begin anew"
        ) from None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path} has the version {version}; this version of snaps reads {FORMAT_VERSION}: use the one that wrote "
            "it, or delete it to begin anew"
        )
    for name, value in json.loads(json.dumps(about)).items():
        if earlier.get(name) != value:
            raise InputError(
                f"{path} is the state of a training with {name}={shortened(repr(earlier.get(name)))}, and this one has "
                f"{name}={shortened(repr(value))}; go on with the same options, give another checkpoint, or delete the "
                "file"
            )
    return state
