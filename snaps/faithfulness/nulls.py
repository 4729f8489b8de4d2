"""The profile itself: whether it would look the same if frames were aligned anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from snaps.alignment import Alignment, Peaks, Unaligned
from snaps.clustering import PERCENTILES, mean_silhouette, silhouette_sweep
from snaps.datasets.corpus import CorpusLike
from snaps.errors import InputError
from snaps.profiles import contrast, filter_groups
from snaps.profiling import compute_by_aligner
from snaps.responses import LayerResponse, SaliencyMethod

#: Shuffled alignments that are summed in one pass over the corpus.
AT_ONCE = 5


@dataclass(eq=False)
class CountingAligner:
    """An aligner that counts, layer by layer, at which step of the cone it aligned how many frames."""

    aligner: Alignment
    counts: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[SaliencyMethod, ...]:
        """Those of the aligner."""
        return self.aligner.methods

    def peaks(self, response: LayerResponse) -> Peaks:
        """Those of the aligner."""
        found = self.aligner.peaks(response)
        width = response.geometry.width
        counted = np.bincount(found.step.cpu().numpy(), minlength=width)
        self.counts[response.geometry.name] = self.counts.get(response.geometry.name, 0) + counted
        return found

    def describe(self) -> dict[str, Any]:
        """That of the aligner."""
        return self.aligner.describe()


@dataclass(eq=False)
class ShuffledAligner:
    """An alignment whose peaks were permuted among all frames, layer by layer.

    The peaks are drawn from their counts without replacement, which is a permutation and needs no memory for frames.
    """

    counting: CountingAligner
    seed: int

    def __post_init__(self) -> None:
        self._left = {layer: counts.copy() for layer, counts in self.counting.counts.items()}
        self._generator = np.random.default_rng(self.seed)

    @property
    def methods(self) -> tuple[SaliencyMethod, ...]:
        """The one that masks, as in the alignment itself."""
        return self.counting.methods

    def peaks(self, response: LayerResponse) -> Peaks:
        """Peaks of other frames."""
        layer, number = response.geometry.name, len(response.start)
        left = self._left[layer]
        if left.sum() < number:
            # A batch that was summed twice, because a frame was not finite, has drawn more than its share.
            left = self._left[layer] = self.counting.counts[layer].copy()
        drawn = self._generator.multivariate_hypergeometric(left, min(number, int(left.sum())))
        self._left[layer] = left - drawn
        steps = np.resize(np.repeat(np.arange(len(drawn)), drawn), number)
        self._generator.shuffle(steps)
        return Peaks(
            torch.from_numpy(steps).to(response.start.device), torch.zeros_like(response.start, dtype=torch.bool)
        )

    def describe(self) -> dict[str, Any]:
        """What was shuffled."""
        return {"name": "ShuffledAligner", "seed": self.seed, "of": self.counting.describe()}


def evaluate_profiles(
    model: nn.Module,
    corpus: CorpusLike,
    aligner: Alignment,
    *,
    grouping: str = "phoneme",
    shuffles: int = 19,
    percentiles: Sequence[float] = PERCENTILES,
    min_count: int = 1,
    seed: int = 0,
    progress: bool = True,
    **options: Any,
) -> xr.Dataset:
    """Contrast energy and silhouettes of profiles, against shuffled alignments and against none.

    Parameters
    ----------
    model, corpus, aligner, progress
        As `snaps.compute_profiles` has them.
    grouping : str
        What frames are averaged by.
    shuffles : int
        How many shuffled alignments make the null distribution.
    percentiles : sequence of float
        Thresholds of the clusterings whose mean silhouette is taken.
    min_count : int
        Groups with fewer frames are left out.
    seed : int
        Of the shuffling.
    **options
        Further options of `snaps.compute_profiles`.

    Returns
    -------
    Dataset
        ``energy`` (layer, alignment): mean square of the contrast over groups, units and covered lags; ``silhouette``
        (layer, alignment): mean silhouette of the clusters at `percentiles`; alignments are ``aligned`` and
        ``unaligned``. ``energy_null`` and ``silhouette_null`` (layer, shuffle); ``energy_p`` and ``silhouette_p``
        (layer): share of the null distribution, the alignment itself counted with it, that is at least as large.

    Raises
    ------
    InputError
        If an option makes no sense.
    """
    if not isinstance(shuffles, int) or shuffles < 1:
        raise InputError(f"shuffles is {shuffles!r}; accepted are whole numbers from 1")
    counting = CountingAligner(aligner)
    options = {**options, "groupings": [grouping], "progress": progress}
    found = compute_by_aligner(
        model, corpus, {"aligned": counting, "unaligned": Unaligned(aligner.methods[-1])}, **options
    )
    measured = {name: _measures(tree.children[grouping], percentiles, min_count) for name, tree in found.items()}
    null = []
    for first in range(0, shuffles, AT_ONCE):
        some = {
            str(number): ShuffledAligner(counting, seed * 1_000_003 + number)
            for number in range(first, min(first + AT_ONCE, shuffles))
        }
        trees = compute_by_aligner(model, corpus, some, **options)
        null += [_measures(tree.children[grouping], percentiles, min_count) for tree in trees.values()]
    real = xr.concat(list(measured.values()), xr.Variable("alignment", list(measured)))
    shuffled = xr.concat(null, xr.Variable("shuffle", np.arange(len(null))))
    data: dict[str, Any] = {}
    for name in ("energy", "silhouette"):
        data[name], data[f"{name}_null"] = real[name], shuffled[name]
        data[f"{name}_p"] = share_as_large(real[name].sel(alignment="aligned", drop=True), shuffled[name])
    root = next(iter(found.values())).attrs
    return xr.Dataset(data).assign_attrs(grouping=grouping, n_frames=root["n_frames"], min_count=min_count)


def share_as_large(value: xr.DataArray, null: xr.DataArray) -> xr.DataArray:
    """Share of the null distribution, `value` itself counted with it, that is at least as large; NaN if undefined."""
    number = null.notnull().sum("shuffle")
    return xr.where(value.notnull() & (number > 0), (1 + (null >= value).sum("shuffle")) / (1 + number), np.nan)


def _measures(profiles: xr.DataTree, percentiles: Sequence[float], min_count: int) -> xr.Dataset:
    kept: Any = filter_groups(profiles, min_count=min_count) if min_count > 1 else profiles
    energy = {}
    for layer, node in kept.children.items():
        squares = np.square(contrast(node).values.astype(np.float64))
        energy[layer] = float(np.nanmean(squares)) if np.isfinite(squares).any() else np.nan
    silhouettes = mean_silhouette(silhouette_sweep(kept, percentiles=percentiles))
    return xr.Dataset(
        {"energy": ("layer", list(energy.values())), "silhouette": silhouettes},
        {"layer": list(energy)},
    )
