"""The frame table: one row a frame, with its prediction and every label at its centre."""

import numpy as np
import pandas as pd
import pytest

import snaps
from tests.definitions.agreement import compute
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import reference_frame_table


@pytest.mark.parametrize("stack", ["odd kernels", "even kernels", "strides 2 and 3", "kernels of one"])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_rows(stack: str, padding: str) -> None:
    model, corpus = random_wav2letter(STACKS[stack], padding=padding), random_corpus(3, [40, 4, 61])
    table = snaps.frame_table(model, corpus)
    expected = reference_frame_table(model, corpus)
    assert len(table) == len(expected)
    for (_, found), row in zip(table.iterrows(), expected, strict=True):
        assert (found["recording"], found["step"], found["predicted"]) == (
            row["recording"],
            row["step"],
            row["predicted"],
        )
        assert found["time"] == row["time"]
        for column in ("phoneme", "word", "speaker", "sex"):
            value = row.get(column)
            if value is None:
                assert pd.isna(found[column]) or found[column] == ""
            else:
                assert found[column] == value


def test_columns() -> None:
    table = snaps.frame_table(random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [30]))
    assert list(table.columns[:4]) == ["recording", "step", "time", "predicted"]
    assert set(table.columns[4:]) == {"phoneme", "word", "speaker", "sex"}
    assert table["step"].dtype == np.int64
    assert table["time"].dtype == np.float64


def test_blanks_are_rows() -> None:
    model, corpus = random_wav2letter(STACKS["odd kernels"]), random_corpus(2, [50])
    table = snaps.frame_table(model, corpus)
    assert (table["predicted"] == "_").any()
    assert len(table) == 50 - 9 + 1


def test_counts_of_profiles_are_those_of_the_table() -> None:
    model, corpus = random_wav2letter(STACKS["strides 2 and 1"]), random_corpus(2, [50, 80])
    table = snaps.frame_table(model, corpus)
    kept = table[(table["predicted"] != "_") & table["phoneme"].notna() & (table["phoneme"] != "")]
    node = compute(model, corpus, groupings=["phoneme"])["phoneme/input"]
    expected = kept["phoneme"].value_counts().sort_index()
    assert node["group"].values.tolist() == expected.index.tolist()
    np.testing.assert_array_equal(node["count"].values, expected.values)
