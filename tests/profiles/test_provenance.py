"""Provenance: built once, written and read back, without what a file cannot hold."""

import json

import numpy as np
import pytest
import torch

from snaps import compute_profiles
from snaps.datasets import Interval, Recording
from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.schema import Provenance
from tests.profiles.build import random_tree


def test_what_is_written_is_read() -> None:
    tree = random_tree(note="by hand")
    found = Provenance.of(tree)
    assert found.layers == ("input", "conv1", "conv2", "logits")
    assert found.others == {"note": "by hand"}
    assert found.left_out["short"] == {"predicted": 3, "phoneme": 3}
    assert found.skipped == {"test/dr1/f001/si1": "the file 'si1.PHN' is empty"}
    assert np.isnan(found.error_rate)
    assert {name: found.attributes()[name] for name in tree.attrs} == tree.attrs | {"ignored": '["_"]'}


def test_what_cannot_be_stored_is_left_out_or_refused() -> None:
    found = Provenance(model={"name": "Net", "size": np.int64(3), "loss": torch.nn.MSELoss(), "shape": (1, 2)})
    assert json.loads(found.attributes()["model"]) == {"name": "Net", "size": 3, "shape": [1, 2]}
    with pytest.raises(InputError, match="the attribute 'target' is"):
        Provenance(target="half of a pair \ud800")
    with pytest.raises(InputError, match="the attribute 'drop_log' of the file is"):
        Provenance.of({"drop_log": '{"counts": 3}'}, "the file")


@pytest.mark.parametrize(
    "config", ["tiny", {"hash": "mine", "symbols": 3, "width": 4, "module": torch.nn.ReLU()}, None]
)
def test_the_configuration_of_a_network_never_replaces_our_own_keys(config: object) -> None:
    model = Wav2Letter(["_", "s"], layers=[(2, 3, 1)], n_inputs=4).eval()
    plain = [Recording("r", np.ones((4, 20), "f4"), tiers={"phoneme": [Interval(0.0, 1.0, "s")]})]
    expected = Provenance.of(compute_profiles(model, plain, groupings=["phoneme"], ignore=(), progress=False)).model
    model.config = config
    found = Provenance.of(compute_profiles(model, plain, groupings=["phoneme"], ignore=(), progress=False)).model
    for name in ("name", "hash", "symbols", "error_rate"):
        assert found[name] == expected[name]
    assert found.get("width") == (4 if isinstance(config, dict) else None)
    assert "module" not in found
