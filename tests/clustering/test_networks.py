from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from snaps.clustering import (
    ModelComparison,
    cluster,
    compare_activations,
    compare_clusterings,
    compare_distances,
    compare_models,
    distances,
    mean_silhouette,
    moved_groups,
    silhouette_sweep,
)
from snaps.errors import InputError
from snaps.profiles import filter_groups, open_profiles, save_profiles
from tests.profiles.build import node_attributes, random_dataset, random_tree, root_attributes
from tests.reference.changes import reference_adjusted_rand, reference_changed
from tests.reference.similarity import reference_moved

GROUPS = tuple(f"g{number:02d}" for number in range(9))
LAYERS = ("input", "conv1", "conv2", "logits")
FEW = {"percentiles": (40, 70), "n_permutations": 19, "min_count": 1}


def network(
    seed: int, layers: tuple[str, ...] = LAYERS, groups: tuple[str, ...] = GROUPS, **root: object
) -> xr.DataTree:
    return random_tree(seed, groupings=("phoneme",), layers=layers, groups=groups, **root)["phoneme"]


def counted(node: xr.DataTree, counts: dict[str, int]) -> xr.DataTree:
    """The node with other counts of some groups."""
    layers = {}
    for name, child in node.children.items():
        dataset = child.to_dataset().copy(deep=True)
        dataset["count"][:] = 50
        for group, count in counts.items():
            dataset["count"].loc[{"group": group}] = count
        layers[str(name)] = dataset
    return xr.DataTree.from_dict(layers, name="phoneme")


@pytest.fixture(scope="module")
def nodes() -> dict[str, xr.DataTree]:
    return {"w2l": network(0), "tl": network(50), "deep": network(90, ("input", "conv1", "conv2", "conv3", "logits"))}


@pytest.fixture(scope="module")
def comparison(nodes: dict[str, xr.DataTree]) -> ModelComparison:
    return compare_models(nodes, **FEW)


def test_silhouettes_stand_side_by_side(nodes: dict[str, xr.DataTree], comparison: ModelComparison) -> None:
    table = comparison.silhouettes
    assert table.dims == ("model", "layer", "percentile")
    assert table["layer"].values.tolist() == ["input", "conv1", "conv2", "conv3", "logits"]
    assert comparison.models == ("w2l", "tl", "deep")
    for name, node in nodes.items():
        sweep = silhouette_sweep(node, percentiles=(40, 70))
        own = table.sel(model=name, layer=sweep["layer"].values)
        xr.testing.assert_equal(own.drop_vars(["model", "has_layer"]), sweep)
        np.testing.assert_array_equal(mean_silhouette(own).values, mean_silhouette(sweep).values)
        assert own["has_layer"].all()
    absent = table.sel(model="w2l", layer="conv3")
    assert not absent["has_layer"]
    assert np.isnan(absent).all()
    assert absent["undefined"].values.tolist() == ["w2l has no such layer"] * 2
    assert absent["n_clusters"].values.tolist() == [0, 0]


def test_changes_are_those_of_the_clusterings(nodes: dict[str, xr.DataTree], comparison: ModelComparison) -> None:
    assert comparison.pairs == ("w2l / tl", "w2l / deep", "tl / deep")
    for pair, first, second in zip(comparison.pairs, ("w2l", "w2l", "tl"), ("tl", "deep", "deep"), strict=True):
        of_pair = comparison.changes.sel(pair=pair)
        assert (of_pair["first"].item(), of_pair["second"].item()) == (first, second)
        assert np.isnan(of_pair["changed"].sel(layer="conv3")).all()
        assert of_pair["matched"].values.tolist() == ["input", "conv1", "conv2", "", "logits"]
        for layer in LAYERS:
            for percentile in (40, 70):
                one, other = (cluster(nodes[name][layer], percentile=percentile) for name in (first, second))
                cell = of_pair.sel(layer=layer, percentile=percentile)
                a, b = one.labels.values.tolist(), other.labels.values.tolist()
                assert cell["changed"].item() == pytest.approx(reference_changed(a, b))
                assert cell["adjusted_rand"].item() == pytest.approx(reference_adjusted_rand(a, b))
                assert cell["adjusted_rand"].item() == pytest.approx(adjusted_rand_score(a, b))


