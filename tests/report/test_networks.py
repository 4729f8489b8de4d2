from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from snaps.clustering import ModelComparison, compare_models, mean_silhouette
from snaps.errors import InputError, OutputExistsError
from snaps.report import comparison_sections, write_report
from tests.profiles.build import random_tree
from tests.report.test_page import Page

GROUPS = ("a", "b", "h#", "iy+f", "é", "x<y", "<script>alert(1)</script>", "$x_1$", "{{ 7 * 7 }}")


def tree(
    seed: int, groups: tuple[str, ...] = GROUPS, layers: tuple[str, ...] = ("input", "conv1", "logits")
) -> xr.DataTree:
    return random_tree(seed, groupings=("phoneme",), layers=layers, groups=groups)


@pytest.fixture(scope="module")
def trees() -> dict[str, xr.DataTree]:
    return {"<b>w2l</b>": tree(0), "tl": tree(40, (*GROUPS, "j"), ("input", "conv1", "conv2", "logits"))}


@pytest.fixture(scope="module")
def comparison(trees: dict[str, xr.DataTree]) -> ModelComparison:
    nodes = {name: whole["phoneme"] for name, whole in trees.items()}
    return compare_models(nodes, percentiles=(50, 80), n_permutations=19, min_count=1)


@pytest.fixture(scope="module")
def text(comparison: ModelComparison, trees: dict[str, xr.DataTree], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "new" / "comparison.html"
    assert write_report(comparison, path, profiles=trees, transferred="conv1") == path
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_says_what_is_compared_and_what_is_not(page: Page) -> None:
    assert page.of("h1") == ["Comparison of <b>w2l</b> and tl"]
    assert page.of("h2") == [
        *("Networks and groups", "Silhouettes", "Changes from layer to layer", "<b>w2l</b> and tl"),
        *("Profiles of <b>w2l</b>", "Profiles of tl"),
    ]
    assert page.of("h3")[:3] == ["Similarity of layers", "Changes between the networks", "Groups that moved"]
    assert page.of("h3").count("Provenance") == 2
    assert "Groups that were left out: 1" in page.of("p")
    assert {"no group of '<b>w2l</b>'", "input, conv1, conv2, logits"} <= set(page.of("td"))
    assert "9 groups, by phoneme" in page.of("p")


def test_the_page_needs_nothing_beside_itself_and_escapes_everything(text: str, page: Page) -> None:
    assert "<script" not in text
    assert "<b>w2l" not in text
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("img", "src"))
    assert len(page.attributes("img", "alt")) == 6
    assert all(len(alternative) > 30 for alternative in page.attributes("img", "alt"))


def test_tables_have_the_numbers_of_the_comparison(comparison: ModelComparison, page: Page) -> None:
    cells = page.of("td")
    means = mean_silhouette(comparison.silhouettes).values
    shown = [f"{value:.3f}".replace("-", "−") for value in means[np.isfinite(means)]]
    assert set(shown) <= set(cells)
    found = comparison.between("<b>w2l</b>", "tl")
    changed, rand = (found[name].sel(layer="conv1", percentile=80).item() for name in ("changed", "adjusted_rand"))
    assert f"{changed:.3f} ({rand:.2f})".replace("-", "−") in cells
    best = found["rsa"].sel(layer="conv1")
    assert f"{best.max().item():.3f}".replace("-", "−") in cells
    first = found["rank"].sel(layer="logits")
    moved = [cell for cell in cells if cell.startswith(str(first["group"].values[first.values == 1].item()) + ", ")]
    assert moved


def test_notes_and_dead_layers_are_told(tmp_path: Path) -> None:
    layers = {name: child.to_dataset() for name, child in tree(1)["phoneme"].children.items()}
    layers["conv1"] = layers["conv1"].assign(saliency=xr.zeros_like(layers["conv1"]["saliency"]))
    dead = xr.DataTree.from_dict(layers, name="phoneme")
    other = random_tree(2, groupings=("phoneme",), layers=("input", "conv1", "logits"), groups=GROUPS, target="s")
    comparison = compare_models({"dead": dead, "other": other["phoneme"]}, n_permutations=0, min_count=1)
    page = Page(write_report(comparison, tmp_path / "c.html", title="Mine").read_text(encoding="utf-8"))
    assert page.of("h1") == ["Mine"]
    assert "undefined" in page.of("td")
    assert any(text.startswith("Undefined: dead: conv1 at 87: there is one cluster") for text in page.of("p"))
    assert "No group was left out." in page.of("p")
    one = compare_models(dead["conv1"], other["phoneme/conv1"], n_permutations=0, min_count=1)
    text = write_report(one, tmp_path / "one.html").read_text(encoding="utf-8")
    assert "has a single layer in this comparison" in text
    assert "Undefined in every layer." in text


def test_a_comparison_fits_on_the_page_of_a_report(comparison: ModelComparison, tmp_path: Path) -> None:
    path = write_report(tree(0), tmp_path / "r.html", sections=comparison_sections(comparison))
    page = Page(path.read_text(encoding="utf-8"))
    assert page.of("h2")[0] == "Networks and groups"
    assert "Grouped by phoneme" in page.of("h2")


def test_wrong_input_is_one_sentence_and_nothing_is_written(comparison: ModelComparison, tmp_path: Path) -> None:
    (tmp_path / "c.html").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"c\.html' exists; give another name, or --overwrite"):
        write_report(comparison, tmp_path / "c.html")
    with pytest.raises(InputError, match="there is no layer 'conv9'; there are 'input', 'conv1'"):
        write_report(comparison, tmp_path / "c.html", transferred="conv9", overwrite=True)
    with pytest.raises(InputError, match="the profiles 'tl' is not a profiles file"):
        write_report(comparison, tmp_path / "d.html", profiles={"tl": tree(0)["phoneme"]})
    assert (tmp_path / "c.html").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["c.html"]
