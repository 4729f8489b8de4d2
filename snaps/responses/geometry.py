"""Receptive fields, strides and cones, computed from the network.

A frame's *cone* in a layer is the run of that layer's steps on which the frame's one output step depends
when every convolution runs without padding (section 5 of the design).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from snaps.errors import InputError


@dataclass(frozen=True)
class Window:
    """What one operation sees along time: ``width`` steps for an output step, moving by ``stride`` steps."""

    width: int
    stride: int


@dataclass(frozen=True)
class LayerGeometry:
    """Where one layer stands in time.

    Attributes
    ----------
    name : str
        The layer.
    units : int
        Number of units.
    width : int
        Steps of the frame's cone in this layer, w.
    stride : Fraction
        Input steps from one step of this layer to the next, S; fractional only for networks whose layers
        divide a frame unevenly.
    frame_width : int
        Steps of this layer in a whole frame, F, to which lags are cut.
    """

    name: str
    units: int
    width: int
    stride: Fraction
    frame_width: int

    @property
    def lags(self) -> range:
        """Lags in steps of the layer (section 5.6): where saliency can be non-zero, cut to a frame's length."""
        reach = self.width - 1
        return range(
            max(-(self.frame_width // 2), -reach),
            min(self.frame_width - self.frame_width // 2 - 1, reach) + 1,
        )

    @property
    def middle(self) -> int:
        """The cone's middle step, where epochs without a peak stay."""
        return self.width // 2


def cone_widths(windows: Sequence[Window]) -> list[int]:
    """Steps of the cone before each operation and after the last one.

    Parameters
    ----------
    windows : sequence of Window
        Operations in the order of execution.

    Returns
    -------
    list of int
        One number more than there are operations; the first is the receptive field R, the last is 1.

    Examples
    --------
    >>> cone_widths([Window(48, 2), Window(7, 1)])
    [60, 7, 1]
    """
    widths = [1]
    for window in reversed(windows):
        widths.append((widths[-1] - 1) * window.stride + window.width)
    return widths[::-1]


def strides_from_input(windows: Sequence[Window]) -> list[int]:
    """Input steps between two steps of every layer: before each operation and after the last one.

    Examples
    --------
    >>> strides_from_input([Window(48, 2), Window(7, 1)])
    [1, 2, 2]
    """
    strides = [1]
    for window in windows:
        strides.append(strides[-1] * window.stride)
    return strides


@dataclass(frozen=True)
class FrameGrid:
    """Where frames lie in a recording.

    Attributes
    ----------
    steps : int
        Input steps of a frame.
    hop : int
        Input steps from one frame to the next, s.
    offset : int
        Input steps from a frame's beginning to its cone's, o.
    """

    steps: int
    hop: int
    offset: int = 0

    @property
    def centre(self) -> int:
        """Input step of a frame at which its label is taken."""
        return self.steps // 2

    def count(self, n_steps: int) -> int:
        """Number of frames that lie wholly inside a recording of `n_steps` input steps."""
        return max(0, (n_steps - self.steps) // self.hop + 1) if n_steps >= self.steps else 0


def frame_grid(*, receptive_field: int, stride: int, frame_steps: int | None, frame_hop: int | None) -> FrameGrid:
    """Frames of a network whose receptive field and stride are known.

    Parameters
    ----------
    receptive_field, stride : int
        R and s of the network, in input steps.
    frame_steps : int or None
        Longer frames, in input steps; None for R. The cone then starts ``(frame_steps - R) // 2`` input steps
        in, rounded down to a multiple of s.
    frame_hop : int or None
        Input steps between frames, a multiple of s; None for s.

    Raises
    ------
    InputError
        If frames are shorter than the receptive field or the hop is no multiple of the stride.
    """
    steps = receptive_field if frame_steps is None else frame_steps
    if steps < receptive_field:
        raise InputError(
            f"frame_steps is {steps}; accepted are whole numbers from the network's receptive field, {receptive_field}"
        )
    hop = stride if frame_hop is None else frame_hop
    if hop < 1 or hop % stride:
        raise InputError(f"frame_hop is {hop}; accepted are multiples of the network's stride, {stride}")
    return FrameGrid(steps, hop, (steps - receptive_field) // 2 // stride * stride)


def select_layers(layers: Iterable[str] | None, available: Sequence[str], default: Sequence[str]) -> tuple[str, ...]:
    """Layers that were asked for, in the order of the network.

    Raises
    ------
    InputError
        If one does not exist; the sentence lists those that do.
    """
    if layers is None:
        return tuple(default)
    asked = [layers] if isinstance(layers, str) else list(layers)
    for name in asked:
        if name not in available:
            listed = ", ".join(available[:40]) + (", …" if len(available) > 40 else "")
            raise InputError(f"the network has no layer {name!r}; it has {listed}")
    if not asked:
        raise InputError("layers is empty; accepted are names of layers, or None for the default ones")
    return tuple(name for name in available if name in asked)
