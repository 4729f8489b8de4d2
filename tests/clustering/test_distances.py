import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform

from snaps.clustering import DISTANCES, Cosine, Distance, Euclidean, cluster, distances, silhouette_sweep
from snaps.errors import InputError
from snaps.profiles import snap
from tests.profiles.build import random_dataset, random_tree


@pytest.mark.parametrize("metric", DISTANCES)
def test_distances_equal_those_of_scipy_between_flattened_snaps(metric: str) -> None:
    dataset = random_dataset()
    result = distances(dataset, metric=metric)
    flat = snap(dataset).values.reshape(5, -1)
    np.testing.assert_allclose(result.values, squareform(pdist(flat, metric)), rtol=1e-12)
    assert result.dims == ("group", "group_")
    assert result["group"].values.tolist() == result["group_"].values.tolist() == list("abcde")
    assert result.attrs["metric"] == metric


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
class TestEveryDistance:
    """What whoever adds a distance promises."""

    def test_it_is_a_distance_under_its_own_name(self, distance: Distance) -> None:
        assert isinstance(distance, Distance)
        assert DISTANCES[distance.name] is distance
        assert distance == type(distance)(), "frozen, and equal by value"
        assert hash(distance) == hash(type(distance)())

    def test_it_gives_every_pair_in_scipys_order(self, distance: Distance) -> None:
        vectors = np.random.default_rng(0).normal(size=(6, 10))
        result = distance(vectors)
        assert result.shape == (15,)
        assert result.dtype == np.float64
        assert (result > 0).all()
        rows, columns = np.triu_indices(6, k=1)
        for value, row, column in zip(result, rows, columns, strict=True):
            assert distance(vectors[[row, column]])[0] == pytest.approx(value, rel=1e-12)
            assert distance(vectors[[column, row]])[0] == pytest.approx(value, rel=1e-12)

    def test_equal_vectors_are_at_distance_0(self, distance: Distance) -> None:
        vectors = np.random.default_rng(0).normal(size=(1, 10))
        assert distance(np.repeat(vectors, 2, axis=0))[0] == pytest.approx(0, abs=1e-12)

    def test_it_leaves_its_input_alone(self, distance: Distance) -> None:
        vectors = np.random.default_rng(0).normal(size=(3, 4))
        before = vectors.copy()
        distance(vectors)
        np.testing.assert_array_equal(vectors, before)


def test_objects_will_do_for_names() -> None:
    dataset = random_dataset()
    xr.testing.assert_identical(distances(dataset, metric=Cosine()), distances(dataset, metric="cosine"))
    assert distances(dataset).attrs["metric"] == Euclidean().name


def test_arrays_are_compared_as_they_are() -> None:
    dataset = random_dataset()
    for weighting in ("frames", "groups"):
        xr.testing.assert_identical(distances(snap(dataset, weighting)), distances(dataset, weighting=weighting))
    turned = snap(dataset).transpose("lag", "unit", "group")
    np.testing.assert_allclose(distances(turned).values, distances(dataset).values, rtol=1e-12)


def test_the_unweighted_mean_moves_cosine_distances_and_not_euclidean_ones() -> None:
    """Euclidean distances between unmasked contrasts do not depend on what is subtracted."""
    dataset = random_dataset()
    dataset["saliency"] = xr.ones_like(dataset["saliency"])
    dataset["activation"] = dataset["activation"].fillna(0)
    dataset["coverage"] = dataset["coverage"].clip(min=1)
    one, other = distances(dataset), distances(dataset, weighting="groups")
    np.testing.assert_allclose(one.values, other.values, rtol=1e-9)
    one, other = (distances(dataset, metric="cosine", weighting=w) for w in ("frames", "groups"))
    assert not np.allclose(one.values, other.values)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("metric", ["cosine", "correlation"])
def test_a_profile_of_zeros_has_no_angle(metric: str) -> None:
    values = snap(random_dataset())
    values[1] = 0
    result = distances(values, metric=metric)
    assert np.isnan(result.sel(group="b").drop_sel(group_="b")).all()
    assert np.isfinite(result.drop_sel(group="b", group_="b")).all()


def rounded(seed: int = 0) -> xr.Dataset:
    """Profiles whose groups differ by no more than the rounding of float32 does, in units of unlike size."""
    dataset = random_dataset(seed)
    sizes = 10.0 ** np.arange(dataset.sizes["unit"])
    noise = np.random.default_rng(seed).integers(-1, 2, size=dataset["activation"].shape)
    values = (sizes[:, None] * (1 + noise * np.finfo(np.float32).eps / 2)).astype(np.float32)
    dataset["activation"] = dataset["activation"].copy(data=values).where(dataset["coverage"] > 0)
    return dataset


@pytest.mark.parametrize("metric", DISTANCES)
def test_differences_that_float32_does_not_resolve_are_none(metric: str) -> None:
    dataset = rounded()
    assert pdist(snap(dataset).values.reshape(5, -1)).max() > 0
    assert (distances(dataset, metric=metric) == 0).all()
    dataset["activation"][0] *= 1 + 2e-6
    apart = distances(dataset, metric="euclidean")
    assert (apart.sel(group="a").drop_sel(group_="a") > 0).all()
    assert distances(snap(rounded())).max() > 0, "arrays are compared as they are"


@pytest.mark.parametrize("metric", DISTANCES)
def test_the_order_of_groups_permutes_distances_to_the_last_bit(metric: str) -> None:
    dataset = random_dataset(3)
    one = distances(dataset, metric=metric)
    order = [3, 0, 4, 2, 1]
    other = distances(dataset.isel(group=order), metric=metric)
    xr.testing.assert_identical(other, one.isel(group=order, group_=order))


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no distance 'manhattan'; accepted are 'euclidean', 'cityblock', "):
        distances(random_dataset(), metric="manhattan")
    with pytest.raises(InputError, match="metric is a int; accepted is 'euclidean', "):
        distances(random_dataset(), metric=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holds no profiles of one layer"):
        distances(random_tree()["phoneme"])
    with pytest.raises(InputError, match="between labelled groups; the array has the dimensions"):
        distances(xr.DataArray(np.zeros((2, 3)), dims=("unit", "lag")))
    values = snap(random_dataset())
    values[3, 0, 0] = np.nan
    with pytest.raises(InputError, match="distances need finite values; the groups 'd' have others"):
        distances(values)


def test_the_papers_zero_padding_reaches_distances_clusters_and_sweeps() -> None:
    tree = random_tree(seed=2)["phoneme"]
    layer = tree["input"].to_dataset()
    padded = snap(layer, uncovered="zero")
    assert not np.allclose(padded.values, snap(layer).values)
    expected = distances(padded)
    np.testing.assert_allclose(distances(layer, uncovered="zero").values, expected.values, rtol=1e-12)
    silhouette = cluster(padded, percentile=60).silhouette
    assert cluster(layer, percentile=60, uncovered="zero").silhouette == pytest.approx(silhouette, nan_ok=True)
    sweep = silhouette_sweep(tree, percentiles=(60,), uncovered="zero")
    assert sweep.attrs["uncovered"] == "zero"
    found = sweep.sel(layer="input", percentile=60).item()
    assert found == pytest.approx(silhouette, nan_ok=True)
