"""Running moments of epochs by group: update, merge, result.

Totals are float64 and exact to merge, so that a corpus may be split and spread in any way (section 8 of the
design). Groups take memory when they are first seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from snaps.errors import InputError

#: Frames whose values may be summed in float32 before they touch the totals (section 5.8).
MOST_FRAMES_IN_SINGLE = 64


@dataclass(frozen=True)
class LayerShape:
    """Size of one layer's profile: number of units and of lags."""

    units: int
    lags: int


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which frames of a batch belong to which group.

    Attributes
    ----------
    labels : tuple of str
        The groups that occur in the batch.
    members : tensor of shape (group, frame), float32
        1 where a frame belongs to a group, else 0.
    """

    labels: tuple[str, ...]
    members: Float[Tensor, "group frame"]


def assign(labels: Sequence[str | None], *, device: torch.device | None = None) -> Assignment:
    """Find the groups of a batch of frames.

    Parameters
    ----------
    labels : sequence of str or None
        One a frame; None for frames that belong to no group.
    device : device, optional
        Where the frames are.

    Examples
    --------
    >>> assign(["s", None, "iy", "s"]).members
    tensor([[1., 0., 0., 1.],
            [0., 0., 1., 0.]])
    """
    place = {label: row for row, label in enumerate(dict.fromkeys(label for label in labels if label is not None))}
    members = np.zeros((len(place), len(labels)), dtype=np.float32)
    for frame, label in enumerate(labels):
        if label is not None:
            members[place[label], frame] = 1
    return Assignment(tuple(place), torch.from_numpy(members).to(device))


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the epochs of every group of a batch.

    Attributes
    ----------
    values : tensor of shape (group, unit, lag)
        Sums.
    number : tensor of shape (group, lag), int64
        How many values were summed at each lag.
    squares : tensor of shape (group, unit, lag), float64, or None
        Sums of squared deviations from the batch's own means.
    """

    values: Float[Tensor, "group unit lag"]
    number: Int[Tensor, "group lag"]
    squares: Float[Tensor, "group unit lag"] | None = None

    def split(self, sizes: Sequence[int]) -> "list[Sums]":
        """Cut into runs of so many groups."""
        squares = [None] * len(sizes) if self.squares is None else self.squares.split(list(sizes))
        parts = zip(self.values.split(list(sizes)), self.number.split(list(sizes)), squares, strict=True)
        return [Sums(*part) for part in parts]


def sum_by_group(
    members: Float[Tensor, "group frame"],
    windows: Float[Tensor, "window unit lag"],
    *,
    covered: Bool[Tensor, "window lag"] | None = None,
    window_of: Int[Tensor, " frame"] | None = None,
    variance: bool = False,
) -> Sums:
    """Sum a batch of epochs by group.

    Parameters
    ----------
    members : tensor of shape (group, frame)
        1 where a frame belongs to a group. At most `MOST_FRAMES_IN_SINGLE` frames.
    windows : tensor of shape (window, unit, lag)
        Epochs, 0 where they are not covered.
    covered : tensor of shape (window, lag), optional
        Where epochs have a value; None for everywhere.
    window_of : tensor of shape (frame,), optional
        Which window is a frame's epoch, where several frames share one; None for one each.
    variance : bool
        Whether squared deviations are summed too.
    """
    if window_of is not None and len(windows) < members.shape[1]:
        # Frames that share a window are counted first, so that the window is added once.
        members = members.new_zeros(len(members), len(windows)).index_add_(1, window_of, members)
    elif window_of is not None:
        windows = windows[window_of]
        covered = None if covered is None else covered[window_of]
    values = (members @ windows.flatten(1)).unflatten(1, windows.shape[1:])
    if covered is None:
        number = members.sum(1).round().long()[:, None].expand(-1, windows.shape[2])
    else:
        number = (members @ covered.to(members.dtype)).round().long()
    if not variance:
        return Sums(values, number)
    weights = torch.ones_like(windows[:, 0]) if covered is None else covered.to(windows.dtype)
    means = values.double() / number.clamp(min=1)[:, None]
    squares = torch.zeros_like(means)
    for row, member in enumerate(members):
        deviation = (windows.double() - means[row]).square() * (member[:, None] * weights).double()[:, None]
        squares[row] = deviation.sum(0)
    return Sums(values, number, squares)


