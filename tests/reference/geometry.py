"""Receptive field, strides, cones and lags, computed by walking down and up the convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """Where a stack of convolutions looks (section 5, its introduction).

    Parameters
    ----------
    kernels, strides, dilations : sequence of int
        One a convolution, from the input upwards.
    """

    kernels: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]

    @property
    def layer_strides(self) -> list[int]:
        """``S_ℓ`` of the input and of every layer: input steps between two of its steps."""
        steps = [1]
        for stride in self.strides:
            steps.append(steps[-1] * stride)
        return steps

    @property
    def stride(self) -> int:
        """``s``, the total stride."""
        return self.layer_strides[-1]

    @property
    def cones(self) -> list[int]:
        """``w_ℓ`` of the input and of every layer: steps on which one output step depends."""
        widths = [1]
        for kernel, stride, dilation in zip(
            reversed(self.kernels), reversed(self.strides), reversed(self.dilations), strict=True
        ):
            widths.append((widths[-1] - 1) * stride + (kernel - 1) * dilation + 1)
        return widths[::-1]

    @property
    def receptive_field(self) -> int:
        """``R``, the input steps that one output step sees."""
        return self.cones[0]

    def cone_offset(self, frame_steps: int) -> int:
        """``o`` of "Longer frames": input steps from the frame's start to its cone's."""
        half = (frame_steps - self.receptive_field) // 2
        return half - half % self.stride


def lag_steps(frame_width: int, cone: int) -> list[int]:
    """Lags in steps of the layer, definition (6).

    Parameters
    ----------
    frame_width : int
        ``F``, the frame's length in steps of the layer.
    cone : int
        ``w_ℓ``.
    """
    first = max(-(frame_width // 2), -(cone - 1))
    last = min(frame_width - frame_width // 2 - 1, cone - 1)
    return list(range(first, last + 1))
