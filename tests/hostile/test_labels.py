"""Labels, names and titles with HTML, formulas, markup and Unicode are text wherever they arrive."""

import csv
import io
import json
import shutil
import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import nn

import snaps
from snaps import figures
from snaps.cli import main
from snaps.cli.output import print_outcome
from snaps.datasets import Interval, Recording
from snaps.errors import InputError, MissingFileError, OutputExistsError, RecordingError, legible
from snaps.figures.axes import drawn
from snaps.profiles import snap
from snaps.report import Section, Table, write_report
from tests.definitions.networks import randomised
from tests.hostile.labels_evil import EVIL, UNSTORABLE, texts
from tests.hostile.labels_pictures import FEW, PICTURED, pictures, tree_of

figures.draw_offscreen()
SHORT = tuple(text for text in EVIL if len(text) < 1000)
pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from", "ignore:constrained_layout not applied")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    plt.close("all")


def network_of(symbols: tuple[str, ...]) -> nn.Module:
    return randomised(nn.Sequential(nn.Conv1d(4, 3, 3), nn.ReLU(), nn.Conv1d(3, len(symbols), 2)), seed=0)


def corpus_of(labels: tuple[str, ...], **attributes: str) -> list[Recording]:
    """One recording with an interval of every label."""
    features = np.random.default_rng(0).normal(size=(4, 6 * len(labels) + 4))
    intervals = [Interval(0.048 * place, 0.048 * (place + 1), label) for place, label in enumerate(labels)]
    return [Recording("one", features, tiers={"phoneme": intervals}, attributes=attributes)]


def profiles_of(labels: tuple[str, ...], **options: object) -> xr.DataTree:
    options = {"groupings": ["phoneme"], "symbols": ("x", "y"), "ignore": (), "progress": False, **options}
    network = network_of(options["symbols"])
    return snaps.compute_profiles(network, corpus_of(labels, speaker=labels[0]), **options)


# --- frame table, profiles, stores ---


@pytest.mark.parametrize("ending", ["zarr", "nc"])
def test_labels_come_back_from_stores_as_they_were(ending: str, tmp_path: Path) -> None:
    found = profiles_of(EVIL, groupings={"phoneme": "phoneme", "two": ("phoneme", "speaker")})
    assert found["phoneme/input"]["group"].values.tolist() == sorted(EVIL)
    back = snaps.open_profiles(snaps.save_profiles(found, tmp_path / f"p.{ending}"))
    assert back["phoneme/input"]["group"].values.tolist() == sorted(EVIL)
    assert back["two/logits"]["group"].values.tolist() == sorted(f"{label}+{EVIL[0]}" for label in EVIL)
    xr.testing.assert_equal(back["phoneme/input"].to_dataset(), found["phoneme/input"].to_dataset())
    assert json.loads(back.attrs["model"]) == json.loads(found.attrs["model"])


def test_the_frame_table_has_every_text() -> None:
    table = snaps.frame_table(network_of(EVIL), corpus_of(EVIL, speaker=EVIL[0]), symbols=EVIL, progress=False)
    assert set(table["phoneme"].dropna()) == set(EVIL)
    assert set(table["speaker"]) == {EVIL[0]}
    assert set(table["predicted"]) <= set(EVIL)


@pytest.mark.parametrize("text", UNSTORABLE)
def test_what_no_store_can_hold_is_refused_before_anything_is_computed(text: str) -> None:
    calls = (
        lambda: profiles_of(("a", text)),
        lambda: profiles_of((text, "a"), groupings=["speaker"]),
        lambda: profiles_of(("a",), symbols=("x", text)),
        lambda: profiles_of(("a",), groupings={text: "phoneme"}),
        lambda: snaps.save_profiles(tree_of(("a", text)), "nowhere.nc"),
    )
    # NumPy has cut a NUL at the end by the time there are profiles.
    for call in calls[:-1] if text.endswith("\0") else calls:
        with pytest.raises(InputError, match="NUL") as caught:
            call()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("ending", ["zarr", "nc"])
