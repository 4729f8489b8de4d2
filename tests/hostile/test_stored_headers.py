"""Headers that declare what no file holds: a billion units, gigabytes in a kilobyte, circles, other people's files."""

import hashlib
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import psutil
import pytest
from numcodecs import Blosc, VLenUTF8, Zstd

from snaps.errors import InputError
from snaps.models.sealed import BEGIN
from snaps.profiles import open_profiles
from tests.hostile.stored_kinds import KINDS
from tests.hostile.stored_reader import Answer, shared_reader, whole_files

BILLION = 10**9


def read(kind: str, path: Path) -> Answer:
    return shared_reader().read(kind, path, whole_files()[kind])


def sentence(kind: str, path: Path) -> str:
    answer = read(kind, path)
    assert answer.outcome == "sentence", answer
    return answer.told


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def sealed(header: dict[str, Any], data: bytes) -> bytes:
    """A file under a seal that is whole, whatever its header says."""
    header = {"__metadata__": {**header.pop("__metadata__"), "sha256": "0" * 64}, **header}
    header["__metadata__"] = {"sha256": "0" * 64, **{k: v for k, v in header["__metadata__"].items() if k != "sha256"}}
    text = json.dumps(header, separators=(",", ":")).encode()
    content = len(text).to_bytes(8, "little") + text + data
    place = 8 + len(BEGIN)
    return content[:place] + hashlib.sha256(content).hexdigest().encode() + content[place + 64 :]


def test_the_seal_of_these_tests_is_accepted(tmp_path: Path) -> None:
    for kind in ("network", "run"):
        path = tmp_path / KINDS[kind].ending
        path.write_bytes(sealed(*header_of(whole_files()[kind].read_bytes())))
        assert read(kind, path).outcome == "same"


@pytest.mark.parametrize("kind", ["network"])
@pytest.mark.parametrize(
    "changed",
    [
        {"shape": [BILLION, BILLION, BILLION]},
        {"shape": [-1]},
        {"shape": [2**70]},
        {"shape": [1] * 10**5},
        {"shape": "long"},
        {"shape": [[5]]},
        {"shape": [True]},
        {"shape": [BILLION, 0], "data_offsets": [0, 0]},
        {"data_offsets": [0, BILLION]},
        {"data_offsets": [-8, 0]},
        {"data_offsets": [BILLION, 0]},
        {"data_offsets": 3},
        {"dtype": "F4096"},
        {"dtype": None},
    ],
    ids=lambda changed: str(changed)[:50],
)
def test_tensors_that_are_not_there(kind: str, changed: dict[str, Any], tmp_path: Path) -> None:
    header, data = header_of(whole_files()[kind].read_bytes())
    name = next(name for name in header if name != "__metadata__")
    header[name] = {**header[name], **changed}
    path = tmp_path / KINDS[kind].ending
    path.write_bytes(sealed(header, data))
    sentence(kind, path)


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": [[BILLION, BILLION, 1], [3, 4, 1]]},
        {"layers": [[1, 1, 1]] * 10**5},
        {"n_inputs": BILLION},
        {"layers": None, "preset": "w2l", "width": BILLION},
        {"symbols": [str(number) for number in range(10**5)]},
    ],
    ids=lambda changed: str(changed)[:50],
)
def test_networks_that_no_memory_holds(changed: dict[str, Any], tmp_path: Path) -> None:
    header, data = header_of(whole_files()["network"].read_bytes())
    config = json.loads(header["__metadata__"]["config"])
    header["__metadata__"]["config"] = json.dumps({**config, **changed})
    path = tmp_path / KINDS["network"].ending
    path.write_bytes(sealed(header, data))
    assert "its weights and its configuration do not fit" in sentence("network", path)


@pytest.mark.parametrize("parts", [[None] * 10**6, [[]] * 30, "[" * 10**5])
def test_runs_of_too_many_levels(parts: Any, tmp_path: Path) -> None:
    header, data = header_of(whole_files()["run"].read_bytes())
    run = json.loads(header["__metadata__"]["run"])
    header["__metadata__"]["run"] = parts if isinstance(parts, str) else json.dumps({**run, "parts": parts})
    path = tmp_path / KINDS["run"].ending
    path.write_bytes(sealed(header, data))
    sentence("run", path)


def bomb() -> bytes:
    """Two gigabytes of zeros in two megabytes; a block of DEFLATE may be repeated."""
    packed = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return b"\x78\x9c" + 128 * (packed.compress(bytes(2**24)) + packed.flush(zlib.Z_FULL_FLUSH))


def zipped_bomb() -> bytes:
    return b"\x1f\x8b\x08" + bytes(7) + bomb()[2:]


def lying_blosc() -> bytes:
    packed = bytearray(Blosc().encode(bytes(1000)))
    packed[4:8] = (2**31 - 17).to_bytes(4, "little")
    return bytes(packed)


