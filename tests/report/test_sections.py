from pathlib import Path

import pytest
import xarray as xr

from snaps.errors import InputError
from snaps.profiles import distinctive_units, navai, saliency_by_lag, snap, used_lags
from snaps.report import (
    Picture,
    Section,
    Table,
    maps_section,
    methods_section,
    saliency_section,
    units_section,
    write_report,
)
from tests.profiles.build import random_tree
from tests.report.test_page import Page

GROUPS = ("a", "<b>", "h#", "$x_1$", "é")


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return random_tree(groupings=("phoneme",), layers=("input", "conv1", "logits"), groups=GROUPS)


def parts(section: Section) -> tuple[Picture, Table]:
    (picture,) = [block for block in section.content if isinstance(block, Picture)]
    (table,) = [block for block in section.content if isinstance(block, Table)]
    assert len(picture.alt) > 30
    assert picture.source.startswith("data:image/png;base64,")
    return picture, table


def test_saliency_has_a_row_for_every_layer(tree: xr.DataTree) -> None:
    _, table = parts(saliency_section(tree["phoneme"], share=0.8))
    ranges = used_lags(saliency_by_lag(tree["phoneme"]), share=0.8)
    assert [row[0] for row in table.rows] == ["input", "conv1", "logits"]
    assert table.columns[2] == "80 % of saliency"
    for row in table.rows:
        found = ranges.sel(layer=row[0])
        assert row[3] == f"{int(found['n_used'])} of 5"
        assert row[4] == f"{20 * int(found['n_used'])} %"


def test_a_dead_layer_is_told(tree: xr.DataTree) -> None:
    dead = tree["phoneme/conv1"].to_dataset()
    dead["saliency"] = xr.zeros_like(dead["saliency"])
    _, table = parts(saliency_section(dead))
    assert table.rows[0][2:] == ["no saliency", None, None]
    parts(units_section(dead))


def test_units_are_named_with_their_groups(tree: xr.DataTree) -> None:
    node = tree["phoneme/conv1"]
    values = snap(node)
    _, table = parts(units_section(node, number=2))
    assert [row[0] for row in table.rows] == distinctive_units(values, number=2)["unit"].values.tolist()
    for unit, above, below in table.rows:
        of_unit = values.isel(unit=unit)
        assert str(above).split(", ")[0] == of_unit.max("lag").idxmax("group").item()
        assert str(below).split(", ")[0] == of_unit.min("lag").idxmin("group").item()
    _, table = parts(units_section(node, units=[1], groups=["a"], title="mine"))
    assert [row[0] for row in table.rows] == [1]


def test_methods_have_a_column_each(tree: xr.DataTree) -> None:
    node = tree["phoneme/input"]
    methods = {"NAvAI": navai(node), "SNAP": snap(node)}
    section = methods_section(methods, ["a", "é"], text="Before.", shared="panel")
    picture, table = parts(section)
    assert section.content[0] == "Before."
    assert "names its largest value" in picture.caption
    assert [row[0] for row in table.rows] == ["a", "é"]
    assert table.columns == ["group", "NAvAI", "SNAP"]
    with pytest.raises(InputError, match="there is no group 'nowhere'"):
        methods_section(methods, ["nowhere"])


def test_maps_are_those_of_the_largest_groups(tree: xr.DataTree) -> None:
    node = tree["phoneme/input"]
    (picture,) = maps_section(node, most=2, marks={"a": [1000]}).content
    assert isinstance(picture, Picture)
    largest = sorted(node["count"].to_series().nlargest(2, keep="last").index)
    assert picture.alt == f"Maps of frequency and lag of 2 groups: {', '.join(largest)}"
    assert "The figure shows the 2 largest of 5 groups." in picture.caption


def test_they_fit_on_the_page_of_a_report(tree: xr.DataTree, tmp_path: Path) -> None:
    sections = [saliency_section(tree["phoneme"]), units_section(tree["phoneme/conv1"])]
    text = write_report(tree, tmp_path / "r.html", sections=sections).read_text(encoding="utf-8")
    assert Page(text).of("h2")[:2] == ["Saliency over lag", "Units of conv1"]
    assert "<b>" not in text
