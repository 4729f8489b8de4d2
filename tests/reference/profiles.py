"""Profiles of a corpus, frame by frame: where the definitions meet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from snaps.datasets.recording import Recording
from tests.reference.epochs import Epoch, Response, cut, is_finite
from tests.reference.frames import frame_starts, group_of, named_groupings, row_of
from tests.reference.means import Totals, group_means
from tests.reference.networks import ForeignNetwork, ReferenceNetwork, ReferenceStack
from tests.reference.peaks import Peak, importance, peak_of
from tests.reference.responses import ForeignFrames, FrameResponses, Target, Wav2LetterFrames

REASONS = ("ignored", "non-finite", "unlabelled", "short")
#: Margins from which on float32 decides as float64 does.
SURE = {"peak": 1e-5, "symbol": 1e-5, "rectifier": 5e-7}


@dataclass
class ReferenceProfiles:
    """What `compute_profiles` has to give.

    Attributes
    ----------
    nodes : dict
        ``(grouping, layer)`` → arrays by name: those of the file, both variances, and ``group`` and ``lag``.
    drop_log : dict
        reason → grouping → number.
    peaks : dict
        layer → peaks of the frames that were kept, in the corpus' order.
    margins : dict
        How near the closest decision of each kind was to falling otherwise, relative to what was compared:
        ``peak`` between two best steps, ``symbol`` between two best symbols, ``rectifier`` between a value
        before a ReLU and 0.
    scales : dict
        layer → largest size of a value before its ReLU, where it has one.
    n_frames : int
        Frames that were neither ignored nor non-finite.
    """

    nodes: dict[tuple[str, str], dict[str, np.ndarray]] = field(default_factory=dict)
    drop_log: dict[str, dict[str, int]] = field(default_factory=dict)
    peaks: dict[str, list[int]] = field(default_factory=dict)
    margins: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SURE, np.inf))
    scales: dict[str, float] = field(default_factory=dict)
    n_frames: int = 0

    @property
    def is_decided(self) -> bool:
        """Whether float32 has to come to the same decisions."""
        return all(self.margins[kind] > least for kind, least in SURE.items())


def reference_profiles(
    model: torch.nn.Module,
    corpus: Sequence[Recording],
    *,
    groupings: Sequence | Mapping,
    layers: Sequence[str] | None = None,
    peak: str = "product",
    context: str = "recording",
    target: Target = "predicted",
    ignore: Sequence[str] | None = None,
    symbols: Sequence[str] | None = None,
    frame_steps: int | None = None,
    frame_hop: int | None = None,
) -> ReferenceProfiles:
    """Profiles of sensitivity by section 5; ``peak="unaligned"`` stands for ``Unaligned``."""
    if symbols is None:
        network = ReferenceNetwork(model)
        names = network.layers
        steps = network.geometry.receptive_field if frame_steps is None else frame_steps
        pad = context == "frame" and model.padding == "same"
        own = (model.blank, *model.repetitions)
        frames = Wav2LetterFrames(network, steps, pad, context, target, model.symbols)
    elif context == "recording":
        network, own = ReferenceStack(model), ()
        names = network.layers
        steps = network.geometry.receptive_field if frame_steps is None else frame_steps
        frames = Wav2LetterFrames(network, steps, False, context, target, symbols)
    else:
        names, own = ["input", "logits"], ()
        network = ForeignNetwork(model, names if layers is None else layers)
        frames = ForeignFrames(network, frame_steps, frame_hop, target, symbols)
    collector = _Collector(
        frames=frames,
        layers=list(names if layers is None else layers),
        groupings=named_groupings(groupings),
        ignored=own if ignore is None else ignore,
        rule=peak,
    )
    return collector.collect(corpus)


@dataclass
class _Collector:
    frames: Wav2LetterFrames | ForeignFrames
    layers: list[str]
    groupings: dict[str, Any]
    ignored: Sequence[str]
    rule: str

    def __post_init__(self) -> None:
        self.result = ReferenceProfiles(
            drop_log={reason: dict.fromkeys(self.groupings, 0) for reason in REASONS},
            peaks={layer: [] for layer in self.layers},
        )
        self.totals: dict[tuple[str, str], dict[str, Totals]] = {
            (name, layer): {} for name in self.groupings for layer in self.layers
        }
        self.lags: dict[str, np.ndarray] = {}

    def collect(self, corpus: Sequence[Recording]) -> ReferenceProfiles:
        """Go through all frames of all recordings, definitions (1), (2) and (8)."""
        for recording in corpus:
            starts = frame_starts(recording.n_steps, frame_steps=self.frames.frame_steps, hop=self.frames.hop)
            if not starts:
                self.drop("short")
                continue
            whole = self.frames.whole(recording)
            for start in starts:
                responses = self.frames.responses(recording, start, whole)
                self.take(recording, responses, centre=start + self.frames.frame_steps // 2)
        self.note("rectifier", self.frames.network.rectifier_margin)
        self.result.scales = self.frames.network.scales
        for (name, layer), collected in self.totals.items():
            if collected:
                self.result.nodes[name, layer] = {**group_means(collected), "lag": self.lags[layer]}
        return self.result

    def take(self, recording: Recording, responses: FrameResponses, *, centre: int) -> None:
        """Count one frame in, or say why not, definition (1)."""
        predicted = None
        if np.isfinite(responses.logits).all():
            self.note("symbol", _relative_gap(responses.logits))
            predicted = self.frames.symbols[int(responses.logits.argmax())]
        if predicted in self.ignored:
            self.drop("ignored")
            return
        peaks, epochs = self.align(recording, responses)
        if predicted is None or len(epochs) < len(self.layers):
            self.drop("non-finite")
            return
        self.result.n_frames += 1
        for layer, peak in peaks.items():
            self.note("peak", peak.margin)
            self.result.peaks[layer].append(peak.step)
        row = row_of(recording, centre=centre, predicted=predicted)
        for name, grouping in self.groupings.items():
            group = group_of(row, grouping)
            if group is None:
                self.result.drop_log["unlabelled"][name] += 1
                continue
            for layer, epoch in epochs.items():
                totals = self.totals[name, layer].setdefault(group, Totals())
                totals.add(epoch, aligned=peaks[layer].aligned)

    def align(self, recording: Recording, responses: FrameResponses) -> tuple[dict[str, Peak], dict[str, Epoch]]:
        """Peaks and epochs of all layers, definitions (5) to (7); a layer that is not finite is left out."""
        peaks, epochs = {}, {}
        for layer in self.layers:
            response = responses.layers[layer]
            lags, stride = self.frames.lags(layer, response.cone)
            self.lags[layer] = np.array(lags) * (stride * recording.step)
            if is_finite(response):
                peak = _peak(response, self.rule)
                epoch = cut(response, peak.step, lags)
                if epoch.is_finite:
                    peaks[layer], epochs[layer] = peak, epoch
        return peaks, epochs

    def drop(self, reason: str) -> None:
        for name in self.groupings:
            self.result.drop_log[reason][name] += 1

    def note(self, kind: str, margin: float) -> None:
        self.result.margins[kind] = min(self.result.margins[kind], margin)


def _peak(response: Response, rule: str) -> Peak:
    """Peak of one layer, definition (5); ``Unaligned`` takes the middle, and counts it as aligned."""
    if rule == "unaligned":
        return Peak(step=response.cone // 2, aligned=True, margin=np.inf)
    activation = response.cone_activation
    values = importance(response.saliency, activation, rule)
    found = peak_of(values)
    if not found.aligned:
        return found
    # What is all but 0 because smoothing cancels may be 0, and so without a peak, in float32.
    scale = np.abs(response.saliency).max() * (np.abs(activation).max() if "product" in rule else 1.0)
    return replace(found, margin=min(found.margin, float(np.abs(values).max() / scale)))


def _relative_gap(scores: np.ndarray) -> float:
    ordered = np.sort(scores)
    return float((ordered[-1] - ordered[-2]) / np.abs(scores).max())
