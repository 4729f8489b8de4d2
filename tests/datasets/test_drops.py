import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaps.datasets import REASONS, DropLog
from snaps.errors import InputError


def test_counts() -> None:
    log = DropLog()
    log.add("unlabelled", "word", 2)
    log.add("unlabelled", "phoneme", 3)
    log.add("unlabelled", "phoneme", 4)
    log.add("short", "phoneme", 0)
    log.skip("train/b", "'b.wav' is truncated")
    log.clipped += 5
    assert log.counts == {"unlabelled": {"word": 2, "phoneme": 7}, "short": {"phoneme": 0}}
    assert log.to_dict() == {
        "counts": {"unlabelled": {"phoneme": 7, "word": 2}, "short": {"phoneme": 0}},
        "skipped": [{"recording": "train/b", "reason": "'b.wav' is truncated"}],
        "clipped": 5,
    }


event = st.one_of(
    st.tuples(st.sampled_from([*REASONS]), st.sampled_from(["a", "b"]), st.integers(0, 5)),
    st.tuples(st.integers(0, 3)),
)


@given(events=st.lists(event, max_size=20), cut=st.integers(0, 20))
def test_any_split_merges_to_the_same(events: list[tuple[object, ...]], cut: int) -> None:
    def log_of(some: list[tuple[object, ...]]) -> DropLog:
        log = DropLog()
        for item in some:
            if len(item) == 3:
                log.add(*item)  # type: ignore[arg-type]
            else:
                log.skip(f"r{item[0]}", "bad")
                log.clipped += 1
        return log

    whole, first, second = log_of(events), log_of(events[:cut]), log_of(events[cut:])
    second.merge(first)
    assert json.dumps(second.to_dict()) == json.dumps(whole.to_dict())
    again = DropLog.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert again.to_dict() == whole.to_dict() and str(again) == str(DropLog.from_dict(second.to_dict()))


def test_table() -> None:
    log = DropLog()
    log.add("ignored", "phoneme", 2)
    log.add("short", "word", 1)
    table = log.table()
    assert table.index.tolist() == [*REASONS] and table.columns.tolist() == ["phoneme", "word"]
    assert table.loc["ignored"].tolist() == [2, 0] and table.loc["short"].tolist() == [0, 1]
    assert table.to_numpy().dtype == "int64"
    assert DropLog().table().shape == (4, 0)


def test_summary() -> None:
    log = DropLog()
    assert str(log) == "left out: nothing"
    log.add("ignored", "phoneme", 1200)
    log.add("ignored", "word", 1200)
    log.add("unlabelled", "word", 7)
    log.skip("a", "'a.wav' is empty")
    log.add("short", "word", 0)
    log.clipped = 3
    assert str(log).splitlines() == [
        "left out: frames whose predicted symbol is ignored: 1,200 (phoneme, word); "
        "frames without a label: 7 (word); recordings that cannot be read: 1",
        "  a: 'a.wav' is empty",
        "intervals cut at the end of the audio: 3",
    ]


def test_refuses() -> None:
    with pytest.raises(InputError, match="the reason is 'lost'; accepted are 'ignored', 'non-finite'"):
        DropLog().add("lost", "phoneme", 1)
    with pytest.raises(InputError, match="is -1"):
        DropLog().add("ignored", "phoneme", -1)
    for stored in (
        {},
        {"counts": [], "skipped": [], "clipped": 0},
        {"counts": {}, "skipped": [1], "clipped": 0},
    ):
        with pytest.raises(InputError, match="a drop log has counts, skipped and clipped"):
            DropLog.from_dict(stored)