def test_changes_between_successive_layers(nodes: dict[str, xr.DataTree], comparison: ModelComparison) -> None:
    for name, node in nodes.items():
        own = comparison.successive.sel(model=name)
        layers = comparison.layers[name]
        assert np.isnan(own["changed"].sel(layer=layers[0])).all()
        for before, layer in pairwise(layers):
            assert own["previous"].sel(layer=layer).item() == before
            clusterings = [cluster(node[one], percentile=70) for one in (before, layer)]
            change = compare_clusterings(*clusterings)
            assert own["changed"].sel(layer=layer, percentile=70).item() == change.changed
            assert own["adjusted_rand"].sel(layer=layer, percentile=70).item() == change.adjusted_rand
    assert comparison.successive["previous"].sel(model="w2l", layer="logits").item() == "conv2"
    assert comparison.successive["previous"].sel(model="deep", layer="logits").item() == "conv3"


def test_layers_correspond_whatever_they_are_called(nodes: dict[str, xr.DataTree], comparison: ModelComparison) -> None:
    squares = {name: {layer: distances(node[layer]) for layer in node.children} for name, node in nodes.items()}
    expected = compare_distances(squares["w2l"], squares["deep"], n_permutations=19)
    found = comparison.between("w2l", "deep")
    np.testing.assert_array_equal(found["rsa"], expected["rsa"])
    np.testing.assert_array_equal(found["rsa_p_value"], expected["p_value"])
    assert found["rsa"].shape == (4, 5)
    assert np.isnan(comparison.correspondence["rsa"].sel(pair="w2l / deep", layer="conv3")).all()
    alike = compare_activations(dict(nodes["w2l"].children), dict(nodes["deep"].children), n_permutations=19)
    np.testing.assert_array_equal(found["cka"], alike["cka"])
    np.testing.assert_array_equal(found["cka_p_value"], alike["p_value"])
    np.testing.assert_array_equal(found["cka_chance"], alike["chance"])


def test_groups_are_ranked_by_how_far_they_moved(nodes: dict[str, xr.DataTree], comparison: ModelComparison) -> None:
    of_pair = comparison.moved.sel(pair="w2l / tl")
    for layer in LAYERS:
        a, b = distances(nodes["w2l"][layer]), distances(nodes["tl"][layer])
        moved = of_pair["moved"].sel(layer=layer)
        np.testing.assert_allclose(moved, reference_moved(a.values, b.values), atol=1e-12)
        np.testing.assert_array_equal(moved, moved_groups(a, b))
        ranks = of_pair["rank"].sel(layer=layer).values
        assert sorted(ranks) == list(range(1, 10))
        assert (np.diff(moved.values[np.argsort(ranks)]) <= 1e-12).all()
    assert (of_pair["rank"].sel(layer="conv3") == 0).all()
    assert of_pair["moved"].sel(layer="conv3").isnull().all()


def test_a_network_is_like_itself(nodes: dict[str, xr.DataTree]) -> None:
    twins = compare_models({"one": nodes["w2l"], "other": nodes["w2l"]}, **FEW)
    found = twins.between("one", "other")
    np.testing.assert_allclose(np.diag(found["rsa"]), 1)
    covered = twins.lags["n_covered"].sel(model="one").values > 0
    np.testing.assert_allclose(np.diag(found["cka"]), np.where(covered, 1, np.nan))
    assert (found["changed"] == 0).all()
    assert (found["adjusted_rand"] == 1).all()
    np.testing.assert_allclose(found["moved"], 0, atol=1e-12)
    assert (found["rank"] == np.arange(1, 10)).all(), "in the order of their names"
    xr.testing.assert_equal(
        twins.silhouettes.sel(model="one", drop=True), twins.silhouettes.sel(model="other", drop=True)
    )
    assert twins.notes == ()


