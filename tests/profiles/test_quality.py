"""How good the network behind a result is, counted by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import snaps
from snaps.datasets import Interval, Recording
from snaps.models import Wav2Letter, load_model, save_model
from snaps.profiles import Quality, quality
from snaps.report import write_report
from snaps.training import train


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    random = np.random.default_rng(0)
    return [
        Recording(
            f"r{number}", random.random((8, 60), dtype=np.float32), attributes={"speaker": f"s{number}"},
            tiers={"phoneme": [Interval(0.0, 0.2, "s"), Interval(0.2, 0.5, "iy")]},
        )
        for number in range(3)
    ]  # fmt: skip


def network() -> Wav2Letter:
    import torch

    torch.manual_seed(1)
    return Wav2Letter(["_", "s", "iy"], layers=[(4, 5, 2), (3, 1, 1)], n_inputs=8).eval()


def test_profiles_say_how_good_their_network_is(recordings: list[Recording], tmp_path: Path) -> None:
    model = network()
    tree = snaps.compute_profiles(model, recordings, groupings=["phoneme"], progress=False)
    assert math.isnan(quality(tree).error_rate)
    model.error_rate = 0.25
    again = load_model(save_model(model, tmp_path / "w.safetensors"))
    assert again.error_rate == 0.25
    tree = snaps.compute_profiles(again, recordings, groupings=["phoneme"], progress=False)
    snaps.save_profiles(tree, tmp_path / "p.zarr")
    found = quality(snaps.open_profiles(tmp_path / "p.zarr"))
    table = snaps.frame_table(model, recordings, progress=False)
    counted = table[(table.predicted != "_") & table.phoneme.notna()]
    assert found.error_rate == 0.25
    assert found.blanks == pytest.approx((table.predicted == "_").mean())
    assert 0 < found.blanks < 1
    assert found.n_frames == (table.predicted != "_").sum()
    assert found.group_frames == {"phoneme": counted.phoneme.value_counts().median()}


def test_evaluations_say_it_too(recordings: list[Recording]) -> None:
    model = network()
    model.error_rate = 0.75
    table = snaps.frame_table(model, recordings, progress=False)
    alignment = quality(snaps.evaluate_alignment(model, recordings, progress=False))
    evidence = quality(snaps.evaluate_faithfulness(model, recordings, parts=["flipping"], progress=False))
    for found in (alignment, evidence):
        assert found.error_rate == 0.75
        assert found.warning == "This network gets 75 % of the symbols wrong: what is shown describes noise."
    assert alignment.blanks == pytest.approx((table.predicted == "_").mean())
    assert alignment.n_frames == (table.predicted != "_").sum()


def test_a_training_tells_its_network(recordings: list[Recording]) -> None:
    result = train(network(), recordings, epochs=1, validation=0.4, progress=False)
    assert result.model.error_rate == result.error_rate
    assert train(network(), recordings, epochs=1, validation=0, progress=False).model.error_rate is None


@pytest.mark.parametrize(
    ("found", "warning"),
    [
        (Quality(0.5, 0.7, 9, {"phoneme": 50.0}), ""),
        (Quality(math.nan, math.nan, 9), ""),
        (Quality(0.51, 0.7, 9), "This network gets 51 % of the symbols wrong: what is shown describes noise."),
        (
            Quality(0.2, 0.7, 9, {"phoneme": 80.0, "word": 3.0}),
            "Half of the groups have so few frames as 3 by 'word', where 50 are needed: what is shown describes noise.",
        ),
        (
            Quality(0.9, 0.7, 9, {"word": 3.5}),
            "This network gets 90 % of the symbols wrong and half of the groups have so few frames as 3.5 by 'word', "
            "where 50 are needed: what is shown describes noise.",
        ),
    ],
)
def test_the_warning(found: Quality, warning: str) -> None:
    assert found.warning == warning
    assert ("describes noise" in found.rows()) == bool(warning)


def test_a_bad_network_is_the_first_sentence_of_its_page(recordings: list[Recording], tmp_path: Path) -> None:
    model = network()
    model.error_rate = 0.834
    tree = snaps.compute_profiles(model, recordings, groupings=["phoneme"], ignore=(), progress=False)
    text = write_report(tree, tmp_path / "page.html").read_text(encoding="utf-8")
    main = text[text.index("<h1") :]
    first = main[main.index("</h1>") + 5 :].strip()
    assert first.startswith('<p class="warning" role="alert">This network gets 83 % of the symbols wrong')
    assert "Symbol error rate 83.4 %" in text
    tree.attrs["model"] = tree.attrs["model"].replace("0.834", "0.1")
    for layer in tree["phoneme"].children.values():
        layer["count"] = xr.full_like(layer["count"], 50)
    text = write_report(tree, tmp_path / "good.html").read_text(encoding="utf-8")
    assert 'class="warning"' not in text
    assert "Symbol error rate 10.0 %" in text
