"""Checkpoints: what is written is read, and what is none is refused in a sentence."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

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


def test_the_hash_changes_with_any_value(model: Wav2Letter) -> None:
    before = weights_hash(model)
    with torch.no_grad():
        model.norm2.running_mean[1] += 1e-6
    assert weights_hash(model) != before


def test_an_existing_file_is_refused(model: Wav2Letter, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="net.safetensors"):
        save_model(model, path)
    assert path.read_text() == "precious"
    save_model(model, path, overwrite=True)
    load_model(path)


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
