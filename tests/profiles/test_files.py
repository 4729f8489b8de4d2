import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr

from snaps.errors import InputError, MissingFileError, OutputExistsError
from snaps.profiles import open_profiles, regroup, save_profiles, store
from snaps.schema import Provenance
from tests.profiles.build import random_tree
from tests.waiting import PATIENCE

ENDINGS = ["zarr", "nc"]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def tree() -> xr.DataTree:
    return random_tree()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_round_trip_changes_nothing(tree: xr.DataTree, tmp_path: Path, ending: str) -> None:
    path = tmp_path / "new folder" / f"w2p.{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert save_profiles(tree, path) == path
        opened = open_profiles(path)
    assert bool(tree["phoneme/input"]["activation"].isnull().any())
    xr.testing.assert_identical(opened, tree)
    assert opened["phoneme/input"]["group"].values.tolist() == ["a", "b", "c", "d", "e", "h#", "iy+f", "é"]
    assert opened["phoneme/input"]["group"].dtype.kind == "U"
    for node in opened.leaves:
        for name, variable in node.data_vars.items():
            assert variable.dtype == tree[node.path][name].dtype
            assert isinstance(variable.variable._data, np.ndarray), "not read into memory"
    assert {name: type(value) for name, value in opened.attrs.items()} == {
        name: type(value) for name, value in tree.attrs.items()
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_order_of_groupings_and_layers_is_restored(tree: xr.DataTree, tmp_path: Path, ending: str) -> None:
    save_profiles(tree, tmp_path / f"p.{ending}")
    opened = open_profiles(tmp_path / f"p.{ending}")
    assert list(opened.children) == ["predicted", "phoneme"]
    assert [list(node.children) for node in opened.children.values()] == [["input", "conv1", "conv2", "logits"]] * 2
    assert Provenance.of(opened).layers == ("input", "conv1", "conv2", "logits")


def test_zarr_and_netcdf_convert_into_each_other(tree: xr.DataTree, tmp_path: Path) -> None:
    one = open_profiles(save_profiles(tree, tmp_path / "a.zarr"))
    other = open_profiles(save_profiles(one, tmp_path / "b.nc"))
    back = open_profiles(save_profiles(other, tmp_path / "c.zarr"))
    xr.testing.assert_identical(back, tree)


def test_a_file_of_version_1_is_read() -> None:
    opened = open_profiles(Path(__file__).parent / "data" / "version_1.nc")
    assert list(opened["phoneme"].children) == ["input", "conv1"]
    dataset = opened["phoneme/conv1"]
    assert dataset["group"].values.tolist() == ["h#", "iy+f", "é"]
    assert dataset["count"].values.tolist() == [3, 3, 4]
    assert dataset["coverage"].values.tolist() == [[1, 2, 3], [1, 2, 3], [1, 2, 2]]
    assert float(dataset["activation"][0, 0, 0]) == pytest.approx(-0.07204368, rel=1e-6)


def test_any_store_that_xarray_reads_is_read(tree: xr.DataTree, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree.to_zarr(tmp_path / "three.zarr", zarr_format=3, consolidated=False)
        tree.to_zarr(tmp_path / "two.zarr", zarr_format=2, consolidated=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("three", "two"):
            xr.testing.assert_identical(open_profiles(tmp_path / f"{name}.zarr"), tree)


def test_labels_stored_as_objects_are_read_as_text(tree: xr.DataTree, tmp_path: Path) -> None:
    dataset = tree["phoneme/input"].to_dataset()
    objects = dataset.assign_coords(group=dataset["group"].astype(object))
    tree["phoneme/input"] = xr.DataTree(objects)
    for ending in ENDINGS:
        opened = open_profiles(save_profiles(tree, tmp_path / f"p.{ending}"))
        assert opened["phoneme/input"]["group"].dtype.kind == "U"


def test_what_is_written_is_compressed_and_in_chunks_of_whole_groups(
    monkeypatch: pytest.MonkeyPatch, tree: xr.DataTree, tmp_path: Path
) -> None:
    monkeypatch.setattr(store, "CHUNK_BYTES", 3 * 3 * 5 * 4)
    save_profiles(tree, tmp_path / "p.zarr")
    array = zarr.open_group(tmp_path / "p.zarr", mode="r")["phoneme/input/activation"]
    assert array.chunks == (3, 3, 5)
    assert array.compressors
    xr.testing.assert_identical(open_profiles(tmp_path / "p.zarr"), tree)


def test_a_regrouped_grouping_can_be_added_and_saved(tree: xr.DataTree, tmp_path: Path) -> None:
    tree["manner"] = regroup(tree["phoneme"], {"a": "vowel", "e": "vowel", "b": "plosive"})
    opened = open_profiles(save_profiles(tree, tmp_path / "p.zarr"))
    assert list(opened.children) == ["predicted", "phoneme", "manner"]
    assert opened["manner/conv2"]["group"].values.tolist() == ["plosive", "vowel"]
    assert json.loads(opened["manner/conv2"].attrs["left_out"]) == ["c", "d", "h#", "iy+f", "é"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_output_that_exists_is_kept_unless_it_may_be_replaced(
    tree: xr.DataTree, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"p.{ending}"
    save_profiles(tree, path)
    other = random_tree(seed=7)
    with pytest.raises(OutputExistsError, match=rf"the output '.*p\.{ending}' exists"):
        save_profiles(other, path)
    xr.testing.assert_identical(open_profiles(path), tree)
    save_profiles(other, path, overwrite=True)
    xr.testing.assert_identical(open_profiles(path), other)
    assert names_in(tmp_path) == [path.name]


def test_a_file_never_replaces_a_folder_nor_a_folder_a_file(tree: xr.DataTree, tmp_path: Path) -> None:
    (tmp_path / "a.zarr").write_text("a file")
    with pytest.raises(OutputExistsError, match=r"a\.zarr' is a file; give the name of a folder"):
        save_profiles(tree, tmp_path / "a.zarr", overwrite=True)
    assert (tmp_path / "a.zarr").read_text() == "a file"
    save_profiles(tree, tmp_path / "c.zarr")
    (tmp_path / "c.zarr").rename(tmp_path / "b.nc")
    with pytest.raises(OutputExistsError, match=r"b\.nc' is a folder; give the name of a file"):
        save_profiles(tree, tmp_path / "b.nc", overwrite=True)
    xr.testing.assert_identical(open_profiles(tmp_path / "b.nc"), tree)


def test_a_folder_of_something_else_is_never_replaced(tree: xr.DataTree, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(
        OutputExistsError, match="is a folder without 'zarr.json', so it is of something else and is not replaced"
    ):
        save_profiles(tree, tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("exists", [False, True])
def test_a_write_that_fails_leaves_nothing_half_done(
    monkeypatch: pytest.MonkeyPatch, tree: xr.DataTree, tmp_path: Path, ending: str, exists: bool
) -> None:
    path = tmp_path / f"p.{ending}"
    if exists:
        save_profiles(tree, path)
    write = getattr(store, f"_write_{'netcdf' if ending == 'nc' else 'zarr'}")

    def broken(written: xr.DataTree, to: Path) -> None:
        write(written, to)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, write.__name__, broken)
    with pytest.raises(KeyboardInterrupt):
        save_profiles(random_tree(seed=5), path, overwrite=True)
    assert names_in(tmp_path) == ([path.name] if exists else [])
    if exists:
        xr.testing.assert_identical(open_profiles(path), tree)


def test_what_is_no_profiles_tree_is_not_saved(tree: xr.DataTree, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="profiles is a Dataset; accepted is a whole profiles tree"):
        save_profiles(tree["phoneme/input"].to_dataset(), tmp_path / "p.zarr")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="its attribute 'schema' is None"):
        save_profiles(tree["phoneme"], tmp_path / "p.zarr")
    del tree.children["phoneme"]["conv1"]
    with pytest.raises(InputError, match="lacks the node '/phoneme/conv1'"):
        save_profiles(tree, tmp_path / "p.zarr")
    assert names_in(tmp_path) == []


def test_what_is_no_profiles_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"there is no profiles file '.*nothing\.zarr'"):
        open_profiles(tmp_path / "nothing.zarr")
    (tmp_path / "empty.nc").write_bytes(b"")
    (tmp_path / "text.nc").write_text("hello")
    (tmp_path / "cut.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 40)
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / ".zgroup").write_text("{")
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    xr.Dataset({"x": 1}).to_zarr(tmp_path / "other.zarr", zarr_format=2)
    for name in ("empty.nc", "text.nc", "cut.nc", "folder", "broken.zarr", "other.nc", "other.zarr"):
        with pytest.raises(InputError, match="is not a profiles file") as caught:
            open_profiles(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_later_version_is_refused(
    monkeypatch: pytest.MonkeyPatch, tree: xr.DataTree, tmp_path: Path, ending: str
) -> None:
    tree.attrs["schema_version"] = 2
    monkeypatch.setattr(store, "validate_tree", lambda *_: None)
    save_profiles(tree, tmp_path / f"p.{ending}")
    monkeypatch.undo()
    with pytest.raises(InputError, match=rf"p\.{ending}' has the schema version 2; .* reads up to 1"):
        open_profiles(tmp_path / f"p.{ending}")


def test_missing_chunks_are_no_silent_zeros(tree: xr.DataTree, tmp_path: Path) -> None:
    for name in ("activation", "saliency", "coverage", "count", "unaligned", "group", "lag"):
        path = save_profiles(tree, tmp_path / f"{name}.zarr")
        next(file for file in (path / "phoneme/conv1" / name / "c").rglob("*") if file.is_file()).unlink()
        with pytest.raises(InputError, match=rf"0 of 1 chunks of 'phoneme/conv1/{name}' are there"):
            open_profiles(path)


def test_missing_chunks_of_stores_without_checksums(tree: xr.DataTree, tmp_path: Path) -> None:
    for name in ("activation", "saliency", "coverage"):
        path = tmp_path / f"{name}.zarr"
        tree.to_zarr(path, zarr_format=2, consolidated=False)
        next(file for file in (path / "phoneme/conv1" / name).iterdir() if file.name[0] != ".").unlink()
        with pytest.raises(InputError, match=rf"'/phoneme/conv1' of .* are damaged: values of '{name}' are missing"):
            open_profiles(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_flipped_bit_of_a_value_or_a_label_is_noticed(tree: xr.DataTree, tmp_path: Path, ending: str) -> None:
    path = save_profiles(tree, tmp_path / f"p.{ending}")
    if path.is_dir():
        chunks = {
            file: range(file.stat().st_size) for file in (path / "phoneme/conv1").glob("*/c/**/*") if file.is_file()
        }
    else:
        with h5py.File(path) as file:
            places = [variable.id.get_chunk_info(0) for variable in file["phoneme/conv1"].values() if variable.chunks]
        chunks = {path: [place for one in places for place in range(one.byte_offset, one.byte_offset + one.size)]}
    assert sum(map(len, chunks.values())) > 200
    for file, places in chunks.items():
        whole = file.read_bytes()
        for place in list(places)[:: 1 if len(places) < 5 else len(places) // 4]:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            with pytest.raises(
                InputError, match=r"p\.(zarr|nc)' is damaged, or is not a profiles file: it cannot be read"
            ):
                open_profiles(path)
        file.write_bytes(whole)
    xr.testing.assert_identical(open_profiles(path), tree)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_digest_of_an_earlier_version_is_passed_over(tree: xr.DataTree, tmp_path: Path, ending: str) -> None:
    old = tree.copy()
    old.attrs = {**tree.attrs, "content_sha256": "0" * 64}
    if ending == "nc":
        old.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    else:
        old.to_zarr(tmp_path / "old.zarr", zarr_format=2)
    xr.testing.assert_identical(open_profiles(tmp_path / f"old.{ending}"), tree)


def test_profiles_without_a_group_are_one_sentence(tree: xr.DataTree, tmp_path: Path) -> None:
    for layer in tree.leaves:
        layer.dataset = layer.to_dataset().isel(group=[])
    tree.attrs["drop_log"] = json.dumps({"counts": {"ignored": {"phoneme": 7}, "short": {"phoneme": 3, "word": 3}}})
    with pytest.raises(InputError, match=r"no frame was averaged, .* to save; left out: 7 ignored, 3 short$"):
        save_profiles(tree, tmp_path / "p.zarr")
    assert names_in(tmp_path) == []


def test_a_grouping_without_a_group_is_left_out_with_a_warning(tree: xr.DataTree, tmp_path: Path) -> None:
    expected = tree.copy()
    empty = {name: layer.to_dataset().isel(group=[]) for name, layer in tree["phoneme"].children.items()}
    tree["manner"] = xr.DataTree.from_dict(empty)
    tree.attrs["groupings"] = json.dumps(["manner", *json.loads(tree.attrs["groupings"])])
    with pytest.warns(UserWarning, match="no frame has a label in the grouping 'manner'; the file lacks it"):
        save_profiles(tree, tmp_path / "p.zarr")
    xr.testing.assert_identical(open_profiles(tmp_path / "p.zarr"), expected)
    assert "manner" in tree.children


def with_codec(tree: xr.DataTree, path: Path, codec: str) -> Path:
    """A store of format 2 one of whose arrays asks for another codec; returns the file of that array's only chunk."""
    tree.to_zarr(path, zarr_format=2, consolidated=False)
    array = path / "phoneme/conv1/count"
    metadata = json.loads((array / ".zarray").read_text())
    (array / ".zarray").write_text(json.dumps({**metadata, "compressor": {"id": codec}}))
    return next(file for file in array.iterdir() if file.name[0] != ".")


class Payload:
    """What a hostile file would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_nothing_is_unpickled(tree: xr.DataTree, tmp_path: Path) -> None:
    chunk = with_codec(tree, tmp_path / "p.zarr", "pickle")
    chunk.write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(InputError, match="pickle"):
        open_profiles(tmp_path / "p.zarr")
    assert not (tmp_path / "ran").exists()
    pickle.loads(chunk.read_bytes())
    assert (tmp_path / "ran").exists(), "the file was harmless, so the test shows nothing"


def test_other_codecs_than_those_listed_are_refused(tree: xr.DataTree, tmp_path: Path) -> None:
    with_codec(tree, tmp_path / "p.zarr", "lzma")
    with pytest.raises(
        InputError, match=r"'phoneme/conv1/count' is stored with the codec 'lzma'; accepted are 'blosc', "
    ):
        open_profiles(tmp_path / "p.zarr")


def test_reading_and_writing_draw_nothing_heavy(tmp_path: Path) -> None:
    # Where dask is installed, xarray loads it by itself.
    code = (
        "import sys; from snaps.profiles import *; from tests.profiles.build import random_tree;"
        f"open_profiles(save_profiles(random_tree(), {str(tmp_path / 'p.zarr')!r}));"
        f"open_profiles(save_profiles(random_tree(), {str(tmp_path / 'p.nc')!r}));"
        "print(sorted({'torch', 'matplotlib', 'sklearn', 'librosa'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.strip() == "[]"
