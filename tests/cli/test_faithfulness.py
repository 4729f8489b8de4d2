"""`snaps faithfulness`: what it writes, says and refuses."""

import json
from pathlib import Path

import pytest

from snaps.faithfulness import open_faithfulness
from tests.cli.commands import Invoke, contents, sentence


def test_everything_is_written(invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
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
    ("options", "told"),
    [
        (["shap"], "the saliency method is 'shap'"),
        (["--part", "all"], "'all'"),
        (["--baseline", "zero", "--part", "flipping"], "baseline is 'zero'"),
    ],
)
def test_what_it_refuses(
    invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    done = invoke(
        "faithfulness", checkpoint, *options, "--corpus", f"timit:{corpus}", "--out", tmp_path / "out", "--quiet"
    )
    assert told in sentence(done)
    assert contents(tmp_path) == {}
