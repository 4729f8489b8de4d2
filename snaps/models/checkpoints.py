"""Checkpoints: ``safetensors`` with the configuration and the symbol table inside."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from snaps.errors import InputError, MissingFileError, OutputExistsError
from snaps.models.wav2letter import Wav2Letter
from snaps.schema import json_text

FORMAT = "neuron-snaps wav2letter"
FORMAT_VERSION = 1


def save_model(
    model: Wav2Letter,
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a network with everything that is needed to build it again.

    Parameters
    ----------
    model : Wav2Letter
        The network.
    path : path
        File to write, usually ending in ``.safetensors``. It appears at once and whole.
    metadata : mapping, optional
        What else to keep, e.g. corpus and error rate of its training; must be expressible as JSON.
    overwrite : bool
        Replace a file that exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputExistsError
        If the file exists and is not to be replaced.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists; give overwrite=True (--overwrite) to replace it")
    described = {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "config": json_text(model.config),
        "metadata": json_text(dict(metadata or {})),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        unfinished = Path(folder) / path.name
        # Safetensors' own writing to files makes them private to their owner.
        unfinished.write_bytes(save(tensors, metadata=described))
        unfinished.replace(path)
    return path


def load_model(path: str | os.PathLike[str]) -> Wav2Letter:
    """Read a network that `save_model` wrote; nothing is ever unpickled.

    Parameters
    ----------
    path : path
        The checkpoint.

    Returns
    -------
    Wav2Letter
        In evaluation mode, on the CPU.

    Raises
    ------
    MissingFileError
        If there is no such file.
    InputError
        If it is no checkpoint of a Wav2Letter, is damaged, or of a later version.
    """
    tensors, described = _read(Path(path))
    config = json.loads(described["config"])
    try:
        model = Wav2Letter(**config)
        model.load_state_dict(tensors)
    except (TypeError, RuntimeError, InputError) as error:
        raise InputError(
            f"{path}: its weights and its configuration do not fit: {' '.join(str(error).split())}"
        ) from None
    model.source = path
    return model.eval()


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save_model` was given as metadata.

    Raises
    ------
    MissingFileError, InputError
        As `load_model`.
    """
    return dict(json.loads(_read(Path(path))[1]["metadata"]))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    if not path.is_file():
        raise MissingFileError(f"there is no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            described = file.metadata() or {}
            if described.get("format") != FORMAT:
                raise InputError(f"{path} is a safetensors file, but no checkpoint of a Wav2Letter")
            if int(described["version"]) > FORMAT_VERSION:
                raise InputError(
                    f"{path} is a checkpoint of version {described['version']}; this version of snaps reads up to "
                    f"{FORMAT_VERSION}: install a newer one"
                )
            for name in ("config", "metadata"):
                if not isinstance(json.loads(described[name]), dict):
                    raise InputError(f"{path}: its {name} is no JSON object")
            return {name: file.get_tensor(name) for name in file.keys()}, described  # noqa: SIM118
    except InputError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no checkpoint of a Wav2Letter: {error}") from None


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        array = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes() if array.numel() else b"")
    return digest.hexdigest()
