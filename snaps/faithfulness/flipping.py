"""Pixel flipping: what happens to a prediction when the bins that matter most are taken away.

Thesis, section 6.1; Becker et al., 2018; Samek et al., 2017.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from snaps.alignment import bootstrap_interval
from snaps.errors import InputError, one_of
from snaps.faithfulness.sampling import Heard, Sample, fixed, listen
from snaps.profiling.reading import OnError
from snaps.profiling.session import Session
from snaps.responses import SaliencyMethod, Target

#: Shares of bins that are flipped, in percent; 0 is always there.
PERCENTAGES = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
#: Orders in which bins are flipped.
ORDERS = ("most", "least", "random")


def floor(cones: Float[Tensor, "frame unit step"]) -> Float[Tensor, "frame unit step"]:
    """0, which is silence for the package's own features (section 5.0 of the design)."""
    return torch.zeros_like(cones)


def mean(cones: Float[Tensor, "frame unit step"]) -> Float[Tensor, "frame unit step"]:
    """Every unit's mean over the frame."""
    return cones.mean(dim=2, keepdim=True).expand_as(cones)


def moore(cones: Float[Tensor, "frame unit step"]) -> Float[Tensor, "frame unit step"]:
    """Mean of the up to eight bins around each bin, as they were before anything was flipped (thesis, 6.1)."""
    kernel = cones.new_ones(1, 1, 3, 3)
    kernel[..., 1, 1] = 0
    number = F.conv2d(torch.ones_like(cones[:1, None]), kernel, padding=1)
    return (F.conv2d(cones[:, None], kernel, padding=1) / number.clamp(min=1))[:, 0]


#: What flipped bins are set to.
BASELINES: Mapping[str, Callable[[Tensor], Tensor]] = {"floor": floor, "mean": mean, "moore": moore}


def evaluate_flipping(
    session: Session,
    sample: Sample,
    methods: Mapping[str, SaliencyMethod],
    *,
    percentages: Sequence[float] = PERCENTAGES,
    baseline: str = "floor",
    random_orders: int = 3,
    repeats: int = 1000,
    progress: bool = True,
    on_error: OnError = "raise",
    drops: Any,
) -> xr.Dataset:
    """Curves of accuracy and score against the share of bins that are flipped.

    Parameters
    ----------
    session : Session
        The network, with the layer ``input`` tapped.
    sample : Sample
        Frames to flip.
    methods : mapping of str to saliency method
        By their names. Relevances order bins by their value, gradients by their absolute value.
    percentages : sequence of float
        Shares of bins to flip, above 0 and up to 100.
    baseline : {"floor", "mean", "moore"}
        What flipped bins are set to.
    random_orders : int
        How many random orders are averaged.
    repeats : int
        Of the bootstrap over recordings.
    progress, on_error, drops
        Of the pass over the corpus.

    Returns
    -------
    Dataset
        ``accuracy`` and ``score`` (saliency, order, percentage) with ``_low`` and ``_high`` (95 %): the share of frames
        that are still predicted as before, and the mean of the target's score; ``accuracy_area`` and ``score_area``
        (saliency, against: ``random``, ``least``): how far the curve of the most relevant bins first lies below another
        one, on average over percentages.

    Raises
    ------
    InputError
        If an option makes no sense.
    """
    steps = _checked(percentages, baseline, random_orders)
    table = FlipTable(list(methods), steps)
    for heard in listen(
        session, sample, list(methods.values()), drops=drops, on_error=on_error, progress=progress, what="flipping"
    ):
        flipped = _flipped(
            heard, list(methods.values()), steps, baseline=baseline, random_orders=random_orders, seed=sample.seed,
            target=fixed(session.scores(), heard.logits),
        )  # fmt: skip
        table.add(heard, flipped)
    return table.result(repeats=repeats, seed=sample.seed).assign_attrs(baseline=baseline, random_orders=random_orders)


