"""Stored files that are damaged or something else: what was written is read, or one sentence says what is wrong.

Checksums cover the values and labels of profiles and other results, and the weights and texts of networks. Attributes
in Zarr's JSON and HDF5's headers, mappings and learning curves hold none: there, a flipped bit may give another text.
"""

import json
import math
import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import xarray as xr

from snaps.errors import InputError
from snaps.faithfulness import open_faithfulness, save_faithfulness
from snaps.models import Wav2Letter, load_model, read_metadata, save_model, weights_hash
from snaps.profiles import open_profiles, save_profiles
from snaps.report import write_report
from snaps.schema import encode_attributes
from tests.profiles.build import random_tree


class Kind(NamedTuple):
    """One kind of file: how a small one is written and read."""

    ending: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]


def profiles() -> xr.DataTree:
    return random_tree(groupings=("phoneme",), layers=("input", "conv1"), groups=("a", "b", "é"))


def write_network(path: Path) -> object:
    torch.manual_seed(0)
    model = Wav2Letter(["_", "é", "h#"], layers=[(4, 5, 2), (3, 4, 1)], n_inputs=5)
    return save_model(model, path, metadata={"error_rate": 0.25, "training": {"labels": "phoneme"}})


def read_network(path: Path) -> Any:
    model = load_model(path)
    return weights_hash(model), model.config, read_metadata(path)


def write_evidence(path: Path) -> object:
    found = xr.Dataset(
        {"correlation": (("saliency", "randomised"), np.linspace(0, 1, 6).reshape(2, 3))},
        {"saliency": ["lrp", "sensitivity"], "randomised": [1, 2, 3]},
        encode_attributes({"n_frames": 30, "drop_log": {"counts": {}}}),
    )
    tree = xr.DataTree.from_dict({"/randomization": found})
    tree.attrs = {"schema": "neuron-snaps faithfulness", "seed": 0}
    return save_faithfulness(tree, path)


KINDS = {
    "network": Kind("n.safetensors", write_network, read_network),
    "Zarr": Kind("p.zarr", lambda path: save_profiles(profiles(), path), open_profiles),
    "netCDF": Kind("p.nc", lambda path: save_profiles(profiles(), path), open_profiles),
    "evidence": Kind("f.nc", write_evidence, open_faithfulness),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An undamaged file of every kind; they must stay as they are."""
    folder = tmp_path_factory.mktemp("whole")
    for kind in KINDS.values():
        kind.write(folder / kind.ending)
    return {name: folder / kind.ending for name, kind in KINDS.items()}


def values_of(found: Any) -> Any:
    """What a checksum covers: of a tree everything but its attributes."""
    if not isinstance(found, xr.DataTree):
        return found
    return {node.path: node.to_dataset().drop_attrs().to_dict() for node in found.subtree}


def same(one: Any, other: Any) -> bool:
    np.testing.assert_equal(values_of(one), values_of(other))
    return True


def read(kind: str, path: Path) -> Any:
    """What is read from a file, or None where a sentence says what is wrong with it."""
    try:
        with warnings.catch_warnings(action="error"):
            return KINDS[kind].read(path)
    except InputError as error:
        told = str(error)
        assert "\n" not in told
        assert len(told) < 5000
        assert path.name in told
        return None


def damage(kind: str, whole: Path, place: Path, number: int) -> None:
    """Damage a copy in `number` ways, drawn anew for every number; read it, and compare it with the original."""
    pristine = KINDS[kind].read(whole)
    files = [""] if whole.is_file() else sorted(str(f.relative_to(whole)) for f in whole.rglob("*") if f.is_file())
    refused = 0
    for seed in range(number):
        rng = np.random.default_rng(seed)
        copy = place / f"{seed}{whole.suffix}"
        (shutil.copytree if whole.is_dir() else shutil.copy)(whole, copy)
        file = copy / str(rng.choice(files)) if copy.is_dir() else copy
        content = bytearray(file.read_bytes())
        where = int(rng.integers(len(content)))
        if seed % 4 == 0:
            del content[where:]
        elif seed % 4 == 1:
            del content[where : where + int(rng.integers(1, 50))]
        else:
            content[where] ^= 1 << int(rng.integers(8))
        file.write_bytes(content)
        found = read(kind, copy)
        refused += found is None
        # Zarr's JSON holds no checksum: a coordinate whose array has another name now is not there.
        assert found is None or file.name == "zarr.json" or same(found, pristine), (kind, seed, file)
    assert refused >= number // 5


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes(kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
    damage(kind, whole[kind], tmp_path, 24)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes_at_length(kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
    damage(kind, whole[kind], tmp_path, int(os.environ.get("SNAPS_STORED_EXAMPLES", "500")))


class Payload:
    """What a hostile pickle would run."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("unpickled",)


def written(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


IMPOSTORS: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda path: None,
    "empty file": written(b""),
    "text": written("Not at all; é.\n".encode() * 50),
    "picture": written(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)),
    "HDF5 signature": written(b"\x89HDF\r\n\x1a\n"),
    "pickle": written(pickle.dumps(Payload())),
    "folder": Path.mkdir,
    "circle": lambda path: path.symlink_to(path.name),
    "broken link": lambda path: path.symlink_to("nowhere"),
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "long header": written((2**62).to_bytes(8, "little") + b'{"__metadata__":{' + bytes(500)),
    "nested header": written((10**5).to_bytes(8, "little") + b'{"a":' * (2 * 10**4)),
}