@dataclass(eq=False)
class Total:
    """Everything summed for one group: float64, so that splitting and merging costs no precision.

    Attributes
    ----------
    values : tensor of shape (unit, lag), float64
        Sum.
    number : tensor of shape (lag,), int64
        How many values were summed at each lag.
    squares : tensor of shape (unit, lag), float64, or None
        Sum of squared deviations from the mean.
    """

    values: Float[Tensor, "unit lag"]
    number: Int[Tensor, " lag"]
    squares: Float[Tensor, "unit lag"] | None

    @classmethod
    def empty(cls, shape: LayerShape, *, variance: bool, device: torch.device) -> "Total":
        """Total of nothing."""
        values = torch.zeros(shape.units, shape.lags, dtype=torch.float64, device=device)
        number = torch.zeros(shape.lags, dtype=torch.int64, device=device)
        return cls(values, number, torch.zeros_like(values) if variance else None)

    def add(self, values: Tensor, number: Tensor, squares: Tensor | None) -> None:
        """Add the sum, the number and the squared deviations of another sample of the same group."""
        if self.squares is not None and squares is not None:
            # Chan, Golub and LeVeque's rule for the squared deviations of two samples taken together.
            ours, theirs = self.number.double(), number.double()
            between = values.double() / theirs.clamp(min=1) - self.values / ours.clamp(min=1)
            self.squares += squares + between.square() * (ours * theirs / (ours + theirs).clamp(min=1))
        self.values += values
        self.number += number

    def mean(self) -> Float[np.ndarray, "unit lag"]:
        """Mean, NaN where nothing was summed."""
        return self._per_value(self.values)

    def variance(self) -> Float[np.ndarray, "unit lag"]:
        """Variance (ddof 0), NaN where nothing was summed."""
        if self.squares is None:
            raise InputError("variances were not accumulated; give variance=True")
        return self._per_value(self.squares)

    def _per_value(self, values: Tensor) -> Float[np.ndarray, "unit lag"]:
        return torch.where(self.number > 0, values / self.number, torch.nan).cpu().numpy()


@dataclass(eq=False)
class GroupTotals:
    """Totals of one group in one layer.

    Attributes
    ----------
    activation, saliency : Total
        Over covered epochs, and over all epochs.
    unaligned : tensor, int64
        Number of epochs without a peak.
    """

    activation: Total
    saliency: Total
    unaligned: Int[Tensor, ""]


@dataclass(frozen=True, eq=False)
class LayerSums:
    """Sums of one layer over a batch, for the groups of an assignment."""

    activation: Sums
    saliency: Sums
    unaligned: Int[Tensor, " group"]


class GroupingMoments:
    """Running moments of all layers in one grouping.

    Parameters
    ----------
    shapes : mapping of str to LayerShape
        Units and lags of every layer.
    variance : bool
        Whether second moments are kept.
    device : device, optional
        Where the totals lie.

    Attributes
    ----------
    counts : dict of str to int
        Epochs of every group, in the order in which groups were first seen.
    layers : dict of str to dict of str to GroupTotals
        Totals by layer and group.
    """

    def __init__(
        self, shapes: Mapping[str, LayerShape], *, variance: bool = False, device: torch.device | None = None
    ) -> None:
        self.shapes = dict(shapes)
        self.variance = variance
        self.device = device or torch.device("cpu")
        self.counts: dict[str, int] = {}
        self.layers: dict[str, dict[str, GroupTotals]] = {name: {} for name in shapes}

    def update(self, assignment: Assignment, sums: Mapping[str, LayerSums]) -> None:
        """Add a batch: the sums of every layer for the groups of `assignment`."""
        for label, number in zip(assignment.labels, assignment.members.sum(1).tolist(), strict=True):
            self._count(label, round(number))
        for layer, of_layer in sums.items():
            for row, label in enumerate(assignment.labels):
                totals = self.layers[layer][label]
                for total, part in ((totals.activation, of_layer.activation), (totals.saliency, of_layer.saliency)):
                    total.add(part.values[row], part.number[row], None if part.squares is None else part.squares[row])
                totals.unaligned += of_layer.unaligned[row]

    def merge(self, other: "GroupingMoments") -> None:
        """Add what another accumulator of the same layers has summed."""
        for label, number in other.counts.items():
            self._count(label, number)
            for layer, groups in other.layers.items():
                ours, theirs = self.layers[layer][label], groups[label]
                for total, part in ((ours.activation, theirs.activation), (ours.saliency, theirs.saliency)):
                    total.add(part.values, part.number, part.squares)
                ours.unaligned += theirs.unaligned

    def _count(self, label: str, number: int) -> None:
        if label not in self.counts:
            self.counts[label] = 0
            for name, shape in self.shapes.items():
                self.layers[name][label] = GroupTotals(
                    Total.empty(shape, variance=self.variance, device=self.device),
                    Total.empty(shape, variance=self.variance, device=self.device),
                    torch.zeros((), dtype=torch.int64, device=self.device),
                )
        self.counts[label] += number


def bytes_per_group(shapes: Mapping[str, LayerShape], *, variance: bool) -> int:
    """Memory that one group takes in all layers, in bytes.

    Examples
    --------
    >>> bytes_per_group({"input": LayerShape(128, 206)}, variance=False)
    423536
    """
    values = 4 if variance else 2
    return sum(8 * (values * shape.units * shape.lags + 2 * shape.lags) for shape in shapes.values())
