import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform

from snaps.clustering import DISTANCES, Cosine, Distance, Euclidean, distances
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


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no distance 'manhattan'; accepted are 'euclidean', 'cityblock', "):
        distances(random_dataset(), metric="manhattan")
    with pytest.raises(InputError, match="metric is 3; accepted are 'euclidean', "):
        distances(random_dataset(), metric=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holds no profiles of one layer"):
        distances(random_tree()["phoneme"])
    with pytest.raises(InputError, match="between labelled groups; the array has the dimensions"):
        distances(xr.DataArray(np.zeros((2, 3)), dims=("unit", "lag")))
    values = snap(random_dataset())
    values[3, 0, 0] = np.nan
    with pytest.raises(InputError, match="distances need finite values; the groups 'd' have others"):
        distances(values)
