"""Whether profiles agree with the reference, and cases in which they have to."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import xarray as xr

import snaps
from snaps.datasets.recording import Recording
from tests.definitions.networks import random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import ReferenceNetwork, ReferenceProfiles, reference_profiles

Case = tuple[Any, list[Recording]]

#: What is compared unless a test says otherwise: a tier, a prediction, a pair of columns, coarser labels.
GROUPINGS: Mapping[str, Any] = {
    "phoneme": "phoneme",
    "predicted": "predicted",
    "phoneme+sex": ("phoneme", "sex"),
    "manner": ("phoneme", {"aa": "vowel", "iy": "vowel", "s": "fricative"}),
}


def aligner(peak: str) -> Any:
    """The package's aligner for a peak rule; ``"unaligned"`` is the one without."""
    if peak == "unaligned":
        return snaps.Unaligned(saliency=snaps.Sensitivity())
    return snaps.Aligner(saliency=snaps.Sensitivity(), peak=peak)


def compute(model: Any, corpus: Sequence[Recording], *, peak: str = "product", **options: Any) -> xr.DataTree:
    """Profiles by the package."""
    return snaps.compute_profiles(model, corpus, aligner=aligner(peak), progress=False, **options)


def recording_lengths(model: Any, *, frame_steps: int | None = None) -> list[int]:
    """Lengths that matter: one frame exactly, one step more, one less, two frames, and many."""
    geometry = ReferenceNetwork(model).geometry
    frame = geometry.receptive_field if frame_steps is None else frame_steps
    return [frame, frame + geometry.stride - 1, frame - 1, 2 * frame + 1, frame + 24 * geometry.stride]


def wav2letter_case(
    layers: Sequence[tuple[int, int, int]], *, frame_steps: int | None = None, **options: Any
) -> Callable[[int], Case]:
    """Cases of one architecture, by seed."""

    def build(seed: int) -> Case:
        model = random_wav2letter(layers, seed=seed, **options)
        return model, random_corpus(seed, recording_lengths(model, frame_steps=frame_steps))

    return build


def decided(build: Callable[[int], Case], *, seed: int = 0, **options: Any) -> tuple[Case, ReferenceProfiles]:
    """The first case, from a seed on, in which no decision is so near that float32 may take the other.

    Near decisions (two steps as important to 1e-5, a value before a ReLU that is all but 0) are rare and say
    nothing about the package; whole cases are drawn anew, so that no frame of a case is passed over.
    """
    options = {"groupings": GROUPINGS, **options}
    for attempt in range(30):
        case = build(seed + 1000 * attempt)
        reference = reference_profiles(*case, **options)
        if reference.is_decided:
            return case, reference
    pytest.fail(f"no case without a near decision in 30 attempts, at last {reference.margins}")


def check(build: Callable[[int], Case], *, seed: int = 0, variance: bool = False, **options: Any) -> None:
    """Hold the package against the reference in one case."""
    options = {"groupings": GROUPINGS, **options}
    batch_size = options.pop("batch_size", None)
    (model, corpus), reference = decided(build, seed=seed, **options)
    profiles = compute(model, corpus, variance=variance, batch_size=batch_size, **options)
    assert_agrees(profiles, reference, variance=variance)


def assert_agrees(profiles: xr.DataTree, reference: ReferenceProfiles, *, variance: bool = False) -> None:
    """All nodes, all variables, and the drop log."""
    assert drop_counts(profiles) == reference.drop_log
    assert reference.nodes, "a case in which no frame is left says nothing"
    for (grouping, layer), expected in reference.nodes.items():
        found = profiles[f"{grouping}/{layer}"].to_dataset()
        least = 1e-2 * reference.scales.get(layer, 0.0)
        assert_node_agrees(found, expected, where=f"{grouping}/{layer}", variance=variance, least=least)


def assert_node_agrees(
    found: xr.Dataset,
    expected: Mapping[str, np.ndarray],
    *,
    where: str,
    variance: bool = False,
    least: float = 0.0,
) -> None:
    """Counts exactly; means to 1e-5 of the layer's largest value.

    Where a group hardly fires, its activations are compared to 1e-5 of `least`, a hundredth of what the layer
    had before its ReLU, for float32 has rounded that.
    """
    assert list(found["group"].values) == list(expected["group"]), where
    np.testing.assert_allclose(found["lag"].values, expected["lag"], rtol=1e-12, atol=1e-15, err_msg=where)
    for name in ("count", "unaligned", "coverage"):
        assert found[name].dtype == np.int64, (where, name)
        np.testing.assert_array_equal(found[name].values, expected[name], err_msg=f"{where}: {name}")
    optional = ("activation_variance", "saliency_variance")
    assert set(found.data_vars) >= {"activation", "saliency"}
    assert (set(optional) <= set(found.data_vars)) == variance, where
    for name in ("activation", "saliency", *(optional if variance else ())):
        largest = float(np.nanmax(np.abs(expected[name]), initial=0.0))
        if name == "activation":
            largest = max(largest, least)
        if name in optional:
            # A variance of nearly equal values is only as exact as float32 activations are.
            values = float(np.nanmax(np.abs(expected[name.removesuffix("_variance")]), initial=0.0))
            largest += 4 * np.sqrt(largest) * max(0.1 * values, least) + 1e-4 * values**2
        assert found[name].dims == ("group", "unit", "lag"), (where, name)
        assert found[name].dtype == np.float32, (where, name)
        assert_close(found[name].values, expected[name], where=f"{where}: {name}", largest=largest)


def assert_close(
    found: np.ndarray,
    expected: np.ndarray,
    *,
    where: str,
    tolerance: float = 1e-5,
    largest: float | None = None,
) -> None:
    """Equal to a share of the largest value, with NaN in the same places."""
    assert found.shape == expected.shape, where
    if largest is None:
        largest = float(np.nanmax(np.abs(expected), initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest, err_msg=where)


def drop_counts(profiles: xr.DataTree) -> dict[str, dict[str, int]]:
    """Counts of the drop log: reason → grouping → number."""
    log = profiles.attrs["drop_log"]
    return (json.loads(log) if isinstance(log, str) else log)["counts"]


def listed(profiles: xr.DataTree, name: str) -> list[str]:
    """One of the root's lists."""
    value = profiles.attrs[name]
    return json.loads(value) if isinstance(value, str) else list(value)
