import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaps.datasets import Grouping, parse_groupings
from snaps.errors import InputError

MANNER = {"s": "fricative", "z": "fricative", "k": "plosive", "q": None, "x": ""}


def test_list_form() -> None:
    assert parse_groupings(["phoneme", ("phoneme", "sex"), ["sex", "dialect"]]) == [
        Grouping("phoneme", ("phoneme",)),
        Grouping("phoneme+sex", ("phoneme", "sex")),
        Grouping("sex+dialect", ("sex", "dialect")),
    ]
    assert parse_groupings(("predicted",)) == [Grouping("predicted", ("predicted",))]
    assert parse_groupings([Grouping("p", ("phoneme",))]) == [Grouping("p", ("phoneme",))]


def test_dictionary_form() -> None:
    parsed = parse_groupings(
        {
            "p": "phoneme",
            "both": ("phoneme", "sex"),
            "manner": ("phoneme", MANNER),
            "m": (("a", "b"), {"x+y": "z"}),
        }
    )
    assert parsed == [
        Grouping("p", ("phoneme",)),
        Grouping("both", ("phoneme", "sex")),
        Grouping("manner", ("phoneme",), MANNER),
        Grouping("m", ("a", "b"), {"x+y": "z"}),
    ]


@pytest.mark.parametrize(
    ("groupings", "sentence"),
    [
        ("phoneme", "groupings is 'phoneme'"),
        (None, "groupings is None"),
        (3, "groupings is 3"),
        ([], "groupings is empty"),
        ({}, "groupings is empty"),
        ([()], r"one of the groupings is \(\)"),
        ([3], "one of the groupings is 3"),
        ([("phoneme", 3)], r"one of the groupings is \('phoneme', 3\)"),
        ([("phoneme", {"s": "x"})], "accepted is a list"),
        ([""], "name is ''"),
        (["a/b"], "name is 'a/b'"),
        ({"a/b": "phoneme"}, "name is 'a/b'"),
        ({"..": "phoneme"}, r"name is '\.\.'"),
        ({3: "phoneme"}, "name is a int; accepted is a text"),
        ({"a": ""}, r"columns \(''"),
        ({"a": ("phoneme", {"s": 3})}, "'s': 3"),
        ({"a": ("phoneme", {3: "s"})}, "3: 's'"),
        (["phoneme", "phoneme"], "same name 'phoneme'"),
        (["a+b", ("a", "b")], r"same name 'a\+b'"),
    ],
)
def test_refuses(groupings: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_groupings(groupings)  # type: ignore[arg-type]


ROWS = pd.DataFrame(
    {
        "step": [1, 2, 3, 4, 5],
        "phoneme": pd.Series(["s", "k", None, "q", "a"], dtype=object),
        "sex": pd.Series(["f", "", "m", "m", float("nan")], dtype=object),
    }
)


@pytest.mark.parametrize(
    ("grouping", "expected"),
    [
        (Grouping("p", ("phoneme",)), ["s", "k", None, "q", "a"]),
        (Grouping("p", ("phoneme", "sex")), ["s+f", None, None, "q+m", None]),
        (Grouping("p", ("sex", "phoneme", "sex")), ["f+s+f", None, None, "m+q+m", None]),
        (Grouping("p", ("phoneme",), MANNER), ["fricative", "plosive", None, None, None]),
        (Grouping("p", ("phoneme", "sex"), {"s+f": "one"}), ["one", None, None, None, None]),
        (Grouping("p", ("step",)), ["1", "2", "3", "4", "5"]),
    ],
)
def test_labels(grouping: Grouping, expected: list[str | None]) -> None:
    found = grouping.labels(ROWS)
    assert found.dtype == object and found.tolist() == expected
    assert grouping.labels(ROWS.iloc[:0]).tolist() == []
    shuffled = ROWS.iloc[[4, 2, 0, 1, 3]]
    assert grouping.labels(shuffled).tolist() == [expected[place] for place in (4, 2, 0, 1, 3)]


value = st.sampled_from(["a", "b", "+", "", None, float("nan")])


@given(st.lists(st.tuples(value, value, value), min_size=1, max_size=30))
def test_labels_equal_slow_reference(cells: list[tuple[object, ...]]) -> None:
    rows = pd.DataFrame(
        {name: pd.Series(column, dtype=object) for name, column in zip("xyz", zip(*cells, strict=True), strict=True)}
    )
    found = Grouping("g", ("z", "x", "y")).labels(rows)
    for (x, y, z), label in zip(cells, found.tolist(), strict=True):
        whole = all(isinstance(part, str) and part for part in (x, y, z))
        assert label == (f"{z}+{x}+{y}" if whole else None)


def test_labels_survive_other_dtypes() -> None:
    for dtype in ("category", "string"):
        rows = ROWS.astype({"phoneme": dtype})
        assert Grouping("p", ("phoneme",)).labels(rows).tolist() == ["s", "k", None, "q", "a"]


def test_unknown_column_is_named_with_those_that_exist() -> None:
    grouping = Grouping("p", ("phonem",))
    with pytest.raises(InputError, match=r"needs the column 'phonem', .* there are 'step', 'phoneme', 'sex'"):
        grouping.labels(ROWS)
    assert grouping.labels(ROWS, known=["phonem"]).tolist() == [None] * 5


def test_many_distinct_labels() -> None:
    rows = pd.DataFrame({"a": [f"w{n}" for n in range(5000)], "b": [f"s{n % 7}" for n in range(5000)]})
    found = Grouping("g", ("a", "b")).labels(rows)
    assert found[4999] == "w4999+s1" and len(np.unique(found.astype(str))) == 5000
