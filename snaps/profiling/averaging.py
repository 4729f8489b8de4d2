"""Average aligned epochs by group: from batches of responses to sums."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from snaps.accumulators import GroupMoments, LayerMoments, sum_by_group
from snaps.alignment import Epochs, Peaks, cut_epochs
from snaps.datasets import CorpusLike, DropLog, Grouping
from snaps.errors import InputError, one_of
from snaps.profiling.listen import Batch, Log, OnError, listen, read
from snaps.profiling.network import PreparedNetwork
from snaps.profiling.played import ByGroupings
from snaps.responses import LayerGeometry, LayerResponse

#: Sums that are merged into one before they are merged with those before them.
FAN_IN = 16


@dataclass(frozen=True)
class Averaging:
    """Options of averaging: groupings, units to keep, variance.

    Attributes
    ----------
    groupings : tuple of Grouping
        What frames are averaged by.
    columns : tuple of str
        Columns of the whole corpus' frame table.
    units : mapping of str to sequence of int
        Units to keep of some layers.
    variance : bool
        Whether second moments are kept.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the run, or is left out.
    """

    groupings: tuple[Grouping, ...]
    columns: tuple[str, ...] = ()
    units: Mapping[str, Any] = field(default_factory=dict)
    variance: bool = False
    on_error: OnError = "raise"

    def kept_units(self, layers: tuple[LayerGeometry, ...]) -> dict[str, np.ndarray]:
        """Units to keep of every layer, in ascending order.

        Raises
        ------
        InputError
            If a layer is not tapped, or a unit does not exist in it.
        """
        sizes = {geometry.name: geometry.units for geometry in layers}
        for layer in self.units:
            if layer not in sizes:
                raise InputError(f"units names the layer {layer!r}; tapped are {one_of(sizes)}")
        kept = {}
        for layer, size in sizes.items():
            chosen = np.unique(np.asarray(self.units.get(layer, np.arange(size)), dtype=np.int64))
            if not len(chosen) or chosen[0] < 0 or chosen[-1] >= size:
                raise InputError(
                    f"units of the layer {layer!r} are {list(self.units[layer])}; accepted are some of 0 to {size - 1}"
                )
            kept[layer] = chosen
        return kept


@dataclass(eq=False)
class Sums:
    """Sums over some recordings: moments by aligner, and the log of what was played and left out."""

    log: Log
    moments: dict[str, GroupMoments]

    def merge(self, other: "Sums") -> None:
        """Add the sums of the recordings that follow."""
        self.log.merge(other.log)
        for name, moments in self.moments.items():
            moments.merge(other.moments[name])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Sums as arrays, for a file or another process."""
        log = {
            "drops": self.log.drops.to_dict(),
            "n_recordings": self.log.n_recordings,
            "n_frames": self.log.n_frames,
            "aligners": list(self.moments),
        }
        arrays = {"log": np.array(json.dumps(log))}
        for number, moments in enumerate(self.moments.values()):
            arrays |= {f"{number}/{name}": array for name, array in moments.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], device: torch.device) -> "Sums":
        """Sums from what `to_arrays` gives."""
        log = json.loads(str(arrays["log"]))
        moments = {}
        for number, name in enumerate(log["aligners"]):
            prefix = f"{number}/"
            own = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
            moments[name] = GroupMoments.from_arrays(own, device)
        return cls(Log(DropLog.from_dict(log["drops"]), log["n_recordings"], log["n_frames"]), moments)


def average(
    network: PreparedNetwork, corpus: CorpusLike, averaging: Averaging, *, bar: "tqdm[Any]", block: slice = slice(None)
) -> Sums:
    """Sum the aligned epochs of some recordings by group (definitions 1 to 8).

    Parameters
    ----------
    network : PreparedNetwork
        The network, with its aligners.
    corpus : Corpus or list of Recording
        What is played.
    averaging : Averaging
        What is averaged.
    bar : tqdm
        Progress bar.
    block : slice
        Which recordings.
    """
    kept = averaging.kept_units(network.responder.layers)
    shapes = {layer.name: (len(kept[layer.name]), len(layer.lags)) for layer in network.responder.layers}
    moments_of = partial(GroupMoments, shapes, variance=averaging.variance, device=network.device)
    sums = Sums(Log(), {name: moments_of() for name in network.aligners})
    for grouping in averaging.groupings:
        sums.log.drops.add("unlabelled", grouping.name, 0)
    numbers = range(*block.indices(len(corpus)))
    recordings = read(corpus, sums.log, bar=bar, on_error=averaging.on_error, numbers=numbers)
    for batch in listen(network, recordings, ByGroupings(averaging.groupings, averaging.columns), log=sums.log):
        found = batch.by_layer(partial(_sums, batch, kept, averaging.variance))
        for name, moments in sums.moments.items():
            moments.add(batch.groups, found[name])
    return sums


def merged(parts: Iterable[Sums]) -> Sums:
    """Merge sums in their order, `FAN_IN` of them at a time; no more than three are held at once."""
    parts = iter(parts)
    total = next(parts)
    _merge_into(total, islice(parts, FAN_IN - 1))
    for some in parts:
        _merge_into(some, islice(parts, FAN_IN - 1))
        total.merge(some)
        del some  # before the next one is computed
    return total


def _merge_into(total: Sums, parts: Iterator[Sums]) -> None:
    for part in parts:
        total.merge(part)
        del part


def sum_epochs(
    members: Float[Tensor, "group frame"], epochs: Epochs, peaks: Peaks, *, variance: bool = False
) -> LayerMoments:
    """Sums of one layer's epochs by group.

    Parameters
    ----------
    members : tensor of shape (group, frame)
        1 where a frame belongs to a group.
    epochs : Epochs
        Epochs of the frames.
    peaks : Peaks
        Where they were cut.
    variance : bool
        Whether second moments are summed.
    """
    return LayerMoments(
        sum_by_group(members, epochs.activation, covered=epochs.covered, window_of=epochs.window_of, variance=variance),
        sum_by_group(members, epochs.saliency, variance=variance),
        (members @ peaks.unaligned.to(members.dtype)).round().long(),
    )


def _sums(
    batch: Batch, kept: Mapping[str, np.ndarray], variance: bool, response: LayerResponse, peaks: Peaks
) -> LayerMoments:
    epochs, units = cut_epochs(response, peaks), kept[response.geometry.name]
    if len(units) < response.geometry.units:
        some = torch.from_numpy(units).to(peaks.step.device)
        epochs = replace(epochs, activation=epochs.activation[:, some], saliency=epochs.saliency[:, some])
    return sum_epochs(batch.members, epochs, peaks, variance=variance)
