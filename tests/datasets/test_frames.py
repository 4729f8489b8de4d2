import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaps.datasets import FRAME_COLUMNS, Interval, Recording, frame_rows, interval_labels
from snaps.errors import InputError

# Times on a coarse grid, so that bounds and frames often fall together.
grid = st.integers(0, 40).map(lambda n: n * 0.008)
interval = st.builds(Interval, grid, grid, st.sampled_from(["a", "b", "c", ""]))


def slow_label(intervals: list[Interval], time: float) -> str | None:
    for start, end, label in intervals:
        if start <= time < end:
            return label or None
    return None


@given(intervals=st.lists(interval, max_size=12), times=st.lists(grid, max_size=20))
def test_labels_equal_slow_reference(intervals: list[Interval], times: list[float]) -> None:
    found = interval_labels(intervals, np.array(times))
    assert found.dtype == object
    assert found.tolist() == [slow_label(intervals, time) for time in times]


def test_first_in_file_order_wins_even_with_an_empty_label() -> None:
    tier = [
        Interval(0.5, 1.0, "late"),
        Interval(0.0, 0.7, "early"),
        Interval(0.0, 2.0, ""),
        Interval(0.0, 9.0, "x"),
    ]
    assert interval_labels(tier, np.array([0.0, 0.5, 0.6, 1.0, 2.0])).tolist() == [
        "early",
        "late",
        "late",
        None,
        "x",
    ]


def recording(n_steps: int = 300, **attributes: str) -> Recording:
    tiers = {
        "phoneme": [Interval(0.0, 0.9, "sh"), Interval(0.8, 1.0, "iy")],
        "word": [Interval(0.84, 2.0, "she")],
    }
    return Recording("a", np.zeros((2, n_steps)), tiers=tiers, attributes=attributes)


def test_rows() -> None:
    rows = frame_rows(recording(speaker="fcjf0"), n_frames=3, hop=10, centre=103, predicted=["sh", "_", "iy"])
    assert rows.columns.tolist() == [*FRAME_COLUMNS, "phoneme", "word", "speaker"]
    assert rows["step"].tolist() == [103, 113, 123]
    assert rows["time"].tolist() == [103 * 0.008, 113 * 0.008, 123 * 0.008]
    assert rows["phoneme"].tolist() == ["sh", "iy", "iy"]
    assert rows["word"].tolist() == [None, "she", "she"]
    assert rows["recording"].tolist() == ["a"] * 3 and rows["speaker"].tolist() == ["fcjf0"] * 3
    assert rows["predicted"].tolist() == ["sh", "_", "iy"]
    assert {str(rows[name].dtype) for name in rows if name not in ("step", "time")} == {"object"}


def test_no_frames_still_have_columns() -> None:
    rows = frame_rows(recording(3), n_frames=0, hop=2, centre=103, predicted=[])
    assert rows.empty and rows.columns.tolist() == [*FRAME_COLUMNS, "phoneme", "word"]
    together = pd.concat([rows, frame_rows(recording(), n_frames=1, hop=2, centre=103, predicted=["a"])])
    assert together["step"].dtype == np.int64 and together["time"].dtype == np.float64


def test_time_is_exact_in_float64() -> None:
    # 0.872 s is the first instant of an interval; float32 would put step 109 before it.
    tier = {"phoneme": [Interval(109 * 0.008, 1.0, "sh")]}
    rows = frame_rows(Recording("a", np.zeros((1, 300)), tiers=tier), n_frames=1, hop=2, centre=109, predicted=["a"])
    assert rows["phoneme"].tolist() == ["sh"]


@pytest.mark.parametrize("name", [*FRAME_COLUMNS, "word"])
def test_refuses_names_that_are_taken(name: str) -> None:
    with pytest.raises(InputError, match=f"the attribute '{name}'"):
        frame_rows(recording(**{name: "x"}), n_frames=0, hop=2, centre=103, predicted=[])


def test_refuses_a_tier_called_time() -> None:
    with pytest.raises(InputError, match="the tier 'time'"):
        frame_rows(Recording("a", np.zeros((1, 3)), tiers={"time": []}), n_frames=0, hop=2, centre=1, predicted=[])


def test_refuses_other_number_of_predictions() -> None:
    with pytest.raises(InputError, match="3 frames, but 1 predictions"):
        frame_rows(recording(), n_frames=3, hop=2, centre=103, predicted=["a"])
