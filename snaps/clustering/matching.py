"""Profiles of several networks brought together: their names, their layers, and the groups that all of them have."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from snaps.clustering.sweep import layers_of
from snaps.errors import InputError, one_of
from snaps.schema import COUNT, GROUP, Provenance, decode_attributes

Profiles = xr.DataTree | xr.Dataset
#: Names of networks that are given by position and have none of their own that tell them apart.
LETTERS = ("a", "b", "c")
#: Attributes that should agree for networks to compare, and what they are called.
AGREEING: Mapping[str, str] = {"context": "context", "target": "target", "aligner": "alignment", "corpus": "corpus"}


@dataclass(frozen=True, eq=False)
class MatchedProfiles:
    """Profiles of several networks with the same groups.

    Attributes
    ----------
    layers : dict of str to dict of str to Dataset
        Layers of every network by name, in the network's order; all with the same groups in the same order.
    grouping : str
        What the groups are, e.g. ``phoneme``.
    groups : tuple of str
        The groups, sorted.
    left_out : dict of str to str
        Groups that are not compared, and why.
    layers_left_out : dict of str to tuple of str
        Layers of every network that are not compared, because others were asked for.
    notes : tuple of str
        In what the profiles were computed unlike each other, a sentence each.
    """

    layers: dict[str, dict[str, xr.Dataset]]
    grouping: str
    groups: tuple[str, ...]
    left_out: dict[str, str]
    layers_left_out: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def layer_order(self) -> list[str]:
        """Layers of all networks, each behind the one that it follows in its network."""
        order: list[str] = []
        for layers in self.layers.values():
            for before, name in pairwise([None, *layers]):
                if name is not None and name not in order:
                    order.insert(order.index(before) + 1 if before is not None else 0, name)
        return order


def named_profiles(profiles: Profiles | Mapping[str, Profiles], others: Sequence[Profiles | None]) -> dict[str, Any]:
    """Profiles by the names of their networks.

    Raises
    ------
    InputError
        If there are fewer than two, a name occurs twice, or something is no profiles.
    """
    given = [other for other in others if other is not None]
    if isinstance(profiles, Mapping) and not isinstance(profiles, xr.DataTree | xr.Dataset):
        if given:
            raise InputError("profiles are given by their names or one after the other, and not in both ways")
        pairs = [(str(name), node) for name, node in profiles.items()]
    else:
        nodes = [profiles, *given]
        own = [_model_name(node) for node in nodes]
        told_apart = all(own) and len(set(own)) == len(own)
        pairs = list(zip(own if told_apart else LETTERS, nodes, strict=False))
    names = [name for name, _ in pairs]
    for name, node in pairs:
        if names.count(name) > 1:
            raise InputError(f"the name {name!r} occurs twice; every network has one of its own")
        if not isinstance(node, xr.DataTree | xr.Dataset):
            raise InputError(
                f"the network {name!r} is given as {type(node).__name__}; accepted are profiles of one grouping, "
                "e.g. profiles['phoneme']"
            )
    if len(pairs) < 2:
        raise InputError(f"a comparison takes at least two networks; received {one_of(names)}")
    return dict(pairs)


def match_profiles(profiles: Mapping[str, Profiles], *, layers: Sequence[str] | None, least: int) -> MatchedProfiles:
    """Take the layers asked for and the groups that all networks have with enough epochs.

    Parameters
    ----------
    profiles : mapping of str to DataTree or Dataset
        Groupings' nodes by the names of their networks.
    layers : sequence of str or None
        Layers to compare; None for all. A network may lack some of them, but not all.
    least : int
        Smallest number of epochs of a group, in every network.

    Raises
    ------
    InputError
        If the profiles do not compare: unlike schemas or groupings, fewer than three common groups, a layer
        that no network has, or a network without any of the layers.
    """
    if isinstance(least, bool) or not isinstance(least, int | np.integer) or least < 0:
        raise InputError(f"least is {least!r}; accepted are whole numbers from 0")
    _refuse_unlike("schema version", {name: _root(node).get("schema_version") for name, node in profiles.items()})
    found = {name: _layers(name, node) for name, node in profiles.items()}
    groupings = {name: _grouping(node, found[name]) for name, node in profiles.items()}
    _refuse_unlike("grouping", groupings)
    chosen = _chosen(found, layers)
    counts = {name: _counts(network) for name, network in chosen.items()}
    everywhere = set.intersection(*(set(count) for count in counts.values()))
    if not everywhere:
        listed = "; ".join(f"{name!r} has {one_of(sorted(count), limit=8)}" for name, count in counts.items())
        raise InputError(f"the networks have no group in common: {listed}")
    left_out = _left_out(counts, least)
    groups = tuple(sorted(everywhere - set(left_out)))
    if len(groups) < 3:
        raise InputError(
            f"a comparison takes at least three common groups of {least} epochs or more (least); there are "
            f"{one_of(groups)}, and left out are {one_of(left_out)}"
        )
    return MatchedProfiles(
        layers={
            name: {layer: _with_groups(dataset, groups) for layer, dataset in network.items()}
            for name, network in chosen.items()
        },
        grouping=next((grouping for grouping in groupings.values() if grouping), ""),
        groups=groups,
        left_out=left_out,
        layers_left_out={
            name: tuple(layer for layer in network if layer not in chosen[name]) for name, network in found.items()
        },
        notes=_notes({name: _provenance(node, found[name]) for name, node in profiles.items()}),
    )


def _root(node: Profiles) -> Mapping[Any, Any]:
    return node.root.attrs if isinstance(node, xr.DataTree) else {}


def _model_name(node: object) -> str:
    return str(Provenance.of(_root(node)).model.get("name") or "") if isinstance(node, xr.DataTree) else ""


def _layers(name: str, node: Profiles) -> dict[str, xr.Dataset]:
    if isinstance(node, xr.DataTree) and not node.has_data:
        empty = [str(child) for child, below in node.children.items() if not below.has_data]
        if empty:
            raise InputError(
                f"the network {name!r} is given as a whole tree; accepted is the node of one grouping: {one_of(empty)}"
            )
    return layers_of(node)


def _grouping(node: Profiles, layers: Mapping[str, xr.Dataset]) -> str | None:
    of_layers = next(iter(layers.values())).attrs.get("grouping")
    return str(of_layers) if of_layers else (node.name if isinstance(node, xr.DataTree) else None)


def _refuse_unlike(what: str, values: Mapping[str, object]) -> None:
    """Refuse values that differ where they are known."""
    known = {name: value for name, value in values.items() if value is not None}
    if len(set(known.values())) > 1:
        listed = ", ".join(f"{value!r} ({name})" for name, value in known.items())
        raise InputError(f"networks compare with profiles of one {what}; received {listed}")


def _chosen(
    found: Mapping[str, dict[str, xr.Dataset]], layers: Sequence[str] | None
) -> dict[str, dict[str, xr.Dataset]]:
    if layers is None:
        return dict(found)
    asked = [layers] if isinstance(layers, str) else list(layers)
    there = list(dict.fromkeys(layer for network in found.values() for layer in network))
    for layer in asked:
        if layer not in there:
            raise InputError(f"there is no layer {layer!r}; there are {one_of(there)}")
    chosen = {
        name: {layer: dataset for layer, dataset in network.items() if layer in asked}
        for name, network in found.items()
    }
    for name, network in chosen.items():
        if not network:
            raise InputError(
                f"the network {name!r} has none of the layers {one_of(asked)}; it has {one_of(found[name])}"
            )
    return chosen


def _counts(network: Mapping[str, xr.Dataset]) -> dict[str, int]:
    """Epochs of the groups that all layers of a network have, in the layer with fewest."""
    of_layers = [
        dict(zip(map(str, dataset[GROUP].values), dataset[COUNT].values.tolist(), strict=True))
        for dataset in network.values()
    ]
    shared = set.intersection(*(set(counts) for counts in of_layers))
    return {group: min(counts[group] for counts in of_layers) for group in sorted(shared)}


def _left_out(counts: Mapping[str, Mapping[str, int]], least: int) -> dict[str, str]:
    gone = {}
    for group in sorted({group for of_network in counts.values() for group in of_network}):
        absent = [name for name, of_network in counts.items() if group not in of_network]
        rare = {name: of_network[group] for name, of_network in counts.items() if of_network.get(group, least) < least}
        reasons = [f"no group of {one_of(absent)}"] if absent else []
        if rare:
            listed = ", ".join(f"{number} in {name!r}" for name, number in rare.items())
            reasons.append(f"fewer than {least} epochs: {listed}")
        if reasons:
            gone[group] = "; ".join(reasons)
    return gone


def _with_groups(dataset: xr.Dataset, groups: Sequence[str]) -> xr.Dataset:
    places = {str(label): place for place, label in enumerate(dataset[GROUP].values)}
    if tuple(places) == tuple(groups):
        return dataset  # without a copy: profiles of wide networks are large
    return dataset.isel({GROUP: [places[group] for group in groups]})


def _provenance(node: Profiles, layers: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """What should agree, as far as the profiles say it."""
    found = decode_attributes({**_root(node), **next(iter(layers.values())).attrs})
    told: dict[str, Any] = {name: found[name] for name in AGREEING if name in found}
    if isinstance(told.get("corpus"), dict):
        told["corpus"] = {key: told["corpus"].get(key) for key in ("name", "fingerprint")}
    return told


def _notes(told: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    notes = []
    for name, words in AGREEING.items():
        values = {network: _words(of_network[name]) for network, of_network in told.items() if name in of_network}
        if len(set(values.values())) > 1:
            listed = "; ".join(f"{network!r}: {value}" for network, value in values.items())
            notes.append(f"The networks differ in their {words}: {listed}.")
    return tuple(notes)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