@given(st.permutations(range(9)))
@settings(max_examples=5, deadline=None)
def test_the_order_of_groups_does_not_matter(order: list[int]) -> None:
    a, b = network(0, ("conv1", "logits")), network(50, ("conv1", "logits"))
    shuffled = xr.DataTree.from_dict(
        {str(name): child.to_dataset().isel(group=order) for name, child in b.children.items()}, name="phoneme"
    )
    one, other = (compare_models({"a": a, "b": second}, **FEW) for second in (b, shuffled))
    for field in ("silhouettes", "successive", "changes", "correspondence", "similarity", "moved", "lags"):
        xr.testing.assert_identical(getattr(one, field), getattr(other, field))


def test_sides_change_places(nodes: dict[str, xr.DataTree]) -> None:
    one = compare_models({"a": nodes["w2l"], "b": nodes["tl"]}, **FEW).between("a", "b")
    other = compare_models({"b": nodes["tl"], "a": nodes["w2l"]}, **FEW).between("b", "a")
    for name in ("changed", "adjusted_rand", "moved"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-12)
    for name in ("rsa", "cka"):
        np.testing.assert_allclose(one[name], other[name].values.T, atol=1e-12)


def test_networks_without_a_layer_in_common_are_matched_by_correspondence(nodes: dict[str, xr.DataTree]) -> None:
    foreign = xr.DataTree.from_dict(
        {f"block.{place}": child.to_dataset() for place, child in enumerate(nodes["w2l"].children.values())}
    )
    pair = {"w2l": nodes["w2l"], "foreign": foreign}
    with pytest.raises(InputError, match=r"have no layer of the same name: 'input', .* match='correspondence'"):
        compare_models(pair, **FEW)
    result = compare_models(pair, match="correspondence", **FEW)
    found = result.between("w2l", "foreign")
    assert found["matched"].values.tolist() == ["block.0", "block.1", "block.2", "block.3"]
    assert (found["changed"] == 0).all()
    np.testing.assert_allclose(found["moved"], 0, atol=1e-12)
    assert result.layers["foreign"] == ("block.0", "block.1", "block.2", "block.3")
    assert result.silhouettes.sizes["layer"] == 8


def test_dead_layers_are_undefined_and_the_others_are_not(nodes: dict[str, xr.DataTree]) -> None:
    layers = {str(name): child.to_dataset().copy(deep=True) for name, child in nodes["tl"].children.items()}
    layers["conv1"]["saliency"] = xr.zeros_like(layers["conv1"]["saliency"])
    dead = xr.DataTree.from_dict(layers, name="phoneme")
    for options in ({}, {"metric": "cosine"}, {"match": "correspondence"}):
        found = compare_models({"w2l": nodes["w2l"], "dead": dead}, **FEW, **options).between("w2l", "dead")
        assert np.isnan(found["rsa"].sel(layer_="conv1")).all()
        assert np.isfinite(found["rsa"].drop_sel(layer_="conv1")).all()
    assert "conv1" not in found["matched"].values
    by_name = compare_models({"w2l": nodes["w2l"], "dead": dead}, metric="cosine", **FEW)
    assert np.isnan(by_name.changes["changed"].sel(layer="conv1")).all()
    assert (by_name.moved["rank"].sel(layer="conv1") == 0).all()
    assert "dead: conv1 at 40: the cosine distance is undefined" in by_name.silhouettes.attrs["undefined"]


def test_rare_groups_and_those_of_one_network_are_left_out_and_said(nodes: dict[str, xr.DataTree]) -> None:
    a = counted(nodes["w2l"], {"g01": 9, "g02": 3})
    b = counted(network(50, groups=(*GROUPS[:-1], "j")), {"g02": 4, "j": 200})
    result = compare_models({"w2l": a, "tl": b}, percentiles=(70,), n_permutations=9)
    assert result.groups == ("g00", "g03", "g04", "g05", "g06", "g07")
    assert result.left_out == {
        "g01": "fewer than 10 epochs: 9 in 'w2l'",
        "g02": "fewer than 10 epochs: 3 in 'w2l', 4 in 'tl'",
        "g08": "no group of 'tl'",
        "j": "no group of 'w2l'",
    }
    assert "j" in repr(result)
    kept = xr.DataTree.from_dict({"conv1": a["conv1"].to_dataset().sel(group=list(result.groups))})
    expected = silhouette_sweep(kept, percentiles=(70,)).sel(layer="conv1", percentile=70).item()
    assert result.silhouettes.sel(model="w2l", layer="conv1", percentile=70).item() == expected
    everything = compare_models({"w2l": a, "tl": b}, percentiles=(70,), n_permutations=0, min_count=0)
    assert set(everything.left_out) == {"g08", "j"}


