"""Checkpoints: ``safetensors`` with the configuration, the symbol table and a SHA-256 of the file inside."""

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from snaps.datasets.paths import exists, require_file
from snaps.errors import InputError, MissingFileError, one_of, shortened
from snaps.models.sealed import BrokenSealError, checked_header, is_sealed, write_sealed
from snaps.models.wav2letter import Wav2Letter
from snaps.outputs import refuse_file, replacing
from snaps.schema import json_text, parsed_json

FORMAT = "neuron-snaps wav2letter"
#: From version 2 on, the file holds a SHA-256 of itself.
FORMAT_VERSION = 2


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
        What else to keep, e.g. corpus and options of its training; must be expressible as JSON. The network's error
        rate is kept under ``error_rate``.
    overwrite : bool
        Replace a file that exists. A folder is never replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputExistsError
        If the file exists and is not to be replaced, or is a folder.
    InputError
        If weights are of a type that is not stored.
    """
    path = Path(path)
    refuse_file(path, overwrite=overwrite)
    unknown = model.error_rate is None or math.isnan(model.error_rate)
    described = {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "config": json_text(model.config),
        "metadata": json_text({**(metadata or {}), **({} if unknown else {"error_rate": model.error_rate})}),
    }
    # Long numbers first, so that all lie at multiples of their length.
    tensors = dict(sorted(model.state_dict().items(), key=lambda item: -item[1].element_size()))
    with replacing(path) as partial, partial.open("wb") as file:
        write_sealed(file, tensors, described)
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
    path = Path(path)
    with _opened(path) as (file, described):
        config = described["config"]
        try:
            # Without memory, so that the weights that a configuration asks for can be seen before they are made.
            with torch.device("meta"):
                _refuse_other_tensors(file, Wav2Letter(**config))
            model = Wav2Letter(**config)
            model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise InputError(
                f"{path}: its weights and its configuration do not fit: {shortened(error, limit=500)}"
            ) from None
        metadata = described["metadata"]
    model.source = path
    model.error_rate = metadata.get("error_rate")
    return model.eval()


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save_model` was given as metadata.

    Parameters
    ----------
    path : path
        The checkpoint.

    Returns
    -------
    dict
        Texts, numbers, lists and dictionaries, as JSON holds them.

    Raises
    ------
    MissingFileError, InputError
        As `load_model`.
    """
    with _opened(Path(path)) as (_, described):
        return described["metadata"]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, dict[str, Any]]]]:
    """Open a checkpoint whose seal is whole, with its configuration and metadata."""
    try:
        if not exists(path):
            raise MissingFileError(f"there is no checkpoint at {path}")
        require_file(path)
        sealed = is_sealed(path)
        if sealed:
            with path.open("rb") as binary:
                checked_header(binary)
        with safe_open(path, framework="pt") as file:
            described = file.metadata() or {}
            if described.get("format") != FORMAT:
                raise InputError(f"{path} is a safetensors file, but no checkpoint of a Wav2Letter")
            version = int(described["version"])
            if version > FORMAT_VERSION:
                raise InputError(
                    f"{path} is a checkpoint of version {version}; this version of snaps reads up to "
                    f"{FORMAT_VERSION}: install a newer one"
                )
            if version < 1:
                raise ValueError(f"its version is {version}")
            if version > 1 and not sealed:
                raise BrokenSealError("its SHA-256 is missing")
            yield file, {name: _json_object(path, described, name) for name in ("config", "metadata")}
    except InputError:
        raise
    except BrokenSealError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    except OSError as error:
        raise InputError(f"{path} is no checkpoint of a Wav2Letter: {error.strerror or error}") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no checkpoint of a Wav2Letter: {shortened(error)}") from None


def _json_object(path: Path, described: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        return parsed_json(described[name], dict)
    except ValueError as error:
        raise InputError(f"{path}: its {name} is no JSON object: {shortened(error)}") from None


def _refuse_other_tensors(file: Any, model: nn.Module) -> None:
    """Refuse a file whose tensors are not those of a network, before any is read."""
    asked = model.state_dict()
    stored = set(file.keys())
    if strange := sorted(stored ^ set(asked)):
        raise InputError(f"only one of the two has the tensors {one_of(strange, limit=5)}")
    for name, tensor in asked.items():
        entry = file.get_slice(name)
        if entry.get_shape() != list(tensor.shape):
            raise InputError(
                f"{name} is stored in the shape {entry.get_shape()}, and asked for in {list(tensor.shape)}"
            )
        if entry.get_dtype().startswith(("F", "BF")) != tensor.is_floating_point() or entry.get_dtype().startswith("C"):
            raise InputError(f"{name} is stored as {entry.get_dtype()}, and asked for as {tensor.dtype}")


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        array = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes() if array.numel() else b"")
    return digest.hexdigest()
