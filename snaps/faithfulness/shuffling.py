"""Profiles against chance: every frame aligned at the peak of another."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from snaps.accumulators import GroupMoments, LayerMoments
from snaps.alignment import Alignment, Peaks, Unaligned, cut_epochs
from snaps.clustering import PERCENTILES, mean_silhouette, silhouette_sweep
from snaps.datasets import CorpusLike, parse_groupings, take_inventory
from snaps.errors import InputError, check_whole
from snaps.profiles import contrast, filter_groups
from snaps.profiling import (
    Batch,
    ByGroupings,
    Log,
    OnError,
    Playing,
    PreparedNetwork,
    labelled,
    listen,
    prepared,
    progress_bar,
    read,
    sum_epochs,
)
from snaps.responses import LayerResponse

#: Shuffled alignments that are summed in one pass over the corpus.
AT_ONCE = 5


class Shuffle:
    """A permutation of the peaks of all frames, layer by layer.

    Peaks are drawn from their counts without replacement, which is a permutation and needs no memory for frames.

    Parameters
    ----------
    counts : mapping of str to int array of shape (step,)
        Number of frames by the step of their peak, for every layer.
    seed : int
        Of the permutation.
    """

    def __init__(self, counts: Mapping[str, np.ndarray], seed: int) -> None:
        self.left = {layer: of_steps.copy() for layer, of_steps in counts.items()}
        self._generator = np.random.default_rng(seed)

    def draw(self, layer: str, number: int) -> np.ndarray:
        """Draw peaks for a number of frames; they stay in the counts until `take`."""
        drawn = self._generator.multivariate_hypergeometric(self.left[layer], number)
        steps = np.repeat(np.arange(len(drawn)), drawn)
        self._generator.shuffle(steps)
        return steps

    def take(self, layer: str, steps: np.ndarray) -> None:
        """Remove drawn peaks from the counts."""
        self.left[layer] -= np.bincount(steps, minlength=len(self.left[layer]))


@dataclass(frozen=True)
class ProfileNull:
    """Null distribution of profiles under shuffled alignments.

    Attributes
    ----------
    grouping : str
        What frames are averaged by.
    n_permutations : int
        How many shuffled alignments make the null distribution.
    percentiles : sequence of float
        Thresholds of the clusterings whose mean silhouette is taken.
    min_count : int
        Groups with fewer frames are left out.
    seed : int
        Of the shuffling.
    """

    grouping: str = "phoneme"
    n_permutations: int = 19
    percentiles: Sequence[float] = PERCENTILES
    min_count: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("n_permutations", self.n_permutations)


def evaluate_profiles(
    model: nn.Module,
    corpus: CorpusLike,
    aligner: Alignment,
    *,
    null: ProfileNull = ProfileNull(),
    progress: bool = True,
    on_error: OnError = "raise",
    **playing: Any,
) -> xr.Dataset:
    """Contrast energy and silhouettes of profiles, against shuffled alignments and against none.

    Parameters
    ----------
    model, corpus, aligner, progress, on_error
        As `snaps.compute_profiles` has them.
    null : ProfileNull
        What is measured, and how often peaks are shuffled.
    **playing
        Further options of `snaps.compute_profiles`.

    Returns
    -------
    Dataset
        ``energy`` (layer, alignment): mean square of the contrast over groups, units and covered lags; ``silhouette``
        (layer, alignment): mean silhouette of the clusters at the percentiles; alignments are ``aligned`` and
        ``unaligned``. ``energy_null`` and ``silhouette_null`` (layer, shuffle); ``energy_p`` and ``silhouette_p``
        (layer): share of the null distribution, the alignment itself counted with it, that is at least as large.

    Raises
    ------
    InputError
        If an option makes no sense, or no frame is left.
    """
    counts: dict[str, np.ndarray] = {}
    log = Log()

    @contextmanager
    def batches(aligners: Mapping[str, Alignment], log: Log) -> Iterator[tuple[PreparedNetwork, Iterator[Batch]]]:
        with (
            prepared(model, Playing(**playing), aligners) as network,
            progress_bar(corpus, "profiles", progress=progress) as bar,
        ):
            groupings = parse_groupings([null.grouping])
            columns = take_inventory(corpus, groupings, symbols=network.symbols).columns or ()
            recordings = read(corpus, log, bar=bar, on_error=on_error)
            yield network, listen(network, recordings, ByGroupings(groupings, columns), log=log)

    with batches({"aligned": aligner, "unaligned": Unaligned(aligner.methods[-1])}, log) as (network, played):
        real: dict[str, GroupMoments] = {}
        for batch in played:
            found = batch.by_layer(partial(_sums_and_counts, batch, null.grouping))
            for name, of_layers in found.items():
                _add(real, name, batch, {layer: sums for layer, (sums, _) in of_layers.items()})
            for layer, (_, of_steps) in found["aligned"].items():
                counts[layer] = counts.get(layer, 0) + of_steps
        if not counts:
            raise InputError(f"no frame is left to average by {null.grouping!r}")
        measured = {name: _measures(moments, network, null) for name, moments in real.items()}
    shuffled: list[xr.Dataset] = []
    for first in range(0, null.n_permutations, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, null.n_permutations))
        shuffles = {str(number): Shuffle(counts, null.seed * 1_000_003 + number) for number in numbers}
        with batches({"aligned": aligner}, Log()) as (network, played):
            moments: dict[str, GroupMoments] = {}
            for batch in played:
                found_by_layer = batch.by_layer(partial(_shuffled_sums, batch, null.grouping, shuffles))["aligned"]
                for name, shuffle in shuffles.items():
                    _add(moments, name, batch, {layer: own[name][0] for layer, own in found_by_layer.items()})
                    for layer, own in found_by_layer.items():
                        shuffle.take(layer, own[name][1])
            shuffled += [_measures(own, network, null) for own in moments.values()]
    aligned = xr.concat(list(measured.values()), xr.Variable("alignment", list(measured)))
    by_chance = xr.concat(shuffled, xr.Variable("shuffle", np.arange(len(shuffled))))
    data: dict[str, Any] = {}
    for name in ("energy", "silhouette"):
        data[name], data[f"{name}_null"] = aligned[name], by_chance[name]
        data[f"{name}_p"] = share_as_large(aligned[name].sel(alignment="aligned", drop=True), by_chance[name])
    return xr.Dataset(data).assign_attrs(grouping=null.grouping, n_frames=log.n_frames, min_count=null.min_count)


def _sums_and_counts(
    batch: Batch, grouping: str, response: LayerResponse, peaks: Peaks
) -> tuple[LayerMoments, np.ndarray]:
    """Sums of one layer's epochs, and numbers of labelled frames by the step of their peak."""
    steps = peaks.step.cpu().numpy()[labelled(batch.labels[grouping])]
    counts = np.bincount(steps, minlength=response.geometry.width)
    return sum_epochs(batch.members, cut_epochs(response, peaks), peaks), counts


