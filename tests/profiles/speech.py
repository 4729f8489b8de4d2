"""Profiles as a phoneme network of twelve layers would give them: manner of articulation is planted."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from tests.profiles.build import MANNER_OF, MANNERS, STEP, node_attributes, root_attributes

LAYERS = ("input", *(f"conv{number}" for number in range(1, 12)), "logits")
#: Stride, first and last lag of the layers of a Wav2Letter with receptive field 206.
LAGS = {
    "input": (1, -103, 102),
    **{f"conv{number}": (2, -51, 51) for number in range(1, 6)},
    "conv6": (2, -49, 49),
    "conv7": (2, -43, 43),
    "conv8": (2, -37, 37),
    "conv9": (2, -31, 31),
    "conv10": (2, 0, 0),
    "conv11": (2, 0, 0),
    "logits": (2, 0, 0),
}
#: Centre (Hz), width (bands), height (dB), onset and duration (s) of the energy of a manner's sounds.
FORMANTS = {
    "plosive": [(4000, 45, 9, -0.01, 0.03)],
    "closure": [(250, 10, -8, -0.06, 0.08), (3000, 50, -11, -0.06, 0.08)],
    "affricate": [(4500, 18, 11, -0.02, 0.09)],
    "fricative": [(5500, 14, 13, -0.06, 0.12), (500, 16, -9, -0.06, 0.12)],
    "nasal": [(280, 7, 8, -0.05, 0.1), (1200, 12, -6, -0.05, 0.1)],
    "glide": [(450, 8, 6, -0.06, 0.12), (1300, 10, 4, -0.04, 0.1)],
    "front vowel": [(420, 7, 10, -0.06, 0.14), (2200, 8, 9, -0.06, 0.14)],
    "back vowel": [(650, 7, 11, -0.06, 0.16), (1150, 8, 8, -0.06, 0.16)],
    "central vowel": [(520, 7, 8, -0.05, 0.1), (1500, 8, 6, -0.05, 0.1)],
    "pause": [(700, 60, -15, -0.4, 0.8)],
}


def speech_tree(
    seed: int = 0, *, groupings: Sequence[str] = ("phoneme",), n_units: int = 24, n_bands: int = 128
) -> xr.DataTree:
    """Thirteen layers, sixty phonemes; manners come apart best around the fifth layer."""
    rng = np.random.default_rng(seed)
    nodes = {"/": xr.Dataset(attrs=root_attributes(LAYERS, groupings))}
    for grouping in groupings:
        for layer in LAYERS:
            n = n_bands if layer == "input" else (62 if layer == "logits" else n_units)
            nodes[f"/{grouping}/{layer}"] = _layer(rng, layer, n, grouping)
    return xr.DataTree.from_dict(nodes)


def _layer(rng: np.random.Generator, layer: str, n_units: int, grouping: str) -> xr.Dataset:
    labels = sorted(MANNER_OF)
    stride, first, last = LAGS[layer]
    lag = np.arange(first, last + 1) * stride * STEP
    count = np.random.default_rng(1).integers(40, 3000, size=len(labels))
    coverage = np.round(count[:, None] * np.clip(1.35 - np.abs(lag) / 1.1, 0, 1)).astype(np.int64)
    if layer == "input":
        frequency = _mel_frequencies(n_units)
        own = np.stack([_spectrum(rng, label, frequency, lag) for label in labels])
        activation = 55 - 20 * np.linspace(0, 1, n_units)[:, None] + own
        sharpness = 0.09
    else:
        frequency = None
        depth = LAYERS.index(layer)
        clarity = 2.2 * np.exp(-(((depth - 5) / 3.0) ** 2)) + 0.5
        manner = {name: rng.normal(size=n_units) for name in MANNERS}
        centres = np.stack([clarity * manner[MANNER_OF[label]] + rng.normal(size=n_units) for label in labels])
        activation = np.maximum(0, 1 + centres[:, :, None] * np.exp(-((lag / 0.06) ** 2)))
        sharpness = 0.05 + 0.01 * depth
    activation = activation + rng.normal(size=activation.shape) / np.sqrt(np.maximum(coverage, 1))[:, None, :]
    activation = np.where(coverage[:, None, :] > 0, activation, np.nan)
    saliency = np.exp(-((lag / sharpness) ** 2)) * rng.gamma(2.0, 0.5, size=(len(labels), n_units, 1))
    if layer == "input":
        weight = np.abs(own).max(axis=2, keepdims=True)
        saliency = np.exp(-((lag / sharpness) ** 2)) * (0.15 + weight / weight.max(axis=1, keepdims=True))
    dataset = xr.Dataset(
        {
            "activation": (("group", "unit", "lag"), activation.astype(np.float32)),
            "saliency": (("group", "unit", "lag"), (saliency * (np.abs(lag) < 0.7)).astype(np.float32)),
            "coverage": (("group", "lag"), coverage),
            "count": ("group", count.astype(np.int64)),
            "unaligned": ("group", (count * 0.01).astype(np.int64)),
        },
        coords={"group": labels, "lag": lag},
        attrs=node_attributes(layer, grouping),
    )
    if frequency is not None:
        dataset = dataset.assign_coords(frequency=("unit", frequency, {"units": "Hz"}))
    return dataset


def _spectrum(rng: np.random.Generator, label: str, frequency: np.ndarray, lag: np.ndarray) -> np.ndarray:
    bands = np.arange(len(frequency))[:, None]
    result = np.zeros((len(frequency), len(lag)))
    for hertz, width, height, onset, duration in FORMANTS[MANNER_OF[label]]:
        centre = np.interp(hertz * rng.uniform(0.85, 1.15), frequency, np.arange(len(frequency)))
        height, width = height * rng.uniform(0.7, 1.2), width * len(frequency) / 128
        start = onset + rng.normal() * 0.005
        rise = 1 / (1 + np.exp(-(lag - start) / 0.008)) / (1 + np.exp((lag - start - duration) / 0.02))
        result += height * np.exp(-(((bands - centre) / width) ** 2)) * rise
    return result


def _mel_frequencies(number: int) -> np.ndarray:
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), number + 2)[1:-1]
    return 700 * (10 ** (mel / 2595) - 1)
