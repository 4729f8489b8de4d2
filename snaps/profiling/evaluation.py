"""How good alignments are, over a corpus: `evaluate_alignment` and `compare_aligners`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from snaps.alignment import Aligner, Alignment, AlignmentCounts, judge
from snaps.datasets.corpus import CorpusLike
from snaps.datasets.drops import DropLog
from snaps.datasets.frames import interval_labels
from snaps.datasets.groupings import parse_groupings
from snaps.datasets.inventory import take_inventory
from snaps.datasets.recording import Recording
from snaps.errors import InputError, one_of
from snaps.profiling.compute import check_aligner
from snaps.profiling.reading import OnError, check_on_error, read_ahead
from snaps.profiling.result import network_attributes
from snaps.profiling.run import methods_of
from snaps.profiling.session import Session, open_session
from snaps.responses import Context, Piece, Responder, Target
from snaps.schema import INPUT_LAYER, LOGITS_LAYER, encode_attributes


def evaluate_alignment(
    model: nn.Module,
    corpus: CorpusLike,
    aligner: Alignment | None = None,
    *,
    tier: str = "phoneme",
    window: int = 2,
    matched: bool = True,
    ignore: Iterable[str] | None = None,
    symbols: Sequence[str] | None = None,
    target: str | Target = "predicted",
    context: Context = "recording",
    frame_steps: int | None = None,
    frame_hop: int | None = None,
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    repeats: int = 1000,
    seed: int = 0,
    progress: bool = True,
    on_error: OnError = "raise",
) -> xr.Dataset:
    """Ask whether frames are aligned at what they are predicted as (SNAP, section 5.1).

    For every frame, the annotation at its centre and at the peak of the layer ``input`` is compared with the
    predicted symbol; the peak's time is ``step · (n·s + o + p)``.

    Parameters
    ----------
    model : Module
        A network whose outputs are symbols of the tier, beside blank and repetitions.
    corpus : Corpus or list of Recording
        What is played.
    aligner : Aligner or Unaligned, optional
        None for ``Aligner()``.
    tier : str
        Tier of the annotation.
    window : int
        Steps to either side of the peak that count as near; 2 are the paper's 16 ms.
    matched : bool
        False for a network of other symbols, such as letters against phonemes: only the tables are made.
    ignore, symbols, target, context, frame_steps, frame_hop, batch_size, device
        As `snaps.compute_profiles` has them; frames predicted as blank are left out unless `ignore` says otherwise.
    repeats, seed : int
        Of the bootstrap over recordings that gives 95 % confidence intervals.
    progress : bool
        Whether a progress bar is shown, on standard error.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the evaluation, or is left out and listed with its reason.

    Returns
    -------
    Dataset
        ``accuracy`` (criterion: ``centre``, ``aligned``, ``window``, ``ceiling``) with ``accuracy_low`` and
        ``accuracy_high``, and ``accuracy_by_symbol``; ``offsets`` (symbol, offset), frames by their offset in steps
        to the nearest step of the frame that bears the predicted symbol, -1 where none does; ``mean_offset`` over
        the frames that have one, in steps, and ``mean_offset_ms``; ``table`` (moment, symbol, annotated), frames
        predicted as a symbol by the annotation before and after alignment, "" where there is none; ``count``
        (symbol); ``hits`` and ``frames`` by recording. Attributes hold the drop log and what was evaluated.

    Raises
    ------
    InputError
        If the tier's symbols are not the network's, or an option does not fit.
    """
    return compare_aligners(
        model, corpus, {"": Aligner() if aligner is None else aligner}, tier=tier, window=window, matched=matched,
        ignore=ignore, symbols=symbols, target=target, context=context, frame_steps=frame_steps, frame_hop=frame_hop,
        batch_size=batch_size, device=device, repeats=repeats, seed=seed, progress=progress, on_error=on_error,
    ).squeeze("aligner", drop=True)  # fmt: skip


def compare_aligners(
    model: nn.Module,
    corpus: CorpusLike,
    aligners: Mapping[str, Alignment],
    *,
    tier: str = "phoneme",
    window: int = 2,
    matched: bool = True,
    repeats: int = 1000,
    seed: int = 0,
    progress: bool = True,
    on_error: OnError = "raise",
    ignore: Iterable[str] | None = None,
    symbols: Sequence[str] | None = None,
    target: str | Target = "predicted",
    context: Context = "recording",
    device: str | torch.device | None = None,
    **frames: Any,
) -> xr.Dataset:
    """Evaluate several aligners in one pass over a corpus; see `evaluate_alignment`.

    Parameters
    ----------
    aligners : mapping of str to aligner
        By the names that the result shall have; every saliency method that they need runs once.
    model, corpus, tier, window, matched, repeats, seed, progress, on_error, ignore, symbols, target, context, device
        As `evaluate_alignment` has them.
    **frames
        ``frame_steps``, ``frame_hop`` and ``batch_size``.

    Returns
    -------
    Dataset
        That of `evaluate_alignment`, with the dimension ``aligner``.

    Raises
    ------
    InputError
        As `evaluate_alignment` does, or if there is no aligner.
    """
    if not aligners:
        raise InputError("aligners is empty; accepted is a mapping from names to aligners")
    for aligner in aligners.values():
        check_aligner(aligner)
    if not isinstance(window, int) or window < 0:
        raise InputError(f"window is {window!r}; accepted are whole numbers of steps from 0")
    check_on_error(on_error)
    with open_session(
        model, symbols=symbols, ignore=ignore, target=target, device=device, context=context, layers=(INPUT_LAYER,),
        methods=methods_of(aligners.values()), **frames,
    ) as session:  # fmt: skip
        labels = _labels_of(corpus, tier, session, matched=matched)
        evaluation = Evaluation(session, aligners, tier, labels, window)
        for recording in read_ahead(corpus, evaluation.drops, on_error=on_error, progress=progress, what="alignment"):
            evaluation.add(recording)
        if evaluation.responder is None or evaluation.step is None:
            raise InputError("the corpus has no recording that can be read, so there is no alignment to evaluate")
        if not any(sum(counts.frames) for counts in evaluation.counts.values()):
            raise InputError("no frame is left to judge: all are ignored, too short or not finite")
        found = xr.concat(
            [
                counts.result(step=evaluation.step, matched=matched, repeats=repeats, seed=seed)
                for counts in evaluation.counts.values()
            ],
            xr.Variable("aligner", np.array(list(aligners), dtype=str)),
            combine_attrs="drop_conflicts",
        )
        found["n_unaligned"] = ("aligner", [counts.unaligned for counts in evaluation.counts.values()])
        found.attrs |= encode_attributes(
            {
                "tier": tier,
                "window": window,
                "step": evaluation.step,
                "frame_steps": evaluation.responder.grid.steps,
                "aligners": {name: aligner.describe() for name, aligner in aligners.items()},
                "drop_log": evaluation.drops.to_dict(),
                **network_attributes(session, corpus),
            }
        )
        return found


def _labels_of(corpus: CorpusLike, tier: str, session: Session, *, matched: bool) -> tuple[str, ...]:
    """Labels of the tier, which must be the network's if they are to be compared."""
    (grouping,) = parse_groupings([tier])
    labels = take_inventory(corpus, [grouping], symbols=session.symbols).labels[tier]
    if labels is None:
        recordings = (corpus[index] for index in range(len(corpus)))
        labels = frozenset(mark.label for one in recordings for mark in one.tiers.get(tier, ()) if mark.label)
    known = set(session.symbols) - set(session.ignored)
    strange = sorted(labels - known)
    if matched and strange:
        raise InputError(
            f"the tier {tier!r} has {one_of(strange)}, which the network cannot predict; its symbols are "
            f"{one_of(sorted(known))}; matched=False makes the tables alone"
        )
    return tuple(sorted(labels))


