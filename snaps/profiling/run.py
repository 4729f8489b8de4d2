"""One run over a corpus: batch by batch, responses are aligned, cut and summed by group."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import psutil
import torch
from torch import Tensor

from snaps.accumulators import (
    Assignment,
    GroupingMoments,
    LayerShape,
    LayerSums,
    assign,
    bytes_per_group,
    sum_by_group,
)
from snaps.alignment import Alignment, Peaks, cut_epochs
from snaps.datasets.drops import REASONS, DropLog
from snaps.datasets.frames import frame_rows
from snaps.datasets.groupings import Grouping
from snaps.datasets.inventory import Inventory
from snaps.datasets.recording import Recording
from snaps.errors import InputError, check_name, one_of
from snaps.profiling.parts import Part, Totals, blank, check_alike
from snaps.profiling.session import Session
from snaps.responses import LayerResponse, Piece, Responder, SaliencyMethod
from snaps.schema import LOGITS_LAYER


class Run:
    """One run over a corpus: what was decided with the first recording, and what was summed so far."""

    def __init__(
        self,
        session: Session,
        groupings: Sequence[Grouping],
        inventory: Inventory,
        *,
        aligners: Mapping[str, Alignment],
        units: Mapping[str, Sequence[int]],
        variance: bool,
        sums_held: int = 1,
    ) -> None:
        self.session = session
        self.groupings = groupings
        self.inventory = inventory
        self.aligners = dict(aligners)
        self.methods = methods_of(aligners.values())
        self.variance = variance
        self.like: Recording | None = None
        self._units = units
        self._sums_held = sums_held
        self._expected: dict[str, int] = {}
        self.kept_units: dict[str, np.ndarray] = {}
        self._begin()

    @property
    def started(self) -> bool:
        """Whether there was a recording, with which layers and shapes were decided."""
        return self.like is not None

    def _begin(self) -> None:
        self.drops = DropLog()
        for reason in REASONS:
            for grouping in self.groupings:
                self.drops.add(reason, grouping.name, 0)  # so that the log says 0 where nothing was left out
        self.n_recordings = 0
        self.n_frames = 0
        self.totals: Totals = self._no_totals() if self.started else {}

    def take(self) -> Part:
        """What was summed since the last time, and begin anew."""
        size = self.responder.batch_size if self.started else 0
        part = Part(self.totals, self.drops, self.n_recordings, self.n_frames, self.like, size)
        # Every aligner has the same groups.
        totals = next(iter(self.totals.values()), {})
        self._expected = {name: len(moments.counts) for name, moments in totals.items()}
        self._begin()
        return part

    def start(self, recording: Recording) -> None:
        """Decide about layers and shapes with the first recording.

        Raises
        ------
        InputError
            If a layer or a unit cannot be kept, or the recording does not fit the network.
        """
        self.responder: Responder = self.session.responder(recording)
        for geometry in self.responder.layers:
            check_name(geometry.name, "the name of a layer")
        sizes = {geometry.name: geometry.units for geometry in self.responder.layers}
        self.kept_units = checked_units(self._units, sizes)
        self.shapes = {
            geometry.name: LayerShape(len(self.kept_units[geometry.name]), len(geometry.lags))
            for geometry in self.responder.layers
        }
        self._select = {
            name: torch.from_numpy(kept).to(self.session.device)
            for name, kept in self.kept_units.items()
            if len(kept) < sizes[name]
        }
        self.like = blank(recording)
        self.totals = self._no_totals()

    def _no_totals(self) -> Totals:
        """Totals with room for as many groups as the shard before had."""

        def moments(grouping: Grouping) -> GroupingMoments:
            room = self._expected.get(grouping.name, 0)
            return GroupingMoments(self.shapes, variance=self.variance, device=self.session.device, room=room)

        return {name: {grouping.name: moments(grouping) for grouping in self.groupings} for name in self.aligners}

    def check_memory(self, held: Iterable[Part] = ()) -> None:
        """Refuse profiles that are too large, before their sums are computed.

        Parameters
        ----------
        held : iterable of Part
            Sums that are in memory already: they are not free, and need not be.

        Raises
        ------
        InputError
            If the sums would take over half of the free memory.
        """
        of_group = bytes_per_group(self.shapes, variance=self.variance)
        n_groups = sum(len(labels or ()) for labels in self.inventory.labels.values())
        # Totals once, and the result that is made from them; or all sums that wait for being merged.
        needed = int(max(1.5, self._sums_held) * len(self.aligners) * n_groups * of_group)
        free = psutil.virtual_memory().available + of_group * sum(
            len(moments.counts) for part in held for totals in part.totals.values() for moments in totals.values()
        )
        if needed > free // 2:
            raise InputError(
                f"profiles of {n_groups} groups in {len(self.shapes)} layers would take {needed / 2**30:.1f} GiB, "
                f"over half of the free memory of {free / 2**30:.1f} GiB; name fewer layers with layers="
            )

    def add(self, recording: Recording) -> None:
        """Play one recording and add its epochs."""
        if self.like is not None:
            check_alike(self.like, recording)
        responder = self.session.responder(recording)
        self.n_recordings += 1
        self.drops.clipped += recording.clipped
        if responder.grid.count(recording.n_steps) == 0:
            for grouping in self.groupings:
                self.drops.add("short", grouping.name, 1)
            return
        for piece in responder.play(self.session.features(recording.features)):
            self._add_piece(recording, piece)

    def _add_piece(self, recording: Recording, piece: Piece) -> None:
        grid = self.responder.grid
        predicted = self.session.predicted(piece.logits)
        rows = frame_rows(
            recording,
            n_frames=len(predicted),
            hop=grid.hop,
            centre=piece.first * grid.hop + grid.centre,
            predicted=predicted,
        )
        labels = {
            grouping.name: grouping.labels(rows, known=self.inventory.columns or ()) for grouping in self.groupings
        }
        foreseen = np.array([symbol is not None for symbol in predicted])
        ignored = np.isin(predicted, self.session.ignored)
        heeded = ~ignored & foreseen
        if foreseen.all() and np.isfinite(recording.features).all():
            # Frames that no grouping labels would only be looked at to see whether they are finite.
            heeded &= np.any([_labelled(of_frames) for of_frames in labels.values()], axis=0)
        broken = ~foreseen
        size = self.responder.batch_size
        self._name_broken(piece, np.flatnonzero(broken))
        for batch in np.split(np.flatnonzero(heeded), range(size, int(heeded.sum()), size)):
            broken[batch] = ~self._add_batch(piece, batch, labels)
        left = ~ignored & ~broken
        self.n_frames += int(left.sum())
        for name, of_frames in labels.items():
            self.drops.add("ignored", name, int(ignored.sum()))
            self.drops.add("non-finite", name, int(broken.sum()))
            self.drops.add("unlabelled", name, int((left & ~_labelled(of_frames)).sum()))

    def _name_broken(self, piece: Piece, frames: np.ndarray) -> None:
        """Count frames that have no prediction by the layers whose activations are not finite in their cones."""
        if not len(frames):
            return
        self.drops.break_in(LOGITS_LAYER, len(frames))
        for batch in np.split(frames, range(self.responder.batch_size, len(frames), self.responder.batch_size)):
            for response in piece.respond(torch.from_numpy(batch).to(self.session.device), self.session.scores(), []):
                whole = torch.isfinite(response.cone).all(dim=2).all(dim=1)
                if response.geometry.name != LOGITS_LAYER and not bool(whole.all()):
                    self.drops.break_in(response.geometry.name, int((~whole).sum()))

    def _add_batch(self, piece: Piece, frames: np.ndarray, labels: Mapping[str, np.ndarray]) -> np.ndarray:
        """Add the epochs of some frames of a piece; say which of them are finite."""
        if not len(frames):
            return np.ones(0, dtype=bool)
        assignments = {
            name: assign(of_frames[frames], device=self.session.device) for name, of_frames in labels.items()
        }
        sums, finite = self._sum(piece, frames, assignments)
        if finite.all():
            for aligner, totals in self.totals.items():
                for name, assignment in assignments.items():
                    totals[name].update(assignment, sums[aligner][name])
        else:
            # Frames that are not finite spoil what they are summed with: sum once more without them.
            finite[finite] = self._add_batch(piece, frames[finite], labels)
        return finite

    def _sum(
        self, piece: Piece, frames: np.ndarray, assignments: Mapping[str, Assignment]
    ) -> tuple[dict[str, dict[str, dict[str, LayerSums]]], np.ndarray]:
        """Sum the epochs of a batch by aligner, grouping and layer."""
        sums: dict[str, dict[str, dict[str, LayerSums]]] = {
            aligner: {name: {} for name in assignments} for aligner in self.aligners
        }
        members = torch.cat([assignment.members for assignment in assignments.values()])
        sizes = [len(assignment.labels) for assignment in assignments.values()]
        by_layer: dict[str, Tensor] = {}
        numbers = torch.from_numpy(frames).to(self.session.device)
        for response in piece.respond(numbers, self.session.scores(), self.methods):
            layer = response.geometry.name
            for name, aligner in self.aligners.items():
                own = response.of([self.methods.index(method) for method in aligner.methods])
                peaks = aligner.peaks(own)
                by_layer[layer] = by_layer.get(layer, True) & own.finite(peaks.step)
                for grouping, part in zip(assignments, self._sum_layer(own, peaks, members, sizes), strict=True):
                    sums[name][grouping][layer] = part
        finite = torch.stack(list(by_layer.values())).all(dim=0).cpu().numpy()
        if not finite.all():
            for layer, of_layer in by_layer.items():
                if not bool(of_layer.all()):
                    self.drops.break_in(layer, int((~of_layer).sum()))
        return sums, finite

    def _sum_layer(
        self, response: LayerResponse, peaks: Peaks, members: Tensor, sizes: Sequence[int]
    ) -> Iterator[LayerSums]:
        """Sums of one layer's epochs, for so many groups of each grouping."""
        epochs = cut_epochs(response, peaks)
        kept = self._select.get(response.geometry.name, slice(None))
        activation = sum_by_group(
            members, epochs.activation[:, kept], covered=epochs.covered, window_of=epochs.window_of,
            variance=self.variance,
        )  # fmt: skip
        saliency = sum_by_group(members, epochs.saliency[:, kept], variance=self.variance)
        unaligned = (members @ peaks.unaligned.to(members.dtype)).round().long()
        parts = zip(activation.split(sizes), saliency.split(sizes), unaligned.split(list(sizes)), strict=True)
        return (LayerSums(*part) for part in parts)


def methods_of(aligners: Iterable[Alignment]) -> list[SaliencyMethod]:
    """All saliency methods that aligners need, each once."""
    methods: list[SaliencyMethod] = []
    for aligner in aligners:
        methods += [method for method in aligner.methods if method not in methods]
    return methods


def _labelled(labels: np.ndarray) -> np.ndarray:
    """Whether each frame has a label."""
    return np.array([label is not None for label in labels], dtype=bool)


def checked_units(units: Mapping[str, Sequence[int]], sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Units to keep of every layer, in ascending order.

    Raises
    ------
    InputError
        If a layer is not tapped, or a unit does not exist in it.
    """
    for layer in units:
        if layer not in sizes:
            raise InputError(f"units names the layer {layer!r}; tapped are {one_of(sizes)}")
    kept = {}
    for layer, size in sizes.items():
        chosen = np.unique(np.asarray(units[layer], dtype=np.int64)) if layer in units else np.arange(size)
        if layer in units and (not len(chosen) or chosen[0] < 0 or chosen[-1] >= size):
            raise InputError(
                f"units of the layer {layer!r} are {list(units[layer])}; accepted are some of 0 to {size - 1}"
            )
        kept[layer] = chosen
    return kept
