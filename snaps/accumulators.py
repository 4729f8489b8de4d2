"""Running moments of epochs by group: update, merge, result.

Totals are float64 and exact to merge, so that a corpus may be split and spread in any way (section 8 of the
design). Groups take memory when they are first seen.
"""

from collections.abc import Hashable, Mapping, Sequence
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
    rows : tensor of shape (group in the batch,)
        The groups' rows in the totals.
    members : tensor of shape (group in the batch, frame), float32
        1 where a frame belongs to a group, else 0.
    """

    rows: Int[Tensor, " group"]
    members: Float[Tensor, "group frame"]


class Moments:
    """Sums over the epochs of every group, for values with one shape.

    Parameters
    ----------
    shape : LayerShape
        Units and lags of an epoch.
    variance : bool
        Whether second moments are kept.
    device : device
        Where the totals lie.

    Attributes
    ----------
    total : tensor of shape (group, unit, lag), float64
        Sums of the values.
    number : tensor of shape (group, lag), int64
        How many values were summed at each lag.
    """

    def __init__(self, shape: LayerShape, *, variance: bool, device: torch.device) -> None:
        self.shape = shape
        self.variance = variance
        self.total = torch.zeros(0, shape.units, shape.lags, dtype=torch.float64, device=device)
        self.number = torch.zeros(0, shape.lags, dtype=torch.int64, device=device)
        self._squares = torch.zeros_like(self.total) if variance else None

    def grow(self, n_groups: int) -> None:
        """Make room for `n_groups` groups."""
        missing = n_groups - len(self.total)
        if missing > 0:
            self.total = _with_rows(self.total, missing)
            self.number = _with_rows(self.number, missing)
            if self._squares is not None:
                self._squares = _with_rows(self._squares, missing)

    def update(
        self,
        assignment: Assignment,
        values: Float[Tensor, "frame unit lag"],
        covered: Bool[Tensor, "frame lag"] | None = None,
    ) -> None:
        """Add a batch of epochs.

        Parameters
        ----------
        assignment : Assignment
            The frames' groups.
        values : tensor of shape (frame, unit, lag)
            Epochs, 0 where they are not covered.
        covered : tensor of shape (frame, lag), optional
            Where epochs have a value; None for everywhere.
        """
        weights = values.new_ones(len(values), self.shape.lags) if covered is None else covered.to(values.dtype)
        for some in torch.arange(len(values), device=values.device).split(MOST_FRAMES_IN_SINGLE):
            members = assignment.members[:, some]
            sums = (members @ values[some].flatten(1)).unflatten(1, values.shape[1:]).double()
            counts = (members @ weights[some]).round().long()
            if self._squares is not None:
                self._squares[assignment.rows] = self._merged_squares(
                    assignment.rows, sums, counts, self._own_squares(members, values[some], weights[some], sums, counts)
                )
            self.total.index_add_(0, assignment.rows, sums)
            self.number.index_add_(0, assignment.rows, counts)

    def _own_squares(
        self, members: Tensor, values: Tensor, weights: Tensor, sums: Tensor, counts: Tensor
    ) -> Float[Tensor, "group unit lag"]:
        means = sums / counts.clamp(min=1)[:, None]
        squares = torch.zeros_like(sums)
        for row, member in enumerate(members.bool()):
            deviation = (values[member].double() - means[row]) * weights[member].double()[:, None]
            squares[row] = deviation.square().sum(0)
        return squares

    def _merged_squares(self, rows: Tensor, sums: Tensor, counts: Tensor, squares: Tensor) -> Tensor:
        # Chan, Golub and LeVeque's rule for the sum of squared deviations of two samples taken together.
        assert self._squares is not None
        ours, theirs = self.number[rows][:, None].double(), counts[:, None].double()
        difference = sums / theirs.clamp(min=1) - self.total[rows] / ours.clamp(min=1)
        return self._squares[rows] + squares + difference.square() * ours * theirs / (ours + theirs).clamp(min=1)

    def merge(self, other: "Moments", rows: Int[Tensor, " group"]) -> None:
        """Add another's totals; its group ``i`` is our row ``rows[i]``."""
        if self._squares is not None and other._squares is not None:
            self._squares[rows] = self._merged_squares(rows, other.total, other.number, other._squares)
        self.total.index_add_(0, rows, other.total)
        self.number.index_add_(0, rows, other.number)

    def mean(self) -> Float[np.ndarray, "group unit lag"]:
        """Means, NaN where nothing was summed."""
        number = self.number[:, None].double()
        return torch.where(number > 0, self.total / number, torch.nan).cpu().numpy()

    def variances(self) -> Float[np.ndarray, "group unit lag"]:
        """Variances (ddof 0), NaN where nothing was summed."""
        if self._squares is None:
            raise InputError("variances were not accumulated; give variance=True")
        number = self.number[:, None].double()
        return torch.where(number > 0, self._squares / number, torch.nan).cpu().numpy()