def _shuffled_sums(
    batch: Batch, grouping: str, shuffles: Mapping[str, Shuffle], response: LayerResponse, peaks: Peaks
) -> dict[str, tuple[LayerMoments, np.ndarray]]:
    """Sums of one layer's epochs at shuffled peaks, and the peaks that were drawn."""
    has_label = labelled(batch.labels[grouping])
    found = {}
    for name, shuffle in shuffles.items():
        drawn = shuffle.draw(response.geometry.name, int(has_label.sum()))
        steps = np.full(len(batch), response.geometry.middle)
        steps[has_label] = drawn
        at = Peaks(torch.from_numpy(steps).to(peaks.step.device), torch.zeros_like(peaks.unaligned))
        epochs = cut_epochs(response, at)
        # A shuffled epoch may reach values that are not finite, which its own peak does not: they are not covered.
        whole = torch.isfinite(epochs.activation).all(dim=1)
        values = torch.where(whole[:, None], epochs.activation, 0)
        epochs = replace(epochs, activation=values, covered=epochs.covered & whole)
        found[name] = sum_epochs(batch.members, epochs, at), drawn
    return found


def _add(moments: dict[str, GroupMoments], name: str, batch: Batch, sums: Mapping[str, LayerMoments]) -> None:
    """Add the sums of a batch to those of an alignment, which begin with the first batch."""
    network = batch.played.network
    if name not in moments:
        shapes = {layer.name: (layer.units, len(layer.lags)) for layer in network.responder.layers}
        moments[name] = GroupMoments(shapes, device=network.device)
    moments[name].add(batch.groups, sums)


def share_as_large(value: xr.DataArray, null: xr.DataArray) -> xr.DataArray:
    """Share of the null distribution, `value` itself counted with it, that is at least as large; NaN if undefined."""
    number = null.notnull().sum("shuffle")
    return xr.where(value.notnull() & (number > 0), (1 + (null >= value).sum("shuffle")) / (1 + number), np.nan)


def _measures(moments: GroupMoments, network: PreparedNetwork, null: ProfileNull) -> xr.Dataset:
    """Contrast energy and mean silhouette of every layer."""
    layers = network.responder.layers
    datasets = {
        layer.name: moments.to_dataset(null.grouping, layer.name).assign_coords(
            lag=[*layer.lags], unit=range(layer.units)
        )
        for layer in layers
    }
    kept: Any = filter_groups(xr.DataTree.from_dict(datasets), min_count=null.min_count)
    names = [layer.name for layer in layers]
    energy = [float(np.square(contrast(kept[name]).astype(np.float64)).mean()) for name in names]
    silhouettes = mean_silhouette(silhouette_sweep(kept, percentiles=null.percentiles))
    return xr.Dataset({"energy": ("layer", energy), "silhouette": silhouettes}, {"layer": names})
