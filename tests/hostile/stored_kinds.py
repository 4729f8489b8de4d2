"""Every kind of file that the package reads back: how a small one is written, how it is read, and what it says."""

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from snaps.profiling.parts import Counter, Part
from snaps.profiling.state import read_state, write_state

from snaps.cli.profile import parse_groups
from snaps.faithfulness import open_faithfulness, save_faithfulness
from snaps.models import Wav2Letter, load_model, read_metadata, save_model, weights_hash
from snaps.profiles import open_profiles, save_profiles
from snaps.profiles.digests import DIGEST
from snaps.schema import encode_attributes
from tests.profiles.build import random_tree


class Kind(NamedTuple):
    """One kind of file.

    `sealed` says whether every damage is seen: whether the file holds a digest of what is read from it.
    """

    ending: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    sealed: bool = True


def network() -> Wav2Letter:
    torch.manual_seed(0)
    return Wav2Letter(["_", "é", "h#"], layers=[(4, 5, 2), (3, 4, 1)], n_inputs=5)


def profiles() -> xr.DataTree:
    return random_tree(groupings=("phoneme",), layers=("input", "conv1"), groups=("a", "b", "é"))


def _write_network(path: Path) -> object:
    return save_model(network(), path, metadata={"error_rate": 0.25, "training": {"labels": "phoneme"}})


def _read_network(path: Path) -> Any:
    model = load_model(path)
    return weights_hash(model), model.config, read_metadata(path)


def _write_old_network(path: Path) -> object:
    from safetensors.torch import save_file

    model = network()
    described = {"format": "neuron-snaps wav2letter", "version": "1", "metadata": "{}"}
    save_file(model.state_dict(), path, metadata={**described, "config": json.dumps(model.config)})
    return path


def _write_run(path: Path) -> object:
    return write_state(path, Counter(9, [Part(n_recordings=16), Part(n_frames=7)]), {"corpus": "speech"})


def _read_run(path: Path) -> Any:
    counter = read_state(path, {"corpus": "speech"}, device=torch.device("cpu"), n_shards=40)
    return counter.done, [None if part is None else dataclasses.asdict(part) for part in counter.levels]


def _write_unsealed_store(path: Path) -> object:
    return profiles().to_zarr(path, zarr_format=2, consolidated=False)


def _write_store_3(path: Path) -> object:
    with warnings.catch_warnings(action="ignore"):
        return profiles().to_zarr(path, zarr_format=3, consolidated=False)


def _write_unsealed_netcdf(path: Path) -> object:
    return profiles().to_netcdf(path, engine="h5netcdf")


def _evidence() -> xr.DataTree:
    found = xr.Dataset(
        {"correlation": (("saliency", "randomised"), np.linspace(0, 1, 6).reshape(2, 3))},
        {"saliency": ["lrp", "sensitivity"], "randomised": [1, 2, 3]},
        encode_attributes({"n_frames": 30, "drop_log": {"counts": {}}}),
    )
    tree = xr.DataTree.from_dict({"/randomization": found})
    tree.attrs = {"schema": "neuron-snaps faithfulness", "seed": 0}
    return tree


def _write_evidence(path: Path) -> object:
    return save_faithfulness(_evidence(), path)


def _write_mapping(path: Path) -> object:
    return path.write_text(json.dumps({"s": "fricative", "é": "vowel", "m": "nasal"}), encoding="utf-8")


def _read_mapping(path: Path) -> Any:
    return parse_groups([f"manner=phoneme:{path}"])["manner"][1]


KINDS: dict[str, Kind] = {
    "network": Kind("n.safetensors", _write_network, _read_network),
    "network of version 1": Kind("o.safetensors", _write_old_network, lambda path: _read_network(path), sealed=False),
    "run": Kind("r.state", _write_run, _read_run),
    "Zarr": Kind("p.zarr", lambda path: save_profiles(profiles(), path), open_profiles),
    "Zarr without digest": Kind("u.zarr", _write_unsealed_store, open_profiles, sealed=False),
    "Zarr 3": Kind("v.zarr", _write_store_3, open_profiles, sealed=False),
    "netCDF": Kind("p.nc", lambda path: save_profiles(profiles(), path), open_profiles),
    "netCDF without digest": Kind("u.nc", _write_unsealed_netcdf, open_profiles, sealed=False),
    "evidence": Kind("f.nc", _write_evidence, open_faithfulness),
    "mapping": Kind("m.json", _write_mapping, _read_mapping, sealed=False),
}


def same(one: Any, other: Any) -> bool:
    """Whether two things that were read say the same, to the bit; a digest's own name may be damaged."""
    if isinstance(one, xr.DataTree | xr.Dataset):
        return type(one) is type(other) and _named(one).identical(_named(other))
    if isinstance(one, pd.DataFrame):
        return isinstance(other, pd.DataFrame) and one.equals(other)
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def _named(tree: Any) -> Any:
    copy = tree.copy(deep=False)
    copy.attrs = {name: value for name, value in tree.attrs.items() if not _is_digest(name, value)}
    return copy


def _is_digest(name: str, value: Any) -> bool:
    return len(name) == len(DIGEST) and isinstance(value, str) and len(value) == 64