def test_layers_are_chosen_and_the_others_are_said(nodes: dict[str, xr.DataTree]) -> None:
    result = compare_models(nodes, layers=["conv2", "conv3", "input"], **FEW)
    assert result.layers == {
        "w2l": ("input", "conv2"),
        "tl": ("input", "conv2"),
        "deep": ("input", "conv2", "conv3"),
    }
    assert result.layers_left_out["deep"] == ("conv1", "logits")
    assert result.successive["previous"].sel(model="w2l", layer="conv2").item() == "input"


def test_covered_lags_are_counted(nodes: dict[str, xr.DataTree], comparison: ModelComparison) -> None:
    dataset = nodes["tl"]["conv2"].to_dataset()
    cell = comparison.lags.sel(model="tl", layer="conv2")
    assert cell["n_lags"].item() == 5
    assert cell["n_covered"].item() == int((dataset["coverage"] > 0).all("group").sum())
    assert comparison.lags["n_lags"].sel(model="tl", layer="conv3").item() == 0


def test_networks_given_one_after_the_other_have_names(nodes: dict[str, xr.DataTree]) -> None:
    a, b, c = nodes.values()
    assert compare_models(a, b, c, **FEW).models == ("a", "b", "c")
    own = [network(seed, ("conv1",), model={"name": name}) for seed, name in enumerate(("small", "large"))]
    assert compare_models(*own, **FEW).models == ("small", "large")
    assert compare_models(a.children["conv1"], b.children["conv1"], **FEW).layers == {"a": ("conv1",), "b": ("conv1",)}
    one = compare_models(a["conv1"].to_dataset(), b["conv1"].to_dataset(), **FEW)
    assert one.grouping == "phoneme"


def test_stored_profiles_and_filtered_ones_will_do(nodes: dict[str, xr.DataTree], tmp_path: Path) -> None:
    opened = [
        open_profiles(
            save_profiles(random_tree(seed, layers=("conv1",), groupings=("phoneme",)), tmp_path / f"{seed}.zarr")
        )
        for seed in (0, 50)
    ]
    stored = compare_models({name: tree["phoneme"] for name, tree in zip("ab", opened, strict=True)}, **FEW)
    direct = compare_models(*(filter_groups(tree["phoneme"], min_count=1) for tree in opened), **FEW)
    for field in ("silhouettes", "changes", "correspondence", "similarity", "moved"):
        xr.testing.assert_identical(getattr(stored, field), getattr(direct, field))


def test_every_part_can_be_stored(comparison: ModelComparison, tmp_path: Path) -> None:
    for field in ("successive", "changes", "correspondence", "similarity", "moved", "lags"):
        part = getattr(comparison, field)
        part.to_netcdf(tmp_path / f"{field}.nc", engine="h5netcdf")
        xr.testing.assert_equal(xr.load_dataset(tmp_path / f"{field}.nc", engine="h5netcdf"), part)


def test_profiles_that_were_made_in_unlike_ways_are_noted() -> None:
    a = network(0, ("conv1",))
    b = network(1, ("conv1",), corpus={"name": "timit-train", "fingerprint": "ff"}, target="s")
    notes = compare_models(a, b, **FEW).notes
    assert notes == (
        "The networks differ in their target: 'a': predicted; 'b': s.",
        """The networks differ in their corpus: 'a': {"fingerprint": "9b1c00ffee", "name": "timit-test"}; """
        """'b': {"fingerprint": "ff", "name": "timit-train"}.""",
    )
    attributes = node_attributes("conv1", aligner="Unaligned")
    unaligned = xr.DataTree.from_dict({"conv1": random_dataset(3, groups=GROUPS, attrs=attributes)})
    (note,) = compare_models({"a": a, "u": unaligned}, **FEW).notes
    assert note.startswith("The networks differ in their alignment: 'a': ")