def _flipped(
    heard: Heard,
    methods: Sequence[SaliencyMethod],
    percentages: np.ndarray,
    *,
    baseline: str,
    random_orders: int,
    seed: int,
    target: Target,
) -> np.ndarray:
    """Hits and scores of a batch, of shape (value, method, order, percentage, frame); value: hit, score."""
    n_frames, n_bins = len(heard.cones), heard.cones[0].numel()
    before = heard.logits.argmax(1)
    instead = BASELINES[baseline](heard.cones)
    numbers = [round(n_bins * percentage / 100) for percentage in percentages]

    def curve(rank: Int[Tensor, "frame bin"]) -> np.ndarray:
        found = np.empty((2, len(numbers), n_frames))
        for place, number in enumerate(numbers):
            if number == 0:
                logits = heard.logits
            else:
                gone = (rank < number).view_as(heard.cones)
                logits = heard.responder.score(torch.where(gone, instead, heard.cones))
            found[0, place] = (logits.argmax(1) == before).cpu().numpy()
            found[1, place] = target(logits).detach().cpu().numpy()
        return found

    generator = torch.Generator().manual_seed(seed * 1_000_003 + heard.number)
    at_random = np.mean(
        [
            curve(_ranks(torch.rand(n_frames, n_bins, generator=generator).to(heard.cones.device)))
            for _ in range(random_orders)
        ],
        axis=0,
    )
    found = np.empty((2, len(methods), len(ORDERS), len(numbers), n_frames))
    for place, (method, saliency) in enumerate(zip(methods, heard.saliencies, strict=True)):
        flat = saliency.flatten(1)
        relevance = flat if getattr(method, "is_relevance", False) else flat.abs()
        found[:, place, 0] = curve(_ranks(-relevance))
        found[:, place, 1] = curve(_ranks(relevance))
        found[:, place, 2] = at_random
    return found


def _ranks(values: Float[Tensor, "frame bin"]) -> Int[Tensor, "frame bin"]:
    """Place of every bin among those of its frame, the smallest first."""
    order = values.argsort(dim=1, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


class FlipTable:
    """Sums of hits and scores by recording."""

    def __init__(self, methods: Sequence[str], percentages: np.ndarray) -> None:
        self.methods, self.percentages = list(methods), percentages
        self.sums: dict[str, np.ndarray] = {}
        self.frames: dict[str, int] = {}

    def add(self, heard: Heard, found: np.ndarray) -> None:
        """Add a batch."""
        total = found.sum(axis=-1)
        name = heard.recording.id
        self.sums[name] = self.sums.get(name, 0) + total
        self.frames[name] = self.frames.get(name, 0) + found.shape[-1]

    def result(self, *, repeats: int, seed: int) -> xr.Dataset:
        """Curves, their confidence bands, and the areas between them."""
        if not self.frames:
            raise InputError("no frame is left to flip: all are ignored, too short or not finite")
        frames = np.array(list(self.frames.values()))
        sums = np.stack(list(self.sums.values()))  # (recording, value, method, order, percentage)
        # The mean distance between two curves is linear in them, so that its interval comes the same way.
        width = np.diff(self.percentages)
        weights = np.zeros(len(self.percentages))
        weights[:-1] += width / 2
        weights[1:] += width / 2
        weights /= width.sum()
        area = (sums[:, :, :, [2, 1]] - sums[:, :, :, [0]]) @ weights  # (recording, value, method, against)
        data: dict[str, Any] = {}
        for number, name in enumerate(("accuracy", "score")):
            for values, dims, end in (
                (sums[:, number], ("saliency", "order", "percentage"), ""),
                (area[:, number], ("saliency", "against"), "_area"),
            ):
                flat = values.reshape(len(frames), -1)
                low, high = bootstrap_interval(flat, frames, repeats=repeats, seed=seed)
                shape = values.shape[1:]
                data[name + end] = (dims, (flat.sum(axis=0) / frames.sum()).reshape(shape))
                data[f"{name}{end}_low"] = (dims, low.reshape(shape))
                data[f"{name}{end}_high"] = (dims, high.reshape(shape))
        return xr.Dataset(
            data,
            {
                "saliency": np.array(self.methods, dtype=str),
                "order": list(ORDERS),
                "against": ["random", "least"],
                "percentage": ("percentage", self.percentages, {"units": "%"}),
            },
            {"n_frames": int(frames.sum()), "n_recordings": len(frames)},
        )


def _checked(percentages: Sequence[float], baseline: str, random_orders: int) -> np.ndarray:
    if baseline not in BASELINES:
        raise InputError(f"baseline is {baseline!r}; accepted are {one_of(BASELINES)}")
    if not isinstance(random_orders, int) or random_orders < 1:
        raise InputError(f"random_orders is {random_orders!r}; accepted are whole numbers from 1")
    strange = [value for value in percentages if not isinstance(value, int | float) or not 0 < value <= 100]
    if strange or not len(percentages):
        raise InputError(f"percentages are {list(percentages)!r}; accepted are numbers above 0, up to 100")
    return np.array([0.0, *sorted(set(percentages))])