@pytest.mark.parametrize(
    ("changed", "chunk"),
    [
        ({"shape": [BILLION, BILLION, BILLION]}, None),
        ({"shape": [BILLION, BILLION, BILLION], "chunks": [BILLION, BILLION, BILLION]}, None),
        ({"shape": [3 * 10**7, 1, 1], "chunks": [1, 1, 1], "dtype": "|i1", "fill_value": 0}, None),
        ({"shape": [10**4200, 3, 5]}, None),
        ({"shape": [10**4200, 3, 5], "chunks": [10**4200, 3, 5]}, None),
        ({"shape": [10**300, 10**300, 5], "chunks": [3, 3, 5]}, None),
        ({"shape": [-3, 3, 5]}, None),
        ({"shape": [3.0, 3, 5]}, None),
        ({"shape": [True, 3, 5]}, None),
        ({"chunks": [0, 0, 0]}, None),
        ({"chunks": [3, 3]}, None),
        ({"shape": [], "chunks": []}, None),
        ({"dtype": "<U1000000000"}, None),
        ({"dtype": [["a", "<f4"], ["b", "<f4"]]}, None),
        ({"compressor": {"id": "zlib"}}, bomb),
        ({"compressor": {"id": "gzip"}}, zipped_bomb),
        ({"compressor": {"id": "bz2"}}, None),
        ({"compressor": {"id": "lz4"}}, lambda: (2**31 - 1).to_bytes(4, "little") + bytes(100)),
        ({"compressor": {"id": "blosc"}}, lying_blosc),
        ({"compressor": {"id": "zstd"}}, lambda: b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + bytes(50)),
        ({"compressor": {"id": "zstd"}}, lambda: b"\x28\xb5\x2f\xfd\x00\x58" + bytes(50)),
        ({"compressor": {"id": "zstd"}, "filters": [{"id": "zstd"}]}, lambda: Zstd().encode(Zstd().encode(bytes(180)))),
        ({"compressor": {"id": ["zstd"]}}, None),
        ({"compressor": "zstd"}, None),
        ({"filters": 3}, None),
    ],
    ids=lambda value: "chunk" if callable(value) else str(value)[:60],
)
def test_arrays_of_a_store(changed: dict[str, Any], chunk: Callable[[], bytes] | None, tmp_path: Path) -> None:
    path = shutil.copytree(whole_files()["Zarr without digest"], tmp_path / "u.zarr")
    array = path / "phoneme/conv1/saliency"
    (array / ".zarray").write_text(json.dumps({**json.loads((array / ".zarray").read_text()), **changed}))
    if chunk is not None:
        (array / "0.0.0").write_bytes(chunk())
    sentence("Zarr without digest", path)


@pytest.mark.parametrize("told", [2**31 - 1, 2**32 - 1, 4])
def test_a_billion_labels(told: int, tmp_path: Path) -> None:
    path = shutil.copytree(whole_files()["Zarr without digest"], tmp_path / "u.zarr")
    array = path / "phoneme/conv1/group"
    described = json.loads((array / ".zarray").read_text())
    coded = {
        "dtype": "|O",
        "filters": [{"id": "vlen-utf8"}],
        "compressor": {"id": "zstd", "level": 1},
        "fill_value": "",
    }
    (array / ".zarray").write_text(json.dumps({**described, **coded}))
    texts = VLenUTF8().encode(np.array(["a", "b", "é"], dtype=object))
    (array / "0").write_bytes(Zstd().encode(texts))
    assert read("Zarr without digest", path).outcome == "same"
    (array / "0").write_bytes(Zstd().encode(told.to_bytes(4, "little") + texts[4:]))
    assert "texts of 'group' are not as many as it says" in sentence("Zarr without digest", path)


def huge_without_chunks(file: h5py.File) -> None:
    del file["phoneme/conv1/saliency"]
    file["phoneme/conv1"].create_dataset("saliency", (BILLION, BILLION, 100), "f4", chunks=(3, 3, 5))


def gigabytes_without_chunks(file: h5py.File) -> None:
    file["phoneme/conv1"].create_dataset("more", (2**19, 2**12), "f4", chunks=(16, 16))


def circle(file: h5py.File) -> None:
    file["phoneme/conv1/again"] = file["phoneme"]


def soft_link(file: h5py.File) -> None:
    file["phoneme/conv1/soft"] = h5py.SoftLink("/phoneme")


def other_file(file: h5py.File) -> None:
    file["phoneme/conv1/other"] = h5py.ExternalLink("elsewhere.nc", "/")


def other_bytes(file: h5py.File) -> None:
    file["phoneme/conv1"].create_dataset("passwords", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.nc", "values", (10,))
    file["phoneme/conv1"].create_virtual_dataset("virtual", layout)


def deep(file: h5py.File) -> None:
    group = file["phoneme/conv1"]
    for _ in range(2000):
        group = group.create_group("g")


def complex_values(file: h5py.File) -> None:
    values = file["phoneme/conv1/saliency"][()]
    del file["phoneme/conv1/saliency"]
    file["phoneme/conv1/saliency"] = values.astype(complex)


@pytest.mark.parametrize(
    "change",
    [
        huge_without_chunks, gigabytes_without_chunks, circle, soft_link, other_file, other_bytes, virtual, deep,
        complex_values,
    ],
)  # fmt: skip
def test_netcdf_files(change: Callable[[h5py.File], None], tmp_path: Path) -> None:
    path = shutil.copy(whole_files()["netCDF without digest"], tmp_path / "u.nc")
    with h5py.File(path, "r+") as file:
        change(file)
    sentence("netCDF without digest", Path(path))


@pytest.mark.parametrize("kind", ["Zarr", "netCDF"])
def test_more_values_than_memory_is_free(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = whole_files()[kind]
    assert open_profiles(path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100))
    with pytest.raises(InputError, match=r"p\.(zarr|nc)' holds .* GiB of values, and 0\.0 GiB are free"):
        open_profiles(path)
