from itertools import permutations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from snaps.clustering import compare_activations, compare_distances, distances, moved_groups
from snaps.errors import InputError
from tests.profiles.build import random_dataset
from tests.reference.similarity import (
    reference_cka,
    reference_mantel,
    reference_moved,
    reference_rsa,
)

GROUPS = tuple("abcdefgh")
SEEDS = st.integers(0, 10_000)


def square_of(seed: int, groups: str = "abcdefgh", *, whole: bool = False) -> xr.DataArray:
    """Distances between points; of whole numbers, so that some are equal."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, size=(len(groups), 2)).astype(float) if whole else rng.normal(size=(len(groups), 3))
    return distances(xr.DataArray(points, dims=("group", "unit"), coords={"group": list(groups)}))


def layers_of(seed: int, number: int = 2) -> dict[str, xr.DataArray]:
    return {f"conv{place}": square_of(1000 * place + seed) for place in range(1, number + 1)}


def vectors(dataset: xr.Dataset) -> np.ndarray:
    """Activations (group, feature) at the lags that all groups cover, lag by lag."""
    kept = [lag for lag in range(dataset.sizes["lag"]) if (dataset["coverage"].values[:, lag] > 0).all()]
    return np.concatenate([dataset["activation"].values[:, :, lag].astype(float) for lag in kept], axis=1)


@given(SEEDS, st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_correspondence_is_spearmans_correlation_of_all_pairs(seed: int, whole: bool) -> None:
    a, b = square_of(seed, whole=whole), square_of(seed + 1, whole=whole)
    result = compare_distances({"x": a}, {"y": b}, n_permutations=0)
    assert result["rsa"].dims == ("layer", "layer_")
    np.testing.assert_allclose(result["rsa"].item(), reference_rsa(a.values, b.values), atol=1e-12)
    if np.ptp(squareform(a.values)) and np.ptp(squareform(b.values)):
        expected = spearmanr(squareform(a.values), squareform(b.values)).statistic
        assert result["rsa"].item() == pytest.approx(expected, abs=1e-12)
    assert np.isnan(result["p_value"].item())


@pytest.mark.parametrize("whole", [False, True])
def test_the_test_is_mantels(whole: bool) -> None:
    a = {"one": square_of(1, whole=whole), "two": square_of(2, whole=whole)}
    b = {"one": square_of(11, whole=whole), "two": a["two"] + 0.2 * square_of(3, whole=whole)}
    rng = np.random.default_rng(5)
    orders = [rng.permutation(8).tolist() for _ in range(40)]
    result = compare_distances(a, b, n_permutations=40, seed=5)
    for layer, first in a.items():
        for layer_, second in b.items():
            expected = reference_mantel(first.values, second.values, orders)
            assert result["p_value"].sel(layer=layer, layer_=layer_).item() == pytest.approx(expected)
    assert result["p_value"].min() >= 1 / 41


def test_the_p_value_approaches_that_of_all_orders() -> None:
    a, b = square_of(3, "abcde"), square_of(4, "abcde")
    exact = reference_mantel(a.values, b.values, list(permutations(range(5)))[1:])
    sampled = compare_distances({"x": a}, {"x": b}, n_permutations=4000)["p_value"].item()
    assert sampled == pytest.approx(exact, abs=0.03)


def test_p_values_are_even_where_layers_have_nothing_in_common() -> None:
    first = {str(seed): square_of(seed) for seed in range(20)}
    second = {str(seed): square_of(100 + seed) for seed in range(20)}
    p_values = compare_distances(first, second, n_permutations=199)["p_value"].values
    assert 0.4 < p_values.mean() < 0.6
    assert 0.02 < (p_values <= 0.05).mean() < 0.1


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_similarity_is_that_of_kornblith(seed: int) -> None:
    a, b = (
        random_dataset(seed, groups=GROUPS, n_epochs=160),
        random_dataset(seed + 1, groups=GROUPS, n_epochs=160, n_units=6),
    )
    result = compare_activations({"x": a}, {"y": b}, n_permutations=0)
    ours, theirs = vectors(a), vectors(b)
    assert result["cka"].item() == pytest.approx(reference_cka(ours, theirs), rel=1e-9)
    assert np.isnan(result["chance"].item())


def test_chance_is_the_mean_over_shuffled_groups() -> None:
    a, b = random_dataset(1, groups=GROUPS, n_epochs=80), random_dataset(2, groups=GROUPS, n_epochs=80)
    result = compare_activations({"x": a}, {"x": b}, n_permutations=30, seed=9)
    rng = np.random.default_rng(9)
    ours, theirs = vectors(a), vectors(b)
    shuffled = [reference_cka(ours, theirs[rng.permutation(8)]) for _ in range(30)]
    assert result["chance"].item() == pytest.approx(np.mean(shuffled))
    assert result["p_value"].item() == (1 + sum(value >= result["cka"].item() for value in shuffled)) / 31
    assert result["chance"].item() > 0.2, "few groups and many units are alike by chance"


def test_lags_that_a_group_lacks_are_left_out_of_their_layer() -> None:
    whole, other = (random_dataset(seed, groups=GROUPS, n_epochs=80) for seed in (1, 2))
    holed = whole.copy(deep=True)
    holed["coverage"][2, 1] = 0
    holed["activation"][2, :, 1] = np.nan
    without = whole.isel(lag=[0, 2, 3, 4])
    expected = compare_activations({"x": without}, {"x": other})
    xr.testing.assert_allclose(compare_activations({"x": holed}, {"x": other}), expected)
    nothing = whole.copy(deep=True)
    nothing["coverage"][2] = 0
    nothing["activation"][2] = np.nan
    assert np.isnan(compare_activations({"x": nothing}, {"x": other})["cka"].item())


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_activations_may_be_rotated_scaled_and_shifted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = random_dataset(seed, groups=GROUPS, n_epochs=160), random_dataset(seed + 1, groups=GROUPS, n_epochs=160)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    turned = a.copy(deep=True)
    turned["activation"] = (("group", "unit", "lag"), 3 * np.einsum("uv,gvl->gul", turn, a["activation"].values) + 1.5)
    pair = compare_activations({"x": a, "turned": turned}, {"x": b}, n_permutations=0)["cka"]
    assert pair.sel(layer="turned").item() == pytest.approx(pair.sel(layer="x").item(), abs=1e-5)


@given(SEEDS, st.booleans())
@settings(max_examples=30, deadline=None)
def test_how_far_a_group_moved_is_told_by_its_distances_to_the_others(seed: int, whole: bool) -> None:
    a, b = square_of(seed, whole=whole), square_of(seed + 1, whole=whole)
    moved = moved_groups(a, b)
    np.testing.assert_allclose(moved.values, reference_moved(a.values, b.values), atol=1e-12)
    np.testing.assert_allclose(moved_groups(b, a).values, moved.values, atol=1e-12)
    assert ((moved >= 0) & (moved <= 2) | moved.isnull()).all()


def test_the_one_group_that_moved_is_found() -> None:
    points = xr.DataArray(np.arange(8.0)[:, None], dims=("group", "unit"), coords={"group": list(GROUPS)})
    other = points.copy(deep=True)
    other.loc[{"group": "c"}] = 9.0
    moved = moved_groups(distances(points), distances(other))
    assert moved.idxmax("group").item() == "c"


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_what_is_the_same_is_alike(seed: int) -> None:
    square, dataset = square_of(seed), random_dataset(seed, groups=GROUPS, n_epochs=160)
    itself = compare_distances({"x": square}, {"x": square}, n_permutations=19)
    assert itself["rsa"].item() == pytest.approx(1, abs=1e-12)
    assert compare_activations({"x": dataset}, {"x": dataset}, n_permutations=0)["cka"].item() == pytest.approx(1)
    np.testing.assert_allclose(moved_groups(square, square).values, 0, atol=1e-12)


@given(SEEDS, st.permutations(range(8)))
@settings(max_examples=20, deadline=None)
def test_sides_and_the_order_of_groups_do_not_matter(seed: int, order: list[int]) -> None:
    first, second = layers_of(seed), layers_of(seed + 1, 3)
    result = compare_distances(first, second, n_permutations=9)
    assert result["rsa"].shape == (2, 3)
    swapped = compare_distances(second, first, n_permutations=0)["rsa"]
    np.testing.assert_allclose(swapped.values.T, result["rsa"].values, atol=1e-12)
    shuffled = {name: square.isel(group=order, group_=order) for name, square in second.items()}
    xr.testing.assert_identical(compare_distances(first, shuffled, n_permutations=9), result)
    a, b = ({"x": random_dataset(seed + side, groups=GROUPS, n_epochs=160)} for side in (0, 1))
    alike = compare_activations(a, b, n_permutations=9)
    xr.testing.assert_identical(compare_activations(a, {"x": b["x"].isel(group=order)}, n_permutations=9), alike)
    backwards = compare_activations(b, a, n_permutations=0)["cka"]
    np.testing.assert_allclose(backwards.values, alike["cka"].values.T, atol=1e-12)


def test_what_is_undefined_is_nan_and_the_rest_is_not() -> None:
    dead, broken = square_of(1) * 0, square_of(1).copy(deep=True)
    broken[0, 1] = broken[1, 0] = np.nan
    result = compare_distances({"x": square_of(2), "dead": dead, "broken": broken}, {"x": square_of(3)})
    assert np.isfinite(result.sel(layer="x").to_array()).all()
    assert np.isnan(result.sel(layer=["dead", "broken"]).to_array()).all()
    assert np.isnan(moved_groups(dead, square_of(1))).all()
    assert np.isnan(moved_groups(broken, square_of(1)).values).tolist() == [True, True, *[False] * 6]
    constant = random_dataset(1, groups=GROUPS, n_epochs=200)
    constant["activation"] = xr.full_like(constant["activation"], 0.1)
    other = random_dataset(2, groups=GROUPS, n_epochs=160)
    assert np.isnan(compare_activations({"x": constant}, {"x": other})["cka"].item())


def test_wrong_input_is_one_sentence() -> None:
    a, b = {"x": square_of(1, "abc")}, {"x": square_of(1, "abd")}
    with pytest.raises(InputError, match="different groups do not compare: 'c' only in one, 'd' only in the other"):
        compare_distances(a, b)
    with pytest.raises(InputError, match="at least three groups; received 'a', 'b'"):
        compare_distances({"x": square_of(1, "ab")}, {"x": square_of(1, "ab")})
    with pytest.raises(InputError, match="there are no layers to compare"):
        compare_distances({}, {})
    with pytest.raises(InputError, match="n_permutations is -1; accepted are whole numbers from 0"):
        compare_distances(a, a, n_permutations=-1)
    with pytest.raises(InputError, match="seed is 0.5; accepted are whole numbers from 0"):
        compare_distances(a, a, seed=0.5)  # type: ignore[arg-type]
