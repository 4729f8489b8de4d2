"""Errors of `compute_profiles`: one sentence with what was received and what is accepted."""

from typing import Any

import pytest

import snaps
from snaps.datasets.recording import Recording
from snaps.errors import InputError
from tests.definitions.agreement import compute
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus


def refuse(*mentioned: str, corpus: Any = None, **options: Any) -> None:
    """The run is refused in one line that holds all of the given words."""
    model = random_wav2letter(STACKS["odd kernels"])
    corpus = random_corpus(0, [30]) if corpus is None else corpus
    with pytest.raises(InputError) as caught:
        compute(model, corpus, **{"groupings": ["phoneme"], **options})
    sentence = str(caught.value)
    assert "\n" not in sentence
    for word in mentioned:
        assert word in sentence, sentence


def test_a_layer_that_does_not_exist() -> None:
    refuse("conv9", "input", "conv1", "conv2", "logits", layers=["conv9"])


def test_a_layer_in_the_frame_context() -> None:
    refuse("conv9", "input", "conv1", "conv2", "logits", layers=["conv9"], context="frame")


def test_a_grouping_that_does_not_exist() -> None:
    refuse("phonem", "phoneme", "word", "sex", "speaker", "predicted", groupings=["phonem"])


def test_a_column_of_a_pair_that_does_not_exist() -> None:
    refuse("gender", "sex", groupings=[("phoneme", "gender")])


def test_a_mapped_column_that_does_not_exist() -> None:
    refuse("phonem", "phoneme", groupings={"manner": ("phonem", {"s": "fricative"})})


@pytest.mark.parametrize("groupings", [[], {}, ()])
def test_no_grouping(groupings: Any) -> None:
    refuse("groupings", groupings=groupings)


@pytest.mark.parametrize(
    "groupings",
    ["phoneme", [("phoneme", {"s": "fricative"})], {"a/b": "phoneme"}, ["phoneme", "phoneme"]],
    ids=["a text", "a mapping in a list", "a slash in a name", "a name twice"],
)
def test_groupings_of_a_wrong_kind(groupings: Any) -> None:
    refuse("grouping", groupings=groupings)


@pytest.mark.parametrize("layers", [[], ()])
def test_no_layer(layers: Any) -> None:
    refuse("layers", layers=layers)


def test_a_context_that_does_not_exist() -> None:
    refuse("sentence", "recording", "frame", "context", context="sentence")


def test_a_target_that_does_not_exist() -> None:
    refuse("'q'", "predicted", "'a'", "'_'", target="q")


def test_a_peak_rule_that_does_not_exist() -> None:
    with pytest.raises(InputError) as caught:
        compute(
            random_wav2letter(STACKS["odd kernels"]),
            random_corpus(0, [30]),
            groupings=["phoneme"],
            peak="top",
        )
    for word in ("top", "product", "signed-product", "max", "min", "mean"):
        assert word in str(caught.value)


def test_frames_shorter_than_the_receptive_field() -> None:
    refuse("8", "9", "frame_steps", frame_steps=8)


def test_frames_shorter_than_the_receptive_field_in_the_frame_context() -> None:
    model = random_wav2letter(STACKS["odd kernels"], padding="valid")
    with pytest.raises(InputError, match="frame_steps"):
        compute(model, random_corpus(0, [30]), groupings=["phoneme"], frame_steps=8, context="frame")


def test_recordings_with_other_units_than_the_network() -> None:
    refuse("r0", "5", "6", corpus=random_corpus(0, [30], n_units=5))


def test_recordings_with_other_units_in_the_frame_context() -> None:
    refuse("r0", "5", "6", corpus=random_corpus(0, [30], n_units=5), context="frame")


def test_recordings_with_steps_of_other_lengths() -> None:
    corpus = random_corpus(0, [30]) + random_corpus(1, [30], step=0.01)
    refuse("0.01", "0.008", corpus=corpus)


def test_symbols_to_ignore_that_do_not_exist() -> None:
    refuse("'q'", "'a'", ignore=("q",))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_nothing(batch_size: int) -> None:
    refuse("batch_size", batch_size=batch_size)


def test_an_empty_corpus() -> None:
    with pytest.raises(InputError):
        compute(random_wav2letter(STACKS["odd kernels"]), [], groupings=["predicted"])


def test_a_weighting_that_does_not_exist() -> None:
    profiles = compute(random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [30]), groupings=["phoneme"])
    with pytest.raises(InputError, match="frames") as caught:
        snaps.contrast(profiles["phoneme/input"], weighting="speakers")
    assert "groups" in str(caught.value)
    assert "speakers" in str(caught.value)


def test_a_saliency_method_in_place_of_an_aligner() -> None:
    with pytest.raises((InputError, TypeError)):
        snaps.compute_profiles(
            random_wav2letter(STACKS["odd kernels"]),
            random_corpus(0, [30]),
            groupings=["phoneme"],
            aligner="sensitivity",
            progress=False,
        )


def test_what_is_above_the_waist_is_refused_below_it() -> None:
    recording: Recording = random_corpus(0, [30])[0]
    with pytest.raises(InputError):
        snaps.snap(recording)
