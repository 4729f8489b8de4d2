"""Checkpoints: safetensors with configuration, symbols, and a digest of weights and texts."""

import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from snaps.datasets import exists, require_file
from snaps.errors import InputError, MissingFileError, shortened
from snaps.models.wav2letter import Wav2Letter
from snaps.outputs import writing
from snaps.schema import json_text, parsed_json

FORMAT = "neuron-snaps wav2letter"
#: Version 1 holds no digest, version 2 the SHA-256 of the file, version 3 that of the weights and the texts.
FORMAT_VERSION = 3


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
    """
    path = Path(path)
    unknown = model.error_rate is None or math.isnan(model.error_rate)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    described = {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "config": json_text(model.config),
        "metadata": json_text({**(metadata or {}), **({} if unknown else {"error_rate": model.error_rate})}),
    }
    with writing(path, overwrite=overwrite) as partial:
        save_file(tensors, partial, metadata={**described, "digest": _digest(tensors, described)})
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
    with _opened(path) as (tensors, config, metadata):
        # Without memory, so that the weights that a configuration asks for are compared before they are made.
        with torch.device("meta"):
            model = Wav2Letter(**config)
        for name, asked in model.state_dict().items():
            if name in tensors and tensors[name].is_floating_point() != asked.is_floating_point():
                raise ValueError(f"{name} is stored as {tensors[name].dtype}, and asked for as {asked.dtype}")
            tensors[name] = tensors[name].to(asked.dtype, copy=True)
        model.load_state_dict(tensors, assign=True)
    model.source = path
    model.error_rate = metadata.get("error_rate")
    return model.eval()


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Metadata that `save_model` stored.

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
    with _opened(Path(path)) as (_, _, metadata):
        return metadata


@contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]]:
    """Weights, configuration and metadata of a checkpoint; any fault, also within the block, is one sentence."""
    if not exists(path):
        raise MissingFileError(f"there is no checkpoint at {path}")
    fault = f"{path} is no checkpoint of a Wav2Letter"
    try:
        require_file(path)
        with safe_open(path, framework="pt") as file:
            described = file.metadata() or {}
            if described.get("format") != FORMAT:
                raise ValueError("it is a safetensors file of another kind")
            version = int(described["version"])
            if not 1 <= version <= FORMAT_VERSION:
                raise ValueError(
                    f"its version is {version}; this snaps reads 1 to {FORMAT_VERSION}: install a newer one"
                )
            config, metadata = (parsed_json(described[name], dict) for name in ("config", "metadata"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        fault = f"{path} is damaged"
        if version == 2 and not _matches_file(path, described["sha256"]):
            raise ValueError("its content and its SHA-256 differ")
        if version > 2 and described["digest"] != _digest(tensors, described):
            raise ValueError("its weights or texts and their SHA-256 differ")
        fault = f"{path}: its weights and its configuration do not fit"
        yield tensors, config, metadata
    except (OSError, SafetensorError, TypeError, KeyError, ValueError, RuntimeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or shortened(error, limit=500)
        raise InputError(f"{fault}: {reason}") from None


def _digest(tensors: Mapping[str, Tensor], described: Mapping[str, str]) -> str:
    """SHA-256 over the hash of the weights, the configuration and the metadata."""
    texts = [_hash(tensors), described["config"], described["metadata"]]
    return hashlib.sha256(json_text(texts).encode()).hexdigest()


def _matches_file(path: Path, told: str) -> bool:
    """Whether a file of version 2 matches its SHA-256, which was taken with zeros in its place."""
    content = path.read_bytes().replace(told.encode(), b"0" * len(told), 1)
    return hashlib.sha256(content).hexdigest() == told


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of all parameters and buffers.

    Of a sparse or quantised tensor the values are hashed, of other entries, such as ``get_extra_state``, what Python
    shows of them.
    """
    return _hash(model.state_dict())


def _hash(state: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        if not isinstance(value, Tensor):
            digest.update(f"{name} {re.sub(r' at 0x[0-9a-fA-F]+', '', repr(value))}".encode())
            continue
        array = value.detach().dequantize() if value.is_quantized else value.detach().to_dense()
        array = array.cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes() if array.numel() else b"")
    return digest.hexdigest()