def _with_rows(values: Tensor, missing: int) -> Tensor:
    return torch.cat([values, values.new_zeros(missing, *values.shape[1:])])


@dataclass(eq=False)
class LayerMoments:
    """Everything that is summed of one layer in one grouping."""

    activation: Moments
    saliency: Moments
    unaligned: Int[Tensor, " group"]

    def grow(self, n_groups: int) -> None:
        """Make room for `n_groups` groups."""
        self.activation.grow(n_groups)
        self.saliency.grow(n_groups)
        self.unaligned = _with_rows(self.unaligned, n_groups - len(self.unaligned))


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
    labels : list of str
        Groups in the order in which they were first seen.
    counts : list of int
        Epochs of every group.
    """

    def __init__(
        self, shapes: Mapping[str, LayerShape], *, variance: bool = False, device: torch.device | None = None
    ) -> None:
        device = device or torch.device("cpu")
        self.labels: list[str] = []
        self.counts: list[int] = []
        self._rows: dict[Hashable, int] = {}
        self._device = device
        self.layers = {
            name: LayerMoments(
                Moments(shape, variance=variance, device=device),
                Moments(shape, variance=variance, device=device),
                torch.zeros(0, dtype=torch.int64, device=device),
            )
            for name, shape in shapes.items()
        }

    def _row(self, label: str) -> int:
        if label not in self._rows:
            self._rows[label] = len(self.labels)
            self.labels.append(label)
            self.counts.append(0)
        return self._rows[label]

    def assign(self, labels: Sequence[str | None]) -> Assignment:
        """Find the groups of a batch of frames, and make room for those that are new.

        Parameters
        ----------
        labels : sequence of str or None
            One a frame; None for frames that belong to no group.
        """
        present = list(dict.fromkeys(label for label in labels if label is not None))
        rows = [self._row(label) for label in present]
        place = {label: index for index, label in enumerate(present)}
        members = np.zeros((len(present), len(labels)), dtype=np.float32)
        for frame, label in enumerate(labels):
            if label is not None:
                members[place[label], frame] = 1
        for layer in self.layers.values():
            layer.grow(len(self.labels))
        return Assignment(
            torch.tensor(rows, dtype=torch.int64, device=self._device), torch.from_numpy(members).to(self._device)
        )

    def count(self, assignment: Assignment) -> None:
        """Count a batch of epochs, once for all layers."""
        for row, number in zip(assignment.rows.tolist(), assignment.members.sum(1).tolist(), strict=True):
            self.counts[row] += round(number)

    def update(
        self,
        layer: str,
        assignment: Assignment,
        *,
        activation: Float[Tensor, "frame unit lag"],
        covered: Bool[Tensor, "frame lag"],
        saliency: Float[Tensor, "frame unit lag"],
        unaligned: Bool[Tensor, " frame"],
    ) -> None:
        """Add one layer's epochs of a batch of frames."""
        moments = self.layers[layer]
        moments.activation.update(assignment, activation, covered)
        moments.saliency.update(assignment, saliency)
        number = (assignment.members @ unaligned.to(assignment.members.dtype)).round().long()
        moments.unaligned.index_add_(0, assignment.rows, number)

    def merge(self, other: "GroupingMoments") -> None:
        """Add what another accumulator of the same layers has summed."""
        rows = torch.tensor([self._row(label) for label in other.labels], dtype=torch.int64, device=self._device)
        for row, number in zip(rows.tolist(), other.counts, strict=True):
            self.counts[row] += number
        for name, moments in self.layers.items():
            moments.grow(len(self.labels))
            theirs = other.layers[name]
            moments.activation.merge(theirs.activation, rows)
            moments.saliency.merge(theirs.saliency, rows)
            moments.unaligned.index_add_(0, rows, theirs.unaligned)


def bytes_per_group(shapes: Mapping[str, LayerShape], *, variance: bool) -> int:
    """Memory that one group takes in all layers, in bytes.

    Examples
    --------
    >>> bytes_per_group({"input": LayerShape(128, 206)}, variance=False)
    423536
    """
    values = 4 if variance else 2
    return sum(8 * (values * shape.units * shape.lags + 2 * shape.lags) for shape in shapes.values())
