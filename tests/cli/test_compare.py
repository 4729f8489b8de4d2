"""``snaps compare``: what it writes, what it says, and what it refuses."""

import contextlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import snaps
from snaps.cli import main
from snaps.profiles import save_profiles
from tests.cli.commands import Invoke, Outcome, contents, sentence
from tests.profiles.build import random_tree

GROUPS = tuple(f"g{number}" for number in range(9))
FEW = ("--min-count", 1, "--n-permutations", 9)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two networks, one of them with a layer and a group more; and another grouping."""
    folder = tmp_path_factory.mktemp("networks")
    trees = {
        "w2l": random_tree(0, groupings=("phoneme",), layers=("input", "conv1"), groups=GROUPS),
        "tl": random_tree(40, groupings=("phoneme",), layers=("input", "conv1", "conv2"), groups=(*GROUPS, "j")),
        "foreign": random_tree(80, groupings=("phoneme",), layers=("block.0", "block.1"), groups=GROUPS),
        "letters": random_tree(1, groupings=("letter",), layers=("input", "conv1"), groups=GROUPS),
        "others": random_tree(1, groupings=("phoneme",), layers=("input", "conv1"), groups=("x", "y", "z")),
    }
    return {name: save_profiles(tree, folder / f"{name}.zarr") for name, tree in trees.items()}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared") / "out"


@pytest.fixture(scope="module")
def compared(stored: dict[str, Path], out: Path) -> Outcome:
    """One comparison for all tests that look at what was written."""
    told, complained = io.StringIO(), io.StringIO()
    command = ("compare", stored["w2l"], stored["tl"], "--out", out, *FEW, "--json")
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(complained):
        status = main([str(argument) for argument in command])
    return Outcome(status, told.getvalue(), complained.getvalue())


def test_everything_is_written_and_said(compared: Outcome, stored: dict[str, Path], out: Path) -> None:
    assert (compared.status, compared.err) == (0, "")
    pictures = {"silhouettes.png", *(f"{kind}_w2l_tl.png" for kind in ("changes", "moved", "rsa", "cka"))}
    tables = {f"{name}.csv" for name in ("silhouettes", "successive", "changes", "layers", "moved", "left_out")}
    assert set(contents(out)) == {*pictures, *tables, "report.html"}
    for picture in pictures:
        with Image.open(out / picture) as image:
            assert min(image.size) > 200
            assert np.ptp(np.asarray(image.convert("L"))) > 100
    outcome = json.loads(compared.out)
    expected = snaps.compare_models(
        {name: snaps.open_profiles(stored[name])["phoneme"] for name in ("w2l", "tl")}, min_count=1, n_permutations=9
    )
    assert outcome["networks"] == ["w2l", "tl"]
    assert outcome["groups"] == 9
    assert outcome["groups_left_out"] == {"j": "no group of 'w2l'"}
    assert list(outcome["mean_silhouette"]["tl"]) == ["input", "conv1", "conv2"]
    changed = expected.changes["changed"].sel(pair="w2l / tl", layer="conv1", percentile=96).item()
    assert outcome["changed_pairs_at_percentile_96"] == {
        "w2l / tl": {
            "input": pytest.approx(expected.changes["changed"].values[0, 0, 3]),
            "conv1": pytest.approx(changed),
        }
    }
    page = (out / "report.html").read_text(encoding="utf-8")
    assert outcome["page"] == str(out / "report.html")
    assert "Comparison of w2l and tl" in page
    assert "Where the profiles come from" in page


def test_tables_hold_the_comparison(compared: Outcome, stored: dict[str, Path], out: Path) -> None:
    assert compared.status == 0
    nodes = {name: snaps.open_profiles(stored[name])["phoneme"] for name in ("w2l", "tl")}
    expected = snaps.compare_models(nodes, min_count=1, n_permutations=9)
    read = {path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in (out).glob("*.csv")}
    silhouettes = read["silhouettes"].set_index(["model", "layer", "percentile"])
    assert len(silhouettes) == (2 + 3) * 4
    cell = silhouettes.loc[("tl", "conv2", 93)]
    np.testing.assert_allclose(cell.silhouette, expected.silhouettes.sel(model="tl", layer="conv2", percentile=93))
    layers = read["layers"].set_index(["layer", "layer_"])
    assert len(layers) == 2 * 3
    found = expected.between("w2l", "tl")
    for name in ("rsa", "rsa_p_value", "cka", "cka_chance", "cka_p_value"):
        np.testing.assert_allclose(layers.loc[("conv1", "conv2"), name], found[name].sel(layer="conv1", layer_="conv2"))
    moved = read["moved"].set_index(["layer", "group"])
    assert len(moved) == 2 * 9
    assert moved.loc[("conv1", "g3"), "rank"] == found["rank"].sel(layer="conv1", group="g3")
    successive = read["successive"].set_index(["model", "layer", "percentile"])
    assert successive.loc[("tl", "conv2", 87), "previous"] == "conv1"
    assert len(successive) == (1 + 2) * 4
    assert set(read["changes"]["matched"]) == {"input", "conv1"}
    assert read["left_out"].to_dict("records") == [{"group": "j", "why": "no group of 'w2l'"}]


def test_options_reach_the_comparison(invoke: Invoke, stored: dict[str, Path], tmp_path: Path) -> None:
    outcome = invoke(
        *(
            "compare",
            f"letters={stored['w2l']}",
            f"foreign={stored['foreign']}",
            stored["tl"],
            "--out",
            tmp_path / "out",
        ),
        *("--match", "correspondence", "--percentile", 60, "--percentile", 70, "--metric", "cityblock"),
        *(
            "--weighting",
            "groups",
            "--min-count",
            1,
            "--n-permutations",
            0,
            "--transferred",
            "conv1",
            "--title",
            "Three",
        ),
    )
    assert outcome.status == 0, outcome.err
    assert "comparison by phoneme" in outcome.out
    read = pd.read_csv(tmp_path / "out" / "changes.csv")
    assert set(read["percentile"]) == {60, 70}
    assert set(zip(read["first"], read["second"], strict=True)) == {
        ("letters", "foreign"),
        ("letters", "tl"),
        ("foreign", "tl"),
    }
    assert set(read["matched"][read["second"] == "foreign"]) <= {"block.0", "block.1"}
    assert "<h1>Three</h1>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_an_output_that_exists_is_kept_unless_it_may_be_replaced(
    invoke: Invoke, compared: Outcome, stored: dict[str, Path], out: Path, tmp_path: Path
) -> None:
    assert compared.status == 0
    before, copy = contents(out), tmp_path / "out"
    command = ("compare", stored["w2l"], stored["tl"], *FEW, "--layer", "conv1", "--out")
    assert "exists; give another name, or --overwrite" in sentence(invoke(*command, out))
    assert contents(out) == before
    shutil.copytree(out, copy)
    assert invoke(*command, copy, "--overwrite").status == 0
    assert set(pd.read_csv(copy / "layers.csv")["layer"]) == {"conv1"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    assert "is a folder without 'layers.csv'" in sentence(invoke(*command, tmp_path / "mine", "--overwrite"))
    assert list(contents(tmp_path / "mine")) == ["thesis.tex"]


@pytest.mark.parametrize(
    ("names", "options", "told"),
    [
        (["w2l"], [], "a comparison takes at least two networks; received 'w2l'"),
        (["w2l", "w2l"], [], "the name 'w2l' occurs twice"),
        (["w2l", "letters"], [], "has no grouping 'phoneme'; it has 'letter'"),
        (["w2l", "tl"], ["--group", "letter"], "has no grouping 'letter'; it has 'phoneme'"),
        (["w2l", "others"], [], "the networks have no group in common"),
        (["w2l", "foreign"], [], "have no layer of the same name"),
        (["w2l", "tl"], ["--percentile", 101], "percentile is 101.0; accepted are numbers from 0 up to 100"),
        (["w2l", "tl"], ["--min-count", 10**6], "at least three common groups of 1000000 epochs or more"),
        (["w2l", "tl"], ["--min-count", -1], "min_count is -1; accepted are whole numbers from 0"),
        (["w2l", "tl"], ["--layer", "conv9"], "there is no layer 'conv9'"),
        (["w2l", "tl"], ["--layer", "conv2"], "the network 'w2l' has none of the layers 'conv2'"),
        (["w2l", "tl"], ["--metric", "miles"], "'euclidean', 'cityblock', 'cosine', 'correlation'"),
        (["w2l", "tl"], ["--n-permutations", -1], "n_permutations is -1; accepted are whole numbers from 0"),
        (["w2l", "tl"], ["--seed", -1], "seed is -1; accepted are whole numbers from 0"),
        (["w2l", "tl"], ["--transferred", "conv9"], "there is no layer 'conv9'"),
    ],
)
def test_what_does_not_compare(
    invoke: Invoke, stored: dict[str, Path], tmp_path: Path, names: list[str], options: list[object], told: str
) -> None:
    few = [] if "--min-count" in options else ["--min-count", 1]
    outcome = invoke("compare", *(stored[name] for name in names), "--out", tmp_path / "out", *few, *options)
    assert told in sentence(outcome)
    assert contents(tmp_path) == {}


def test_files_and_names_that_are_none(invoke: Invoke, stored: dict[str, Path], tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert "there is no profiles file 'nowhere.zarr'" in sentence(
        invoke("compare", stored["w2l"], "nowhere.zarr", *out)
    )
    assert "accepted are PATH and NAME=PATH" in sentence(invoke("compare", f"a/b={stored['w2l']}", stored["tl"], *out))
    (tmp_path / "p.nc").write_bytes(b"nothing")
    assert "p.nc" in sentence(invoke("compare", stored["w2l"], tmp_path / "p.nc", *out))
    assert list(contents(tmp_path)) == ["p.nc"]
