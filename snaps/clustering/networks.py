"""Comparison of networks, layer by layer (SNAP paper, sections 4.3.3 and 5.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, Literal, get_args

import xarray as xr

from snaps.clustering.changes import layer_changes
from snaps.clustering.distances import Distance, distances, resolve_distance
from snaps.clustering.similarity import compare_activations, compare_distances, lag_counts, layer_moves
from snaps.clustering.sweep import PERCENTILES, check_percentiles, clusterings_of, sweep_of
from snaps.errors import InputError, check_choice, check_type, check_whole, one_of
from snaps.profiles import Uncovered, Weighting
from snaps.schema import COUNT, GROUP, Provenance, json_text, layers_of

Match = Literal["name", "correspondence"]
Profiles = xr.DataTree | xr.Dataset
#: Layers of one network by name.
Layers = dict[str, xr.Dataset]
#: Names of networks that are given by position and whose profiles hold no names, or equal ones.
LETTERS = ("a", "b", "c")
#: Settings that should be equal in all networks, and their names in a note.
AGREEING: Mapping[str, str] = {"context": "context", "target": "target", "aligner": "alignment", "corpus": "corpus"}
#: Values in layers that a network lacks, where they are not NaN.
ABSENT: Mapping[str, Any] = {
    **dict.fromkeys(("matched", "undefined"), ""),
    **dict.fromkeys(("n_clusters", "rank", "n_lags", "n_covered"), 0),
    "has_layer": False,
}


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Result of `compare_models`.

    Where networks differ in their layers, arrays have the layers of all of them and NaN where a network lacks
    one. Pairs are named ``first / second`` and have the names of both networks as coordinates.

    Attributes
    ----------
    models : tuple of str
        Names of the networks.
    grouping : str
        Grouping of the profiles, e.g. ``phoneme``.
    groups : tuple of str
        Groups that were compared, sorted.
    left_out : dict of str to str
        Reasons by the groups that were left out.
    layers : dict of str to tuple of str
        Layers of every network that were compared, in its order.
    layers_left_out : dict of str to tuple of str
        Layers of every network that the option ``layers`` left out.
    notes : tuple of str
        A sentence for every setting in which the profiles differ, e.g. the corpus.
    silhouettes : DataArray of shape (model, layer, percentile)
        Mean silhouettes, with the coordinates of `snaps.silhouette_sweep`, and ``has_layer`` of shape (model,
        layer), which says which networks have which layers.
    successive : Dataset with the dimensions model, layer and percentile
        Change between the clusterings of a layer and the one before it, whose name is the coordinate ``previous``:
        ``changed``, the fraction of changed pairs of groups, and ``adjusted_rand``. NaN in the first layer.
    changes : Dataset with the dimensions pair, layer and percentile
        The same change between the clusterings of two networks, for every layer of the first and its matched layer of
        the second, whose name is the coordinate ``matched``.
    correspondence, similarity : Dataset with the dimensions pair, layer and ``layer_``
        ``rsa`` and ``p_value``; ``cka``, ``chance`` and ``p_value``. Layers of the first network lie along ``layer``,
        those of the second along ``layer_``.
    moved : Dataset with the dimensions pair, layer and group
        Result of `moved_groups` for matched layers, ``moved``, and its ``rank``: 1 for the group that moved most, 0
        where it is undefined.
    lags : Dataset with the dimensions model and layer
        Number of lags, ``n_lags``, and of those that all groups cover and the CKA uses, ``n_covered``; 0 where a
        network lacks a layer.
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
        """Results of one pair of networks, with the layers that each of them has.

        Parameters
        ----------
        first, second : str
            Names of the networks, in the order in which they were given.

        Returns
        -------
        Dataset with the dimensions layer (of the first network), ``layer_`` (of the second), percentile and group
            ``changed``, ``adjusted_rand``, ``rsa``, ``rsa_p_value``, ``cka``, ``cka_chance``, ``cka_p_value``,
            ``moved`` and ``rank``.

        Raises
        ------
        InputError
            If there is no such pair.
        """
        name = f"{first} / {second}"
        if name not in self.pairs:
            raise InputError(f"there is no pair of networks {name!r}; there are {one_of(self.pairs)}")
        rsa = self.correspondence.rename(p_value="rsa_p_value")
        cka = self.similarity.rename(p_value="cka_p_value", chance="cka_chance")
        at = {"pair": name, "layer": list(self.layers[first]), "layer_": list(self.layers[second])}
        of_pair = [
            part.sel({dim: at[dim] for dim in at if dim in part.dims}) for part in (self.changes, self.moved, rsa, cka)
        ]
        return xr.merge(of_pair, join="exact", compat="equals", combine_attrs="drop")


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
    uncovered: Uncovered = "leave-out",
    n_permutations: int = 999,
    seed: int = 0,
) -> ModelComparison:
    """Compare the profiles of two or more networks, layer by layer.

    The comparison uses the groups that have enough epochs in every network. Rare groups are far from all others
    because their means are noisy, and make clusterings look better than they are (the letter j of the SNAP
    paper, section 5.4). The grand mean of the SNAPs is that of these groups, so silhouettes can differ from
    those of all groups.

    Parameters
    ----------
    profiles : mapping of str to DataTree, or DataTree
        Nodes of one grouping by the names of their networks, ``{"w2l": tree["phoneme"], "tl": other["phoneme"]}``;
        or the first node alone.
    b, c : DataTree, optional
        Second and third node, without names. The networks are then named as in the profiles, or ``a``, ``b`` and
        ``c`` where those names are missing or equal.
    percentiles : sequence of float
        Percentiles of the pairwise distances at which clusters are cut.
    layers : sequence of str, optional
        Layers to compare; all otherwise. Networks may differ in their layers.
    min_count : int
        Smallest number of epochs that a group must have in every network.
    match : {"name", "correspondence"}
        Which layer of the second network is compared with a layer of the first: that of the same name, or that
        with the highest RSA.
    metric, weighting, uncovered
        As in `snaps.silhouette_sweep`.
    n_permutations, seed : int
        Number of permutations of the groups for every p-value, 0 for no test; and their seed.

    Returns
    -------
    ModelComparison
        Silhouettes, changes between clusterings, RSA and CKA between layers, and the groups that moved most.

    Raises
    ------
    InputError
        If there are fewer than two networks; the profiles are of different groupings or schema versions; there
        are fewer than three common groups, or no common layer with ``match="name"``; or an option is not accepted.

    Examples
    --------
    >>> comparison = compare_models({"w2l": one["phoneme"], "tl": other["phoneme"]})  # doctest: +SKIP
    >>> comparison.between("w2l", "tl")["rsa"]  # doctest: +SKIP
    """
    distance, chosen = resolve_distance(metric), check_percentiles(percentiles)
    check_choice("match", match, get_args(Match))
    nodes = _named(profiles, [node for node in (b, c) if node is not None])
    found = {name: layers_of(node) for name, node in nodes.items()}
    grouping = _grouping(nodes, found)
    networks = _with_layers(found, layers)
    groups, left_out = _shared_groups(networks, check_whole("min_count", min_count, least=0))
    squares, clusterings, sweeps, successive = {}, {}, {}, {}
    for name, of_layers in networks.items():
        # Without a copy where nothing changes: profiles of wide networks are large.
        own = {layer: dataset.reindex({GROUP: groups}, copy=False) for layer, dataset in of_layers.items()}
        networks[name] = own
        squares[name] = {
            layer: distances(own[layer], metric=distance, weighting=weighting, uncovered=uncovered) for layer in own
        }
        clusterings[name] = clusterings_of(squares[name], chosen)
        sweeps[name] = sweep_of(squares[name], clusterings[name], chosen)
        previous = {layer: before for before, layer in pairwise(own)}
        successive[name] = layer_changes(clusterings[name], clusterings[name], previous, percentiles=chosen)
    rsa, cka, changes, moved = {}, {}, {}, {}
    pairs, test = list(combinations(networks, 2)), {"n_permutations": n_permutations, "seed": seed}
    for first, second in pairs:
        pair = f"{first} / {second}"
        rsa[pair] = compare_distances(squares[first], squares[second], **test)
        cka[pair] = compare_activations(networks[first], networks[second], **test)
        partners = _by_name(squares, first, second) if match == "name" else _by_correspondence(rsa[pair]["rsa"])
        changes[pair] = layer_changes(clusterings[first], clusterings[second], partners, percentiles=chosen)
        moved[pair] = layer_moves(squares[first], squares[second], partners)
    order = _layer_order(networks)
    firsts, seconds = zip(*pairs, strict=True)
    sides = {"first": ("pair", list(firsts)), "second": ("pair", list(seconds))}
    return ModelComparison(
        models=tuple(networks),
        grouping=grouping,
        groups=groups,
        left_out=left_out,
        layers={name: tuple(network) for name, network in networks.items()},
        layers_left_out={
            name: tuple(layer for layer in network if layer not in networks[name]) for name, network in found.items()
        },
        notes=_notes(nodes, found),
        silhouettes=_silhouettes(sweeps, order).assign_attrs(
            metric=distance.name, weighting=weighting, uncovered=uncovered
        ),
        successive=_stacked(successive, "model", order).rename(matched="previous"),
        changes=_stacked(changes, "pair", order).assign_coords(sides),
        correspondence=_stacked(rsa, "pair", order).assign_coords(sides),
        similarity=_stacked(cka, "pair", order).assign_coords(sides),
        moved=_stacked(moved, "pair", order).assign_coords(sides),
        lags=_stacked({name: lag_counts(network) for name, network in networks.items()}, "model", order),
    )


def _named(profiles: Profiles | Mapping[str, Profiles], others: list[Profiles]) -> dict[str, Profiles]:
    """Profiles by the names of their networks: the given names, those that the profiles hold, or letters."""
    if isinstance(profiles, Mapping) and not isinstance(profiles, Profiles):
        if others:
            raise InputError("profiles are given by their names or one after the other, and not in both ways")
        named = {str(name): node for name, node in profiles.items()}
        if len(named) < len(profiles):
            twice = next(name for name in named if [str(given) for given in profiles].count(name) > 1)
            raise InputError(f"the name {twice!r} occurs twice; every network has one of its own")
    else:
        nodes = [profiles, *others]
        own = [str(Provenance.of(_root(node)).model.get("name") or "") for node in nodes]
        named = dict(zip(own if all(own) and len(set(own)) == len(own) else LETTERS, nodes, strict=False))
    for name, node in named.items():
        accepted = "profiles of one grouping, e.g. profiles['phoneme']"
        check_type(f"the network {name!r}", node, (xr.DataTree, xr.Dataset), accepted=accepted)
    if len(named) < 2:
        raise InputError(f"a comparison takes at least two networks; received {one_of(named)}")
    return named


def _root(node: Profiles) -> Mapping[Any, Any]:
    """Attributes of the root of a tree; a dataset has none."""
    return node.root.attrs if isinstance(node, xr.DataTree) else {}


def _grouping(nodes: Mapping[str, Profiles], found: Mapping[str, Layers]) -> str:
    """Grouping of the profiles, which all networks must share, as they must share the version of the schema."""
    versions = {name: _root(node).get("schema_version") for name, node in nodes.items()}
    groupings = {
        name: next(iter(found[name].values())).attrs.get("grouping") or getattr(node, "name", None)
        for name, node in nodes.items()
    }
    for what, values in (("schema version", versions), ("grouping", groupings)):
        known = {name: value for name, value in values.items() if value is not None}
        if len(set(known.values())) > 1:
            listed = ", ".join(f"{value!r} ({name})" for name, value in known.items())
            raise InputError(f"networks compare with profiles of one {what}; received {listed}")
    return str(next(filter(None, groupings.values()), ""))


def _with_layers(found: Mapping[str, Layers], layers: Sequence[str] | None) -> dict[str, Layers]:
    """Chosen layers of every network; a network may lack some of them, but not all."""
    known = list(dict.fromkeys(layer for network in found.values() for layer in network))
    chosen = known if layers is None else [layers] if isinstance(layers, str) else list(layers)
    for layer in chosen:
        if layer not in known:
            raise InputError(f"there is no layer {layer!r}; there are {one_of(known)}")
    networks = {
        name: {layer: network[layer] for layer in network if layer in chosen} for name, network in found.items()
    }
    for name, network in networks.items():
        if not network:
            raise InputError(
                f"the network {name!r} has none of the layers {one_of(chosen)}; it has {one_of(found[name])}"
            )
    return networks


def _shared_groups(networks: Mapping[str, Layers], min_count: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """Groups, sorted, with enough epochs in every layer of every network; and the others, with the reason."""
    # Epochs in the layer with fewest, NaN where a layer or a network lacks the group.
    counts = [
        xr.concat([dataset[COUNT] for dataset in network.values()], "layer", join="inner").min("layer")
        for network in networks.values()
    ]
    table = xr.concat(counts, xr.Variable("model", list(networks)), join="outer", coords="minimal", compat="override")
    left_out = {}
    for group, numbers in table.transpose("model", GROUP).to_pandas().sort_index(axis="columns").items():
        rare = [f"{number:.0f} in {name!r}" for name, number in numbers[numbers < min_count].items()]
        reasons = [f"no group of {one_of(numbers.index[numbers.isna()])}"] if numbers.isna().any() else []
        reasons += [f"fewer than {min_count} epochs: {', '.join(rare)}"] if rare else []
        if reasons:
            left_out[str(group)] = "; ".join(reasons)
    kept = tuple(sorted(set(map(str, table[GROUP].values)) - left_out.keys()))
    if len(kept) < 3:
        listed = "; ".join(f"{group!r}: {reason}" for group, reason in list(left_out.items())[:10])
        raise InputError(
            f"a comparison takes at least three common groups of {min_count} epochs or more (min_count); there are "
            f"{one_of(kept)}, and {len(left_out)} are left out: {listed}"
        )
    return kept, left_out


def _layer_order(networks: Mapping[str, Layers]) -> list[str]:
    """Layers of all networks, each after the one that it follows in its network."""
    order: list[str] = []
    for layers in networks.values():
        place = 0
        for layer in layers:
            if layer not in order:
                order.insert(place, layer)
            place = order.index(layer) + 1
    return order


def _notes(nodes: Mapping[str, Profiles], found: Mapping[str, Layers]) -> tuple[str, ...]:
    """A sentence for every setting in which the profiles of the networks differ."""
    provenances = {
        name: Provenance.of({**_root(node), **next(iter(found[name].values())).attrs}) for name, node in nodes.items()
    }
    notes = []
    for setting, words in AGREEING.items():
        texts = {}
        for name, provenance in provenances.items():
            if value := getattr(provenance, setting):
                shown = {key: value.get(key) for key in ("name", "fingerprint")} if setting == "corpus" else value
                texts[name] = shown if isinstance(shown, str) else json_text(shown, sort_keys=True)
        if len(set(texts.values())) > 1:
            listed = "; ".join(f"{name!r}: {text}" for name, text in texts.items())
            notes.append(f"The networks differ in their {words}: {listed}.")
    return tuple(notes)


def _by_name(networks: Mapping[str, Mapping[str, object]], first: str, second: str) -> dict[str, str]:
    """Layers that both networks have."""
    shared = {layer: layer for layer in networks[first] if layer in networks[second]}
    if not shared:
        raise InputError(
            f"the networks {first!r} and {second!r} have no layer of the same name: {one_of(networks[first])}, and "
            f"{one_of(networks[second])}; match='correspondence' compares the layers that are most alike"
        )
    return shared


def _by_correspondence(rsa: xr.DataArray) -> dict[str, str]:
    """Layer of the second network with the highest RSA for every layer of the first; the first one on ties."""
    return {str(layer): str(best) for layer, best in rsa.idxmax("layer_").to_series().dropna().items()}


def _silhouettes(sweeps: Mapping[str, xr.DataArray], order: list[str]) -> xr.DataArray:
    whole = {}
    for name, sweep in sweeps.items():
        known = sweep.to_dataset(name="silhouette").assign_coords(has_layer=xr.ones_like(sweep["layer"], dtype=bool))
        absent = {**ABSENT, "undefined": f"{name} has no such layer"}
        whole[name] = known.reindex(layer=order, fill_value=absent)
    texts = [f"{name}: {sweep.attrs['undefined']}" for name, sweep in sweeps.items() if sweep.attrs["undefined"]]
    stacked = _stacked(whole, "model", order)["silhouette"]
    return stacked.assign_attrs(long_name="mean silhouette", undefined="; ".join(texts))


def _stacked(found: Mapping[str, xr.Dataset], dim: str, order: list[str]) -> xr.Dataset:
    """Datasets along a new dimension, with the layers of all of them; where one lacks a layer, `ABSENT` fills in."""
    whole = [
        dataset.reindex({one: order for one in ("layer", "layer_") if one in dataset.dims}, fill_value=ABSENT)
        for dataset in found.values()
    ]
    names = xr.Variable(dim, list(found))
    return xr.concat(whole, names, data_vars="all", coords="all", join="exact", combine_attrs="override")
