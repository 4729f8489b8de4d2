"""Profiles for the tests: slow and readable from single epochs, and a larger tree with planted classes."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snaps.schema import SCHEMA_NAME, SCHEMA_VERSION, encode_attributes

STEP = 0.008

#: The 61 symbols of TIMIT without `q`, by manner of articulation.
MANNERS: Mapping[str, tuple[str, ...]] = {
    "plosive": ("b", "d", "g", "p", "t", "k"),
    "closure": ("bcl", "dcl", "gcl", "pcl", "tcl", "kcl"),
    "affricate": ("jh", "ch"),
    "fricative": ("s", "sh", "z", "zh", "f", "th", "v", "dh"),
    "nasal": ("m", "n", "ng", "em", "en", "eng", "nx"),
    "glide": ("l", "r", "w", "y", "hh", "hv", "el", "dx"),
    "front vowel": ("iy", "ih", "eh", "ey", "ae", "ix", "ux"),
    "back vowel": ("aa", "aw", "ay", "ah", "ao", "oy", "ow", "uh", "uw"),
    "central vowel": ("er", "ax", "axr", "ax-h"),
    "pause": ("h#", "pau", "epi"),
}
MANNER_OF = {label: manner for manner, labels in MANNERS.items() for label in labels}


def from_epochs(
    activation: np.ndarray,
    saliency: np.ndarray,
    labels: Sequence[str],
    *,
    unaligned: Sequence[bool] | None = None,
    frequency: np.ndarray | None = None,
    attrs: Mapping[str, object] | None = None,
    variance: bool = False,
) -> xr.Dataset:
    """Profiles of single epochs, as definition 8 says: one Python loop over groups, units and lags.

    `activation` and `saliency` are (epoch, unit, lag); an uncovered activation is NaN in every unit.
    """
    unaligned = [False] * len(labels) if unaligned is None else unaligned
    groups = sorted(set(labels))
    n_units, n_lags = activation.shape[1:]
    shape = (len(groups), n_units, n_lags)
    result = {
        name: np.full(shape, np.nan) for name in ("activation", "saliency", "activation_variance", "saliency_variance")
    }
    coverage = np.zeros((len(groups), n_lags), dtype=np.int64)
    for row, group in enumerate(groups):
        members = [index for index, label in enumerate(labels) if label == group]
        for unit in range(n_units):
            for lag in range(n_lags):
                covered = [float(value) for value in activation[members, unit, lag] if not np.isnan(value)]
                coverage[row, lag] = len(covered)
                sizes = [abs(float(value)) for value in saliency[members, unit, lag]]
                if covered:
                    result["activation"][row, unit, lag] = np.mean(covered)
                    result["activation_variance"][row, unit, lag] = np.var(covered)
                result["saliency"][row, unit, lag] = np.mean(sizes)
                result["saliency_variance"][row, unit, lag] = np.var(sizes)
    coords: dict[str, object] = {"group": groups, "lag": (np.arange(n_lags) - n_lags // 2) * STEP}
    if frequency is not None:
        coords["frequency"] = ("unit", frequency)
    names = list(result) if variance else ["activation", "saliency"]
    return xr.Dataset(
        {
            **{name: (("group", "unit", "lag"), result[name].astype(np.float32)) for name in names},
            "coverage": (("group", "lag"), coverage),
            "count": ("group", np.array([labels.count(group) for group in groups], dtype=np.int64)),
            "unaligned": (
                "group",
                np.array([sum(u for u, label in zip(unaligned, labels, strict=True) if label == g) for g in groups]),
            ),
        },
        coords=coords,
        attrs=dict(attrs or {}),
    )


def random_epochs(
    seed: int, labels: Sequence[str], *, n_units: int = 4, n_lags: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Activation with uncovered ends, and saliency, both (epoch, unit, lag)."""
    rng = np.random.default_rng(seed)
    activation = rng.normal(size=(len(labels), n_units, n_lags)).astype(np.float32)
    for epoch in activation:
        first = rng.integers(0, n_lags)
        last = rng.integers(first, n_lags)
        epoch[:, :first] = np.nan
        epoch[:, last + 1 :] = np.nan
    saliency = rng.normal(size=activation.shape).astype(np.float32)
    # Saliency lies inside the recording, so that it is 0 where the activation is not covered.
    saliency[np.isnan(activation)] = 0
    return activation, saliency


