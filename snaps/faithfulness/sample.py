"""Frames drawn from a corpus, with their saliency in the input."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from snaps.alignment import Peaks
from snaps.datasets import CorpusLike
from snaps.errors import check_whole
from snaps.profiling import Batch, Log, OnError, Played, PreparedNetwork, listen, progress_bar, read
from snaps.responses import LayerResponse
from snaps.schema import INPUT_LAYER


@dataclass(frozen=True, eq=False)
class Explained:
    """A batch of frames with the saliency of their input.

    Attributes
    ----------
    batch : Batch
        The frames.
    number : int
        Frames of the sample before this batch.
    cones : tensor of shape (frame, unit, step)
        Inputs of the network.
    saliencies : dict of str to tensor of shape (frame, unit, step)
        By the method's name.
    """

    batch: Batch
    number: int
    cones: Float[Tensor, "frame unit step"]
    saliencies: dict[str, Float[Tensor, "frame unit step"]]


@dataclass(eq=False)
class Sample:
    """Frames spread evenly over the recordings of a corpus, drawn at random within each.

    Fewer frames than recordings come from as many recordings, drawn at random.

    Attributes
    ----------
    corpus : Corpus or list of Recording
        Where they are drawn.
    frames : int or None
        Number of frames; None for all. There are fewer where recordings have too few.
    seed : int
        Of the drawing.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the evaluation, or is left out.
    progress : bool
        Whether a progress bar is shown.
    log : Log
        What was played and left out.
    """

    corpus: CorpusLike
    frames: int | None
    seed: int
    on_error: OnError = "raise"
    progress: bool = True
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        number = len(self.corpus)
        if self.frames is not None:
            number = min(check_whole("frames", self.frames), number)
        drawn = np.random.default_rng(self.seed).choice(len(self.corpus), size=number, replace=False)
        self._recordings = np.sort(drawn).tolist()
        self._quota = 0

    @property
    def names(self) -> tuple[str]:
        """Name under which frames left out are counted."""
        return ("frames",)

    def labels(self, played: Played) -> Mapping[str, np.ndarray]:
        """No labels."""
        return {}

    def wanted(self, played: Played, labels: Mapping[str, np.ndarray]) -> Bool[np.ndarray, " frame"]:
        """Some of the frames, so that those left are spread over the recordings left."""
        n_frames = len(played.predicted)
        if self.frames is None:
            return np.ones(n_frames, dtype=bool)
        recording, first = self.log.n_recordings - 1, played.piece.first
        if first == 0:
            recordings_left = max(len(self._recordings) - recording, 1)
            self._quota = max(0, -(-(self.frames - self.log.n_frames) // recordings_left))
        available = np.flatnonzero(played.has_prediction & ~played.ignored)
        frames_left = played.network.responder.grid.count(played.recording.n_steps) - first
        number = min(len(available), -(-self._quota * n_frames // frames_left))
        self._quota -= number
        chosen = np.zeros(n_frames, dtype=bool)
        generator = np.random.default_rng([self.seed, recording])
        chosen[generator.choice(available, size=number, replace=False)] = True
        return chosen

    def explain(self, network: PreparedNetwork, what: str) -> Iterator[Explained]:
        """Play the sample to a network that taps the layer ``input`` alone; `what` is the progress bar's title."""
        with progress_bar(self._recordings, what, progress=self.progress) as bar:
            recordings = read(self.corpus, self.log, bar=bar, on_error=self.on_error, numbers=self._recordings)
            for batch in listen(network, recordings, self, log=self.log):
                before = self.log.n_frames
                found = batch.by_layer(_cone_and_saliency)
                if len(batch):
                    explained = {name: of_layers[INPUT_LAYER] for name, of_layers in found.items()}
                    (cones, _), *_ = explained.values()
                    yield Explained(batch, before, cones, {name: saliency for name, (_, saliency) in explained.items()})


def _cone_and_saliency(response: LayerResponse, peaks: Peaks) -> tuple[Tensor, Tensor]:
    return response.cone.detach(), response.saliencies[0].detach()
