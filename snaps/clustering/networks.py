"""Networks set against each other, layer by layer (SNAP paper, sections 4.3.3 and 5.3)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from snaps.clustering.changes import compare_clusterings
from snaps.clustering.clusters import Clustering
from snaps.clustering.distances import Distance, distances, resolve_distance
from snaps.clustering.similarity import compare_activations, compare_distances, covered_lags, moved_groups
from snaps.clustering.sweep import PERCENTILES, check_percentiles, clusterings_of, sweep_of
from snaps.errors import InputError, check_choice, check_type, check_whole, one_of
from snaps.profiles.contrasts import Weighting
from snaps.schema import COUNT, GROUP, Provenance, decode_attributes, layers_of

Match = Literal["name", "correspondence"]
Profiles = xr.DataTree | xr.Dataset
#: Layers of one network by name.
Layers = dict[str, xr.Dataset]
#: Names of networks that are given by position and have none of their own that tell them apart.
LETTERS = ("a", "b", "c")
#: Attributes that should agree for networks to compare, and what they are called.
AGREEING: Mapping[str, str] = {"context": "context", "target": "target", "aligner": "alignment", "corpus": "corpus"}


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
    min_count: int = 10,
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
    min_count : int
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
    check_choice("match", match, get_args(Match))
    for option, value in (("min_count", min_count), ("n_permutations", n_permutations), ("seed", seed)):
        check_whole(option, value, least=0)
    nodes = _named(profiles, [node for node in (b, c) if node is not None])
    found = {name: _layers(name, node) for name, node in nodes.items()}
    grouping = _grouping(nodes, found)
    networks = _chosen(found, layers)
    groups, left_out = _shared_groups(networks, min_count)
    networks = {
        name: {layer: _with_groups(dataset, groups) for layer, dataset in network.items()}
        for name, network in networks.items()
    }
    pairs = list(combinations(networks, 2))
    if match == "name":
        for pair in pairs:
            _refuse_strangers(networks, *pair)
    squares = {
        name: {layer: distances(dataset, metric=distance, weighting=weighting) for layer, dataset in network.items()}
        for name, network in networks.items()
    }
    clusterings = {name: clusterings_of(of_layers, chosen) for name, of_layers in squares.items()}
    order = _layer_order(networks)
    tests = {"n_permutations": n_permutations, "seed": seed}
    rsa = {pair: compare_distances(squares[pair[0]], squares[pair[1]], **tests) for pair in pairs}
    cka = {pair: compare_activations(networks[pair[0]], networks[pair[1]], **tests) for pair in pairs}
    partners = {
        (one, other): {layer: layer for layer in squares[one] if layer in squares[other]}
        if match == "name"
        else _by_correspondence(rsa[one, other]["rsa"])
        for one, other in pairs
    }
    successive = {
        name: _changes(of_layers, of_layers, {layer: before for before, layer in pairwise(of_layers)}, chosen)
        for name, of_layers in clusterings.items()
    }
    changes = {
        (one, other): _changes(clusterings[one], clusterings[other], at, chosen)
        for (one, other), at in partners.items()
    }
    moved = {(one, other): _moved(squares[one], squares[other], at) for (one, other), at in partners.items()}
    sweeps = {name: sweep_of(of_layers, clusterings[name], chosen) for name, of_layers in squares.items()}
    return ModelComparison(
        models=tuple(networks),
        grouping=grouping,
        groups=groups,
        left_out=left_out,
        layers={name: tuple(network) for name, network in networks.items()},
        layers_left_out={
            name: tuple(layer for layer in network if layer not in networks[name]) for name, network in found.items()
        },
        notes=_notes({name: _attributes(node, found[name]) for name, node in nodes.items()}),
        silhouettes=_silhouettes(sweeps, order).assign_attrs(metric=distance.name, weighting=weighting),
        successive=_stacked(successive, "model", order).rename(matched="previous"),
        changes=_of_pairs(changes, order),
        correspondence=_of_pairs(rsa, order),
        similarity=_of_pairs(cka, order),
        moved=_of_pairs(moved, order),
        lags=_stacked({name: _lags(network) for name, network in networks.items()}, "model", order),
    )


def _named(profiles: Profiles | Mapping[str, Profiles], others: list[Profiles]) -> dict[str, Profiles]:
    """Profiles by the names of their networks: those given, their own, or letters."""
    if isinstance(profiles, Mapping) and not isinstance(profiles, Profiles):
        if others:
            raise InputError("profiles are given by their names or one after the other, and not in both ways")
        names, nodes = [str(name) for name in profiles], list(profiles.values())
    else:
        nodes = [profiles, *others]
        own = [_own_name(node) for node in nodes]
        names = own if all(own) and len(set(own)) == len(own) else list(LETTERS)[: len(nodes)]
    for name, node in zip(names, nodes, strict=True):
        if names.count(name) > 1:
            raise InputError(f"the name {name!r} occurs twice; every network has one of its own")
        check_type(
            f"the network {name!r}",
            node,
            (xr.DataTree, xr.Dataset),
            accepted="profiles of one grouping, e.g. profiles['phoneme']",
        )
    if len(names) < 2:
        raise InputError(f"a comparison takes at least two networks; received {one_of(names)}")
    return dict(zip(names, nodes, strict=True))


def _own_name(node: Profiles) -> str:
    return str(Provenance.of(_root(node)).model.get("name") or "") if isinstance(node, xr.DataTree) else ""


def _root(node: Profiles) -> Mapping[Any, Any]:
    return node.root.attrs if isinstance(node, xr.DataTree) else {}


def _layers(name: str, node: Profiles) -> Layers:
    if isinstance(node, xr.DataTree) and not node.has_data:
        empty = [str(child) for child, below in node.children.items() if not below.has_data]
        if empty:
            raise InputError(
                f"the network {name!r} is given as a whole tree; accepted is the node of one grouping: {one_of(empty)}"
            )
    return layers_of(node)


def _grouping(nodes: Mapping[str, Profiles], found: Mapping[str, Layers]) -> str:
    """Grouping of all networks, which must be one, as must the version of their files."""
    _refuse_unlike("schema version", {name: _root(node).get("schema_version") for name, node in nodes.items()})
    groupings = {}
    for name, node in nodes.items():
        of_layers = next(iter(found[name].values())).attrs.get("grouping")
        groupings[name] = of_layers or (node.name if isinstance(node, xr.DataTree) else None)
    _refuse_unlike("grouping", groupings)
    return str(next((grouping for grouping in groupings.values() if grouping), ""))


def _refuse_unlike(what: str, values: Mapping[str, object]) -> None:
    """Refuse values that differ where they are known."""
    known = {name: value for name, value in values.items() if value is not None}
    if len(set(known.values())) > 1:
        listed = ", ".join(f"{value!r} ({name})" for name, value in known.items())
        raise InputError(f"networks compare with profiles of one {what}; received {listed}")


def _chosen(found: Mapping[str, Layers], layers: Sequence[str] | None) -> dict[str, Layers]:
    """Layers that were asked for; a network may lack some of them, but not all."""
    there = list(dict.fromkeys(layer for network in found.values() for layer in network))
    asked = there if layers is None else [layers] if isinstance(layers, str) else list(layers)
    for layer in asked:
        if layer not in there:
            raise InputError(f"there is no layer {layer!r}; there are {one_of(there)}")
    chosen = {name: {layer: network[layer] for layer in network if layer in asked} for name, network in found.items()}
    for name, network in chosen.items():
        if not network:
            raise InputError(
                f"the network {name!r} has none of the layers {one_of(asked)}; it has {one_of(found[name])}"
            )
    return chosen


def _shared_groups(networks: Mapping[str, Layers], min_count: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """Groups, sorted, with enough epochs in every layer of every network; and the others, with the reason."""
    # Epochs in the layer with fewest, NaN where a layer or a network lacks the group.
    counts = {
        name: xr.concat([dataset[COUNT] for dataset in network.values()], "layer", join="inner").min("layer")
        for name, network in networks.items()
    }
    table = xr.concat(list(counts.values()), "model", join="outer", coords="minimal", compat="override")
    left_out, kept = {}, []
    for group, of_networks in zip(map(str, table[GROUP].values), table.values.T, strict=True):
        numbers = dict(zip(networks, of_networks, strict=True))
        absent = [name for name, number in numbers.items() if np.isnan(number)]
        rare = [f"{number:.0f} in {name!r}" for name, number in numbers.items() if number < min_count]
        reasons = [f"no group of {one_of(absent)}"] if absent else []
        if rare:
            reasons.append(f"fewer than {min_count} epochs: {', '.join(rare)}")
        if reasons:
            left_out[group] = "; ".join(reasons)
        else:
            kept.append(group)
    if np.isnan(table.values).any(axis=0).all():
        listed = "; ".join(
            f"{name!r} has {one_of(count[GROUP].values.tolist(), limit=8)}" for name, count in counts.items()
        )
        raise InputError(f"the networks have no group in common: {listed}")
    if len(kept) < 3:
        raise InputError(
            f"a comparison takes at least three common groups of {min_count} epochs or more (min_count); there are "
            f"{one_of(kept)}, and left out are {one_of(left_out)}"
        )
    return tuple(sorted(kept)), dict(sorted(left_out.items()))


def _with_groups(dataset: xr.Dataset, groups: tuple[str, ...]) -> xr.Dataset:
    # Without a copy where nothing changes: profiles of wide networks are large.
    same = dataset[GROUP].values.tolist() == list(groups)
    return dataset if same else dataset.sel({GROUP: list(groups)})


def _layer_order(networks: Mapping[str, Layers]) -> list[str]:
    """Layers of all networks, each behind the one that it follows in its network."""
    order: list[str] = []
    for layers in networks.values():
        place = 0
        for layer in layers:
            if layer not in order:
                order.insert(place, layer)
            place = order.index(layer) + 1
    return order


def _attributes(node: Profiles, layers: Layers) -> dict[str, Any]:
    """What should agree, as far as the profiles say it."""
    told = decode_attributes({**_root(node), **next(iter(layers.values())).attrs})
    found = {name: told[name] for name in AGREEING if name in told}
    if isinstance(found.get("corpus"), dict):
        found["corpus"] = {key: found["corpus"].get(key) for key in ("name", "fingerprint")}
    return found


def _notes(attributes: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    notes = []
    for name, words in AGREEING.items():
        known = {network: values[name] for network, values in attributes.items() if name in values}
        texts = {
            network: value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
            for network, value in known.items()
        }
        if len(set(texts.values())) > 1:
            listed = "; ".join(f"{network!r}: {text}" for network, text in texts.items())
            notes.append(f"The networks differ in their {words}: {listed}.")
    return tuple(notes)


def _changes(
    clusterings: Mapping[str, list[Clustering]],
    others: Mapping[str, list[Clustering]],
    partners: Mapping[str, str],
    percentiles: Sequence[float],
) -> xr.Dataset:
    """Change between the clusterings of layers and those of their partners."""
    values = np.full((2, len(clusterings), len(percentiles)), np.nan)
    for row, (layer, mine) in enumerate(clusterings.items()):
        for column, (a, b) in enumerate(zip(mine, others.get(partners.get(layer, ""), []), strict=False)):
            change = compare_clusterings(a, b)
            values[:, row, column] = change.changed, change.adjusted_rand
    dims = ("layer", "percentile")
    return xr.Dataset(
        {"changed": (dims, values[0]), "adjusted_rand": (dims, values[1])},
        coords={
            "layer": list(clusterings),
            "percentile": list(percentiles),
            "matched": ("layer", [partners.get(layer, "") for layer in clusterings]),
        },
    )


def _pair(first: str, second: str) -> str:
    return f"{first} / {second}"


def _refuse_strangers(networks: Mapping[str, Layers], first: str, second: str) -> None:
    one, other = networks[first], networks[second]
    if not set(one) & set(other):
        raise InputError(
            f"the networks {first!r} and {second!r} have no layer of the same name: {one_of(one)}, and "
            f"{one_of(other)}; match='correspondence' sets layers against each other that are alike"
        )


def _by_correspondence(rsa: xr.DataArray) -> dict[str, str]:
    defined = rsa.dropna("layer", how="all")
    if not defined.sizes["layer"]:
        return {}
    # The first of several that are equally alike.
    best = defined.idxmax("layer_")
    return dict(zip(map(str, best["layer"].values), map(str, best.values), strict=True))


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


def _silhouettes(sweeps: Mapping[str, xr.DataArray], order: list[str]) -> xr.DataArray:
    stacked = _stacked({name: sweep.to_dataset(name="silhouette") for name, sweep in sweeps.items()}, "model", order)
    has_layer = xr.DataArray(
        [np.isin(order, sweep["layer"].values) for sweep in sweeps.values()], dims=("model", "layer")
    )
    absent = xr.DataArray([f"{name} has no such layer" for name in sweeps], dims="model")
    reasons = xr.where(has_layer, stacked["undefined"], absent).transpose(*stacked["undefined"].dims)
    texts = [f"{name}: {sweep.attrs['undefined']}" for name, sweep in sweeps.items() if sweep.attrs["undefined"]]
    return (
        stacked["silhouette"]
        .assign_coords(undefined=stacked["undefined"].copy(data=reasons.values.astype(str)), has_layer=has_layer)
        .assign_attrs(long_name="mean silhouette", undefined="; ".join(texts))
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