@pytest.mark.parametrize("name", SHORT)
def test_names_of_groupings_and_layers(name: str, ending: str, tmp_path: Path) -> None:
    """They are names of nodes: right in either store, or refused in one sentence before anything is computed."""
    network = network_of(("x", "y"))
    mapped = nn.Sequential()
    named = "." not in name and name not in ("", "input", "logits")
    for place, module in enumerate(network):
        mapped.add_module(name if place == 1 and named else str(place), module)
    layers = ["input", name if named else "1"]
    options = {"groupings": {name: "phoneme"}, "layers": layers, "symbols": ("x", "y"), "ignore": ()}
    try:
        found = snaps.compute_profiles(mapped, corpus_of(("a", "b")), progress=False, **options)
    except InputError as error:
        assert "/" in name or "\\" in name or name == ".."
        assert repr(name) in str(error)
        return
    assert "/" not in name
    back = snaps.open_profiles(snaps.save_profiles(found, tmp_path / f"p.{ending}"))
    assert list(back.children) == [name]
    assert list(back.children[name].children) == layers
    assert [path.name for path in tmp_path.iterdir()] == [f"p.{ending}"]


@pytest.mark.parametrize("name", [".zgroup", "__x", "a\\b", "y" * 241])
def test_names_that_stores_take_for_themselves(name: str) -> None:
    with pytest.raises(InputError, match="name"):
        profiles_of(("a",), groupings={name: "phoneme"})


# --- figures ---


def texts_of(picture: Axes | Figure) -> list[str]:
    figure = picture if isinstance(picture, Figure) else figures.figure_of(picture)
    return [text.get_text() for text in figure.findobj(Text)]


def saved(picture: Axes | Figure, ending: str) -> bytes:
    figure = picture if isinstance(picture, Figure) else figures.figure_of(picture)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending, dpi=20)
    return buffer.getvalue()


@pytest.mark.parametrize("labels", [FEW, pytest.param(PICTURED, marks=pytest.mark.campaign)], ids=["few", "all"])
def test_every_figure_draws_every_label(labels: tuple[str, ...]) -> None:
    """As SVG, which is XML, all of them; nothing is taken for a formula, left out of a legend, or ends a line."""
    known = {name for name in figures.__all__ if name.startswith("plot_")}
    seen = []
    for name, picture in pictures(labels):
        ET.fromstring(saved(picture, "svg"))
        shown = texts_of(picture)
        seen.append(name)
        if name in ("clustermap", "moved", "alignment", "aligners", "curves", "grid"):
            missing = [label for label in map(drawn, labels) if label not in shown]
            assert not missing, (name, missing)
    assert len(seen) == 17
    # Those of frames and evidence name nothing but methods and titles; they have a test below.
    assert len(known) == len(seen) + 7


@pytest.mark.parametrize("ending", [pytest.param("png", marks=pytest.mark.campaign), "pdf"])
def test_pictures_of_dots_and_pages(ending: str) -> None:
    tree = tree_of(PICTURED)
    values = snap(tree["phoneme/input"])
    assert saved(figures.plot_snap_grid(values), ending)
    assert saved(figures.plot_clustermap(snaps.cluster(tree["phoneme/conv1"])), ending)
    assert saved(figures.plot_unit(values, 0, groups=PICTURED), ending)


def test_legends_name_everything() -> None:
    values = snap(tree_of(("_a", "__b", "$x$", "_a\n"))["phoneme/input"])
    ax = figures.plot_unit(values, 0)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"_a", "__b", "$x$", "_a\\n"}
    assert not any(text.get_parse_math() for text in ax.get_legend().get_texts())


