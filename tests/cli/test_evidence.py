"""`snaps align` and `snaps faithfulness`: what they write, say and refuse."""

import json
from pathlib import Path

import pytest
import xarray as xr

from snaps.faithfulness import open_faithfulness
from tests.cli.commands import Invoke, contents, sentence


def test_aligners_of_a_network_of_other_symbols(invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
    given = [checkpoint, "sensitivity:max", "lrp-epsilon", "--corpus", f"timit:{corpus}", "--out", tmp_path / "out"]
    assert "2 aligners are named" in sentence(invoke("align", *given, "--quiet"))
    told = sentence(invoke("align", *given, "--compare", "--quiet"))
    assert "which the network cannot predict" in told
    assert "'iy', 's'" in told
    assert contents(tmp_path) == {}
    options = ["--compare", "--tables-only", "--ignore", "", "--quiet", "--json"]
    done = invoke("align", *given, *options)
    assert done.status == 0, done.err
    outcome = json.loads(done.out)
    found = xr.load_dataset(tmp_path / "out" / "alignment.nc", engine="h5netcdf")
    assert list(found["aligner"].values) == ["sensitivity:max", "lrp-epsilon"]
    assert outcome["frames"] == int(found["table"].sel(moment="after", aligner="lrp-epsilon").sum())
    for file in ("report.html", "table.csv", "lrp-epsilon.png", "sensitivity-max.png"):
        assert (tmp_path / "out" / file).stat().st_size > 0
    assert "exists" in sentence(invoke("align", *given, *options))


def test_evidence_of_a_network(invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
    given = [checkpoint, "sensitivity", "lrp-zplus", "--corpus", f"timit:{corpus}", "--out", tmp_path / "out"]
    options = [
        "--frames", 6, "--randomization-frames", 4, "--n-permutations", 1, "--percentage", 10, "--ignore", "",
        "--quiet", "--json",
    ]  # fmt: skip
    done = invoke("faithfulness", *given, *options)
    assert done.status == 0, done.err
    outcome = json.loads(done.out)
    tree = open_faithfulness(tmp_path / "out" / "faithfulness.nc")
    assert outcome["frames_flipped"] == tree["flipping"].attrs["n_frames"] == 6
    assert list(tree["flipping"]["saliency"].values) == ["sensitivity", "lrp-zplus"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for heading in ("Pixel flipping", "Randomised networks", "Profiles against chance"):
        assert heading in page
    for file in ("flipping_accuracy.png", "randomization.png", "energy_sensitivity.png", "silhouette_lrp-zplus.png"):
        assert (tmp_path / "out" / file).stat().st_size > 0


@pytest.mark.parametrize(
    ("command", "options", "told"),
    [
        ("align", ["lrp-delta"], "the saliency method is 'lrp-delta'; accepted are 'sensitivity'"),
        ("align", ["sensitivity:highest"], "peak is 'highest'"),
        ("align", ["--window", "-1", "--tables-only"], "window is -1"),
        ("faithfulness", ["shap"], "the saliency method is 'shap'"),
        ("faithfulness", ["--part", "all"], "'all'"),
        ("faithfulness", ["--baseline", "zero", "--part", "flipping"], "baseline is 'zero'"),
    ],
)
def test_what_they_refuse(
    invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path, command: str, options: list[str], told: str
) -> None:
    done = invoke(command, checkpoint, *options, "--corpus", f"timit:{corpus}", "--out", tmp_path / "out", "--quiet")
    assert told in sentence(done)
    assert contents(tmp_path) == {}
