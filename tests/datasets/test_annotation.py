from pathlib import Path

import pytest

from snaps.datasets import Annotation, Interval
from snaps.datasets.files import check_tiers
from snaps.errors import RecordingError


def annotation(*intervals: tuple[float, float, str]) -> Annotation:
    return Annotation({"phoneme": [Interval(*i) for i in intervals]}, sources={"phoneme": Path("SA1.PHN")})


def test_clips_and_counts() -> None:
    tiers, clipped = check_tiers(
        annotation((0.0, 0.5, "sh"), (0.5, 1.5, "iy"), (0.9, 3.0, "hv"), (1.0, 1.25, "ae")),
        recording="a",
        duration=1.0,
    )
    assert clipped == 3
    assert tiers["phoneme"] == [
        (0.0, 0.5, "sh"),
        (0.5, 1.0, "iy"),
        (0.9, 1.0, "hv"),
        (1.0, 1.0, "ae"),
    ]


def test_overlaps_and_empty_intervals_stay_in_order() -> None:
    intervals = [(0.4, 0.9, "b"), (0.0, 0.5, "a"), (0.2, 0.2, "c"), (0.5, 0.5, "")]
    tiers, clipped = check_tiers(annotation(*intervals), recording="a", duration=1.0)
    assert tiers["phoneme"] == intervals
    assert clipped == 0


def test_an_interval_may_reach_into_the_audio_from_before() -> None:
    intervals = [(-0.5, 0.2, "a"), (-0.3, 0.0, "b"), (-1e-7, -1e-7, "c")]
    assert check_tiers(annotation(*intervals), recording="a", duration=1.0)[0]["phoneme"] == intervals


def test_rounding_is_no_fault() -> None:
    intervals = [(1.0, 1.4100000000000001, "a"), (1.41, 1.41, "b"), (1.4100000000000001, 1.41, "c")]
    tiers, clipped = check_tiers(annotation(*intervals), recording="a", duration=1.41)
    assert clipped == 0
    assert all(interval.end <= 1.41 for interval in tiers["phoneme"])


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        ((0.5, 0.4, "sh"), r"'SA1.PHN': the interval 'sh' of the tier 'phoneme' .* ends before it starts"),
        (
            (1.1, 1.2, "sh"),
            r"'SA1.PHN': the interval 'sh' .*\(1.1 s to 1.2 s\) starts after the end .* at 1 s",
        ),
        ((1.2, 1.1, "sh"), "ends before it starts"),
        ((-0.3, -0.1, "sh"), r"the interval 'sh' .*\(-0.3 s to -0.1 s\) ends before the audio begins"),
        ((0.5, 0.4, "s" * 100), r"the interval 's{60}…' of the tier"),
        ((0.0, float("inf"), "sh"), "not finite"),
        ((float("nan"), 0.3, "sh"), "not finite"),
    ],
)
def test_refuses(interval: tuple[float, float, str], sentence: str) -> None:
    with pytest.raises(RecordingError, match=sentence) as caught:
        check_tiers(annotation((0.0, 0.1, "a"), interval), recording="train/a", duration=1.0)
    assert caught.value.recording == "train/a"


def test_without_audio_only_the_order_is_checked() -> None:
    tiers, _ = check_tiers(annotation((5.0, 9.0, "a")), recording="a")
    assert tiers["phoneme"] == [(5.0, 9.0, "a")]
    with pytest.raises(RecordingError, match="ends before"):
        check_tiers(annotation((5.0, 4.0, "a")), recording="a")
