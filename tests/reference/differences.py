"""What is made of the profiles of one layer: contrast, SNAP, NAvAI, NAP, and coarser groups."""

from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]


def grand_mean(profiles: Arrays, weighting: str) -> np.ndarray:
    """Mean that is taken off, definition (9): over all covered epochs, or over the groups."""
    activation, coverage = profiles["activation"], profiles["coverage"]
    _, units, lags = activation.shape
    mean = np.full((units, lags), np.nan)
    for lag in range(lags):
        covered = [group for group in range(len(activation)) if coverage[group, lag] > 0]
        if not covered:
            continue
        weights = [float(coverage[group, lag]) if weighting == "frames" else 1.0 for group in covered]
        values = [activation[group, :, lag] for group in covered]
        mean[:, lag] = np.average(values, axis=0, weights=weights)
    return mean


def reference_contrast(profiles: Arrays, weighting: str = "frames") -> np.ndarray:
    """Contrast (group, unit, lag), definition (9)."""
    return profiles["activation"] - grand_mean(profiles, weighting)[None]


def reference_snap(profiles: Arrays, weighting: str = "frames") -> np.ndarray:
    """SNAP (group, unit, lag), definition (10)."""
    contrast, saliency = reference_contrast(profiles, weighting), profiles["saliency"]
    result = np.zeros_like(contrast)
    for index in np.ndindex(*contrast.shape):
        if saliency[index] != 0:
            result[index] = contrast[index] * saliency[index] / saliency[index[0]].max()
    return result


def reference_navai(profiles: Arrays, weighting: str = "frames") -> np.ndarray:
    """NAvAI, definition (11): contrast of the input layer."""
    return reference_contrast(profiles, weighting)


def reference_nap(profiles: Arrays, weighting: str = "frames") -> np.ndarray:
    """NAP (group, unit, rank), definition (11): each unit's contrast in ascending order."""
    return np.sort(reference_contrast(profiles, weighting), axis=-1)


def reference_regroup(profiles: Arrays, mapping: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Profiles of coarser groups from those of finer ones, definition (8); what has no entry is left out."""
    names = [mapping.get(str(group)) for group in profiles["group"]]
    groups = sorted({name for name in names if name})
    shape = (len(groups), *profiles["activation"].shape[1:])
    result: dict[str, np.ndarray] = {
        "group": np.array(groups),
        "activation": np.full(shape, np.nan),
        "saliency": np.zeros(shape),
        "coverage": np.zeros((len(groups), shape[-1]), dtype=np.int64),
        "count": np.zeros(len(groups), dtype=np.int64),
        "unaligned": np.zeros(len(groups), dtype=np.int64),
    }
    for row, group in enumerate(groups):
        members = [index for index, name in enumerate(names) if name == group]
        counts = profiles["count"][members]
        for name in ("coverage", "count", "unaligned"):
            result[name][row] = profiles[name][members].sum(axis=0)
        result["saliency"][row] = np.average(profiles["saliency"][members], axis=0, weights=counts)
        merged = {name: profiles[name][members] for name in ("activation", "coverage")}
        result["activation"][row] = grand_mean(merged, "frames")
    return result
