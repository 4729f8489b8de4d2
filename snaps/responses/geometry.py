"""Where frames, cones and lags lie in time.

A frame's *cone* in a layer are the successive steps of that layer on which the frame's one output step depends
when every convolution runs without padding (definition 1).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from snaps.errors import InputError, check_choice, check_whole

Context = Literal["recording", "frame", "auto"]
CONTEXTS: tuple[Context, ...] = ("recording", "frame", "auto")


@dataclass(frozen=True)
class FrameOptions:
    """Options of frames and layers.

    Parameters
    ----------
    context : {"recording", "frame", "auto"}
        Whether responses are computed on the whole recording, or every frame is run alone. ``"auto"`` takes
        the recording if the network is a stack of convolutions without hooks.
    frame_steps, frame_hop : int, optional
        Length of a frame and distance between frames in input steps; by default the receptive field and the stride.
        Required in the frame context for a network other than Wav2Letter.
    batch_size : int, optional
        Frames in a batch; None picks a number that fits in memory.
    layers : iterable of str, optional
        Layers to tap. None for all of a Wav2Letter's, else ``input`` and ``logits``.

    Raises
    ------
    InputError
        If an option has no meaning.
    """

    context: Context = "recording"
    frame_steps: int | None = None
    frame_hop: int | None = None
    batch_size: int | None = None
    layers: Iterable[str] | None = None

    def __post_init__(self) -> None:
        check_choice("context", self.context, CONTEXTS)
        for option in ("frame_steps", "frame_hop", "batch_size"):
            if getattr(self, option) is not None:
                check_whole(option, getattr(self, option))


@dataclass(frozen=True)
class LayerGeometry:
    """Units and time axis of one layer.

    Attributes
    ----------
    name : str
        Name of the layer.
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
        """Lags in steps of the layer (definition 6): where saliency can be non-zero, cut to a frame's length."""
        reach, half = self.width - 1, self.frame_width // 2
        return range(max(-half, -reach), min(self.frame_width - half - 1, reach) + 1)

    @property
    def middle(self) -> int:
        """Middle step of the cone, the peak of frames that have none."""
        return self.width // 2


@dataclass(frozen=True)
class FrameGrid:
    """Where frames lie in a recording (definition 1).

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
        return (n_steps - self.steps) // self.hop + 1 if n_steps >= self.steps else 0


def frame_grid(options: FrameOptions, *, receptive_field: int, stride: int) -> FrameGrid:
    """Frames of a network whose receptive field R and stride s are known, in input steps.

    The cone of a frame longer than R starts ``(frame_steps - R) // 2`` input steps in, rounded down to a multiple
    of s.

    Raises
    ------
    InputError
        If a frame is shorter than the receptive field, or the hop no multiple of the stride.
    """
    steps = receptive_field if options.frame_steps is None else options.frame_steps
    if steps < receptive_field:
        raise InputError(
            f"frame_steps is {steps}; accepted are whole numbers from the network's receptive field, {receptive_field}"
        )
    hop = stride if options.frame_hop is None else options.frame_hop
    if hop % stride:
        raise InputError(f"frame_hop is {hop}; accepted are multiples of the network's stride, {stride}")
    return FrameGrid(steps, hop, (steps - receptive_field) // 2 // stride * stride)
