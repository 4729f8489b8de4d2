"""Alignment accuracy over a corpus: `evaluate_alignment` and `compare_aligners` (SNAP, section 5.1)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from snaps.alignment import Aligner, Alignment, AlignmentCounts, Peaks, judge
from snaps.datasets import CorpusLike, Recording, interval_labels, parse_groupings, take_inventory
from snaps.errors import InputError, check_whole, one_of
from snaps.profiling.listen import Log, OnError, listen, progress_bar, read
from snaps.profiling.network import Playing, PreparedNetwork, prepared
from snaps.profiling.played import EveryFrame
from snaps.responses import Context, LayerResponse, Target
from snaps.schema import INPUT_LAYER, encode_attributes


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
    n_resamples: int = 1000,
    seed: int = 0,
    progress: bool = True,
    on_error: OnError = "raise",
) -> xr.Dataset:
    """Measure alignment accuracy: the share of frames whose predicted symbol is annotated at the peak (SNAP, 5.1).

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
    n_resamples, seed : int
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
        batch_size=batch_size, device=device, n_resamples=n_resamples, seed=seed, progress=progress, on_error=on_error,
    ).squeeze("aligner", drop=True)  # fmt: skip


def compare_aligners(
    model: nn.Module,
    corpus: CorpusLike,
    aligners: Mapping[str, Alignment],
    *,
    tier: str = "phoneme",
    window: int = 2,
    matched: bool = True,
    n_resamples: int = 1000,
    seed: int = 0,
    progress: bool = True,
    on_error: OnError = "raise",
    **playing: Any,
) -> xr.Dataset:
    """Evaluate several aligners in one pass over a corpus; see `evaluate_alignment`.

    Parameters
    ----------
    aligners : mapping of str to aligner
        By the names that the result shall have; every saliency method that they need runs once.
    model, corpus, tier, window, matched, n_resamples, seed, progress, on_error
        As `evaluate_alignment` has them.
    **playing
        The other options of `evaluate_alignment`.

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
    check_whole("window", window, least=0)
    log, step = Log(), None
    with (
        prepared(model, Playing(**playing, layers=(INPUT_LAYER,)), aligners) as network,
        progress_bar(corpus, "alignment", progress=progress) as bar,
    ):
        described = network.describe(corpus)  # before the corpus is played, because it may be refused
        annotated = _annotated(corpus, tier, network, matched=matched, on_error=on_error)
        place = {label: code for code, label in enumerate(annotated)}
        same = np.array([place.get(symbol, -2) for symbol in network.symbols])
        number = {symbol: position for position, symbol in enumerate(network.symbols)}
        counts: dict[str, AlignmentCounts] = {}
        recording, codes = None, np.zeros(0, dtype=np.int64)
        for batch in listen(network, read(corpus, log, bar=bar, on_error=on_error), EveryFrame(tier), log=log):
            grid = network.responder.grid
            if batch.recording is not recording:
                recording, step = batch.recording, batch.recording.step
                codes = _codes(recording, tier, place)
            peaks = batch.by_layer(_peaks)
            predicted = np.array([number[symbol] for symbol in batch.predicted], dtype=np.int64)
            begin = (batch.played.piece.first + batch.frames) * grid.hop
            for name in aligners if len(batch) else ():
                at, unaligned = peaks[name][INPUT_LAYER]
                judgement = judge(
                    codes, predicted=same[predicted], begin=begin, peak=begin + grid.offset + at,
                    frame_steps=grid.steps, window=window,
                )  # fmt: skip
                if name not in counts:
                    counts[name] = AlignmentCounts(network.symbols, annotated, grid.steps)
                counts[name].add(
                    batch.recording.id, judgement, predicted=predicted, same=same[predicted],
                    unaligned=int(unaligned.sum()),
                )  # fmt: skip
        if not log.n_recordings:
            raise InputError("the corpus has no recording that can be read, so there is no alignment to evaluate")
        if step is None or not counts:
            raise InputError("no frame is left to judge: all are ignored, too short or not finite")
        found = xr.concat(
            [counts[name].result(step=step, matched=matched, n_resamples=n_resamples, seed=seed) for name in aligners],
            xr.Variable("aligner", np.array(list(aligners), dtype=str)),
            combine_attrs="drop_conflicts",
        )
        found["n_unaligned"] = ("aligner", [counts[name].unaligned for name in aligners])
        found.attrs |= encode_attributes(
            {
                "tier": tier,
                "window": window,
                "step": step,
                "frame_steps": network.responder.grid.steps,
                "aligners": {name: aligner.describe() for name, aligner in aligners.items()},
                "drop_log": log.drops.to_dict(),
                **described,
            }
        )
        return found


def _peaks(response: LayerResponse, peaks: Peaks) -> tuple[np.ndarray, np.ndarray]:
    return peaks.step.cpu().numpy(), peaks.unaligned.cpu().numpy()


def _codes(recording: Recording, tier: str, place: Mapping[str, int]) -> np.ndarray:
    """Annotation at every input step, as numbers; -1 where there is none."""
    found = interval_labels(recording.tiers.get(tier, ()), np.arange(recording.n_steps) * recording.step)
    return np.array([-1 if label is None else place[label] for label in found], dtype=np.int64)


def _annotated(
    corpus: CorpusLike, tier: str, network: PreparedNetwork, *, matched: bool, on_error: OnError
) -> tuple[str, ...]:
    """Labels of the tier, which must be the network's if they are to be compared."""
    (grouping,) = parse_groupings([tier])
    labels = take_inventory(corpus, [grouping], symbols=network.symbols).labels[tier]
    if labels is None:
        with progress_bar(corpus, "labels", progress=False) as bar:
            recordings = read(corpus, Log(), bar=bar, on_error=on_error)
            labels = frozenset(mark.label for one in recordings for mark in one.tiers.get(tier, ()) if mark.label)
    known = set(network.symbols) - set(network.ignored)
    strange = sorted(labels - known)
    if matched and strange:
        raise InputError(
            f"the tier {tier!r} has {one_of(strange)}, which the network cannot predict; its symbols are "
            f"{one_of(sorted(known))}; matched=False makes the tables alone"
        )
    return tuple(sorted(labels))
