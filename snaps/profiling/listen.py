"""Play a corpus to a network, and give its responses batch by batch: the only loop over a corpus.

Every consumer (profiles, the frame table, alignment accuracy, faithfulness) sees the same frames: those whose predicted
symbol is not ignored and whose responses are finite, each of them once. What is left out is counted here (definitions
1, 2).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm.auto import tqdm

from snaps.alignment import Peaks
from snaps.datasets import CorpusLike, DropLog, OnError, Recording
from snaps.errors import RecordingError, check_choice
from snaps.profiling.network import PreparedNetwork
from snaps.profiling.played import Labeller, Played, labelled
from snaps.responses import LayerResponse
from snaps.schema import LOGITS_LAYER

#: Recordings that are loaded while the network is busy with those before them.
READ_AHEAD = 3

Value = TypeVar("Value")


@dataclass(eq=False)
class Log:
    """What was played and what was left out.

    Attributes
    ----------
    drops : DropLog
        What was left out, by reason and grouping.
    n_recordings, n_frames : int
        Recordings that were read, and frames that were not left out.
    """

    drops: DropLog = field(default_factory=DropLog)
    n_recordings: int = 0
    n_frames: int = 0

    def merge(self, other: "Log") -> None:
        """Add the log of another part of the corpus."""
        self.drops.merge(other.drops)
        self.n_recordings += other.n_recordings
        self.n_frames += other.n_frames


def read(
    corpus: CorpusLike,
    log: Log,
    *,
    bar: "tqdm[Any]",
    on_error: OnError = "raise",
    numbers: Iterable[int] | None = None,
) -> Iterator[Recording]:
    """Load recordings in order, a few ahead of the network.

    Parameters
    ----------
    corpus : Corpus or list of Recording
        What is loaded.
    log : Log
        Where recordings that are skipped are listed.
    bar : tqdm
        Progress bar, moved by one each recording.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the run, or is skipped.
    numbers : iterable of int, optional
        Which recordings; None for all.

    Raises
    ------
    RecordingError
        If a recording cannot be read and `on_error` is ``"raise"``.
    """
    check_choice("on_error", on_error, ("raise", "skip"))
    waiting = iter(range(len(corpus)) if numbers is None else numbers)
    with ThreadPoolExecutor(max_workers=1) as reader:

        def ask(number: int) -> Iterator[Future[Recording]]:
            return (reader.submit(corpus.__getitem__, index) for index in islice(waiting, number))

        asked = deque(ask(READ_AHEAD))
        try:
            while asked:
                try:
                    yield asked.popleft().result()
                except RecordingError as error:
                    if on_error == "raise":
                        raise
                    log.drops.skip(error.recording, error.reason)
                bar.update()
                asked.extend(ask(1))
        finally:
            reader.shutdown(wait=False, cancel_futures=True)


def progress_bar(corpus: Sized, what: str, *, progress: bool) -> "tqdm[Any]":
    """Progress bar over the recordings of a corpus, on standard error."""
    return tqdm(total=len(corpus), desc=what, unit="recording", disable=not progress, dynamic_ncols=True)


@dataclass(eq=False)
class Batch:
    """Frames of one recording that are responded to at once.

    Attributes
    ----------
    played : Played
        What they are part of.
    frames : int array of shape (frame,)
        Their numbers in the piece; after `by_layer` those of finite frames alone.
    labels : mapping of str to object array of shape (frame,)
        Their labels by grouping.
    log : Log
        Where broken and unlabelled frames are counted.
    names : sequence of str
        Names that frames left out are counted under.
    """

    played: Played
    frames: np.ndarray
    labels: Mapping[str, np.ndarray]
    log: Log
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def recording(self) -> Recording:
        """The recording."""
        return self.played.recording

    @property
    def predicted(self) -> np.ndarray:
        """Predicted symbols."""
        return self.played.predicted[self.frames]

    @property
    def logits(self) -> Float[Tensor, "frame symbol"]:
        """Scores."""
        return self.played.piece.logits[self._numbers].detach()

    @property
    def _numbers(self) -> Tensor:
        return torch.from_numpy(self.frames).to(self.played.network.device)

    @cached_property
    def groups(self) -> dict[tuple[str, str], int]:
        """Number of frames by grouping and label."""
        groups: dict[tuple[str, str], int] = {}
        for name, of_frames in self.labels.items():
            for label in of_frames:
                if label is not None:
                    groups[name, label] = groups.get((name, label), 0) + 1
        return groups

    @cached_property
    def members(self) -> Float[Tensor, "group frame"]:
        """1 where a frame belongs to a group, one row for each of `groups`."""
        row = {group: number for number, group in enumerate(self.groups)}
        members = np.zeros((len(row), len(self.frames)), dtype=np.float32)
        for name, of_frames in self.labels.items():
            for frame, label in enumerate(of_frames):
                if label is not None:
                    members[row[name, label], frame] = 1
        return torch.from_numpy(members).to(self.played.network.device)

    def by_layer(self, reduce: Callable[[LayerResponse, Peaks], Value]) -> dict[str, dict[str, Value]]:
        """Reduce the responses of every layer for every aligner, over finite frames alone.

        Parameters
        ----------
        reduce : callable
            From one layer's responses, with the saliencies of one aligner, and that aligner's peaks to any value.

        Returns
        -------
        dict of dict
            Values by aligner and layer. Frames that are not finite in some layer are left out of the batch and counted,
            before the values that are returned are computed.
        """
        peaks: dict[tuple[str, str], Peaks] = {}
        while True:
            with _naming(self.recording):
                found, finite = self._responses(reduce, peaks)
            if finite.all():
                break
            # Frames that are not finite spoil what they are reduced with: reduce the others alone, at the same peaks.
            self._keep(finite)
            kept = torch.from_numpy(finite).to(self.played.network.device)
            peaks = {place: Peaks(own.step[kept], own.unaligned[kept]) for place, own in peaks.items()}
            if not len(self):
                found = {name: {} for name in found}
                break
        self.log.n_frames += len(self)
        for name, of_frames in self.labels.items():
            self.log.drops.add("unlabelled", name, int((~labelled(of_frames)).sum()))
        return found

    def _responses(
        self, reduce: Callable[[LayerResponse, Peaks], Value], peaks: dict[tuple[str, str], Peaks]
    ) -> tuple[dict[str, dict[str, Value]], Bool[np.ndarray, " frame"]]:
        network = self.played.network
        found: dict[str, dict[str, Value]] = {name: {} for name in network.aligners}
        finite: dict[str, Tensor] = {}
        methods = network.methods
        for response in self.played.piece.respond(self._numbers, network.target, methods):
            layer = response.geometry.name
            for name, aligner in network.aligners.items():
                own = response.of([methods.index(method) for method in aligner.methods])
                at = peaks[name, layer] if (name, layer) in peaks else aligner.peaks(own)
                peaks[name, layer] = at
                finite[layer] = finite.get(layer, True) & own.finite(at.step)
                found[name][layer] = reduce(own, at)
        whole = torch.stack(list(finite.values())).all(dim=0).cpu().numpy()
        if not whole.all():
            for layer, of_layer in finite.items():
                if not bool(of_layer.all()):
                    self.log.drops.broken_layers[layer] += int((~of_layer).sum())
        return found, whole

    def _keep(self, finite: Bool[np.ndarray, " frame"]) -> None:
        for name in self.names:
            self.log.drops.add("non-finite", name, int((~finite).sum()))
        self.frames = self.frames[finite]
        self.labels = {name: of_frames[finite] for name, of_frames in self.labels.items()}
        for computed in ("groups", "members"):
            self.__dict__.pop(computed, None)


def play(network: PreparedNetwork, recordings: Iterable[Recording], log: Log) -> Iterator[Played]:
    """Play recordings to a network and predict; recordings shorter than a frame give nothing."""
    for recording in recordings:
        responder = network.fit(recording)
        log.n_recordings += 1
        log.drops.clipped += recording.clipped
        if responder.grid.count(recording.n_steps) > 0:
            pieces = responder.play(network.features(recording))
            while True:
                with _naming(recording):
                    piece = next(pieces, None)
                if piece is None:
                    break
                yield Played(network, recording, piece, network.predicted(piece.logits))


def listen(
    network: PreparedNetwork, recordings: Iterable[Recording], labeller: Labeller, *, log: Log
) -> Iterator[Batch]:
    """Play recordings to a network, count the frames left out, and yield the others batch by batch.

    Parameters
    ----------
    network : PreparedNetwork
        The network, from `prepared`.
    recordings : iterable of Recording
        What is played, e.g. from `read`.
    labeller : Labeller
        Which frames are responded to, and their labels.
    log : Log
        Where frames left out are counted; a batch on which `Batch.by_layer` is never called adds no non-finite frames.

    Yields
    ------
    Batch
        At most ``network.responder.batch_size`` frames of one recording.
    """
    for reason in ("ignored", "non-finite", "short"):
        for name in labeller.names:
            log.drops.add(reason, name, 0)  # so that the log says 0 where nothing was left out
    for recording in recordings:
        with _naming(recording):
            is_short = network.fit(recording).grid.count(recording.n_steps) == 0
        for name in labeller.names if is_short else ():
            log.drops.add("short", name, 1)
        for played in play(network, [recording], log):
            labels = labeller.labels(played)
            left = played.has_prediction & ~played.ignored
            wanted = left & labeller.wanted(played, labels)
            broken = ~played.has_prediction & ~played.ignored
            _count_broken_layers(played, np.flatnonzero(broken), log)
            for name in labeller.names:
                log.drops.add("ignored", name, int(played.ignored.sum()))
                log.drops.add("non-finite", name, int(broken.sum()))
            for name in labels:
                log.drops.add("unlabelled", name, int((left & ~wanted).sum()))
            log.n_frames += int((left & ~wanted).sum()) if labels else 0
            for frames in _batches(np.flatnonzero(wanted), network.responder.batch_size):
                own = {name: of_frames[frames] for name, of_frames in labels.items()}
                yield Batch(played, frames, own, log, labeller.names)


@contextmanager
def _naming(recording: Recording) -> Iterator[None]:
    """Add the recording's identifier to any error."""
    try:
        yield
    except Exception as error:
        error.add_note(f"while recording {recording.id!r} was played")
        raise


def _count_broken_layers(played: Played, frames: np.ndarray, log: Log) -> None:
    """Count frames without a prediction by the layers whose activations are not finite in their cones."""
    if len(frames):
        log.drops.broken_layers[LOGITS_LAYER] += len(frames)
    for batch in _batches(frames, played.network.responder.batch_size):
        numbers = torch.from_numpy(batch).to(played.network.device)
        for response in played.piece.respond(numbers, played.network.target, []):
            whole = torch.isfinite(response.cone).all(dim=2).all(dim=1)
            if response.geometry.name != LOGITS_LAYER and not bool(whole.all()):
                log.drops.broken_layers[response.geometry.name] += int((~whole).sum())


def _batches(frames: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (frames[first : first + size] for first in range(0, len(frames), size))
