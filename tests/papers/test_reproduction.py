"""A reproduction from beginning to end, with networks that hardly learn."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import snaps
from snaps.errors import InputError
from snaps.figures import draw_offscreen
from snaps.models import Wav2Letter, save_model
from snaps.papers import SCALES, Recipe, Scale, reproduction, run_reproduction

TEST = Scale(
    "test", 4, 1, 3, 8,
    (
        Recipe("w2p_shallow", "phoneme", "w2p_shallow", 2),
        Recipe("w2l_tl_frozen", "letter", "w2l", 1, "w2p_shallow", "frozen"),
        Recipe("w2p_finetuned", "phoneme", "w2p_shallow", 1, "w2p_shallow", "finetuned"),
    ),
    n_permutations=19,
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_offscreen()
    scales = {**SCALES, "test": TEST, "other": dataclasses.replace(TEST, name="other", width=9)}
    monkeypatch.setattr(reproduction, "SCALES", scales)
    # Networks that have learned nothing predict few symbols: let all groups be shown.
    monkeypatch.setattr("snaps.papers.snap2021.MIN_COUNT", 1)


def test_five_networks_like_the_papers() -> None:
    for name in ("tiny", "small", "paper"):
        recipes = {recipe.name: recipe for recipe in SCALES[name].recipes}
        assert list(recipes) == ["w2p_shallow", "w2p", "w2l", "w2l_tl_frozen", "w2l_tl_finetuned"]
        assert recipes["w2l_tl_frozen"].source == "w2p_shallow"
        assert recipes["w2l_tl_frozen"].frozen == 5
        assert recipes["w2l_tl_finetuned"].source == "w2l_tl_frozen"
    assert SCALES["paper"].width == 256


def test_a_reproduction_is_made_once_and_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    made = run_reproduction(folder, scale="test", progress=False)
    page = made.page.read_text(encoding="utf-8")
    for heading in ("Alignment (SNAP", "NAvAI against SNAP", "Letters against phonemes", "How far saliency reaches"):
        assert heading in page
    assert set(made.profiles) == {recipe.name for recipe in TEST.recipes}
    # Frozen layers are those of the source; fine-tuned ones are not, save their normalisation's statistics.
    shallow, frozen, tuned = (
        snaps.load_model(folder / f"{name}.safetensors") for name in ("w2p_shallow", "w2l_tl_frozen", "w2p_finetuned")
    )
    assert np.array_equal(frozen.conv3.weight.detach(), shallow.conv3.weight.detach())
    assert not np.array_equal(tuned.conv3.weight.detach(), shallow.conv3.weight.detach())
    assert np.array_equal(tuned.norm3.running_mean, shallow.norm3.running_mean)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    # Pages are drawn once here; it takes most of the time.
    monkeypatch.setattr(reproduction.snap2021, "write_page", lambda made, seed: None)
    again = run_reproduction(folder, scale="test", progress=False)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")} == before
    assert set(again.seconds) == {"page"}
    (folder / "w2l_tl_frozen.alignment.nc").write_bytes(b"cut off")
    with pytest.raises(InputError, match="alignment.nc' cannot be read: .*; delete it, and it is made again"):
        run_reproduction(folder, scale="test", progress=False)
    # What an interruption left out is made again.
    (folder / "w2l_tl_frozen.alignment.nc").unlink()
    third = run_reproduction(folder, scale="test", progress=False)
    assert set(third.seconds) == {"alignment of w2l_tl_frozen", "page"}
    with pytest.raises(InputError, match="'scale': 'test', .*, and not .*'scale': 'other'"):
        run_reproduction(folder, scale="other", progress=False)
    with pytest.raises(InputError, match="'corpus': 'synthetic', .* and not .*'timit:/x'"):
        run_reproduction(folder, corpus="timit:/x", scale="test", progress=False)
    save_model(
        Wav2Letter(["_", "x"], "w2l", width=8), folder / "w2l_tl_frozen.safetensors",
        metadata={"error_rate": 1.0, "epochs": 1}, overwrite=True,
    )  # fmt: skip
    with pytest.raises(InputError, match="another alphabet than the corpus"):
        run_reproduction(folder, scale="test", progress=False)
    assert json.loads((folder / ".snaps-reproduction").read_text()) == {
        "corpus": "synthetic",
        "scale": "test",
        "seed": 0,
    }


def test_folders_and_scales_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is a folder without '.snaps-reproduction', so it is of something else"):
        run_reproduction(tmp_path, progress=False)
    with pytest.raises(InputError, match="scale is 'huge'; accepted are 'check', 'demo'"):
        run_reproduction(tmp_path / "new", scale="huge", progress=False)
