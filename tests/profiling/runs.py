"""Small runs: a network, recordings, and profiles compared to the bit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import snaps
from snaps.datasets.recording import Recording
from snaps.models import Wav2Letter, load_model, save_model
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus

GROUPINGS = {"phoneme": "phoneme", "predicted": "predicted", "phoneme+sex": ("phoneme", "sex")}
#: What differs between two files of the same run: when they were made.
MADE = frozenset({"created"})


def network(seed: int = 0) -> Wav2Letter:
    return random_wav2letter(STACKS["strides 2 and 1"], seed=seed, padding="valid")


def saved_network(folder: Path, seed: int = 0) -> Wav2Letter:
    """A network that lies in a file."""
    return load_model(save_model(network(seed), folder / f"network{seed}.safetensors", overwrite=True))


def recordings(number: int, *, seed: int = 0) -> list[Recording]:
    """Recordings of some 30 steps; every seventh is shorter than a frame."""
    lengths = [5 if index % 7 == 3 else 24 + index % 13 for index in range(number)]
    return random_corpus(seed, lengths)


def compute(model: Any, corpus: Any, **options: Any) -> xr.DataTree:
    options = {"groupings": GROUPINGS, "ignore": (), "variance": True, "progress": False, **options}
    return snaps.compute_profiles(model, corpus, **options)


def assert_identical(found: xr.DataTree, expected: xr.DataTree) -> None:
    """All values to the bit, all attributes but the date."""
    assert [node.path for node in found.subtree] == [node.path for node in expected.subtree]
    for node in expected.subtree:
        own = found[node.path]
        assert _told(own.attrs) == _told(node.attrs), node.path
        assert set(own.variables) == set(node.variables)
        for name, variable in node.variables.items():
            values = own[str(name)].values
            assert values.dtype == variable.dtype
            where = f"{node.path} {name}"
            np.testing.assert_array_equal(values, variable.values, err_msg=where)
            if values.dtype.kind == "f":
                assert values.tobytes() == variable.values.tobytes(), where


def _told(attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in MADE}


class Faulty(Sequence[Recording]):
    """Recordings of which one raises when it is loaded, as often as told, or always."""

    name, fingerprint = "faulty", "faulty"

    def __init__(self, corpus: Sequence[Recording], at: int, error: BaseException, *, often: int | None = None) -> None:
        self.corpus, self.at, self.error, self.left = corpus, at, error, often

    def __len__(self) -> int:
        return len(self.corpus)

    def annotation(self, index: int) -> Recording:
        return self.corpus[index]

    def __getitem__(self, index: Any) -> Any:
        if index == self.at and self.left != 0:
            self.left = None if self.left is None else self.left - 1
            raise self.error
        return self.corpus[index]
