"""Pixel flipping: predictions while the most relevant bins are replaced.

Thesis, section 6.1; Becker et al., 2018; Samek et al., 2017.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from snaps.alignment import bootstrap_interval
from snaps.errors import InputError, check_choice, check_number, check_whole
from snaps.faithfulness.sample import Explained, Sample
from snaps.profiling import PreparedNetwork, fixed_target
from snaps.responses import SaliencyMethod

#: Shares of bins that are flipped, in percent; 0 is always there.
PERCENTAGES = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
#: Orders in which bins are flipped.
ORDERS = ("most", "least", "random")


def floor(cones: Float[Tensor, "frame unit step"]) -> Float[Tensor, "frame unit step"]:
    """0, which is silence for the package's own features (definition 0)."""
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


@dataclass(frozen=True)
class Flipping:
    """Options of pixel flipping.

    Attributes
    ----------
    percentages : sequence of float
        Shares of bins to flip, above 0 and up to 100; 0 is always there.
    baseline : {"floor", "mean", "moore"}
        What flipped bins are set to.
    random_orders : int
        How many random orders are averaged.

    Raises
    ------
    InputError
        If an option makes no sense.
    """

    percentages: Sequence[float] = PERCENTAGES
    baseline: str = "floor"
    random_orders: int = 3

    def __post_init__(self) -> None:
        check_choice("baseline", self.baseline, tuple(BASELINES))
        check_whole("random_orders", self.random_orders)
        if not len(self.percentages):
            raise InputError("percentages is empty; accepted are numbers above 0 up to 100")
        for percentage in self.percentages:
            check_number("one of the percentages", percentage, above=0, most=100)

    @property
    def shares(self) -> np.ndarray:
        """Shares of bins in percent, from 0 upwards."""
        return np.array([0.0, *sorted(set(self.percentages))])


def evaluate_flipping(
    network: PreparedNetwork,
    sample: Sample,
    methods: Mapping[str, SaliencyMethod],
    *,
    flipping: Flipping,
    n_resamples: int = 1000,
) -> xr.Dataset:
    """Curves of accuracy and score against the share of bins that are flipped.

    Parameters
    ----------
    network : PreparedNetwork
        The network, with the layer ``input`` tapped.
    sample : Sample
        Frames to flip.
    methods : mapping of str to saliency method
        By their names. Relevances order bins by their value, gradients by their absolute value.
    flipping : Flipping
        How bins are flipped.
    n_resamples : int
        Of the bootstrap over recordings.

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
        If no frame is left.
    """
    sums: dict[str, np.ndarray] = {}
    n_frames: dict[str, int] = {}
    for explained in sample.explain(network, "flipping"):
        name, found = explained.batch.recording.id, _flipped(network, explained, methods, flipping, sample.seed)
        sums[name] = sums.get(name, 0) + found.sum(axis=-1)
        n_frames[name] = n_frames.get(name, 0) + found.shape[-1]
    if not n_frames:
        raise InputError("no frame is left to flip: all are ignored, too short or not finite")
    frames = np.array(list(n_frames.values()))
    curves = np.stack(list(sums.values()))  # (recording, method, order, value, percentage)
    # The mean distance between two curves is linear in them, so that its interval comes the same way.
    lower = curves[:, :, [2, 1]] - curves[:, :, [0]]
    areas = np.trapezoid(lower, flipping.shares, axis=-1) / flipping.shares[-1]  # (recording, method, against, value)
    data: dict[str, Any] = {}
    for number, value in enumerate(("accuracy", "score")):
        for name, found, dims in (
            (value, curves[:, :, :, number], ("saliency", "order", "percentage")),
            (f"{value}_area", areas[:, :, :, number], ("saliency", "against")),
        ):
            flat = found.reshape(len(frames), -1)
            low, high = bootstrap_interval(flat, frames, n_resamples=n_resamples, seed=sample.seed)
            for end, of_all in (("", flat.sum(axis=0) / frames.sum()), ("_low", low), ("_high", high)):
                data[name + end] = (dims, of_all.reshape(found.shape[1:]))
    coordinates = {
        "saliency": np.array(list(methods), dtype=str),
        "order": list(ORDERS),
        "against": ["random", "least"],
        "percentage": ("percentage", flipping.shares, {"units": "%"}),
    }
    counts = {"n_frames": int(frames.sum()), "n_recordings": len(frames)}
    options = {"baseline": flipping.baseline, "random_orders": flipping.random_orders}
    return xr.Dataset(data, coordinates, counts | options)


def _flipped(
    network: PreparedNetwork, explained: Explained, methods: Mapping[str, SaliencyMethod], flipping: Flipping, seed: int
) -> np.ndarray:
    """Hits and scores of a batch, of shape (method, order, value, percentage, frame); value: hit, score."""
    cones, logits = explained.cones, explained.batch.logits
    n_frames, n_bins = len(cones), cones[0].numel()
    before = logits.argmax(1)
    target = fixed_target(network.target, logits)
    instead = BASELINES[flipping.baseline](cones)
    numbers = [round(n_bins * share / 100) for share in flipping.shares]

    def curve(rank: Int[Tensor, "frame bin"]) -> np.ndarray:
        found = np.empty((2, len(numbers), n_frames))
        for place, number in enumerate(numbers):
            changed = logits
            if number > 0:
                changed = network.responder.score(torch.where((rank < number).view_as(cones), instead, cones))
            found[0, place] = (changed.argmax(1) == before).cpu().numpy()
            found[1, place] = target(changed).detach().cpu().numpy()
        return found

    generator = torch.Generator().manual_seed(seed * 1_000_003 + explained.number)
    orders = [torch.rand(n_frames, n_bins, generator=generator) for _ in range(flipping.random_orders)]
    at_random = np.mean([curve(_ranks(order.to(cones.device))) for order in orders], axis=0)
    found = []
    for name, method in methods.items():
        flat = explained.saliencies[name].flatten(1)
        relevance = flat if method.is_relevance else flat.abs()
        found.append([curve(_ranks(-relevance)), curve(_ranks(relevance)), at_random])
    return np.array(found)


def _ranks(values: Float[Tensor, "frame bin"]) -> Int[Tensor, "frame bin"]:
    """Place of every bin among those of its frame, the smallest first."""
    order = values.argsort(dim=1, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)
