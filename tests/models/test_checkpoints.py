"""Checkpoints: what is written is read, and what is none is refused in a sentence."""

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from snaps.errors import InputError, MissingFileError, OutputExistsError
from snaps.models import Wav2Letter, load_model, read_metadata, save_model, weights_hash


@pytest.fixture
def model() -> Wav2Letter:
    torch.manual_seed(0)
    return Wav2Letter(["_", "é", "h#"], layers=[(4, 5, 2), (3, 4, 1)], n_inputs=5, norm="after")


def test_round_trip(model: Wav2Letter, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "deep" / "net.safetensors", metadata={"error_rate": 0.25})
    again = load_model(path)
    assert not again.training
    assert again.symbols == model.symbols
    assert again.config == model.config
    assert weights_hash(again) == weights_hash(model)
    assert read_metadata(path) == {"error_rate": 0.25}
    assert [file.name for file in path.parent.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_there_but_no_file_is_not_called_missing(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "net.safetensors")
    with pytest.raises(InputError, match=r"net.safetensors is no checkpoint .*: it is a folder, a pipe") as raised:
        load_model(tmp_path / "net.safetensors")
    assert not isinstance(raised.value, MissingFileError)


def test_the_hash_changes_with_any_value(model: Wav2Letter) -> None:
    before = weights_hash(model)
    with torch.no_grad():
        model.norm2.running_mean[1] += 1e-6
    assert weights_hash(model) != before


class Odd(nn.Module):
    """A state of more than plain tensors."""

    def __init__(self, extra: object) -> None:
        super().__init__()
        self.extra = extra
        self.register_buffer("sparse", torch.eye(3).to_sparse())
        self.register_buffer("quantised", torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8))

    def get_extra_state(self) -> object:
        return self.extra

    def set_extra_state(self, state: object) -> None:
        self.extra = state


def test_any_state_has_a_hash() -> None:
    assert weights_hash(Odd({"a": 1})) == weights_hash(Odd({"a": 1}))
    assert weights_hash(Odd({"a": 1})) != weights_hash(Odd({"a": 2}))
    assert weights_hash(Odd(object())) == weights_hash(Odd(object()))


