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

    def mean(self) -> Float[np.ndarray, "group unit lag"]:
        """Means, NaN where nothing was summed."""
        return self._per_value(self.values)

    def variance(self) -> Float[np.ndarray, "group unit lag"]:
        """Variances (ddof 0), NaN where nothing was summed.

        Raises
        ------
        InputError
            If they were not accumulated.
        """
        if self.squares is None:
            raise InputError("variances were not accumulated; give variance=True")
        return self._per_value(self.squares)

    def _per_value(self, values: Tensor) -> Float[np.ndarray, "group unit lag"]:
        number = self.number[:, None]
        return torch.where(number > 0, values / number, torch.nan).cpu().numpy()

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
        1 where a frame belongs to a group.
    windows : tensor of shape (window, unit, lag)
        Epochs, 0 where they are not covered.
    covered : tensor of shape (window, lag), optional
        Where epochs have a value; None for everywhere.
    window_of : tensor of shape (frame,), optional
        Which window is a frame's epoch, where several frames share one; None for one each.
    variance : bool
        Whether squared deviations are summed too.

    Returns
    -------
    Sums
        Float32 for up to `MOST_FRAMES_IN_SINGLE` frames, if the sums fit, else float64.
    """
    # How often each window counts for each group: frames that share a window add it once.
    times = members
    if window_of is not None:
        times = members.new_zeros(len(members), len(windows)).index_add_(1, window_of, members)
    flat = windows.flatten(1)
    if members.shape[1] <= MOST_FRAMES_IN_SINGLE:
        values = times @ flat
    else:
        runs = zip(times.split(MOST_FRAMES_IN_SINGLE, 1), flat.split(MOST_FRAMES_IN_SINGLE), strict=True)
        values = torch.zeros(len(members), flat.shape[1], dtype=torch.float64, device=flat.device)
        for some, these in runs:
            values += some @ these
    if not bool(torch.isfinite(values.sum())):
        # Values that float32 holds may have sums that it does not.
        values = times.double() @ flat.double()
    values = values.unflatten(1, windows.shape[1:])
    if covered is None:
        number = times.sum(1).round().long()[:, None].expand(-1, windows.shape[2])
    else:
        number = (times @ covered.to(times.dtype)).round().long()
    return Sums(values, number, _squares(times, windows, covered, values, number) if variance else None)


def _squares(
    times: Tensor, windows: Tensor, covered: Tensor | None, values: Tensor, number: Tensor
) -> Float[Tensor, "group unit lag"]:
    """Sums of squared deviations from each group's own mean, in float64."""
    weights = torch.ones_like(windows[:, 0]) if covered is None else covered.to(windows.dtype)
    means = values.double() / number.clamp(min=1)[:, None]
    squares = torch.zeros_like(means)
    for row, often in enumerate(times):
        deviation = (windows.double() - means[row]).square() * (often[:, None] * weights).double()[:, None]
        squares[row] = deviation.sum(0)
    return squares


class Moments:
    """Totals over the epochs of every group: float64, so that splitting and merging costs no precision.

    Attributes
    ----------
    values : tensor of shape (room, unit, lag), float64
        Sums; only the first rows are groups, the others are room for more.
    number : tensor of shape (room, lag), int64
        How many values were summed at each lag.
    squares : tensor of shape (room, unit, lag), float64, or None
        Sums of squared deviations from the mean.
    """

    def __init__(self, shape: LayerShape, *, variance: bool, device: torch.device) -> None:
        self.values = torch.zeros(0, shape.units, shape.lags, dtype=torch.float64, device=device)
        self.number = torch.zeros(0, shape.lags, dtype=torch.int64, device=device)
        self.squares = torch.zeros_like(self.values) if variance else None

    def make_room(self, n_groups: int, *, spare: int) -> None:
        """Have rows for `n_groups` groups; where rows are missing, for `spare` more, so that all are moved seldom."""
        if n_groups > len(self.number):
            missing = n_groups + spare - len(self.number)
            self.values = _with_rows(self.values, missing)
            self.number = _with_rows(self.number, missing)
            self.squares = None if self.squares is None else _with_rows(self.squares, missing)

    def add(self, rows: Int[Tensor, " group"], sums: Sums) -> None:
        """Add the sums of other samples of the groups in `rows`, each of them named once."""
        if self.squares is not None and sums.squares is not None:
            # Chan, Golub and LeVeque's rule for the squared deviations of two samples taken together.
            ours, theirs = self.number[rows][:, None].double(), sums.number[:, None].double()
            between = sums.values.double() / theirs.clamp(min=1) - self.values[rows] / ours.clamp(min=1)
            weight = ours * theirs / (ours + theirs).clamp(min=1)
            _add_rows(self.squares, rows, sums.squares + between.square() * weight)
        _add_rows(self.values, rows, sums.values)
        _add_rows(self.number, rows, sums.number)

    def hold(self, sums: Sums) -> None:
        """Take sums as they are for totals."""
        self.values, self.number, self.squares = sums.values, sums.number, sums.squares

    def sums(self, n_groups: int) -> Sums:
        """Totals of the first `n_groups` groups."""
        squares = None if self.squares is None else self.squares[:n_groups]
        return Sums(self.values[:n_groups], self.number[:n_groups], squares)


