"""Attributes of profiles that are not what they should be, under digests that are whole."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from snaps.errors import InputError
from snaps.profiles import open_profiles, save_profiles
from snaps.profiles.digests import DIGEST, with_digest
from snaps.report import write_report
from snaps.schema import ATTRIBUTES, JSON_ATTRIBUTES, NODE_ATTRIBUTES
from tests.hostile.stored_damages import STRANGE
from tests.hostile.stored_kinds import profiles
from tests.hostile.stored_reader import shared_reader, whole_files
from tests.hostile.test_stored_files import LONG, SHORT

#: What the attributes of stores can hold.
VALUES = [value for value in STRANGE if not (isinstance(value, int) and abs(value) >= 2**63)]
ROOT_NAMES = ["schema", "schema_version", *ATTRIBUTES, "frame", "precision"]


def stored(value: Any) -> Any:
    """A value as an attribute: nested ones as JSON text."""
    return json.dumps(value) if isinstance(value, list | dict) or value is None else value


def write(tree: xr.DataTree, path: Path) -> None:
    if path.suffix == ".nc":
        with_digest(tree).to_netcdf(path, engine="h5netcdf")
    else:
        with_digest(tree).to_zarr(path, zarr_format=2, consolidated=False, mode="w")


def changed_attribute(ending: str, how: Any, folder: Path) -> None:
    path = folder / f"p.{ending}"
    kind = "Zarr" if ending == "zarr" else "netCDF"

    @how
    @given(st.booleans(), st.data())
    def run(at_root: bool, data: st.DataObject) -> None:
        tree = profiles()
        node = tree if at_root else tree["phoneme/conv1"]
        name = data.draw(st.sampled_from(ROOT_NAMES if at_root else list(NODE_ATTRIBUTES)))
        # netCDF holds no truth values.
        value = data.draw(st.sampled_from(VALUES).filter(lambda value: ending == "zarr" or not isinstance(value, bool)))
        node.attrs = {**node.attrs, name: stored(value)}
        if data.draw(st.integers(0, 9)) == 0:
            del node.attrs[name]
        write(tree, path)
        answer = shared_reader().read(kind, path, whole_files()[kind])
        assert answer.outcome in ("same", "other", "sentence"), (name, value, answer)
        if how is LONG and answer.outcome == "other":
            # What passes validation can be shown.
            write_report(open_profiles(path), folder / "report.html", overwrite=True)

    run()


@pytest.mark.parametrize("ending", ["zarr", "nc"])
def test_attributes_of_other_types(ending: str, tmp_path: Path) -> None:
    changed_attribute(ending, SHORT, tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("ending", ["zarr", "nc"])
def test_attributes_of_other_types_at_length(ending: str, tmp_path: Path) -> None:
    changed_attribute(ending, LONG, tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("layers", [], "accepted is a list of names, no two alike"),
        ("layers", ["input", "input"], "accepted is a list of names, no two alike"),
        ("layers", ["../conv1"], "accepted is a list of names"),
        ("layers", 5, "is 5; accepted"),
        ("groupings", {"phoneme": 1}, "accepted is a list of names"),
        ("groupings", "[" * 10**5, "is nested too deeply"),
        ("groupings", "9" * 5000, "is not JSON text"),
        ("model", ["w2p"], "accepted is a JSON object"),
        ("model", None, "is None; accepted is a JSON object"),
        ("drop_log", None, "is None; accepted is a JSON object"),
        ("model", {"symbols": 5}, "with a list of texts as its symbols"),
        ("corpus", {"n_recordings": "many"}, "with a number of recordings"),
        ("features", 3, "accepted is a JSON object"),
        ("drop_log", {"counts": {"short": 5}}, "accepted is a JSON object of counts"),
        ("drop_log", {"skipped": [3]}, "accepted is a JSON object of counts"),
        ("n_frames", -1, "accepted is a whole number from 0"),
        ("n_frames", "many", "accepted is a whole number from 0"),
        ("step", math.nan, "accepted is a number above 0"),
        ("step", 0, "accepted is a number above 0"),
        ("created", 3, "accepted is a text"),
        ("aligner", "Unaligned", "is not JSON text"),
        ("schema", 3, "its attribute 'schema' is 3"),
        ("schema_version", 1.0, "accepted are whole numbers from 1"),
        ("schema_version", True, "accepted are whole numbers from 1"),
    ],
)
def test_sentences(name: str, value: Any, told: str, tmp_path: Path) -> None:
    file = shutil.copytree(whole_files()["Zarr without digest"], tmp_path / "p.zarr") / ".zattrs"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: stored(value)}))
    with pytest.raises(InputError, match=r"p\.zarr") as raised:
        open_profiles(tmp_path / "p.zarr")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("count", lambda values: -values, "values of 'coverage' are not between 0 and 'count'"),
        ("coverage", lambda values: values + 10**6, "values of 'coverage' are not between 0 and 'count'"),
        ("unaligned", lambda values: values - 1000, "values of 'unaligned' are not between 0 and 'count'"),
        ("lag", lambda values: values[::-1], "the values of 'lag' do not ascend"),
        ("lag", lambda values: values * np.nan, "the values of 'lag' do not ascend"),
        ("lag", lambda values: values.astype(str), "'lag' is of the type"),
        ("saliency", lambda values: values > 0, "'saliency' is of the type bool"),
        ("group", lambda values: np.array(["a"] * len(values)), "labels of groups occur twice"),
    ],
)
def test_values_that_cannot_be(name: str, change: Any, told: str, tmp_path: Path) -> None:
    tree = profiles()
    dataset = tree["phoneme/conv1"].to_dataset()
    tree["phoneme/conv1"] = xr.DataTree(dataset.assign({name: (dataset[name].dims, change(dataset[name].values))}))
    write(tree, tmp_path / "p.zarr")
    with pytest.raises(InputError, match=r"p\.zarr") as raised:
        open_profiles(tmp_path / "p.zarr")
    assert told in str(raised.value)


@pytest.mark.parametrize("ending", ["zarr", "nc"])
def test_the_digest(ending: str, tmp_path: Path) -> None:
    """Any program reads it; a change by another program is told; without it, nothing is checked."""
    tree = profiles()
    path = save_profiles(tree, tmp_path / f"p.{ending}")
    assert DIGEST not in open_profiles(path).attrs
    engine: dict[str, Any] = {"engine": "zarr" if ending == "zarr" else "h5netcdf"}
    with xr.open_datatree(path, **engine) as other:
        other.load()
    assert len(other.attrs[DIGEST]) == 64
    xr.testing.assert_allclose(other["phoneme/conv1"].to_dataset(), tree["phoneme/conv1"].to_dataset())
    other["phoneme/conv1"]["count"].values[0] += 1
    for node in other.subtree:
        node.encoding = {}
        for variable in node.variables.values():
            variable.encoding = {}
    changed = tmp_path / f"changed.{ending}"
    other.to_netcdf(changed, **engine) if ending == "nc" else other.to_zarr(changed, zarr_format=2)
    with pytest.raises(InputError, match=r"changed\..*its content and its SHA-256 differ; .* 'content_sha256'"):
        open_profiles(changed)
    del other.attrs[DIGEST]
    remade = tmp_path / f"remade.{ending}"
    other.to_netcdf(remade, **engine) if ending == "nc" else other.to_zarr(remade, zarr_format=2)
    assert int(open_profiles(remade)["phoneme/conv1"]["count"][0]) == int(tree["phoneme/conv1"]["count"][0]) + 1


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
ATTRIBUTE = st.one_of(
    TEXTS, st.integers(-(2**63), 2**63 - 1), st.floats(), st.lists(st.integers(-5, 5), min_size=1, max_size=3),
    st.lists(st.floats(width=32), min_size=1, max_size=3),
)  # fmt: skip


def digest_kept(how: Any, folder: Path) -> None:
    """Whatever is saved is what is opened: no digest is broken by a round trip."""

    @how
    @given(ATTRIBUTE, TEXTS.filter(bool), st.floats(width=32), st.sampled_from(["zarr", "nc"]))
    def run(attribute: Any, label: str, value: float, ending: str) -> None:
        tree = profiles()
        dataset = tree["phoneme/conv1"].to_dataset()
        dataset["group"] = ["", *sorted({label, "b" + label})]
        dataset["saliency"].values[0, 0] = [-0.0, 0.0, 1e-45, abs(value) if math.isfinite(value) else 1.0, 3.0]
        dataset["saliency"].attrs["note"] = attribute
        tree["phoneme/conv1"] = xr.DataTree(dataset)
        tree.attrs["note"] = attribute
        path = save_profiles(tree, folder / f"p.{ending}", overwrite=True)
        opened = open_profiles(path)
        xr.testing.assert_equal(opened["phoneme/conv1"].to_dataset(), dataset)

    run()


def test_digests_survive_a_round_trip(tmp_path: Path) -> None:
    digest_kept(SHORT, tmp_path)


@pytest.mark.campaign
def test_digests_survive_a_round_trip_at_length(tmp_path: Path) -> None:
    digest_kept(LONG, tmp_path)


def test_every_nested_attribute_has_its_kind() -> None:
    assert set(JSON_ATTRIBUTES) <= set(ATTRIBUTES)


@pytest.mark.parametrize(
    "text", ["[" * 10**5, "[" * 400 + "]" * 400, '{"a":' * 300 + "3" + "}" * 300, "[" + "9" * 5000]
)
def test_a_page_shows_attributes_that_it_does_not_know(text: str, tmp_path: Path) -> None:
    tree = profiles()
    tree.attrs = {**tree.attrs, "frame": text, "features": json.dumps({"deep": [[1]]})}
    path = save_profiles(tree, tmp_path / "p.zarr")
    assert write_report(open_profiles(path), tmp_path / "report.html").is_file()
