"""The shape in which sums are merged: the same wherever a run was cut, and few sums at once."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaps.errors import InputError
from snaps.profiling.parts import FAN_IN, Counter, Part, blank, blocks, count_shards, sums_held
from tests.scale.work import recordings


class Written(Part):
    """A part that writes down in which order it was merged."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def merge(self, other: Part) -> None:
        assert isinstance(other, Written)
        self.text = f"({self.text}{other.text})"


def closed(counter: Counter) -> str:
    part = counter.close()
    assert isinstance(part, Written)
    return part.text


def one_by_one(first: int, shards: int) -> Counter:
    counter = Counter()
    for shard in range(first, first + shards):
        counter.push(Written(f"{shard},"))
    return counter


def test_eight_are_one_of_the_next_level() -> None:
    assert closed(one_by_one(0, 3)) == "((0,1,)2,)"
    eight = "(((((((0,1,)2,)3,)4,)5,)6,)7,)"
    assert closed(one_by_one(0, 8)) == eight
    assert closed(one_by_one(0, 10)) == f"({eight}(8,9,))"


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 700), done=st.integers(0, 700), level=st.integers(0, 3))
def test_blocks_and_resuming_keep_the_shape(n: int, done: int, level: int) -> None:
    done = min(done, n)
    counter = one_by_one(0, done)
    for block in blocks(done, n, level=level):
        inner = one_by_one(block.first, block.shards)
        assert len(inner.levels) <= block.level + 1
        part: Any = inner.close()
        counter.push(part, shards=block.shards, level=block.level)
        assert sum(waiting is not None for waiting in counter.levels) < sums_held(n) + 1
    assert counter.done == n
    assert closed(counter) == closed(one_by_one(0, n))


@pytest.mark.parametrize("n", [1, 2, FAN_IN, FAN_IN + 1, FAN_IN**2, FAN_IN**2 + 1])
def test_no_more_sums_are_held_than_told(n: int) -> None:
    counter, most = Counter(), 0
    for shard in range(n):
        most = max(most, 1 + sum(part is not None for part in counter.levels))
        counter.push(Written(str(shard)))
    assert most <= sums_held(n)


def test_a_corpus_without_recordings_has_no_shards() -> None:
    assert count_shards(0) == 0
    assert list(blocks(0, 0, level=2)) == []
    assert Counter().close().like is None


def test_recordings_that_do_not_fit_leave_what_was_merged_as_it_was() -> None:
    counter = Counter()
    for _ in range(9):
        counter.push(Part(like=blank(recordings(1)[0])))
    with pytest.raises(InputError, match="has a step of 0.5 s; those before it have"):
        counter.push(Part(like=replace(blank(recordings(1)[0]), step=0.5)))
    assert counter.whole
    assert counter.done == 9
