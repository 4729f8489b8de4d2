"""Frames drawn from a corpus, batch by batch, with their saliency in the input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from snaps.datasets.corpus import CorpusLike
from snaps.datasets.drops import DropLog
from snaps.datasets.recording import Recording
from snaps.errors import InputError
from snaps.profiling.reading import OnError, read_ahead
from snaps.profiling.session import Session
from snaps.responses import Responder, SaliencyMethod, SymbolTarget, Target
from snaps.schema import INPUT_LAYER, LOGITS_LAYER

#: What frames that are left out are counted under.
FRAMES = "frames"


@dataclass(frozen=True, eq=False)
class Heard:
    """A batch of frames of one recording.

    Attributes
    ----------
    recording : Recording
        It.
    number : int
        Frames that came before this batch.
    responder : Responder
        Who played it.
    cones : tensor of shape (frame, unit, step)
        What the network is given of each frame.
    logits : tensor of shape (frame, symbol)
        What it makes of it.
    saliencies : tuple of tensors of shape (frame, unit, step)
        One for each method.
    """

    recording: Recording
    number: int
    responder: Responder
    cones: Float[Tensor, "frame unit step"]
    logits: Float[Tensor, "frame symbol"]
    saliencies: tuple[Float[Tensor, "frame unit step"], ...]


@dataclass(frozen=True)
class FixedTarget:
    """The score of one symbol for each frame, whatever a changed network predicts.

    Attributes
    ----------
    symbols : tensor of shape (frame,)
        Positions of the symbols.
    """

    symbols: Int[Tensor, " frame"]

    def __call__(self, logits: Float[Tensor, "frame symbol"]) -> Float[Tensor, " frame"]:
        """Scores of these symbols."""
        return logits.gather(1, self.symbols[:, None])[:, 0]


def fixed(target: Target, logits: Float[Tensor, "frame symbol"]) -> Target:
    """The target of these frames, which stays the same when their logits change."""
    return FixedTarget(target.of(logits)) if isinstance(target, SymbolTarget) else target


@dataclass(frozen=True, eq=False)
class Part:
    """Some recordings of a corpus."""

    corpus: CorpusLike
    indices: np.ndarray

    def __len__(self) -> int:
        """Their number."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Recording:
        """Load one."""
        return self.corpus[int(self.indices[index])]


class Sample:
    """Frames spread evenly over the recordings of a corpus, drawn at random within each.

    Fewer frames than recordings come from as many recordings, drawn at random.

    Parameters
    ----------
    corpus : Corpus or list of Recording
        Where they are drawn.
    frames : int or None
        How many; None for all of them. There are fewer where recordings have too few.
    seed : int
        Of the drawing.

    Raises
    ------
    InputError
        If `frames` is no whole number from 1.
    """

    def __init__(self, corpus: CorpusLike, *, frames: int | None, seed: int) -> None:
        if frames is not None and (not isinstance(frames, int) or frames < 1):
            raise InputError(f"frames is {frames!r}; accepted are whole numbers from 1, or None for all frames")
        number = len(corpus) if frames is None else min(frames, len(corpus))
        indices = np.random.default_rng(seed).choice(len(corpus), size=number, replace=False)
        self.corpus = Part(corpus, np.sort(indices))
        self.frames = frames
        self.seed = seed

    def choose(self, available: np.ndarray, *, recording: int, taken: int) -> np.ndarray:
        """Some of the frames of one recording, so that those left are spread over the recordings left."""
        if self.frames is None:
            return available
        left = len(self.corpus) - recording
        wanted = -(-(self.frames - taken) // max(left, 1))
        if wanted >= len(available):
            return available
        generator = np.random.default_rng([self.seed, recording])
        return np.sort(generator.choice(available, size=max(wanted, 0), replace=False))


def listen(
    session: Session,
    sample: Sample,
    methods: Sequence[SaliencyMethod],
    *,
    drops: DropLog,
    on_error: OnError,
    progress: bool,
    what: str,
) -> Iterator[Heard]:
    """Play a sample to a network, with the saliency of the layer ``input``.

    Frames whose prediction is ignored, or whose saliency or activation is not finite, are left out and counted
    under the grouping ``frames``. The session must tap the layer ``input`` alone.
    """
    taken = 0
    recordings = read_ahead(sample.corpus, drops, on_error=on_error, progress=progress, what=what)
    for number, recording in enumerate(recordings):
        responder = session.responder(recording)
        if responder.grid.count(recording.n_steps) == 0:
            drops.add("short", FRAMES, 1)
            continue
        pieces = list(responder.play(session.features(recording.features)))
        predicted = [session.predicted(piece.logits) for piece in pieces]
        whole = np.concatenate(predicted)
        foreseen = np.array([symbol is not None for symbol in whole])
        ignored = np.isin(whole, session.ignored)
        drops.add("ignored", FRAMES, int(ignored.sum()))
        drops.add("non-finite", FRAMES, int((~foreseen & ~ignored).sum()))
        if not foreseen.all():
            drops.break_in(LOGITS_LAYER, int((~foreseen).sum()))
        chosen = sample.choose(np.flatnonzero(foreseen & ~ignored), recording=number, taken=taken)
        for piece in pieces:
            own = chosen[(chosen >= piece.first) & (chosen < piece.first + len(piece.logits))] - piece.first
            for batch in np.split(own, range(responder.batch_size, len(own), responder.batch_size)):
                if not len(batch):
                    continue
                frames = torch.from_numpy(batch).to(session.device)
                (response,) = piece.respond(frames, session.scores(), methods)
                finite = response.finite(torch.full_like(response.start, response.geometry.middle))
                if not bool(finite.all()):
                    drops.add("non-finite", FRAMES, int((~finite).sum()))
                    drops.break_in(INPUT_LAYER, int((~finite).sum()))
                if bool(finite.any()):
                    yield Heard(
                        recording,
                        taken,
                        responder,
                        response.cone[finite].detach(),
                        piece.logits[frames][finite].detach(),
                        tuple(saliency[finite].detach() for saliency in response.saliencies),
                    )
                taken += int(finite.sum())
