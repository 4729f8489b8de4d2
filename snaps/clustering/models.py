"""Networks set against each other, layer by layer (SNAP paper, sections 4.3.3 and 5.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Literal, get_args

import numpy as np
import xarray as xr

from snaps.clustering.clusters import Clustering, cut, link, undefined_groups
from snaps.clustering.comparison import compare_clusterings
from snaps.clustering.distances import Distance, distances, resolve_distance
from snaps.clustering.matching import MatchedProfiles, Profiles, match_profiles, named_profiles
from snaps.clustering.similarity import check_test, compare_activations, compare_distances, covered_lags, moved_groups
from snaps.clustering.sweep import PERCENTILES, check_percentiles, sweep_distances
from snaps.errors import InputError, one_of
from snaps.profiles.contrasts import Weighting

Match = Literal["name", "correspondence"]


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """What several networks have in common, and what sets them apart.

    Where networks differ in their layers, arrays have the layers of all of them and NaN where a network lacks
    one. Pairs are named ``first / second`` and have the names of both networks as coordinates.

    Attributes
    ----------
    models : tuple of str
        Names of the networks.
    grouping : str
        What the groups are, e.g. ``phoneme``.
    groups : tuple of str
        The groups that were compared, sorted.
    left_out : dict of str to str
        Groups that were not compared, and why.
    layers : dict of str to tuple of str
        Layers of every network that were compared, in its order.
    layers_left_out : dict of str to tuple of str
        Layers of every network that were not, because others were asked for.
    notes : tuple of str
        In what the profiles were computed unlike each other, a sentence each.
    silhouettes : DataArray of shape (model, layer, percentile)
        Mean silhouettes, with the coordinates of `snaps.silhouette_sweep`, and ``has_layer`` of shape (model,
        layer), which says which networks have which layers.
    successive : Dataset with the dimensions model, layer and percentile
        Change between the clusterings of a layer and the one before it, whose name is the coordinate ``previous``:
        ``changed``, the fraction of changed pairs of groups, and ``adjusted_rand``. NaN in the first layer.
    changes : Dataset with the dimensions pair, layer and percentile
        Change between the clusterings of two networks, likewise, for every layer of the first and the layer of
        the second that it was matched with, whose name is the coordinate ``matched``.
    correspondence : Dataset with the dimensions pair, layer and ``layer_``
        ``rsa`` and ``p_value``; layers of the first network lie along ``layer``, of the second along ``layer_``.
    similarity : Dataset with the dimensions pair, layer and ``layer_``
        ``cka``, ``chance`` and ``p_value``, likewise.
    moved : Dataset with the dimensions pair, layer and group
        How much the place of every group among the others differs between matched layers: ``moved``, from 0 to
        2, and ``rank``, 1 for the group that moved most, 0 where it is undefined.
    lags : Dataset with the dimensions model and layer
        Number of lags, ``n_lags``, and of those that all groups cover, ``n_covered``, which the CKA rests on; 0
        where a network lacks a layer.
    """

    models: tuple[str, ...]
    grouping: str
    groups: tuple[str, ...] = field(repr=False)
    left_out: dict[str, str]
    layers: dict[str, tuple[str, ...]] = field(repr=False)
    layers_left_out: dict[str, tuple[str, ...]] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    silhouettes: xr.DataArray = field(repr=False)
    successive: xr.Dataset = field(repr=False)
    changes: xr.Dataset = field(repr=False)
    correspondence: xr.Dataset = field(repr=False)
    similarity: xr.Dataset = field(repr=False)
    moved: xr.Dataset = field(repr=False)
    lags: xr.Dataset = field(repr=False)

    @property
    def pairs(self) -> tuple[str, ...]:
        """Names of the pairs of networks, ``first / second``."""
        return tuple(str(pair) for pair in self.changes["pair"].values)

    def between(self, first: str, second: str) -> xr.Dataset:
        """All that concerns two networks, with the layers that they have.

        Parameters
        ----------
        first, second : str
            Names of the networks, in the order in which they were given.

        Returns
        -------
        Dataset with the dimensions layer, ``layer_``, percentile and group
            ``changed``, ``adjusted_rand``, ``rsa``, ``rsa_p_value``, ``cka``, ``cka_chance``, ``cka_p_value``,
            ``moved`` and ``rank``; the layers of the first network lie along ``layer``, those of the second
            along ``layer_``.

        Raises
        ------
        InputError
            If there is no such pair.
        """
        name = _pair(first, second)
        if name not in self.pairs:
            raise InputError(f"there is no pair of networks {name!r}; there are {one_of(self.pairs)}")
        own, other = list(self.layers[first]), list(self.layers[second])
        of_pair = [part.sel(pair=name, layer=own) for part in (self.changes, self.moved)]
        similar = [
            part.rename({"p_value": f"{measure}_p_value", **({"chance": "cka_chance"} if measure == "cka" else {})})
            .sel(pair=name, layer=own, layer_=other)
            .drop_attrs(deep=False)
            for part, measure in ((self.correspondence, "rsa"), (self.similarity, "cka"))
        ]
        return xr.merge([*of_pair, *similar], join="exact", compat="equals", combine_attrs="drop")


def compare_models(
    profiles: Profiles | Mapping[str, Profiles],
    b: Profiles | None = None,
    c: Profiles | None = None,
    *,
    percentiles: Sequence[float] = PERCENTILES,
    layers: Sequence[str] | None = None,
    least: int = 10,
    match: Match = "name",
    metric: str | Distance = "euclidean",
    weighting: Weighting = "frames",
    n_permutations: int = 999,
    seed: int = 0,
) -> ModelComparison:
    """Set the profiles of two or more networks against each other, layer by layer.

    Compared are the groups that every network has with enough epochs; rare groups are far from all others
    because their means are noisy, and make clusterings look better than they are (the letter j of the SNAP
    paper, section 5.4). The grand mean of the SNAPs is that of these groups, so silhouettes can differ from
    those of all groups.

    Parameters
    ----------
    profiles : mapping of str to DataTree, or DataTree
        Groupings' nodes, ``{"w2l": tree["phoneme"], "tl": other["phoneme"]}``, by the names of their networks;
        or the first one alone.
    b, c : DataTree, optional
        The second and the third one, where they are given without names. They are then called by the name of
        their networks, or ``a``, ``b`` and ``c`` where those do not differ.
    percentiles : sequence of float
        Percentiles of the pairwise distances at which clusters are cut.
    layers : sequence of str, optional
        Layers to compare; all otherwise. Networks may differ in their layers.
    least : int
        Smallest number of epochs that a group must have in every network.
    match : {"name", "correspondence"}
        Which layers of two networks are set against each other where one is needed for the other: those of the
        same name; or, for every layer of the first, the one of the second with the highest RSA.
    metric : str or Distance
        A name in `snaps.clustering.DISTANCES`, or an object.
    weighting : {"frames", "groups"}
        How the grand mean of the SNAPs is taken, see `snaps.contrast`.
    n_permutations : int
        Number of permutations of the groups behind every p-value; 0 for none.
    seed : int
        Seed of the permutations.

    Returns
    -------
    ModelComparison
        Silhouettes side by side, changes between clusterings, correspondence (RSA) and similarity (CKA) of
        layers, and the groups that moved most.

    Raises
    ------
    InputError
        If there are fewer than two networks or a name occurs twice; the profiles are of unlike groupings or
        schemas; there are fewer than three common groups, or no common layer where layers are matched by
        name; or an option is not accepted.

    Examples
    --------
    >>> comparison = compare_models({"w2l": one["phoneme"], "tl": other["phoneme"]})  # doctest: +SKIP
    >>> comparison.silhouettes.sel(layer="conv5", percentile=96)  # doctest: +SKIP
    >>> comparison.between("w2l", "tl")["rsa"]  # doctest: +SKIP
    """
    distance, chosen = resolve_distance(metric), check_percentiles(percentiles)
    check_test(n_permutations, seed)
    if match not in get_args(Match):
        raise InputError(f"match is {match!r}; accepted are {one_of(get_args(Match))}")
    matched = match_profiles(named_profiles(profiles, [b, c]), layers=layers, least=least)
    pairs = list(combinations(matched.layers, 2))
    if match == "name":
        for pair in pairs:
            _refuse_strangers(matched, *pair)
    squares = {
        name: {layer: distances(dataset, metric=distance, weighting=weighting) for layer, dataset in network.items()}
        for name, network in matched.layers.items()
    }
    clusterings = {name: _Clusterings(of_layers, chosen) for name, of_layers in squares.items()}
    order = matched.layer_order
    tests = {"n_permutations": n_permutations, "seed": seed}
    rsa = {pair: compare_distances(squares[pair[0]], squares[pair[1]], **tests) for pair in pairs}
    cka = {pair: compare_activations(matched.layers[pair[0]], matched.layers[pair[1]], **tests) for pair in pairs}
    partners = {
        pair: _by_name(squares, *pair) if match == "name" else _by_correspondence(found["rsa"])
        for pair, found in rsa.items()
    }
    return ModelComparison(
        models=tuple(matched.layers),
        grouping=matched.grouping,
        groups=matched.groups,
        left_out=matched.left_out,
        layers={name: tuple(network) for name, network in matched.layers.items()},
        layers_left_out=matched.layers_left_out,
        notes=matched.notes,
        silhouettes=_silhouettes(squares, chosen, order).assign_attrs(metric=distance.name, weighting=weighting),
        successive=_stacked(
            {name: clusterings[name].against(clusterings[name], _before(network)) for name, network in squares.items()},
            "model",
            order,
        ).rename(matched="previous"),
        changes=_of_pairs(
            {(one, other): clusterings[one].against(clusterings[other], at) for (one, other), at in partners.items()},
            order,
        ),
        correspondence=_of_pairs(rsa, order),
        similarity=_of_pairs(cka, order),
        moved=_of_pairs({pair: _moved(squares[pair[0]], squares[pair[1]], at) for pair, at in partners.items()}, order),
        lags=_stacked({name: _lags(network) for name, network in matched.layers.items()}, "model", order),
    )


class _Clusterings:
    """Clusterings of all layers of a network at all percentiles; layers with an undefined distance have none."""

    def __init__(self, squares: Mapping[str, xr.DataArray], percentiles: Sequence[float]) -> None:
        self.layers, self.percentiles = tuple(squares), tuple(percentiles)
        self.found: dict[str, list[Clustering]] = {}
        for layer, square in squares.items():
            if not undefined_groups(square):
                tree = link(square)
                self.found[layer] = [cut(square, tree, percentile=percentile) for percentile in percentiles]

    def against(self, other: "_Clusterings", partners: Mapping[str, str]) -> xr.Dataset:
        """Change between the layers and their partners in another network."""
        values = np.full((2, len(self.layers), len(self.percentiles)), np.nan)
        for row, layer in enumerate(self.layers):
            mine, others = self.found.get(layer, []), other.found.get(partners.get(layer, ""), [])
            for column, (a, b) in enumerate(zip(mine, others, strict=False)):
                change = compare_clusterings(a, b)
                values[:, row, column] = change.changed, change.adjusted_rand
        dims = ("layer", "percentile")
        return xr.Dataset(
            {"changed": (dims, values[0]), "adjusted_rand": (dims, values[1])},
            coords={
                "layer": list(self.layers),
                "percentile": list(self.percentiles),
                "matched": ("layer", [partners.get(layer, "") for layer in self.layers]),
            },
        )


def _pair(first: str, second: str) -> str:
    return f"{first} / {second}"


def _refuse_strangers(matched: MatchedProfiles, first: str, second: str) -> None:
    one, other = matched.layers[first], matched.layers[second]
    if not set(one) & set(other):
        raise InputError(
            f"the networks {first!r} and {second!r} have no layer of the same name: {one_of(one)}, and "
            f"{one_of(other)}; match='correspondence' sets layers against each other that are alike"
        )


def _by_name(squares: Mapping[str, Mapping[str, object]], first: str, second: str) -> dict[str, str]:
    return {layer: layer for layer in squares[first] if layer in squares[second]}


def _by_correspondence(rsa: xr.DataArray) -> dict[str, str]:
    defined = rsa.dropna("layer", how="all")
    if not defined.sizes["layer"]:
        return {}
    # The first of several that are equally alike.
    best = defined.idxmax("layer_")
    return dict(zip(map(str, best["layer"].values), map(str, best.values), strict=True))


def _before(layers: Mapping[str, object]) -> dict[str, str]:
    return {layer: before for before, layer in pairwise(layers)}


def _moved(first: Mapping[str, xr.DataArray], second: Mapping[str, xr.DataArray], at: Mapping[str, str]) -> xr.Dataset:
    rows = [
        moved_groups(square, second[at[layer]]) if layer in at else xr.full_like(moved_groups(square, square), np.nan)
        for layer, square in first.items()
    ]
    moved = xr.concat(rows, dim="layer").assign_coords(
        layer=list(first), matched=("layer", [at.get(layer, "") for layer in first])
    )
    ranks = np.zeros(moved.shape, dtype=np.int64)
    for row, values in zip(ranks, moved.values, strict=True):
        # Those that moved alike, but for rounding, stand in the order of their names; undefined ones have no rank.
        places = np.argsort(-values.round(12), kind="stable")[: int(np.isfinite(values).sum())]
        row[places] = np.arange(1, len(places) + 1)
    return xr.Dataset({"moved": moved, "rank": (moved.dims, ranks)})


def _lags(network: Mapping[str, xr.Dataset]) -> xr.Dataset:
    covered = [covered_lags(dataset) for dataset in network.values()]
    return xr.Dataset(
        {
            "n_lags": ("layer", [len(lags) for lags in covered]),
            "n_covered": ("layer", [int(lags.sum()) for lags in covered]),
        },
        coords={"layer": list(network)},
    )


def _silhouettes(
    squares: Mapping[str, Mapping[str, xr.DataArray]], percentiles: Sequence[float], order: list[str]
) -> xr.DataArray:
    sweeps = {name: sweep_distances(of_layers, percentiles=percentiles) for name, of_layers in squares.items()}
    stacked = _stacked({name: sweep.to_dataset(name="silhouette") for name, sweep in sweeps.items()}, "model", order)
    reasons = stacked["undefined"].values.astype(object)
    for place, (name, sweep) in enumerate(sweeps.items()):
        absent = ~np.isin(order, sweep["layer"].values)
        reasons[place, absent] = f"{name} has no such layer"
    told = [f"{name}: {sweep.attrs['undefined']}" for name, sweep in sweeps.items() if sweep.attrs["undefined"]]
    has_layer = np.stack([np.isin(order, sweep["layer"].values) for sweep in sweeps.values()])
    return (
        stacked["silhouette"]
        .assign_coords(
            undefined=stacked["undefined"].copy(data=reasons.astype(str)), has_layer=(("model", "layer"), has_layer)
        )
        .assign_attrs(long_name="mean silhouette", undefined="; ".join(told))
    )


def _of_pairs(found: Mapping[tuple[str, str], xr.Dataset], order: list[str]) -> xr.Dataset:
    stacked = _stacked({_pair(*pair): dataset for pair, dataset in found.items()}, "pair", order)
    return stacked.assign_coords(
        first=("pair", [first for first, _ in found]), second=("pair", [second for _, second in found])
    )


def _stacked(found: Mapping[str, xr.Dataset], dim: str, order: list[str]) -> xr.Dataset:
    """Datasets along a new dimension, with all layers: numbers are NaN, counts 0, texts empty where one is lacking."""
    beside = [name for name in next(iter(found.values())).coords if name in ("matched", "n_clusters", "undefined")]
    whole = [_with_layers(dataset, order).reset_coords(beside) for dataset in found.values()]
    stacked = xr.concat(whole, dim=dim, join="exact", combine_attrs="override")
    return stacked.set_coords(beside).assign_coords({dim: list(found)})


def _with_layers(dataset: xr.Dataset, order: list[str]) -> xr.Dataset:
    empty = {"f": np.nan, "i": 0, "U": "", "O": ""}
    variables = {name: variable for name, variable in dataset.variables.items() if name not in dataset.dims}
    fill = {name: empty[variable.dtype.kind] for name, variable in variables.items()}
    dims = [dim for dim in ("layer", "layer_") if dim in dataset.dims]
    return dataset.reindex(dict.fromkeys(dims, order), fill_value=fill)
