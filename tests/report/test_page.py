import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from snaps.clustering import cluster, silhouette_sweep
from snaps.datasets import REASONS
from snaps.errors import InputError, OutputExistsError
from snaps.report import LabelSet, LabelSets, Picture, Section, Table, write_report
from snaps.report.page import render_page
from tests.profiles.build import random_dataset, random_tree, root_attributes

VOID = {"meta", "img", "br", "link", "hr", "input"}
GROUPS = ("a", "b", "h#", "iy+f", "é", "x<y", 'q"uote', "<script>alert(1)</script>", "$x_1$", "{{ 7 * 7 }}")


class Page(HTMLParser):
    """Elements of a page, its texts, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append((self.open[-1], data.strip()))

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attrs[name] or "" for element, attrs in self.elements if element == tag and name in attrs]


def small_tree(seed: int = 0, **options: object) -> xr.DataTree:
    """One grouping and two layers: a page of them is drawn in a second."""
    return random_tree(seed, **{"groupings": ("phoneme",), "layers": ("input", "conv1"), **options})


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return random_tree(groups=GROUPS)


@pytest.fixture(scope="module")
def text(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    assert write_report(tree, path, layers=["logits"]) == path
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_needs_nothing_beside_itself(text: str, page: Page) -> None:
    tags = Counter(tag for tag, _ in page.elements)
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(tags)
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("img", "src"))
    assert all(href.startswith("#") for href in page.attributes("a", "href"))
    assert "@import" not in text
    assert not re.search(r"url\(", text)
    assert not re.search(r"\son\w+=", re.sub(r'"data:[^"]*"', '""', text))
    assert tags["html"] == tags["main"] == tags["nav"] == tags["h1"] == 1
    assert text.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme: dark" in text


def test_every_anchor_leads_somewhere_and_every_section_is_in_the_contents(page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [href[1:] for href in page.attributes("a", "href")]
    assert set(targets) == set(ids)
    contents = page.of("a")[1:]
    assert contents == [text for tag, text in page.texts if tag in {"h2", "h3"}]
    assert contents[:3] == ["Provenance", "What was left out", "Grouped by predicted"]
    assert "Grouped by phoneme" in contents


def test_pictures_say_what_they_show(page: Page) -> None:
    alternatives = page.attributes("img", "alt")
    assert len(alternatives) == len(page.attributes("img", "src")) >= 6
    assert all(len(alternative) > 20 for alternative in alternatives)
    assert all(int(width) > 100 for width in page.attributes("img", "width"))


def test_labels_are_escaped_everywhere(text: str, page: Page) -> None:
    assert "<script" not in text
    assert "alert(1)</script>" not in text
    assert "x<y" not in text
    shown = page.of("span")
    assert set(GROUPS) <= set(shown), "and shown as they are"
    assert "{{ 7 * 7 }}" in shown, "labels are no templates either"
    assert set(GROUPS) <= set(page.of("th"))


def test_names_and_reasons_are_escaped(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    tree = small_tree(
        model={"name": evil, "hash": evil, "symbols": [evil, " "]},
        corpus={"name": evil, "fingerprint": evil},
        drop_log={
            "counts": {evil: {"phoneme": 3}},
            "skipped": [{"recording": evil, "reason": evil}],
            "clipped": 0,
        },
        features={evil: evil},
        frame={"steps": 206, evil: 1.648},
        anything=evil,
    )
    sections = [Section(evil, [evil, Table([evil], [[evil]], evil), LabelSets([LabelSet(evil, [evil], evil)], evil)])]
    text = write_report(tree, tmp_path / "r.html", title=evil, sections=sections).read_text(encoding="utf-8")
    assert "<img src=x" not in text
    page = Page(text)
    assert sum(evil in data for _, data in page.texts) >= 15
    assert all(source.startswith("data:") for source in page.attributes("img", "src"))


def test_provenance_is_told_in_words(page: Page) -> None:
    cells = page.of("td")
    for expected in (
        "w2p_shallow",
        "3f9a5c7e21bd0a44",
        "3: _ aa s",
        "timit-test",
        "31,337",
        "Aligner (saliency Sensitivity, peak product)",
        "recording: responses are computed on whole recordings, epochs are cut from them",
        "input, conv1, conv2, logits",
        "rate 16000, window 512, hop 128, bands 128, units dB",
        "8 ms",
    ):
        assert expected in cells
    assert page.of("h1") == ["Profiles of w2p_shallow on timit-test"]
    assert "240 recordings, 31,337 frames, 4 layers, grouped by predicted and by phoneme" in page.of("p")


def test_what_was_left_out_is_told_in_words(page: Page) -> None:
    cells = page.of("td")
    assert set(REASONS.values()) <= set(cells)
    assert "12,345" in cells
    assert "the file 'si1.PHN' is empty" in cells
    paragraphs = page.of("p")
    assert "Annotated intervals that ended after their recording and were clipped: 4." in paragraphs
    assert "Recordings that could not be read and were left out: 1" in paragraphs


def test_the_sweep_is_a_table(tree: xr.DataTree, page: Page) -> None:
    sweep = silhouette_sweep(tree["phoneme"])
    cells = page.of("td")
    for row in range(4):
        for column in range(4):
            value, number = sweep.values[row, column], sweep["n_clusters"].values[row, column]
            assert f"{value:.3f} ({number})".replace("-", "−") in cells
    assert "96th percentile" in page.of("th")


def test_clusters_of_the_layers_asked_for_and_of_the_best_are_shown(tree: xr.DataTree, page: Page) -> None:
    headings = page.of("h3")
    assert headings.count("Clusters in logits") == 2
    silhouettes = {layer: cluster(tree[f"phoneme/{layer}"]).silhouette for layer in ("conv1", "conv2", "logits")}
    best = max(silhouettes, key=lambda layer: silhouettes[layer])
    assert f"Clusters in {best}" in headings
    assert headings.count("Clusters in every layer") == 2
    assert headings.count("SNAPs of the input") == 2


def test_undefined_silhouettes_say_why(tmp_path: Path) -> None:
    tree = small_tree()
    dead = tree["phoneme/conv1"].to_dataset()
    dead["saliency"] = xr.zeros_like(dead["saliency"])
    tree["phoneme/conv1"] = xr.DataTree(dead)
    page = Page(write_report(tree, tmp_path / "r.html").read_text(encoding="utf-8"))
    cells = page.of("td")
    assert cells.count("undefined: there is one cluster, for the groups do not differ") == 4
    assert "undefined" in cells, "the mean"
    assert any(
        "1 cluster; silhouette undefined: there is one cluster, for the groups do not differ." in text
        for text in page.of("p")
    )
    angles = write_report(tree, tmp_path / "angles.html", metric="correlation").read_text(encoding="utf-8")
    assert "conv1: the correlation distance is undefined for the groups" in angles


def test_a_single_group_two_groups_and_no_input_layer_are_reported(tmp_path: Path) -> None:
    one = small_tree(groups=("h#",))
    text = write_report(one, tmp_path / "one.html").read_text(encoding="utf-8")
    assert "There is only one group, so there are no clusters." in text
    two = small_tree(groups=("a", "b"), layers=("conv1",))
    page = Page(write_report(two, tmp_path / "two.html").read_text(encoding="utf-8"))
    assert "SNAPs of the input" not in page.of("h3")
    assert "Clusters in conv1" in page.of("h3")


def test_small_groups_are_left_out_and_listed(tmp_path: Path) -> None:
    tree = small_tree()
    for layer in ("input", "conv1"):
        counted = tree[f"phoneme/{layer}"].to_dataset().assign(count=("group", np.arange(1, 9)))
        tree[f"phoneme/{layer}"] = xr.DataTree(counted)
    page = Page(write_report(tree, tmp_path / "r.html", min_count=3).read_text(encoding="utf-8"))
    assert "Groups that this report leaves out:" in page.of("p")
    assert "left out (2)" in page.of("dt")
    with pytest.raises(InputError, match="no group has 100 epochs or more"):
        write_report(tree, tmp_path / "none.html", min_count=100)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_many_groups_show_the_largest_maps_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snaps.report.layers.MOST_MAPS", 3)
    tree = small_tree()
    text = write_report(tree, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "The figure shows the 3 largest of 8 groups." in text


def test_sections_of_ones_own_come_first(tmp_path: Path) -> None:
    figure = Figure()
    figure.subplots().plot([1, 2])
    rates = pd.DataFrame({"network": ["W2P"], "error rate": [0.0412], "words": [600], "none": [np.nan]})
    own = Section(
        "Training",
        ["Two networks were trained.", Picture(figure, "loss over epochs", "The loss."), rates],
        sections=[Section("Details", [Table(["a", "b"], [[1, None], [True, -0.5]])], folded=True)],
    )
    text = write_report(small_tree(), tmp_path / "r.html", sections=[own], title="Mine").read_text(encoding="utf-8")
    page = Page(text)
    assert page.of("h1") == page.of("title") == ["Mine"]
    assert page.of("h2")[:2] == ["Training", "Provenance"]
    assert "loss over epochs" in page.attributes("img", "alt")
    assert {"0.041", "600", "undefined", "−0.500"} <= set(page.of("td"))
    assert page.of("summary") == ["Show", "Show"]


def test_several_profiles_have_a_part_each(tmp_path: Path) -> None:
    trees = {
        "letters": small_tree(groupings=("predicted",)),
        "phonemes": small_tree(3),
    }
    page = Page(write_report(trees, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.of("h2") == ["letters", "phonemes"]
    assert page.of("h3").count("Provenance") == 2
    assert "Clusters in every layer" in page.of("h4")


def test_an_output_that_exists_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("mine")
    tree = small_tree()
    with pytest.raises(OutputExistsError, match=r"r\.html' exists; give another name, or --overwrite"):
        write_report(tree, path)
    assert path.read_text() == "mine"
    write_report(tree, path, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(OutputExistsError, match="is a folder"):
        write_report(tree, tmp_path, overwrite=True)


def test_wrong_input_is_one_sentence(tmp_path: Path) -> None:
    tree = small_tree()
    out = tmp_path / "r.html"
    with pytest.raises(InputError, match="its attribute 'schema' is None"):
        write_report(tree["phoneme"], out)
    with pytest.raises(InputError, match="the result is a Dataset; accepted is a profiles tree"):
        write_report({"x": random_dataset()}, out)  # type: ignore[dict-item]
    with pytest.raises(InputError, match="there are no profiles to report on"):
        write_report({}, out)
    with pytest.raises(InputError, match="there is no layer 'conv9'; there are 'input', 'conv1'"):
        write_report(tree, out, layers=["conv9"])
    with pytest.raises(InputError, match="percentile is 101"):
        write_report(tree, out, percentile=101)
    with pytest.raises(InputError, match="the section 'x' contains a int; accepted are str, Picture, "):
        Section("x", [3])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []


def test_a_tree_that_says_little_is_reported(tmp_path: Path) -> None:
    tree = small_tree()
    needed = ("schema", "schema_version", "layers", "groupings")
    tree.attrs = {name: value for name, value in tree.attrs.items() if name in needed}
    page = Page(write_report(tree, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.of("h1") == ["Profiles of a network"]
    assert "The profiles have no drop log." in page.of("p")


def test_alignments_are_told_in_words(tmp_path: Path) -> None:
    for aligner, told in (
        ({"name": "Unaligned", "saliency": {"name": "Sensitivity"}}, "Unaligned (saliency Sensitivity)"),
        (
            {
                "name": "Aligner",
                "saliency": {"name": "LRP", "rule": {"name": "epsilon", "value": 0.1}},
                "peak": "max",
            },
            "Aligner (saliency LRP (rule epsilon (value 0.1)), peak max)",
        ),
    ):
        attributes = root_attributes(("conv1",), ("phoneme",), aligner=aligner)
        tree = xr.DataTree.from_dict(
            {"/": xr.Dataset(attrs=attributes), "/phoneme/conv1": random_dataset(groups=("a", "b", "c"))}
        )
        assert json.loads(tree.attrs["aligner"]) == aligner
        page = Page(write_report(tree, tmp_path / "r.html", overwrite=True).read_text(encoding="utf-8"))
        assert told in page.of("td")


def test_a_page_can_be_rendered_from_sections_alone() -> None:
    page = Page(render_page("Only words", [Section("One", ["Text."])]))
    assert page.of("h2") == ["One"]