def test_a_file_of_version_2_is_read_and_checked(model: Wav2Letter, tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    described = {"format": "neuron-snaps wav2letter", "version": "2", "config": json.dumps(model.config)}
    save_file(model.state_dict(), path, metadata={**described, "metadata": '{"error_rate": 0.5}', "sha256": "0" * 64})
    content = path.read_bytes()
    content = content.replace(b"0" * 64, hashlib.sha256(content).hexdigest().encode(), 1)
    path.write_bytes(content)
    assert weights_hash(load_model(path)) == weights_hash(model)
    path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.raises(InputError, match=r"old.safetensors is damaged: its content and its SHA-256 differ"):
        load_model(path)


def test_an_existing_file_is_refused(model: Wav2Letter, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="net.safetensors"):
        save_model(model, path)
    assert path.read_text() == "precious"
    save_model(model, path, overwrite=True)
    load_model(path)


def test_a_folder_is_never_replaced(model: Wav2Letter, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputExistsError, match="is a folder; give the name of a file"):
        save_model(model, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_link_that_leads_nowhere_exists(model: Wav2Letter, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError, match=r"net\.safetensors' exists"):
        save_model(model, path)
    save_model(model, path, overwrite=True)
    assert not path.is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_checkpoint(model: Wav2Letter, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nothing.safetensors"):
        load_model(tmp_path / "nothing.safetensors")
    whole = save_model(model, tmp_path / "net.safetensors").read_bytes()
    for name, content in {
        "empty": b"",
        "text": b"not at all",
        "truncated": whole[: len(whole) // 2],
        "header": b"\xff" * 8 + whole[8:],
    }.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        with pytest.raises(InputError, match=name) as caught:
            load_model(path)
        assert "\n" not in str(caught.value)
    torch.save(model, tmp_path / "pickled.pt")
    with pytest.raises(InputError, match="pickled"):
        load_model(tmp_path / "pickled.pt")


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "something else"},
        {"version": "99"},
        {"version": "many"},
        {"config": "[]"},
        {"config": "{"},
        {"config": json.dumps({"symbols": ["_", "a"], "layers": [[2, 1, 1]]})},
        {"config": json.dumps({"symbols": 3})},
        {"config": json.dumps({"unknown": 3})},
        {"metadata": "3"},
        {"metadata": "[" * 100_000},
        {"config": '{"a":' * 100_000},
        {"config": "9" * 5000},
        {"version": "-1"},
        {"version": "2"},
    ],
)
def test_headers_that_do_not_fit(model: Wav2Letter, tmp_path: Path, changed: dict[str, str]) -> None:
    described = {
        "format": "neuron-snaps wav2letter",
        "version": "1",
        "config": json.dumps(model.config),
        "metadata": "{}",
    }
    path = tmp_path / "net.safetensors"
    save_file(model.state_dict(), path, metadata={**described, **changed})
    with pytest.raises(InputError, match="net.safetensors"):
        load_model(path)


def test_a_file_of_version_1_is_read_without_a_digest(model: Wav2Letter, tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    described = {"format": "neuron-snaps wav2letter", "version": "1", "config": json.dumps(model.config)}
    save_file(model.state_dict(), path, metadata={**described, "metadata": '{"error_rate": 0.5}'})
    assert weights_hash(load_model(path)) == weights_hash(model)
    assert read_metadata(path) == {"error_rate": 0.5}


def test_any_reader_of_safetensors_reads_it(model: Wav2Letter, tmp_path: Path) -> None:
    path = save_model(model.to(torch.float64), tmp_path / "net.safetensors")
    stored = load_file(path)
    assert stored.keys() == model.state_dict().keys()
    assert all(torch.equal(stored[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("place", [0, 9, 30, 200, 700, 1500, -1, -300])
def test_a_flipped_bit_is_seen(model: Wav2Letter, tmp_path: Path, place: int) -> None:
    path = save_model(model, tmp_path / "net.safetensors", metadata={"error_rate": 0.25})
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match="net.safetensors"):
        load_model(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": [[10**9, 5, 2], [3, 4, 1]]},
        {"layers": [[4, 10**9, 2], [3, 4, 1]]},
        {"layers": [[4, 10**30, 2], [3, 4, 1]]},
        {"layers": [[4, 5, True], [3, 4, 1]]},
        {"layers": [[4, -5, 2], [3, 4, 1]]},
        {"layers": [[4, 5.0, 2], [3, 4, 1]]},
        {"layers": [[4, math.nan, 2], [3, 4, 1]]},
        {"layers": [[4, "5", 2], [3, 4, 1]]},
        {"layers": [[1, 1, 1]] * 10**5},
        {"layers": 10**9},
        {"n_inputs": 10**12},
        {"n_inputs": 10**4000},
        {"n_inputs": True},
        {"preset": "w2l", "width": 10**9, "layers": None},
        {"preset": "w2l", "width": 256, "layers": None},
        {"preset": "w2p_shallow", "width": -1, "layers": None},
        {"preset": "w2p_shallow", "width": math.nan, "layers": None},
        {"preset": ["w2l"], "layers": None},
        {"symbols": [str(number) for number in range(10**5)]},
        {"symbols": [["_"], "é", "h#"]},
        {"blank": ["_"]},
        {"repetitions": [{}]},
        {"repetitions": 3},
        {"norm": {}},
    ],
    ids=lambda changed: json.dumps(changed)[:60],
)
def test_what_the_configuration_asks_for_is_seen_before_it_is_made(
    model: Wav2Letter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    made: list[str] = []
    monkeypatch.setattr(nn.Conv1d, "reset_parameters", lambda self: made.append(self.weight.device.type))
    path = tmp_path / "net.safetensors"
    described = {"format": "neuron-snaps wav2letter", "version": "1", "metadata": "{}"}
    save_file(model.state_dict(), path, metadata={**described, "config": json.dumps({**model.config, **changed})})
    with pytest.raises(InputError, match="net.safetensors: its weights and its configuration do not fit") as raised:
        load_model(path)
    assert set(made) <= {"meta"}
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("change", [torch.Tensor.long, lambda tensor: tensor.to(torch.complex64)])
def test_tensors_of_another_kind_are_refused(model: Wav2Letter, tmp_path: Path, change: Any) -> None:
    path = tmp_path / "net.safetensors"
    described = {"format": "neuron-snaps wav2letter", "version": "1", "metadata": "{}"}
    tensors = {**model.state_dict(), "conv1.weight": change(model.conv1.weight.detach())}
    save_file(tensors, path, metadata={**described, "config": json.dumps(model.config)})
    with pytest.raises(InputError, match=r"conv1\.weight is stored as"):
        load_model(path)
