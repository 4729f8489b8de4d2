"""Compute profiles: the one place where corpus, responses, alignment and sums meet."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import psutil
import torch
import xarray as xr
from torch import Tensor, nn
from tqdm.auto import tqdm

from snaps.accumulators import (
    MOST_FRAMES_IN_SINGLE,
    Assignment,
    GroupingMoments,
    LayerShape,
    LayerSums,
    assign,
    bytes_per_group,
    sum_by_group,
)
from snaps.alignment import Aligner, Alignment, cut_epochs
from snaps.datasets.corpus import CorpusLike
from snaps.datasets.drops import REASONS, DropLog
from snaps.datasets.frames import frame_rows
from snaps.datasets.groupings import Grouping, parse_groupings
from snaps.datasets.inventory import Inventory, take_inventory
from snaps.datasets.recording import Recording
from snaps.errors import InputError, RecordingError, one_of
from snaps.profiling.result import Provenance, build_tree
from snaps.profiling.session import Session, open_session
from snaps.responses import Context, Piece, Responder

OnError = Literal["raise", "skip"]


def compute_profiles(
    model: nn.Module,
    corpus: CorpusLike,
    *,
    groupings: Sequence[str | Sequence[str]] | Mapping[str, Any],
    layers: Iterable[str] | None = None,
    units: Mapping[str, Sequence[int]] | None = None,
    aligner: Alignment | None = None,
    context: Context = "recording",
    target: str | Callable[[Tensor], Tensor] = "predicted",
    ignore: Iterable[str] | None = None,
    symbols: Sequence[str] | None = None,
    frame_steps: int | None = None,
    frame_hop: int | None = None,
    batch_size: int | None = None,
    variance: bool = False,
    device: str | torch.device | None = None,
    progress: bool = True,
    on_error: OnError = "raise",
) -> xr.DataTree:
    """Average a network's aligned responses to a corpus, layer by layer and group by group.

    Parameters
    ----------
    model : Module
        The network; it is left as it was found, also after an exception.
    corpus : Corpus or list of Recording
        What is played.
    groupings : list or dict
        What frames are averaged by: columns of the frame table, e.g. ``["phoneme", ("phoneme", "sex")]``, or a
        dict from name to column, columns, or column with a mapping of its labels, e.g.
        ``{"manner": ("phoneme", {"s": "fricative"})}``.
    layers : iterable of str, optional
        Layers to tap. None for all of a Wav2Letter's, else ``input`` and ``logits``.
    units : mapping of str to sequence of int, optional
        Units to keep of some layers. Peaks are found over all units all the same.
    aligner : Aligner or Unaligned, optional
        How epochs are aligned; None for ``Aligner()``.
    context : {"recording", "frame"}
        Whether responses are computed once on the whole recording, or every frame is run alone.
    target : str or callable
        Output score that saliency explains: ``"predicted"``, a symbol, or a function from logits
        (frame, symbol) to scores (frame,).
    ignore : iterable of str, optional
        Predicted symbols whose frames are left out. None for the model's own blank and repetition symbols,
        ``()`` for none.
    symbols : sequence of str, optional
        Names of the network's outputs, where it does not bring them itself.
    frame_steps, frame_hop : int, optional
        Length of a frame and distance between frames, in input steps. None for the network's receptive field
        and stride.
    batch_size : int, optional
        Frames responded to at once; None for as many as pay. Results do not depend on it.
    variance : bool
        Whether variances (ddof 0) are kept too.
    device : str or device, optional
        Where to compute, e.g. ``"cuda"``; None for where the model is.
    progress : bool
        Whether a progress bar is shown, on standard error.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the run, or is left out and listed with its reason.

    Returns
    -------
    DataTree
        ``/{grouping}/{layer}``, one dataset each with ``activation``, ``saliency`` (group, unit, lag),
        ``coverage`` (group, lag), ``count`` and ``unaligned`` (group); lags in seconds.

    Raises
    ------
    InputError
        If an option does not fit the network or the corpus, or the profiles would take over half of the free
        memory.
    RecordingError
        If a recording cannot be read and `on_error` is ``"raise"``.

    Notes
    -----
    This is the method of the SNAP paper, section 3.3, with the definitions of section 5 of the design: frames,
    importance, peaks, epochs and group means. Frames are left out whose activation or saliency is not finite
    in the cone, or whose activation is not finite anywhere in the epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from snaps.datasets import Interval, Recording
    >>> from snaps.models import Wav2Letter
    >>> model = Wav2Letter(["_", "s", "iy"], layers=[(4, 5, 2), (3, 1, 1)], n_inputs=8)
    >>> features = np.random.default_rng(0).random((8, 60))
    >>> recording = Recording("one", features, tiers={"phoneme": [Interval(0.0, 1.0, "s")]})
    >>> profiles = compute_profiles(model, [recording], groupings=["phoneme"], ignore=(), progress=False)
    >>> dict(profiles["phoneme/conv1"].sizes)
    {'group': 1, 'unit': 4, 'lag': 1}
    """
    aligner = Aligner() if aligner is None else aligner
    if not hasattr(aligner, "peaks") or isinstance(aligner, type):
        raise InputError(f"aligner is {aligner!r}; accepted are Aligner(…) and Unaligned(…)")
    if on_error not in ("raise", "skip"):
        raise InputError(f"on_error is {on_error!r}; accepted are 'raise', 'skip'")
    parsed = parse_groupings(groupings)
    with open_session(
        model, symbols=symbols, ignore=ignore, target=target, device=device, context=context, layers=layers,
        frame_steps=frame_steps, frame_hop=frame_hop, batch_size=batch_size,
    ) as session:  # fmt: skip
        inventory = take_inventory(corpus, parsed, symbols=session.symbols)
        run = _Run(session, parsed, inventory, aligner, units=units or {}, variance=variance)
        for recording in _read(corpus, run.drops, on_error=on_error, progress=progress):
            if not run.started:
                run.start(recording)
            run.add(recording)
        if not run.started:
            raise InputError("the corpus has no recording that can be read, so there is nothing to average")
        assert run.step is not None
        provenance = Provenance(
            session=session,
            corpus=corpus,
            aligner=aligner,
            context=context,
            step=run.step,
            frequency=run.frequency,
            n_recordings=run.n_recordings,
            n_frames=run.n_frames,
            drops=run.drops,
        )
        return build_tree(run.totals, run.responder.layers, run.kept_units, provenance)


def _read(corpus: CorpusLike, drops: DropLog, *, on_error: OnError, progress: bool) -> Iterator[Recording]:
    """Load recording after recording, with a progress bar."""
    bar = tqdm(range(len(corpus)), desc="profiles", unit="recording", disable=not progress, dynamic_ncols=True)
    for index in bar:
        try:
            recording = corpus[index]
        except RecordingError as error:
            if on_error == "raise":
                raise
            drops.skip(error.recording, error.reason)
            continue
        yield recording


class _Run:
    """One run over a corpus: what was decided with the first recording, and what was summed so far."""

    def __init__(
        self,
        session: Session,
        groupings: Sequence[Grouping],
        inventory: Inventory,
        aligner: Alignment,
        *,
        units: Mapping[str, Sequence[int]],
        variance: bool,
    ) -> None:
        self.session = session
        self.groupings = groupings
        self.inventory = inventory
        self.aligner = aligner
        self.variance = variance
        self.drops = DropLog()
        for reason in REASONS:
            for grouping in groupings:
                self.drops.add(reason, grouping.name, 0)  # so that the log says 0 where nothing was left out
        self.n_recordings = 0
        self.n_frames = 0
        self.started = False
        self.step: float | None = None
        self.frequency: np.ndarray | None = None
        self._units = units
        self.kept_units: dict[str, np.ndarray] = {}

    def start(self, recording: Recording) -> None:
        """Decide about layers and shapes with the first recording, and estimate the profiles' size."""
        self.responder: Responder = self.session.responder(recording)
        self.step, self.frequency = recording.step, recording.frequency
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
        self._refuse_too_large()
        self.totals = {grouping.name: self._moments() for grouping in self.groupings}
        self.started = True

    def _moments(self) -> GroupingMoments:
        return GroupingMoments(self.shapes, variance=self.variance, device=self.session.device)

    def _refuse_too_large(self) -> None:
        n_groups = sum(len(labels or ()) for labels in self.inventory.labels.values())
        # Totals once, and the result that is made from them.
        needed = int(1.5 * n_groups * bytes_per_group(self.shapes, variance=self.variance))
        free = psutil.virtual_memory().available
        if needed > free // 2:
            raise InputError(
                f"profiles of {n_groups} groups in {len(self.shapes)} layers would take {needed / 2**30:.1f} GiB, "
                f"over half of the free memory of {free / 2**30:.1f} GiB; name fewer layers with layers="
            )

    def add(self, recording: Recording) -> None:
        """Play one recording and add its epochs."""
        if recording.step != self.step:
            raise InputError(
                f"recording {recording.id!r} has a step of {recording.step} s; those before it have {self.step} s"
            )
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
        size = min(self.responder.batch_size, MOST_FRAMES_IN_SINGLE)
        for batch in np.split(np.flatnonzero(heeded), range(size, int(heeded.sum()), size)):
            broken[batch] = ~self._add_batch(piece, batch, labels)
        left = ~ignored & ~broken
        self.n_frames += int(left.sum())
        for name, of_frames in labels.items():
            self.drops.add("ignored", name, int(ignored.sum()))
            self.drops.add("non-finite", name, int(broken.sum()))
            self.drops.add("unlabelled", name, int((left & ~_labelled(of_frames)).sum()))

    def _add_batch(self, piece: Piece, frames: np.ndarray, labels: Mapping[str, np.ndarray]) -> np.ndarray:
        """Add the epochs of some frames of a piece; say which of them are finite."""
        if not len(frames):
            return np.ones(0, dtype=bool)
        assignments = {name: assign(of_frames[frames], device=self.session.device) for name, of_frames in labels.items()}
        sums, finite = self._sum(piece, frames, assignments)
        if finite.all():
            for name, assignment in assignments.items():
                self.totals[name].update(assignment, sums[name])
        else:
            # Frames that are not finite spoil what they are summed with: sum once more without them.
            finite[finite] = self._add_batch(piece, frames[finite], labels)
        return finite

    def _sum(
        self, piece: Piece, frames: np.ndarray, assignments: Mapping[str, Assignment]
    ) -> tuple[dict[str, dict[str, LayerSums]], np.ndarray]:
        """Sum the epochs of a batch by grouping and layer."""
        sums: dict[str, dict[str, LayerSums]] = {name: {} for name in assignments}
        members = torch.cat([assignment.members for assignment in assignments.values()])
        sizes = [len(assignment.labels) for assignment in assignments.values()]
        finite = torch.ones(len(frames), dtype=torch.bool, device=self.session.device)
        numbers = torch.from_numpy(frames).to(self.session.device)
        for response in piece.respond(numbers, self.session.scores(), self.aligner.methods):
            peaks = self.aligner.peaks(response)
            finite &= response.finite(peaks.step)
            epochs = cut_epochs(response, peaks)
            layer = response.geometry.name
            kept = self._select.get(layer, slice(None))
            activation = sum_by_group(
                members, epochs.activation[:, kept], covered=epochs.covered, window_of=epochs.window_of,
                variance=self.variance,
            )  # fmt: skip
            saliency = sum_by_group(members, epochs.saliency[:, kept], variance=self.variance)
            unaligned = (members @ peaks.unaligned.to(members.dtype)).round().long()
            for name, *parts in zip(
                assignments, activation.split(sizes), saliency.split(sizes), unaligned.split(sizes), strict=True
            ):
                sums[name][layer] = LayerSums(*parts)
        return sums, finite.cpu().numpy()


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
            raise InputError(f"units of the layer {layer!r} are {list(units[layer])}; accepted are some of 0 to {size - 1}")
        kept[layer] = chosen
    return kept
