"""What is left out, and that it is counted: ignored, non-finite, unlabelled, short."""

import json

import numpy as np
import pytest
import torch

from snaps.datasets.recording import Recording
from tests.definitions.agreement import assert_agrees, check, compute, drop_counts, wav2letter_case
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import ReferenceNetwork, reference_profiles

CONTEXTS = pytest.mark.parametrize(
    ("context", "padding"), [("recording", "same"), ("frame", "valid"), ("frame", "same")]
)


def spoilt(recording: Recording, *, step: int, value: float) -> Recording:
    """The same recording with one value of one step replaced."""
    features = recording.features.copy()
    features[2, step] = value
    return Recording(
        recording.id, features, step=recording.step, tiers=recording.tiers, attributes=recording.attributes
    )


@CONTEXTS
def test_every_frame_is_counted_once_in_each_grouping(context: str, padding: str) -> None:
    model = random_wav2letter(STACKS["strides 2 and 1"], padding=padding)
    corpus = random_corpus(7, [60, 13, 14, 44])
    corpus[3] = spoilt(corpus[3], step=20, value=np.nan)
    profiles = compute(model, corpus, groupings=["phoneme", "predicted"], context=context)
    geometry = ReferenceNetwork(model).geometry
    starts = [max(0, (r.n_steps - geometry.receptive_field) // geometry.stride + 1) for r in corpus]
    drops = drop_counts(profiles)
    assert drops["short"] == {"phoneme": 1, "predicted": 1}
    assert drops["non-finite"]["phoneme"] > 0
    for grouping in ("phoneme", "predicted"):
        left_out = sum(drops[reason][grouping] for reason in ("ignored", "non-finite", "unlabelled"))
        for layer in ("input", "conv1", "logits"):
            assert int(profiles[f"{grouping}/{layer}"]["count"].sum()) + left_out == sum(starts)


def test_ignored_frames_are_not_counted_as_unlabelled() -> None:
    model, corpus = random_wav2letter(STACKS["odd kernels"]), random_corpus(2, [50])
    everything = drop_counts(compute(model, corpus, groupings=["phoneme"], ignore=()))
    without_blank = drop_counts(compute(model, corpus, groupings=["phoneme"]))
    assert everything["ignored"] == {"phoneme": 0}
    assert without_blank["ignored"]["phoneme"] > 0
    assert without_blank["unlabelled"]["phoneme"] < everything["unlabelled"]["phoneme"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_non_finite_features_in_the_frame_context(padding: str, value: float) -> None:
    """Exactly the frames whose own steps are spoilt are left out."""
    build = wav2letter_case(STACKS["strides 2 and 1"], padding=padding)

    def with_spoilt_step(seed: int) -> tuple:
        model, corpus = build(seed)
        corpus[-1] = spoilt(corpus[-1], step=30, value=value)
        return model, corpus

    check(with_spoilt_step, context="frame", ignore=())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_features_never_reach_a_mean(value: float) -> None:
    """In the recording context epochs reach beyond the cone, and may meet the value there."""
    model = random_wav2letter(STACKS["strides 2 and 1"])
    geometry, (recording,) = ReferenceNetwork(model).geometry, random_corpus(5, [90])
    step = 40
    profiles = compute(model, [spoilt(recording, step=step, value=value)], groupings=["speaker"], ignore=())
    starts = range(0, 90 - geometry.receptive_field + 1, geometry.stride)
    touched = [start for start in starts if start <= step < start + geometry.receptive_field]
    reach = 2 * geometry.receptive_field
    near = [start for start in starts if start - reach <= step < start + geometry.receptive_field + reach]
    assert len(touched) <= drop_counts(profiles)["non-finite"]["speaker"] <= len(near)
    for layer in ReferenceNetwork(model).layers:
        node = profiles[f"speaker/{layer}"]
        assert np.isfinite(node["saliency"].values).all()
        finite = np.isfinite(node["activation"].values)
        np.testing.assert_array_equal(finite, np.broadcast_to((node["coverage"].values > 0)[:, None], finite.shape))


def test_non_finite_features_in_the_recording_context() -> None:
    """A frame is left out where its cone or its epoch holds the value, in any tapped layer."""
    build = wav2letter_case(STACKS["strides 2 and 1"])

    def with_spoilt_step(seed: int) -> tuple:
        model, corpus = build(seed)
        corpus[-1] = spoilt(corpus[-1], step=30, value=np.nan)
        return model, corpus

    check(with_spoilt_step, ignore=(), groupings=["speaker", "predicted"])


def test_a_frame_that_is_not_finite_is_not_looked_up_for_its_label() -> None:
    """Definition (1) comes before (2): such a frame is non-finite in every grouping, labelled or not."""
    model, corpus = random_wav2letter(STACKS["odd kernels"]), random_corpus(1, [40])
    unlabelled = Recording("r", corpus[0].features, attributes={"speaker": "a"}, tiers={"phoneme": []})
    bare = spoilt(unlabelled, step=20, value=np.nan)
    labelled = Recording("l", corpus[0].features, tiers=corpus[0].tiers, attributes={"speaker": "a"})
    drops = drop_counts(compute(model, [bare, labelled], groupings=["phoneme", "speaker"], ignore=()))
    assert drops["non-finite"]["phoneme"] == drops["non-finite"]["speaker"] > 0


@CONTEXTS
def test_a_network_with_a_weight_that_is_not_a_number(context: str, padding: str) -> None:
    """All frames are non-finite, though the blank is the first symbol, which `argmax` of NaN gives."""
    model = random_wav2letter(STACKS["odd kernels"], padding=padding, symbols=("_", "a", "b", "c"))
    with torch.no_grad():
        model.conv2.weight[0, 0, 0] = torch.nan
    corpus = random_corpus(0, [20, 30])
    n_frames = sum(recording.n_steps - 9 + 1 for recording in corpus)
    profiles = compute(model, corpus, groupings=["phoneme"], context=context)
    assert drop_counts(profiles)["non-finite"] == {"phoneme": n_frames}
    assert drop_counts(profiles)["ignored"] == {"phoneme": 0}
    assert drop_counts(profiles)["unlabelled"] == {"phoneme": 0}


def test_only_tapped_layers_have_to_be_finite() -> None:
    """Saliency that overflows below the layers that are asked for says nothing about them."""
    model = random_wav2letter(STACKS["odd kernels"], norm="after")
    corpus = random_corpus(0, [20, 30])
    for layers in (["logits"], ["conv2", "logits"]):
        reference = reference_profiles(model, corpus, groupings=["phoneme"], layers=layers)
        assert_agrees(compute(model, corpus, groupings=["phoneme"], layers=layers), reference)


@CONTEXTS
def test_recordings_shorter_than_a_frame(context: str, padding: str) -> None:
    model = random_wav2letter(STACKS["strides 2 and 1"], padding=padding)
    corpus = random_corpus(1, [13, 5, 1, 40, 2])
    profiles = compute(model, corpus, groupings=["phoneme"], context=context)
    assert drop_counts(profiles)["short"] == {"phoneme": 4}
    assert int(profiles.attrs["n_recordings"]) == 5
    alone = compute(model, corpus[3:4], groupings=["phoneme"], context=context)
    assert (
        alone["phoneme/conv1"].to_dataset().drop_attrs().identical(profiles["phoneme/conv1"].to_dataset().drop_attrs())
    )


def test_the_drop_log_has_every_reason() -> None:
    profiles = compute(random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [20]), groupings=["phoneme"])
    log = json.loads(profiles.attrs["drop_log"])
    assert set(log["counts"]) >= {"ignored", "non-finite", "unlabelled", "short"}
