import numpy as np
import pytest

from snaps.datasets import Grouping, Interval, Recording, load_timit, parse_groupings, take_inventory
from snaps.errors import InputError


def recording(name: str, phones: str, **attributes: str) -> Recording:
    tier = [Interval(i, i + 1, label) for i, label in enumerate(phones.split(" "))]
    return Recording(name, np.zeros((1, 5)), tiers={"phoneme": tier}, attributes=attributes)


CORPUS = [recording("r1", "s k  s", sex="f"), recording("r2", "k z", sex="m"), recording("r3", "a")]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("phoneme", {"s", "k", "z", "a"}),
        (("phoneme", "sex"), {"s+f", "k+f", "k+m", "z+m"}),
        ("recording", {"r1", "r2", "r3"}),
        (("phoneme", {"s": "f", "z": "f", "k": None}), {"f"}),
        ("predicted", None),
        (("phoneme", "predicted"), None),
        ("time", None),
    ],
)
def test_labels(spec: object, expected: set[str] | None) -> None:
    (grouping,) = parse_groupings({"g": spec})  # type: ignore[dict-item]
    assert take_inventory(CORPUS, [grouping]).labels == {"g": expected}


def test_symbols_make_predictions_known() -> None:
    grouping = Grouping("g", ("predicted", "sex"))
    labels = take_inventory(CORPUS, [grouping], symbols=["_", "x"]).labels
    assert labels == {"g": {"_+f", "x+f", "_+m", "x+m"}}


def test_columns() -> None:
    inventory = take_inventory(CORPUS, parse_groupings(["phoneme", "predicted"]))
    assert inventory.columns == ("recording", "step", "time", "predicted", "phoneme", "sex")
    assert inventory.labels == {"phoneme": {"s", "k", "z", "a"}, "predicted": None}


def test_unknown_column_is_named_with_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"the column 'phonem', which does not exist; there are 'recording'.*'sex'"):
        take_inventory(CORPUS, parse_groupings(["phonem"]))


def test_corpus_that_tells_nothing_beforehand() -> None:
    class Stream:
        name, fingerprint = "stream", "0"

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Recording:
            raise AssertionError("nothing is loaded")

    inventory = take_inventory(Stream(), parse_groupings(["phoneme"]))
    assert inventory.columns is None and inventory.labels == {"phoneme": None}


def test_recordings_that_cannot_be_read_are_left_to_the_reading(timit_tree) -> None:
    timit_tree.add("TRAIN/DR1/FAAA0/SX1", phn="0 16000 xx\n")
    timit_tree.add("TRAIN/DR1/FAAA0/SX2", phn="0 8000 sh\n8000 16000 q\n")
    corpus = load_timit(timit_tree.root, phones=39)
    inventory = take_inventory(corpus, parse_groupings(["phoneme", ("phoneme", "sentence")]))
    assert inventory.labels == {"phoneme": {"sh"}, "phoneme+sentence": {"sh+sx2"}}