def _with_rows(values: Tensor, missing: int) -> Tensor:
    shape = (len(values) + missing, *values.shape[1:])
    if values.is_cuda:
        larger = values.new_zeros(shape)
    else:
        # NumPy asks the system for zeros, and rows take no memory before something is written to them.
        larger = torch.from_numpy(np.zeros(shape, dtype=str(values.dtype).removeprefix("torch.")))
    larger[: len(values)] = values
    return larger


def _add_rows(total: Tensor, rows: Int[Tensor, " group"], values: Tensor) -> None:
    if total.is_cuda:
        total.index_add_(0, rows, values.to(total.dtype))
        return
    # index_add_ is several times slower than plain additions on the CPU.
    for row, value in zip(rows.tolist(), values, strict=True):
        total[row].add_(value)


@dataclass(eq=False)
class LayerMoments:
    """Everything that is summed of one layer in one grouping.

    Attributes
    ----------
    activation, saliency : Moments
        Over covered epochs, and over all epochs.
    unaligned : tensor of shape (room,), int64
        Number of epochs without a peak.
    """

    activation: Moments
    saliency: Moments
    unaligned: Int[Tensor, " room"]

    def make_room(self, n_groups: int, *, spare: int) -> None:
        """Have rows for `n_groups` groups, and where some are missing for `spare` more."""
        self.activation.make_room(n_groups, spare=spare)
        self.saliency.make_room(n_groups, spare=spare)
        self.unaligned = _with_rows(self.unaligned, len(self.saliency.number) - len(self.unaligned))

    def add(self, rows: Int[Tensor, " group"], sums: "LayerSums") -> None:
        """Add the sums of other samples of the groups in `rows`."""
        self.activation.add(rows, sums.activation)
        self.saliency.add(rows, sums.saliency)
        self.unaligned.index_add_(0, rows, sums.unaligned)

    def sums(self, n_groups: int) -> "LayerSums":
        """Totals of the first `n_groups` groups."""
        return LayerSums(self.activation.sums(n_groups), self.saliency.sums(n_groups), self.unaligned[:n_groups])


@dataclass(frozen=True, eq=False)
class LayerSums:
    """Sums of one layer for several groups."""

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
    room : int
        Groups that are expected. On the CPU they take no memory before they are seen, on a GPU they take it at once.
        More than these are moved, seldom.

    Attributes
    ----------
    counts : dict of str to int
        Epochs of every group, in the order in which groups were first seen, which is that of the rows.
    layers : dict of str to LayerMoments
        Totals by layer.
    """

    def __init__(
        self,
        shapes: Mapping[str, LayerShape],
        *,
        variance: bool = False,
        device: torch.device | None = None,
        room: int = 0,
    ) -> None:
        self.shapes = dict(shapes)
        self.variance = variance
        self.device = device or torch.device("cpu")
        self.counts: dict[str, int] = {}
        self.layers = {
            name: LayerMoments(
                Moments(shape, variance=variance, device=self.device),
                Moments(shape, variance=variance, device=self.device),
                torch.zeros(0, dtype=torch.int64, device=self.device),
            )
            for name, shape in shapes.items()
        }
        for layer in self.layers.values():
            layer.make_room(room, spare=0)

    @classmethod
    def holding(cls, counts: Mapping[str, int], sums: Mapping[str, LayerSums]) -> "GroupingMoments":
        """Totals that are these sums, float64, without a copy; they may be changed."""
        first = next(iter(sums.values()))
        shapes = {name: LayerShape(*layer.activation.values.shape[1:]) for name, layer in sums.items()}
        variance, device = first.activation.squares is not None, first.activation.values.device
        moments = cls(shapes, variance=variance, device=device)
        moments.counts = dict(counts)
        for name, layer in sums.items():
            own = moments.layers[name]
            own.activation.hold(layer.activation)
            own.saliency.hold(layer.saliency)
            own.unaligned = layer.unaligned
        return moments

    def update(self, assignment: Assignment, sums: Mapping[str, LayerSums]) -> None:
        """Add a batch: the sums of every layer for the groups of `assignment`."""
        numbers = assignment.members.sum(1).round().long().tolist()
        self._add(dict(zip(assignment.labels, numbers, strict=True)), sums)

    def merge(self, other: "GroupingMoments") -> None:
        """Add what another accumulator of the same layers has summed."""
        self._add(other.counts, {name: layer.sums(len(other.counts)) for name, layer in other.layers.items()})

    def result(self, layer: str) -> LayerSums:
        """Totals of one layer, one row a group in the order of `counts`."""
        return self.layers[layer].sums(len(self.counts))

    def _add(self, counts: Mapping[str, int], sums: Mapping[str, LayerSums]) -> None:
        """Add sums of other samples: epochs of every group, and the sums of every layer in the same order."""
        for label, number in counts.items():
            self.counts[label] = self.counts.get(label, 0) + number
        place = {label: row for row, label in enumerate(self.counts)}
        rows = torch.tensor([place[label] for label in counts], dtype=torch.int64, device=self.device)
        for name, layer in self.layers.items():
            layer.make_room(len(self.counts), spare=len(self.counts))
            layer.add(rows, sums[name])


def bytes_per_group(shapes: Mapping[str, LayerShape], *, variance: bool) -> int:
    """Memory that one group takes in all layers, in bytes.

    Examples
    --------
    >>> bytes_per_group({"input": LayerShape(128, 206)}, variance=False)
    425184
    """
    values = 4 if variance else 2
    return sum(8 * (values * shape.units * shape.lags + 2 * shape.lags) for shape in shapes.values())
