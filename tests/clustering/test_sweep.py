import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from snaps.clustering import PERCENTILES, cluster, mean_silhouette, silhouette_sweep
from snaps.errors import InputError
from snaps.profiles import open_profiles, regroup, save_profiles
from tests.profiles.build import random_dataset, random_tree
from tests.waiting import PATIENCE

MANY = tuple(f"g{number:02d}" for number in range(12))


@pytest.fixture(scope="module")
def node() -> xr.DataTree:
    return random_tree(groups=MANY, groupings=("phoneme",))["phoneme"]


def test_every_cell_is_the_silhouette_of_its_clustering(node: xr.DataTree) -> None:
    sweep = silhouette_sweep(node)
    assert sweep.dims == ("layer", "percentile")
    assert sweep["percentile"].values.tolist() == list(PERCENTILES) == [87, 90, 93, 96]
    for layer in sweep["layer"].values:
        for percentile in PERCENTILES:
            result = cluster(node[layer], percentile=percentile)
            cell = sweep.sel(layer=layer, percentile=percentile)
            np.testing.assert_equal(cell.item(), result.silhouette)
            assert cell["n_clusters"].item() == result.n_clusters
            assert cell["undefined"].item() == result.undefined


def test_layers_come_in_the_order_of_the_network(node: xr.DataTree, tmp_path: Path) -> None:
    expected = ["input", "conv1", "conv2", "logits"]
    assert silhouette_sweep(node)["layer"].values.tolist() == expected
    opened = open_profiles(save_profiles(random_tree(), tmp_path / "p.zarr"))
    assert silhouette_sweep(opened["phoneme"])["layer"].values.tolist() == expected
    coarse = regroup(opened["phoneme"], {"a": "x", "b": "x", "c": "y", "d": "z"})
    assert silhouette_sweep(coarse)["layer"].values.tolist() == expected


def test_options_reach_the_clustering(node: xr.DataTree) -> None:
    sweep = silhouette_sweep(node, percentiles=[80.5], metric="cityblock", weighting="groups")
    expected = cluster(node["conv2"], percentile=80.5, metric="cityblock", weighting="groups").silhouette
    assert sweep.sel(layer="conv2", percentile=80.5).item() == expected
    assert (sweep.attrs["metric"], sweep.attrs["weighting"]) == ("cityblock", "groups")


def test_undefined_cells_are_nan_and_say_why(node: xr.DataTree) -> None:
    layers = {str(name): child.to_dataset() for name, child in node.children.items()}
    layers["conv1"]["saliency"] = xr.zeros_like(layers["conv1"]["saliency"])
    dead = xr.DataTree.from_dict(layers)
    sweep = silhouette_sweep(dead, percentiles=(90, 96))
    nothing = "there is one cluster, for the groups do not differ"
    assert np.isnan(sweep.sel(layer="conv1")).all()
    assert sweep["undefined"].sel(layer="conv1").values.tolist() == [nothing] * 2
    assert np.isfinite(sweep.sel(layer="input")).all()
    assert sweep.attrs["undefined"] == f"conv1 at 90: {nothing}; conv1 at 96: {nothing}"
    angles = silhouette_sweep(dead, percentiles=(90,), metric="cosine")
    cell = angles.sel(layer="conv1", percentile=90)
    assert np.isnan(cell.item())
    assert cell["n_clusters"].item() == 0
    assert cell["undefined"].item().startswith("the cosine distance is undefined for 'g00'")
    assert np.isfinite(angles.sel(layer="input", percentile=90).item())


def test_the_mean_is_there_where_all_percentiles_are(node: xr.DataTree) -> None:
    sweep = silhouette_sweep(node)
    np.testing.assert_allclose(mean_silhouette(sweep).values, sweep.values.mean(axis=1))
    sweep[1, 2] = np.nan
    means = mean_silhouette(sweep)
    assert means.dims == ("layer",)
    assert np.isnan(means.values[1])
    assert np.isfinite(means.values[[0, 2, 3]]).all()


def test_a_sweep_can_be_stored(node: xr.DataTree, tmp_path: Path) -> None:
    sweep = silhouette_sweep(node)
    sweep.to_netcdf(tmp_path / "sweep.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataarray(tmp_path / "sweep.nc", engine="h5netcdf"), sweep)


def test_one_layer_is_swept_too(node: xr.DataTree) -> None:
    one = silhouette_sweep(node["conv2"])
    xr.testing.assert_equal(one, silhouette_sweep(node).sel(layer=["conv2"]))
    xr.testing.assert_identical(silhouette_sweep(node["conv2"].to_dataset()), one)


def test_wrong_input_is_one_sentence(node: xr.DataTree) -> None:
    with pytest.raises(InputError, match="percentile is 187; accepted are numbers from 0 up to 100"):
        silhouette_sweep(node, percentiles=(87, 187))
    with pytest.raises(InputError, match="percentiles is empty"):
        silhouette_sweep(node, percentiles=())
    with pytest.raises(InputError, match="there is no distance 'x'"):
        silhouette_sweep(node, metric="x")
    with pytest.raises(InputError, match="at least two groups"):
        silhouette_sweep(xr.DataTree.from_dict({"conv1": random_dataset(groups=("a",))}))
    with pytest.raises(InputError, match="the node '/' holds no profiles of one layer; below it are no children"):
        silhouette_sweep(xr.DataTree())


def test_scikit_learn_is_drawn_when_it_is_used() -> None:
    code = (
        "import sys, snaps.clustering, snaps.profiles;"
        "print(sorted({'sklearn', 'torch', 'matplotlib', 'seaborn', 'scipy.cluster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout.strip() == "[]"