@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_something_else_in_its_place(
    impostor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in KINDS:
        IMPOSTORS[impostor](tmp_path / KINDS[kind].ending)
        assert read(kind, tmp_path / KINDS[kind].ending) is None
    assert not Path("unpickled").exists()
    assert capfd.readouterr().err == ""


def test_each_kind_given_to_every_reader(whole: dict[str, Path]) -> None:
    for kind in KINDS:
        for other, path in whole.items():
            if kind != other and {kind, other} != {"Zarr", "netCDF"}:
                assert read(kind, path) is None, (kind, other)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    for kind in KINDS:
        assert read(kind, tmp_path / ("n" * 3000)) is None


def test_more_values_than_memory_is_free(whole: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100))
    for kind in ("Zarr", "netCDF"):
        with pytest.raises(InputError, match=r"p\.(zarr|nc)' holds .* GiB of values, and 0\.0 GiB are free"):
            open_profiles(whole[kind])


def stored(value: Any) -> Any:
    """A value as an attribute: nested ones as JSON text."""
    return json.dumps(value) if isinstance(value, list | dict) or value is None else value


def with_attributes(whole: Path, place: Path, changed: dict[str, Any], node: str = "") -> Path:
    file = shutil.copytree(whole, place / "p.zarr", dirs_exist_ok=True) / node / "zarr.json"
    before = json.loads(file.read_text())
    attributes = {**before["attributes"], **{name: stored(value) for name, value in changed.items()}}
    file.write_text(json.dumps({**before, "attributes": attributes}))
    return place / "p.zarr"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("layers", [], "is [], no list of names"),
        ("layers", ["input", "input"], "no list of names"),
        ("layers", ["../conv1"], "lacks the node '/phoneme/../conv1'"),
        ("layers", 5, "is 5; accepted is a list of texts"),
        ("groupings", {"phoneme": 1}, "accepted is a list of texts"),
        ("groupings", "[" * 10**5, "is nested too deeply"),
        ("groupings", "9" * 5000, "is not JSON text"),
        ("model", ["w2p"], "accepted is a JSON object"),
        ("model", {"symbols": 5}, "accepted is a JSON object with the fields that snaps writes"),
        ("corpus", {"n_recordings": "many"}, "accepted is a JSON object with the fields"),
        ("features", 3, "accepted is a JSON object"),
        ("drop_log", {"counts": {"short": 5}}, "accepted is a JSON object with the fields"),
        ("drop_log", {"skipped": [3]}, "accepted is a JSON object with the fields"),
        ("n_frames", -1, "accepted is a whole number from 0"),
        ("n_frames", "many", "accepted is a whole number from 0"),
        ("step", "long", "accepted is a number"),
        ("step", 10**300, "accepted is a number"),
        ("created", 3, "accepted is a text"),
        ("schema", 3, "its attribute 'schema' is 3"),
        ("schema_version", 1.5, "accepted is a whole number from 0"),
        ("schema_version", True, "accepted is a whole number from 0"),
        ("schema_version", 0, "reads up to 1"),
        ("schema_version", 2, "install a newer one"),
    ],
)
def test_attributes_of_other_types(name: str, value: Any, told: str, whole: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"p\.zarr") as raised:
        open_profiles(with_attributes(whole["Zarr"], tmp_path, {name: value}))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"aligner": "Unaligned", "features": None, "model": {"name": None}, "corpus": {}},
        {"drop_log": {"counts": None, "skipped": [{}]}, "model": {"symbols": None, "error_rate": math.nan}},
        {"frame": {"deep": [[[1]]]}, "more": "[" * 500, "step": math.nan, "note": "{}"},
    ],
)
def test_what_passes_validation_can_be_shown(changed: dict[str, Any], whole: dict[str, Path], tmp_path: Path) -> None:
    tree = open_profiles(with_attributes(whole["Zarr"], tmp_path, changed))
    page = write_report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f"{grouping}</" in page for grouping in tree.children)


def test_attributes_of_a_layer(whole: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'left_out' of the profiles '/phoneme/conv1' of .*p\.zarr"):
        open_profiles(with_attributes(whole["Zarr"], tmp_path, {"left_out": [3]}, "phoneme/conv1"))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("count", lambda values: -values, "values of 'coverage' are not between 0 and 'count'"),
        ("coverage", lambda values: values + 10**6, "values of 'coverage' are not between 0 and 'count'"),
        ("unaligned", lambda values: values - 1000, "values of 'unaligned' are not between 0 and 'count'"),
        ("lag", lambda values: values[::-1], "the values of 'lag' do not ascend"),
        ("lag", lambda values: values * np.nan, "the values of 'lag' do not ascend"),
        ("lag", lambda values: values.astype(str), "'lag' is of the type"),
        ("saliency", lambda values: values > 0, "'saliency' is of the type bool"),
        ("group", lambda values: np.array(["a"] * len(values)), "labels of groups occur twice"),
    ],
)
def test_values_that_cannot_be(name: str, change: Any, told: str, tmp_path: Path) -> None:
    tree = profiles()
    dataset = tree["phoneme/conv1"].to_dataset()
    tree["phoneme/conv1"] = xr.DataTree(dataset.assign({name: (dataset[name].dims, change(dataset[name].values))}))
    tree.to_zarr(tmp_path / "p.zarr", zarr_format=2, consolidated=False)
    with pytest.raises(InputError, match=r"p\.zarr") as raised:
        open_profiles(tmp_path / "p.zarr")
    assert told in str(raised.value)
