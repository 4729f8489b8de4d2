"""Responses to single frames: where a frame lies, what is run on it, and what its lags are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from snaps.datasets.recording import Recording
from tests.reference.epochs import Response
from tests.reference.geometry import lag_steps
from tests.reference.networks import ForeignNetwork, Layers, ReferenceNetwork, gradients

Target = str | Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class FrameResponses:
    """Scores of one frame and the responses of all layers to it."""

    logits: np.ndarray
    layers: dict[str, Response]


def score_of(logits: torch.Tensor, target: Target, symbols: Sequence[str]) -> torch.Tensor:
    """Output score that saliency explains (section 4, "target"), from the frame's scores, one a symbol."""
    if callable(target):
        return target(logits[None])[0]
    return logits[int(logits.argmax()) if target == "predicted" else list(symbols).index(target)]


@dataclass(frozen=True)
class Wav2LetterFrames:
    """Frames of a ``Wav2Letter`` in either context."""

    network: ReferenceNetwork
    frame_steps: int
    pad: bool
    context: str
    target: Target
    symbols: Sequence[str]

    @property
    def hop(self) -> int:
        """``s``, input steps between frames."""
        return self.network.geometry.stride

    def lags(self, layer: str, cone: int) -> tuple[list[int], float]:
        """Lags of a layer in its steps, and its stride ``S_ℓ``, definition (6)."""
        stride = self.network.geometry.layer_strides[self.network.layers.index(layer)]
        return lag_steps(self.frame_steps // stride, cone), stride

    def responses(self, recording: Recording, start: int, whole: Layers | None) -> FrameResponses:
        """Responses to one frame; `whole` are those to the whole recording, in the recording context."""
        geometry = self.network.geometry
        offset = 0 if self.pad else geometry.cone_offset(self.frame_steps)
        steps = self.frame_steps if self.pad else geometry.receptive_field
        first = start + offset
        layers = self.network.run(recording.features[:, first : first + steps], pad=self.pad)
        logits = layers["logits"][:, layers["logits"].shape[1] // 2]
        saliency = gradients(score_of(logits, self.target, self.symbols), layers)
        found = {}
        for name, stride in zip(self.network.layers, geometry.layer_strides, strict=True):
            source = layers if whole is None else whole
            found[name] = Response(
                saliency=saliency[name],
                activation=source[name].detach().numpy(),
                start=0 if whole is None else first // stride,
            )
        return FrameResponses(logits=logits.detach().numpy(), layers=found)

    def whole(self, recording: Recording) -> Layers | None:
        """Responses to the whole recording, without padding; None in the frame context."""
        return None if self.context == "frame" else self.network.run(recording.features, pad=False)


@dataclass(frozen=True)
class ForeignFrames:
    """Frames of any other network, each run alone."""

    network: ForeignNetwork
    frame_steps: int
    hop: int
    target: Target
    symbols: Sequence[str]

    def lags(self, layer: str, cone: int) -> tuple[list[int], float]:
        """Lags of a layer in its steps, with ``F = w_ℓ``, and its stride ``S_ℓ = frame_steps / w_ℓ``."""
        return lag_steps(cone, cone), self.frame_steps / cone

    def responses(self, recording: Recording, start: int, whole: Layers | None) -> FrameResponses:
        """Responses to one frame as it is; a layer of shape (1, unit) counts as one step."""
        layers = self.network.run(recording.features[:, start : start + self.frame_steps])
        logits = layers["logits"]
        row = logits[0] if logits.ndim == 2 else logits[0, :, logits.shape[2] // 2]
        saliency = gradients(score_of(row, self.target, self.symbols), layers)
        found = {}
        for name, values in layers.items():
            units = values.shape[0] if name == "input" else values.shape[1]
            found[name] = Response(
                saliency=saliency[name].reshape(units, -1),
                activation=values.detach().numpy().reshape(units, -1),
                start=0,
            )
        return FrameResponses(logits=row.detach().numpy(), layers=found)

    def whole(self, recording: Recording) -> Layers | None:
        """Nothing: the network is run on frames alone."""
        return None
