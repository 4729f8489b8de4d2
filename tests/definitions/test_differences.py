"""Contrast, SNAP, NAvAI, NAP and coarser groups, against the reference (definitions 9 to 11)."""

import numpy as np
import pytest
import xarray as xr

import snaps
from snaps.errors import InputError
from tests.definitions.agreement import assert_close, compute
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import (
    reference_contrast,
    reference_nap,
    reference_navai,
    reference_profiles,
    reference_regroup,
    reference_snap,
)

LAYERS = ("input", "conv1", "conv3", "logits")
WEIGHTINGS = pytest.mark.parametrize("weighting", ["frames", "groups"])
MANNERS = {"aa": "vowel", "iy": "vowel", "s": "obstruent", "t": "obstruent"}


def profiles_of(context: str = "recording", peak: str = "product", **options: object) -> xr.DataTree:
    model = random_wav2letter(STACKS["one-step layers"], padding="valid", seed=5)
    corpus = random_corpus(5, [60, 17, 90, 33])
    return compute(model, corpus, groupings=["phoneme"], context=context, peak=peak, ignore=(), **options)


def arrays_of(node: xr.DataTree) -> dict[str, np.ndarray]:
    """A node's values for the reference, in float64."""
    arrays = {name: node[name].values for name in ("activation", "saliency", "coverage", "count", "unaligned")}
    return {
        "group": node["group"].values,
        **{
            name: values.astype(np.float64) if values.dtype == np.float32 else values for name, values in arrays.items()
        },
    }


@WEIGHTINGS
@pytest.mark.parametrize("context", ["recording", "frame"])
def test_contrast_and_snap(context: str, weighting: str) -> None:
    profiles = profiles_of(context)
    for layer in LAYERS:
        node = profiles[f"phoneme/{layer}"]
        for function, reference in ((snaps.contrast, reference_contrast), (snaps.snap, reference_snap)):
            found = function(node, weighting=weighting)
            assert found.dims == ("group", "unit", "lag")
            assert found["group"].equals(node["group"])
            assert_close(found.values, reference(arrays_of(node), weighting), where=f"{layer} {function.__name__}")


def test_datasets_and_nodes_are_the_same() -> None:
    node = profiles_of()["phoneme/conv1"]
    for function in (snaps.contrast, snaps.snap):
        assert function(node).equals(function(node.to_dataset()))


def test_snap_end_to_end() -> None:
    """SNAPs of the package against those of the reference's own profiles."""
    model, corpus = random_wav2letter(STACKS["one-step layers"], seed=5), random_corpus(5, [60, 17, 90, 33])
    expected = reference_profiles(model, corpus, groupings=["phoneme"], ignore=())
    assert expected.is_decided
    profiles = compute(model, corpus, groupings=["phoneme"], ignore=())
    for layer in LAYERS:
        found = snaps.snap(profiles[f"phoneme/{layer}"]).values
        assert_close(found, reference_snap(expected.nodes["phoneme", layer]), where=layer, tolerance=1e-4)


def test_snap_is_0_where_saliency_is_0() -> None:
    model, corpus = random_wav2letter(STACKS["one-step layers"], padding="valid"), random_corpus(5, [40, 41])
    options = {"groupings": ["speaker"], "context": "frame", "frame_steps": 40, "ignore": ()}
    node = compute(model, corpus, **options)["speaker/input"]
    found, saliency = snaps.snap(node), node["saliency"]
    assert not np.isnan(found.values).any()
    assert (found.values[saliency.values == 0] == 0).all()
    assert np.isnan(snaps.contrast(node).values).any(), "some lag has to be uncovered for this test to say anything"


def test_snap_of_a_group_without_saliency() -> None:
    """Its largest saliency is 0; it is not divided by."""
    node = profiles_of()["phoneme/conv1"].to_dataset()
    saliency = node["saliency"].copy()
    saliency[0] = 0
    found = snaps.snap(node.assign(saliency=saliency))
    assert (found.isel(group=0).values == 0).all()
    assert np.isfinite(found.values).all()


@WEIGHTINGS
@pytest.mark.parametrize("peak", ["min", "max"])
def test_navai(peak: str, weighting: str) -> None:
    node = profiles_of(peak=peak)["phoneme/input"]
    found = snaps.navai(node, weighting=weighting)
    assert_close(found.values, reference_navai(arrays_of(node), weighting), where="navai")


def test_navai_is_of_the_input() -> None:
    with pytest.raises(InputError, match="input"):
        snaps.navai(profiles_of(peak="min")["phoneme/conv1"])


@WEIGHTINGS
@pytest.mark.parametrize("layer", LAYERS)
def test_nap(layer: str, weighting: str) -> None:
    node = profiles_of(peak="unaligned")[f"phoneme/{layer}"]
    found = snaps.nap(node, weighting=weighting)
    assert found.dims == ("group", "unit", "rank")
    assert_close(found.values, reference_nap(arrays_of(node), weighting), where="nap")
    finite = np.diff(found.values, axis=-1)
    assert (finite[~np.isnan(finite)] >= 0).all()


def test_regroup_is_exact() -> None:
    """Coarser groups from the file are those of a run with the mapping."""
    model, corpus = random_wav2letter(STACKS["odd kernels"], seed=5), random_corpus(5, [60, 90])
    groupings = {"phoneme": "phoneme", "manner": ("phoneme", MANNERS)}
    profiles = compute(model, corpus, groupings=groupings, variance=True)
    coarse = snaps.regroup(profiles["phoneme"], MANNERS)
    for layer in ("input", "conv1", "logits"):
        found, expected = coarse[layer].to_dataset(), profiles[f"manner/{layer}"].to_dataset()
        assert found["group"].values.tolist() == expected["group"].values.tolist()
        for name in ("count", "coverage", "unaligned"):
            np.testing.assert_array_equal(found[name].values, expected[name].values)
        for name in ("activation", "saliency", "activation_variance", "saliency_variance"):
            assert_close(found[name].values, expected[name].values.astype(np.float64), where=f"{layer} {name}")
        reference = reference_regroup(arrays_of(profiles[f"phoneme/{layer}"]), MANNERS)
        for name in ("activation", "saliency"):
            assert_close(found[name].values, reference[name], where=f"{layer} {name}")


def test_regroup_leaves_out_what_the_mapping_lacks() -> None:
    coarse = snaps.regroup(profiles_of()["phoneme"], {"s": "fricative"})
    assert coarse["conv1"]["group"].values.tolist() == ["fricative"]