@pytest.mark.parametrize("method", ["$\\frac{$", "_m", "a\nb", "<b>"])
def test_figures_of_evidence(method: str) -> None:
    grid = np.linspace(1, 0, 6).reshape(1, 3, 2)
    ends = {f"{name}{end}": (("saliency", "order", "percentage"), grid) for name in ("accuracy", "score")
            for end in ("", "_low", "_high")}  # fmt: skip
    flipping = xr.Dataset(
        {**ends, "accuracy_area": ("saliency", [0.1])},
        {"saliency": [method], "order": ["most", "least", "random"], "percentage": [0.0, 10.0]},
    )
    line = (("saliency", "randomised"), [[0.5, 0.1]])
    randomization = xr.Dataset(
        {"correlation": line, "correlation_absolute": line}, {"saliency": [method], "randomised": [method, "conv1"]}
    )
    for picture in (figures.plot_flipping(flipping, title=method), figures.plot_randomization(randomization)):
        assert drawn(method) in texts_of(picture)
        ET.fromstring(saved(picture, "svg"))


@pytest.mark.campaign
@settings(max_examples=40, deadline=None)
@given(text=texts)
def test_any_text_is_drawn(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = tree_of(("a", "b", text) if text not in ("a", "b") else ("a", "b", "c"))
        for picture in (
            figures.plot_clustermap(snaps.cluster(tree["phoneme/conv1"])),
            figures.plot_unit(snap(tree["phoneme/input"]), 0, title=text),
        ):
            for ending in ("svg", "pdf", "png"):
                assert saved(picture, ending)
        plt.close("all")


# --- the command line ---


def test_tables_for_people_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_outcome("a [red]title[/] \x1b[31m", {text: {text: text} for text in EVIL}, as_json=False)
    out = capsys.readouterr().out
    assert "[red]bold[/red]" in out and "[/]" in out and ":smile:" in out and "[red]title[/] \\x1b[31m" in out
    assert "\x1b" not in out and "\r" not in out and "\x07" not in out and "\u202e" not in out


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_has_the_same_text_on_any_terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    terminal = io.TextIOWrapper(buffer, encoding=encoding, write_through=True)
    monkeypatch.setattr("sys.stdout", terminal)
    print_outcome("title", {"labels": [*EVIL, *UNSTORABLE], "by name": dict.fromkeys(EVIL, 1.0)}, as_json=True)
    print_outcome("title", {"labels": [*EVIL, *UNSTORABLE]}, as_json=False)
    monkeypatch.undo()
    first, _, _ = buffer.getvalue().decode(encoding).partition("\n}\n")
    found = json.loads(first + "}")
    assert found == {"labels": [*EVIL, *UNSTORABLE], "by_name": dict.fromkeys(EVIL, 1.0)}


def test_clusters_of_any_label_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = tuple(text for text in EVIL if text != "nan")
    snaps.save_profiles(tree_of(groups, layers=("conv1",)), tmp_path / "p.nc")
    assert main(["cluster", str(tmp_path / "p.nc"), "--out", str(tmp_path / "out"), "--json", "--quiet"]) == 0
    json.loads(capsys.readouterr().out)
    table = pd.read_csv(tmp_path / "out/clusters.csv", keep_default_na=False, lineterminator="\n")
    assert sorted(table.query("layer == 'conv1'")["group"]) == sorted(groups)
    with (tmp_path / "out/clusters.csv").open(newline="") as file:
        assert sorted(row["group"] for row in csv.DictReader(file) if row["layer"] == "conv1") == sorted(groups)


# --- sentences ---


@pytest.mark.parametrize("kind", [InputError, MissingFileError, OutputExistsError])
def test_a_sentence_is_one_line(kind: type[InputError]) -> None:
    for text in (*EVIL, *UNSTORABLE):
        assert len(str(kind(f"the label is {text}")).splitlines()) == 1
        assert str(kind(f"the label is {text}")) == f"the label is {legible(text)}"
    assert str(RecordingError("one", "a\nb")) == RecordingError("one", "a\nb").reason == "a\\nb"


def test_sentences_of_commands_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a\nb", "\x1b[31m", "\u202ex", "  two  spaces  "):
        assert main(["report", str(tmp_path / name), "--out", str(tmp_path / "r.html")]) == 2
        sentence = capsys.readouterr().err
        assert sentence.count("\n") == 1 and legible(name) in sentence.replace("\\\\", "\\")


# --- the page ---


class Parsed(HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self._fresh = True
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        kind = dict(attrs).get("class") or tag
        self._open.append(kind)
        self.texts.setdefault(kind, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._open.pop() if self._open else None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data


def on_page(text: str) -> str:
    """Text as the page has it: what HTML cannot hold is written as Python does."""
    return legible(text, keep="\t\n")


def test_labels_are_text_on_the_page(tmp_path: Path) -> None:
    plain = Parsed(write_report(tree_of(layers=("conv1",)), tmp_path / "plain.html").read_text())
    evil = tree_of(PICTURED, layers=("conv1",))
    text = write_report(evil, tmp_path / "evil.html", title=EVIL[0]).read_text(encoding="utf-8")
    page = Parsed(text)
    assert page.elements - {"details", "summary"} <= plain.elements | {"span", "dl", "dt", "dd", "div"}
    assert page.attributes <= plain.attributes | {"style", "class"}
    assert "script" not in page.elements and not any(name.startswith("on") for name in page.attributes)
    assert set(map(on_page, PICTURED)) <= set(page.texts["label"])
    assert set(map(on_page, PICTURED)) <= set(page.texts["th"])
    assert page.texts["title"] == page.texts["h1"] == [EVIL[0]]


def test_names_are_text_on_the_page(tmp_path: Path) -> None:
    names = tuple(text for text in SHORT if "/" not in text and text != ".." and "\\" not in text)
    sections = [Section(text, [text, Table([text], [[text]], caption=text)]) for text in (*EVIL, *UNSTORABLE)]
    page = Parsed(
        write_report(
            {name: tree_of(layers=(name,), groupings=(name,)) for name in names[:1]},
            tmp_path / "names.html",
            sections=sections,
        ).read_text(encoding="utf-8")
    )
    assert "script" not in page.elements
    assert set(map(on_page, (*EVIL, *UNSTORABLE))) <= set(page.texts["h2"])
    assert set(map(on_page, (*EVIL, *UNSTORABLE))) <= set(page.texts["th"])
    assert set(map(on_page, names[:1])) <= set(page.texts["h2"])


@pytest.mark.campaign
def test_networks_are_text_on_the_page_of_a_comparison(tmp_path: Path) -> None:
    node = tree_of(EVIL[:6])["phoneme"]
    comparison = snaps.compare_models({EVIL[0]: node, EVIL[1]: node, EVIL[5]: node}, min_count=1, n_permutations=9)
    page = Parsed(write_report(comparison, tmp_path / "c.html").read_text(encoding="utf-8"))
    assert "script" not in page.elements and "onerror" not in page.attributes
    assert EVIL[0] in " ".join(page.texts["h1"])


@pytest.mark.campaign
@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_any_text_is_text_on_the_page(text: str) -> None:
    from snaps.report.page import render_page

    page = Parsed(render_page(text, [Section(text, [Table([text], [[text]])])], lead=text))
    assert page.texts["h1"] == page.texts["h2"] == [on_page(text)]
    assert page.texts["lead"] == [on_page(text)]
    # Cells of columns that look like numbers have a class of their own.
    assert page.texts.get("th", []) + page.texts.get("number", []) == [on_page(text)] * 2


@pytest.mark.skipif(
    shutil.which("chromium") is None or shutil.which("chromedriver") is None, reason="needs chromium and chromedriver"
)
@pytest.mark.campaign
def test_no_script_runs_in_a_browser(tmp_path: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    arguments = ("headless", "no-sandbox", "disable-gpu", "no-first-run", f"user-data-dir={tmp_path / 'browser'}")
    for argument in arguments:
        options.add_argument(f"--{argument}")
    page = write_report(tree_of(EVIL), tmp_path / "evil.html", title="Evil & quiet")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get(page.as_uri())
        assert driver.title == "Evil & quiet"
        assert driver.find_elements(By.TAG_NAME, "script") == []
        labels = {one.get_attribute("textContent") for one in driver.find_elements(By.CLASS_NAME, "label")}
        assert set(map(on_page, EVIL)) <= labels
        assert driver.execute_script("return document.querySelectorAll('[onerror], [onload]').length") == 0
    finally:
        driver.quit()
