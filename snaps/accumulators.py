"""Running moments by group: add, merge, result (definition 8).

Sums are float64, so that splitting and merging a corpus costs no precision; a batch of at most 64 frames may be summed
in float32 before it is added.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from snaps.schema import (
    ACTIVATION,
    ACTIVATION_VARIANCE,
    COUNT,
    COVERAGE,
    DTYPES,
    GROUP,
    OPTIONAL,
    REQUIRED,
    SALIENCY,
    SALIENCY_VARIANCE,
    UNALIGNED,
)

#: Frames whose values may be summed in float32 before they are added to the totals (definition 8).
MOST_FRAMES_IN_SINGLE = 64

#: A grouping and one of its labels.
Group = tuple[str, str]


@dataclass(eq=False)
class Moments:
    """Sums of one layer's values by group.

    Attributes
    ----------
    values : tensor of shape (group, unit, lag)
        Sums.
    number : tensor of shape (group, lag), int64
        Number of values in each sum.
    squares : tensor of shape (group, unit, lag), float64, or None
        Sums of squared deviations from the group's mean.
    """

    values: Float[Tensor, "group unit lag"]
    number: Int[Tensor, "group lag"]
    squares: Float[Tensor, "group unit lag"] | None = None

    def add(self, rows: Int[Tensor, " some"], sums: "Moments") -> None:
        """Add sums of other samples of the groups in `rows`, each of them named once."""
        if self.squares is not None and sums.squares is not None:
            # Chan, Golub and LeVeque's rule for the squared deviations of two samples taken together.
            ours, theirs = self.number[rows][:, None].double(), sums.number[:, None].double()
            between = sums.values.double() / theirs.clamp(min=1) - self.values[rows] / ours.clamp(min=1)
            weight = ours * theirs / (ours + theirs).clamp(min=1)
            _add_rows(self.squares, rows, sums.squares + between.square() * weight)
        _add_rows(self.values, rows, sums.values)
        _add_rows(self.number, rows, sums.number)

    def mean(self, rows: Sequence[int]) -> Float[np.ndarray, "some unit lag"]:
        """Means of some groups, NaN where nothing was summed."""
        return self._divided(self.values, rows)

    def variance(self, rows: Sequence[int]) -> Float[np.ndarray, "some unit lag"]:
        """Variances (ddof 0) of some groups, NaN where nothing was summed."""
        assert self.squares is not None
        return self._divided(self.squares, rows)

    def _divided(self, values: Tensor, rows: Sequence[int]) -> np.ndarray:
        number = self.number[rows][:, None]
        return torch.where(number > 0, values[rows] / number, torch.nan).cpu().numpy()


@dataclass(eq=False)
class LayerMoments:
    """Sums of one layer: activation over covered epochs, saliency over all, and epochs without a peak.

    Attributes
    ----------
    activation, saliency : Moments
        Sums of both.
    unaligned : tensor of shape (group,), int64
        Number of epochs without a peak.
    """

    activation: Moments
    saliency: Moments
    unaligned: Int[Tensor, " group"]

    def tensors(self) -> dict[str, Tensor]:
        """All sums by name."""
        found = {"unaligned": self.unaligned}
        for name, moments in ((ACTIVATION, self.activation), (SALIENCY, self.saliency)):
            found |= {f"{name}.values": moments.values, f"{name}.number": moments.number}
            if moments.squares is not None:
                found[f"{name}.squares"] = moments.squares
        return found

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "LayerMoments":
        """Sums from what `tensors` gives."""
        activation, saliency = (
            Moments(tensors[f"{name}.values"], tensors[f"{name}.number"], tensors.get(f"{name}.squares"))
            for name in (ACTIVATION, SALIENCY)
        )
        return cls(activation, saliency, tensors["unaligned"])


class GroupMoments:
    """Totals of all layers; one axis of groups for all groupings.

    Parameters
    ----------
    shapes : mapping of str to (int, int)
        Units and lags of every layer.
    variance : bool
        Whether second moments are kept.
    device : device, optional
        Where the totals lie.

    Attributes
    ----------
    counts : dict of (str, str) to int
        Epochs of every (grouping, label), in the order in which they were first added, which is that of the rows.
    layers : dict of str to LayerMoments
        Totals by layer, with room for more groups than there are.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, int]], *, variance: bool = False, device: torch.device | None = None
    ) -> None:
        self.counts: dict[Group, int] = {}
        self.layers: dict[str, LayerMoments] = {}
        for layer, (units, lags) in shapes.items():
            values = torch.zeros(0, units, lags, dtype=torch.float64, device=device)
            number = torch.zeros(0, lags, dtype=torch.int64, device=device)
            moments = [Moments(values, number, values if variance else None) for _ in range(2)]
            self.layers[layer] = LayerMoments(moments[0], moments[1], torch.zeros(0, dtype=torch.int64, device=device))

    def add(self, counts: Mapping[Group, int], sums: Mapping[str, LayerMoments]) -> None:
        """Add sums of other samples.

        Parameters
        ----------
        counts : mapping of (str, str) to int
            Number of epochs of each group.
        sums : mapping of str to LayerMoments
            Sums by layer; rows are in the order of `counts`.
        """
        for group, number in counts.items():
            self.counts[group] = self.counts.get(group, 0) + number
        place = {group: row for row, group in enumerate(self.counts)}
        for name, theirs in sums.items():
            ours = self.layers[name] = _with_room(self.layers[name], len(place))
            rows = torch.tensor([place[group] for group in counts], dtype=torch.int64, device=theirs.unaligned.device)
            ours.activation.add(rows, theirs.activation)
            ours.saliency.add(rows, theirs.saliency)
            ours.unaligned.index_add_(0, rows, theirs.unaligned)

    def merge(self, other: "GroupMoments") -> None:
        """Add the totals of another part of the corpus."""
        n_groups = len(other.counts)
        self.add(
            other.counts,
            {
                layer: LayerMoments.of({name: tensor[:n_groups] for name, tensor in moments.tensors().items()})
                for layer, moments in other.layers.items()
            },
        )

    def to_dataset(self, grouping: str, layer: str) -> xr.Dataset:
        """Variables of one layer in one grouping (section 6), groups sorted by label; without unit and lag."""
        moments = self.layers[layer]
        found = sorted((group[1], row) for row, group in enumerate(self.counts) if group[0] == grouping)
        rows = [row for _, row in found]
        counts = list(self.counts.values())
        values = {
            ACTIVATION: moments.activation.mean(rows),
            SALIENCY: moments.saliency.mean(rows),
            COVERAGE: moments.activation.number[rows].cpu().numpy(),
            COUNT: np.array([counts[row] for row in rows]),
            UNALIGNED: moments.unaligned[rows].cpu().numpy(),
        }
        if moments.activation.squares is not None:
            values[ACTIVATION_VARIANCE] = moments.activation.variance(rows)
            values[SALIENCY_VARIANCE] = moments.saliency.variance(rows)
        dims = {**REQUIRED, **OPTIONAL}
        with np.errstate(over="ignore"):  # a variance that float32 does not hold is infinite
            variables = {name: (dims[name], array.astype(DTYPES[name])) for name, array in values.items()}
        return xr.Dataset(variables, {GROUP: np.array([label for label, _ in found], dtype=str)})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Totals as arrays, for a file or another process."""
        arrays = {
            "groups": np.array([*self.counts], dtype=str).reshape(-1, 2),
            "counts": np.array([*self.counts.values()], dtype=np.int64),
            "layers": np.array([*self.layers], dtype=str),
        }
        for number, moments in enumerate(self.layers.values()):
            for name, tensor in moments.tensors().items():
                arrays[f"{number}.{name}"] = tensor[: len(self.counts)].cpu().numpy()
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], device: torch.device) -> "GroupMoments":
        """Totals from what `to_arrays` gives."""
        moments = cls({})
        groups = [(str(grouping), str(label)) for grouping, label in arrays["groups"]]
        moments.counts = dict(zip(groups, arrays["counts"].tolist(), strict=True))
        for number, layer in enumerate(arrays["layers"]):
            prefix = f"{number}."
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            moments.layers[str(layer)] = LayerMoments.of(
                {name: torch.tensor(array, device=device) for name, array in own.items()}
            )
        return moments


def sum_by_group(
    members: Float[Tensor, "group frame"],
    windows: Float[Tensor, "window unit lag"],
    *,
    covered: Bool[Tensor, "window lag"] | None = None,
    window_of: Int[Tensor, " frame"] | None = None,
    variance: bool = False,
) -> Moments:
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
        The window that is a frame's epoch, where several frames share one; None for one each.
    variance : bool
        Whether squared deviations are summed too.

    Returns
    -------
    Moments
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
    return Moments(values, number, _squares(times, windows, covered, values, number) if variance else None)


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


def bytes_per_group(shapes: Mapping[str, tuple[int, int]], *, variance: bool) -> int:
    """Memory of one group's totals in bytes.

    Examples
    --------
    >>> bytes_per_group({"input": (128, 206)}, variance=False)
    425184
    """
    values = 4 if variance else 2
    return sum(8 * (values * units * lags + 2 * lags) for units, lags in shapes.values())


def _with_room(moments: LayerMoments, n_groups: int) -> LayerMoments:
    """Totals with at least so many rows; capacity doubles, so that few copies are made."""
    if len(moments.unaligned) >= n_groups:
        return moments
    grown = {}
    for name, tensor in moments.tensors().items():
        shape = (2 * n_groups, *tensor.shape[1:])
        if tensor.is_cuda:
            grown[name] = tensor.new_zeros(shape)
        else:
            # NumPy asks the system for zeros, and rows take no memory before something is written to them.
            grown[name] = torch.from_numpy(np.zeros(shape, dtype=str(tensor.dtype).removeprefix("torch.")))
        grown[name][: len(tensor)] = tensor
    return LayerMoments.of(grown)


def _add_rows(total: Tensor, rows: Int[Tensor, " some"], values: Tensor) -> None:
    if total.is_cuda:
        total.index_add_(0, rows, values.to(total.dtype))
        return
    # index_add_ is several times slower than plain additions on the CPU.
    for row, value in zip(rows.tolist(), values, strict=True):
        total[row].add_(value)