def random_dataset(
    seed: int = 0,
    *,
    groups: Sequence[str] = ("a", "b", "c", "d", "e"),
    n_epochs: int = 30,
    n_units: int = 4,
    n_lags: int = 5,
    layer: str = "conv1",
    variance: bool = False,
    attrs: Mapping[str, object] | None = None,
) -> xr.Dataset:
    """Profiles of random epochs; every group has one at least."""
    rng = np.random.default_rng(seed)
    labels = [*groups, *rng.choice(groups, size=n_epochs - len(groups)).tolist()]
    activation, saliency = random_epochs(seed, labels, n_units=n_units, n_lags=n_lags)
    return from_epochs(
        activation,
        saliency,
        labels,
        unaligned=rng.random(len(labels)) < 0.1,
        frequency=np.linspace(50, 7900, n_units) if layer == "input" else None,
        attrs={**node_attributes(layer), **(attrs or {})},
        variance=variance,
    )


def node_attributes(layer: str, grouping: str = "phoneme", aligner: str = "Aligner") -> dict[str, object]:
    return {
        "layer": layer,
        "grouping": grouping,
        "context": "recording",
        "stride": 1 if layer == "input" else 2,
        "step": STEP if layer == "input" else 2 * STEP,
        "aligner": json.dumps({"name": aligner, "saliency": {"name": "Sensitivity"}, "peak": "product"}),
    }


def root_attributes(layers: Sequence[str], groupings: Sequence[str], **changes: object) -> dict[str, object]:
    return encode_attributes(
        {
            "schema": SCHEMA_NAME,
            "schema_version": SCHEMA_VERSION,
            "package_version": "0.1.0",
            "created": "2025-01-31T12:00:00+00:00",
            "context": "recording",
            "target": "predicted",
            "n_recordings": 240,
            "n_frames": 31_337,
            "step": STEP,
            "layers": list(layers),
            "groupings": list(groupings),
            "ignored": ["_"],
            "model": {"name": "w2p_shallow", "hash": "3f9a5c7e21bd0a44", "symbols": ["_", "aa", "s"]},
            "corpus": {"name": "timit-test", "fingerprint": "9b1c00ffee", "n_recordings": 240},
            "features": {"rate": 16000, "window": 512, "hop": 128, "bands": 128, "units": "dB"},
            "aligner": {
                "name": "Aligner",
                "saliency": {"name": "Sensitivity"},
                "peak": "product",
                "mask": None,
            },
            "drop_log": {
                "counts": {
                    "ignored": dict.fromkeys(groupings, 12345),
                    "non-finite": dict.fromkeys(groupings, 0),
                    "unlabelled": {grouping: 7 * index for index, grouping in enumerate(groupings)},
                    "short": dict.fromkeys(groupings, 3),
                },
                "skipped": [{"recording": "test/dr1/f001/si1", "reason": "the file 'si1.PHN' is empty"}],
                "clipped": 4,
            },
            **changes,
        }
    )


def random_tree(
    seed: int = 0,
    *,
    groupings: Sequence[str] = ("predicted", "phoneme"),
    layers: Sequence[str] = ("input", "conv1", "conv2", "logits"),
    groups: Sequence[str] = ("a", "b", "c", "d", "e", "h#", "iy+f", "é"),
    **changes: object,
) -> xr.DataTree:
    """A small tree, its layers and groupings in an order that is not the alphabet's."""
    nodes = {"/": xr.Dataset(attrs=root_attributes(layers, groupings, **changes))}
    for g, grouping in enumerate(groupings):
        for number, layer in enumerate(layers):
            nodes[f"/{grouping}/{layer}"] = random_dataset(
                seed + 100 * g + number,
                groups=groups,
                layer=layer,
                n_units=3 + number,
                attrs=node_attributes(layer, grouping),
            )
    return xr.DataTree.from_dict(nodes)
