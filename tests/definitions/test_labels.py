"""Which label a frame has in which grouping, definition (2) and the word "grouping"."""

from collections.abc import Sequence

import numpy as np
import pytest

from snaps.datasets.recording import Interval, Recording
from tests.definitions.agreement import assert_agrees, compute, drop_counts, listed
from tests.definitions.networks import random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import reference_profiles

STEP = 0.008


def model_of_one_step() -> object:
    """A network whose frames are single steps: frame ``n`` has its centre at step ``n``."""
    return random_wav2letter([(3, 1, 1), (4, 1, 1)], n_inputs=2)


def labelled(intervals: Sequence[Interval], *, n_steps: int = 6, **attributes: str) -> Recording:
    features = np.random.default_rng(0).normal(size=(2, n_steps))
    return Recording("r", features, tiers={"phoneme": intervals}, attributes=attributes)


def counts_of(corpus: Sequence[Recording], grouping: object = "phoneme", **options: object) -> dict[str, int]:
    """Label → number of frames, by the package, after a comparison with the reference."""
    model = model_of_one_step()
    groupings = grouping if isinstance(grouping, dict | list) else {"grouping": grouping}
    options = {"ignore": (), "groupings": groupings, "layers": ["input"], **options}
    profiles = compute(model, corpus, **options)
    assert_agrees(profiles, reference_profiles(model, corpus, **options))
    node = profiles[f"{listed(profiles, 'groupings')[0]}/input"]
    return dict(zip(node["group"].values.tolist(), node["count"].values.tolist(), strict=True))


def test_an_interval_begins_at_its_start_and_ends_before_its_end() -> None:
    assert counts_of([labelled([Interval(0.0, 2 * STEP, "a"), Interval(2 * STEP, 6 * STEP, "b")])]) == {
        "a": 2,
        "b": 4,
    }


def test_a_step_is_at_its_own_float64_time() -> None:
    """Step 3 is at ``0.008 * 3``, and one representable number later is too late."""
    start = STEP * 3
    assert counts_of([labelled([Interval(start, 1.0, "a")])]) == {"a": 3}
    assert counts_of([labelled([Interval(np.nextafter(start, 1), 1.0, "a")])]) == {"a": 2}
    assert counts_of([labelled([Interval(0.0, start, "a")])]) == {"a": 3}
    assert counts_of([labelled([Interval(0.0, np.nextafter(start, 1), "a")])]) == {"a": 4}


def test_the_first_in_file_order_wins_where_intervals_overlap() -> None:
    assert counts_of([labelled([Interval(0, 4 * STEP, "a"), Interval(2 * STEP, 6 * STEP, "b")])]) == {
        "a": 4,
        "b": 2,
    }


def test_file_order_is_not_order_in_time() -> None:
    assert counts_of([labelled([Interval(2 * STEP, 6 * STEP, "b"), Interval(0, 4 * STEP, "a")])]) == {
        "a": 2,
        "b": 4,
    }


def test_an_empty_label_hides_a_later_interval() -> None:
    """The first interval decides, and an empty label is no label."""
    intervals = [Interval(0, 2 * STEP, ""), Interval(0, 5 * STEP, "a")]
    assert counts_of([labelled(intervals)]) == {"a": 3}


def test_gaps_and_intervals_without_length() -> None:
    intervals = [
        Interval(STEP, STEP, "none"),
        Interval(STEP, 2 * STEP, "a"),
        Interval(4 * STEP, 5 * STEP, "b"),
    ]
    assert counts_of([labelled(intervals)]) == {"a": 1, "b": 1}


def test_intervals_that_end_after_the_audio() -> None:
    assert counts_of([labelled([Interval(4 * STEP, 99.0, "a")])]) == {"a": 2}


def test_a_recording_without_the_tier() -> None:
    bare = Recording("bare", np.ones((2, 4)))
    assert counts_of([bare, labelled([Interval(0, 1, "a")])]) == {"a": 6}


def test_attributes_and_the_recordings_name_are_columns() -> None:
    corpus = [labelled([], sex="f"), labelled([], n_steps=3, sex="m"), labelled([], n_steps=2)]
    assert counts_of(corpus, "sex") == {"f": 6, "m": 3}
    assert counts_of(corpus, "recording") == {"r": 11}


def test_combined_columns() -> None:
    intervals = [Interval(0, 2 * STEP, "iy"), Interval(3 * STEP, 6 * STEP, "aa")]
    corpus = [labelled(intervals, sex="f"), labelled(intervals, sex="m"), labelled(intervals)]
    expected = {"aa+f": 3, "aa+m": 3, "iy+f": 2, "iy+m": 2}
    assert counts_of(corpus, [("phoneme", "sex")]) == expected
    assert counts_of(corpus, {"both": ("phoneme", "sex")}) == expected


def test_three_columns() -> None:
    corpus = [labelled([Interval(0, 1, "iy")], sex="f", dialect="dr1")]
    assert counts_of(corpus, [("dialect", "phoneme", "sex")]) == {"dr1+iy+f": 6}


def test_mapped_labels() -> None:
    intervals = [Interval(STEP * i, STEP * (i + 1), label) for i, label in enumerate(["s", "z", "t", "", "s"])]
    mapping = {"s": "fricative", "z": "fricative", "t": "plosive", "unheard": "nasal"}
    assert counts_of([labelled(intervals)], {"manner": ("phoneme", mapping)}) == {
        "fricative": 3,
        "plosive": 1,
    }
    assert counts_of([labelled(intervals)], {"few": ("phoneme", {"s": "sibilant"})}) == {"sibilant": 2}
    assert counts_of([labelled(intervals)], {"few": ("phoneme", {"s": "", "t": "plosive"})}) == {"plosive": 1}


def test_names_of_groupings() -> None:
    model, corpus = model_of_one_step(), random_corpus(0, [20], n_units=2)
    profiles = compute(model, corpus, groupings=["phoneme", ("phoneme", "sex"), "predicted"], ignore=())
    assert listed(profiles, "groupings") == ["phoneme", "phoneme+sex", "predicted"]
    assert set(profiles.children) == {"phoneme", "phoneme+sex", "predicted"}


def test_groups_are_sorted_by_label() -> None:
    labels = ["t", "B", "aa", "+", "é", "10", "9"]
    intervals = [Interval(STEP * i, STEP * (i + 1), label) for i, label in enumerate(labels)]
    assert list(counts_of([labelled(intervals, n_steps=7)])) == sorted(labels)


@pytest.mark.parametrize("field", [4, 5])
def test_labels_are_taken_at_the_frames_centre(field: int) -> None:
    """Frame 0 of a network of field R has its label from step ``R // 2``."""
    model = random_wav2letter([(3, field, 1), (4, 1, 1)], n_inputs=2)
    intervals = [Interval(STEP * i, STEP * (i + 1), f"at {i}") for i in range(field + 2)]
    profiles = compute(
        model, [labelled(intervals, n_steps=field + 2)], groupings=["phoneme"], ignore=(), layers=["input"]
    )
    assert profiles["phoneme/input"]["group"].values.tolist() == [f"at {field // 2 + i}" for i in range(3)]


def test_unlabelled_frames_are_counted_by_grouping() -> None:
    corpus = [labelled([Interval(0, 2 * STEP, "a")], sex="f")]
    profiles = compute(
        model_of_one_step(),
        corpus,
        groupings={"phoneme": "phoneme", "sex": "sex"},
        ignore=(),
        layers=["input"],
    )
    assert drop_counts(profiles)["unlabelled"] == {"phoneme": 4, "sex": 0}
