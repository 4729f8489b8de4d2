"""Forward passes in float64: a Wav2Letter rebuilt from its modules, and any other network by its hooks."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import BatchNorm1d, Conv1d

from tests.reference.geometry import Geometry

Layers = dict[str, torch.Tensor]


def same_padding(steps: int, convolution: Conv1d) -> tuple[int, int]:
    """Zeros before and behind: ``ceil(steps / stride)`` steps come out, and the odd zero goes behind."""
    stride, kernel = convolution.stride[0], (convolution.kernel_size[0] - 1) * convolution.dilation[0] + 1
    outputs = -(-steps // stride)
    zeros = max((outputs - 1) * stride + kernel - steps, 0)
    return zeros // 2, zeros - zeros // 2


def normalise(values: torch.Tensor, norm: BatchNorm1d) -> torch.Tensor:
    """Batch normalisation with the running statistics, as in evaluation mode."""
    scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.detach().double() - norm.running_mean.double() * scale
    return values * scale[:, None] + shift[:, None]


@dataclass
class ReferenceNetwork:
    """A ``Wav2Letter`` rebuilt from `modules()`: batch normalisations and convolutions in order of execution.

    Attributes
    ----------
    rectifier_margin : float
        Smallest size of a value before a ReLU, relative to the largest of its layer, of all passes so far: a
        value that near to 0 may have the other sign in float32, and then the saliency is another.
    scales : dict
        layer → largest size of a value before its ReLU: float32 is exact to a share of that.
    """

    model: torch.nn.Module
    rectifier_margin: float = field(default=np.inf, init=False)
    scales: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        found = [module for module in self.model.modules() if isinstance(module, BatchNorm1d | Conv1d)]
        self.norm_first = isinstance(found[0], BatchNorm1d)
        norms, convolutions = (found[0::2], found[1::2]) if self.norm_first else (found[1::2], found[0::2])
        assert all(isinstance(norm, BatchNorm1d) for norm in norms)
        assert all(isinstance(convolution, Conv1d) for convolution in convolutions)
        self.pairs = list(zip(norms, convolutions, strict=True))
        self.layers = ["input", *(f"conv{i}" for i in range(1, len(self.pairs))), "logits"]
        self.geometry = Geometry(
            kernels=[convolution.kernel_size[0] for convolution in convolutions],
            strides=[convolution.stride[0] for convolution in convolutions],
            dilations=[convolution.dilation[0] for convolution in convolutions],
        )

    def _convolve(self, values: torch.Tensor, convolution: Conv1d, *, pad: bool) -> torch.Tensor:
        if pad:
            values = torch.nn.functional.pad(values, same_padding(values.shape[-1], convolution))
        bias = None if convolution.bias is None else convolution.bias.detach().double()
        return torch.nn.functional.conv1d(
            values[None],
            convolution.weight.detach().double(),
            bias,
            stride=convolution.stride,
            dilation=convolution.dilation,
            groups=convolution.groups,
        )[0]

    def run(self, features: np.ndarray, *, pad: bool) -> Layers:
        """Responses of every layer to features (units × steps), definition (3), ready for gradients."""
        values = torch.from_numpy(np.array(features, dtype=np.float64)).requires_grad_()
        responses = {"input": values}
        for name, (norm, convolution) in zip(self.layers[1:], self.pairs, strict=True):
            if self.norm_first:
                values = self._convolve(normalise(values, norm), convolution, pad=pad)
            else:
                values = normalise(self._convolve(values, convolution, pad=pad), norm)
            if name != "logits":
                self._watch(name, values)
                values = torch.relu(values)
            responses[name] = values
        return responses

    def _watch(self, name: str, values: torch.Tensor) -> None:
        sizes = values.detach().abs()
        if torch.isfinite(sizes).all() and sizes.max() > 0:
            self.rectifier_margin = min(self.rectifier_margin, float(sizes.min() / sizes.max()))
            self.scales[name] = max(self.scales.get(name, 0.0), float(sizes.max()))


@dataclass
class ReferenceStack(ReferenceNetwork):
    """Any stack of convolutions, normalisations and element-wise functions, none of which pads.

    Definitions (3) to (7) hold for it in the recording context as they do for a ``Wav2Letter``; every module
    is a layer, under its name, and the last one is ``logits``.
    """

    def __post_init__(self) -> None:
        self.model = copy.deepcopy(self.model).double().eval().requires_grad_(False)
        found = {name: module for name, module in self.model.named_modules() if not list(module.children())}
        self.stack = list(found.values())
        self.layers = ["input", *list(found)[:-1], "logits"]
        steps = [module if isinstance(module, Conv1d) else Conv1d(1, 1, 1) for module in self.stack]
        self.geometry = Geometry(
            kernels=[step.kernel_size[0] for step in steps],
            strides=[step.stride[0] for step in steps],
            dilations=[step.dilation[0] for step in steps],
        )

    def run(self, features: np.ndarray, *, pad: bool) -> Layers:
        """Responses of every module to features (units × steps)."""
        assert not pad
        values = torch.from_numpy(np.array(features, dtype=np.float64)).requires_grad_()
        responses = {"input": values}
        for name, module in zip(self.layers[1:], self.stack, strict=True):
            if isinstance(module, torch.nn.ReLU | torch.nn.LeakyReLU):
                self._watch(name, values)
            values = module(values[None].clone())[0]
            responses[name] = values
        return responses


@dataclass
class ForeignNetwork:
    """Any module, run on one frame, its layers caught by forward hooks (section 5, "Other networks")."""

    module: torch.nn.Module
    layers: Sequence[str]
    rectifier_margin: float = field(default=np.inf, init=False)
    scales: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.module = copy.deepcopy(self.module).double().eval()
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)

    def run(self, features: np.ndarray) -> Layers:
        """Responses to one frame (units × frame_steps); two-dimensional outputs count as one step."""
        values = torch.from_numpy(np.array(features, dtype=np.float64)).requires_grad_()
        caught: Layers = {"input": values}
        modules = dict(self.module.named_modules())
        hooks = [
            modules[name].register_forward_hook(self._catch(name, caught))
            for name in self.layers
            if name not in ("input", "logits")
        ]
        result = self.module(values[None])
        for hook in hooks:
            hook.remove()
        caught["logits"] = result
        return caught

    @staticmethod
    def _catch(name: str, caught: Layers) -> Callable[..., torch.Tensor]:
        def hook(module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
            caught[name] = output
            return output.clone()  # what follows may work in place

        return hook


def gradients(score: torch.Tensor, layers: Layers) -> dict[str, np.ndarray]:
    """Saliency of sensitivity, ``∂ score / ∂ a_ℓ``, definition (3); 0 where the score depends on nothing."""
    names = list(layers)
    found = torch.autograd.grad(score, [layers[name] for name in names], allow_unused=True)
    return {
        name: (torch.zeros_like(layers[name]) if gradient is None else gradient).detach().numpy()
        for name, gradient in zip(names, found, strict=True)
    }