@dataclass(eq=False)
class Evaluation:
    """One pass over a corpus that counts where frames are aligned."""

    session: Session
    aligners: Mapping[str, Alignment]
    tier: str
    labels: tuple[str, ...]
    window: int
    responder: Responder | None = None
    step: float | None = None

    def __post_init__(self) -> None:
        self.drops = DropLog()
        for reason in ("ignored", "non-finite", "short"):
            self.drops.add(reason, self.tier, 0)
        self.methods = methods_of(self.aligners.values())
        self.counts: dict[str, AlignmentCounts] = {}
        place = {label: code for code, label in enumerate(self.labels)}
        self._code = place
        self._same = np.array([place.get(symbol, -2) for symbol in self.session.symbols])
        self._number = {symbol: number for number, symbol in enumerate(self.session.symbols)}

    def add(self, recording: Recording) -> None:
        """Play one recording."""
        if self.responder is None:
            self.responder, self.step = self.session.responder(recording), recording.step
            self.counts = {
                name: AlignmentCounts(self.session.symbols, self.labels, self.responder.grid.steps)
                for name in self.aligners
            }
        if recording.step != self.step:
            raise InputError(
                f"recording {recording.id!r} has a step of {recording.step} s; those before it have {self.step} s"
            )
        responder = self.session.responder(recording)
        self.drops.clipped += recording.clipped
        if responder.grid.count(recording.n_steps) == 0:
            self.drops.add("short", self.tier, 1)
            return
        found = interval_labels(recording.tiers.get(self.tier, ()), np.arange(recording.n_steps) * recording.step)
        codes = np.array([-1 if label is None else self._code[label] for label in found], dtype=np.int64)
        for piece in responder.play(self.session.features(recording.features)):
            self._add_piece(recording.id, piece, codes)

    def _add_piece(self, recording: str, piece: Piece, codes: np.ndarray) -> None:
        predicted = self.session.predicted(piece.logits)
        foreseen = np.array([symbol is not None for symbol in predicted])
        ignored = np.isin(predicted, self.session.ignored)
        self.drops.add("ignored", self.tier, int(ignored.sum()))
        frames = np.flatnonzero(~ignored & foreseen)
        peaks, unaligned, finite = self._peaks(piece, frames)
        self.drops.add("non-finite", self.tier, int((~foreseen & ~ignored).sum()) + int((~finite).sum()))
        if not foreseen.all():
            self.drops.break_in(LOGITS_LAYER, int((~foreseen).sum()))
        if not finite.all():
            self.drops.break_in(INPUT_LAYER, int((~finite).sum()))
        frames = frames[finite]
        assert self.responder is not None
        grid = self.responder.grid
        symbols = np.array([self._number[symbol] for symbol in predicted[frames]], dtype=np.int64)
        begin = (piece.first + frames) * grid.hop
        for name, counts in self.counts.items():
            judgement = judge(
                codes, predicted=self._same[symbols], begin=begin, peak=begin + grid.offset + peaks[name][finite],
                frame_steps=grid.steps, window=self.window,
            )  # fmt: skip
            counts.add(
                recording, judgement, predicted=symbols, same=self._same[symbols],
                unaligned=int(unaligned[name][finite].sum()),
            )  # fmt: skip

    def _peaks(
        self, piece: Piece, frames: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Peaks in the layer ``input`` by aligner, which of them are none, and which frames are finite."""
        assert self.responder is not None
        peaks: dict[str, list[np.ndarray]] = {name: [] for name in self.aligners}
        unaligned: dict[str, list[np.ndarray]] = {name: [] for name in self.aligners}
        finite: list[np.ndarray] = []
        size = self.responder.batch_size
        for batch in np.split(frames, range(size, len(frames), size)):
            if not len(batch):
                continue
            numbers = torch.from_numpy(batch).to(self.session.device)
            (response,) = piece.respond(numbers, self.session.scores(), self.methods)
            good = torch.ones(len(batch), dtype=torch.bool, device=self.session.device)
            for name, aligner in self.aligners.items():
                own = response.of([self.methods.index(method) for method in aligner.methods])
                found = aligner.peaks(own)
                good &= own.finite(found.step)
                peaks[name].append(found.step.cpu().numpy())
                unaligned[name].append(found.unaligned.cpu().numpy())
            finite.append(good.cpu().numpy())
        nothing = np.zeros(0, dtype=np.int64)
        return (
            {name: np.concatenate([nothing, *found]) for name, found in peaks.items()},
            {name: np.concatenate([nothing.astype(bool), *found]) for name, found in unaligned.items()},
            np.concatenate([nothing.astype(bool), *finite]),
        )