def test_wrong_input_is_one_sentence(nodes: dict[str, xr.DataTree]) -> None:
    a, b = nodes["w2l"], nodes["tl"]
    for option, told in (
        ({"percentiles": (87, 187)}, "percentile is 187; accepted are numbers from 0 up to 100"),
        ({"percentiles": ()}, "percentiles is empty"),
        ({"min_count": -1}, "min_count is -1; accepted are whole numbers from 0"),
        ({"match": "guess"}, "match is 'guess'; accepted are 'name', 'correspondence'"),
        ({"metric": "miles"}, "there is no distance 'miles'"),
        ({"n_permutations": 1.5}, "n_permutations is 1.5; accepted are whole numbers from 0"),
        ({"seed": -1}, "seed is -1; accepted are whole numbers from 0"),
        ({"layers": ["conv9"]}, "there is no layer 'conv9'; there are 'input', 'conv1'"),
        (
            {"min_count": 10**6},
            "of 1000000 epochs or more (min_count); there are none, and 9 are left out: 'g00': fewer",
        ),
    ):
        with pytest.raises(InputError) as raised:
            compare_models(a, b, **{**FEW, **option})
        assert told in str(raised.value)


def test_profiles_that_do_not_compare_are_refused(nodes: dict[str, xr.DataTree]) -> None:
    a, b = nodes["w2l"], nodes["tl"]
    with pytest.raises(InputError, match="takes at least two networks; received 'w2p_shallow'"):
        compare_models(a)
    with pytest.raises(InputError, match="takes at least two networks; received 'w2l'"):
        compare_models({"w2l": a})
    with pytest.raises(InputError, match="by their names or one after the other"):
        compare_models({"w2l": a, "tl": b}, b)
    with pytest.raises(InputError, match="the network 'b' is a str; accepted is profiles of one grouping"):
        compare_models(a, "tl.zarr")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the name '1' occurs twice; every network has one of its own"):
        compare_models({1: a, "1": b})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="the node '/predicted' holds no profiles of one layer; below it are 'input'"):
        compare_models(random_tree(), random_tree(1))
    with pytest.raises(InputError, match="there are none, and 12 are left out: 'g00': no group of 'b'"):
        compare_models(a, network(1, groups=("x", "y", "z")), min_count=1)
    with pytest.raises(InputError, match="at least three common groups of 1 epochs or more .* are 'g00', 'g01'"):
        compare_models(a, network(1, groups=("g00", "g01", "x")), min_count=1)
    with pytest.raises(InputError, match="the network 'a' has none of the layers 'conv3'; it has 'input'"):
        compare_models(a, nodes["deep"], layers=["conv3"], min_count=1)


def test_unlike_groupings_and_schemas_are_refused(nodes: dict[str, xr.DataTree]) -> None:
    a = nodes["w2l"]
    letters = random_tree(1, groupings=("letter",), layers=LAYERS, groups=GROUPS)["letter"]
    with pytest.raises(InputError, match=r"profiles of one grouping; received 'phoneme' \(a\), 'letter' \(b\)"):
        compare_models(a, letters)
    later = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={**root_attributes(("conv1",), ("phoneme",)), "schema_version": 2}),
            "/phoneme/conv1": random_dataset(1, groups=GROUPS),
        }
    )["phoneme"]
    with pytest.raises(InputError, match=r"profiles of one schema version; received 1 \(a\), 2 \(b\)"):
        compare_models(a, later)
    lacking = xr.DataTree.from_dict({"conv1": random_dataset(1, groups=GROUPS).drop_vars("coverage")})
    with pytest.raises(InputError, match="lack the variable 'coverage'"):
        compare_models(a, lacking)
    assert letters.children
