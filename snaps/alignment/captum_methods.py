"""Saliency methods of captum, wrapped for whole frames; they need the extra ``captum``.

They work in the frame context. Those that know the input alone say so in ``input_alone``, and profiles then have
no other layer. Random numbers are drawn anew for every batch, from the same seed.
"""

import warnings
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from snaps.errors import InputError
from snaps.responses import Run, SaliencyMethod, SymbolTarget, middle_step


class Scored(nn.Module):
    """A network put together again from its steps, whose outputs are the frames' scores.

    Every layer and every ReLU is a module of its own, for captum hooks modules. Scores are those of all symbols, or
    of the target where that is a function.
    """

    def __init__(self, run: Run, method: SaliencyMethod) -> None:
        super().__init__()
        self.target = run.target
        self.steps = [
            replace(step, run=nn.ReLU(), inputs=step.inputs[:1]) if step.kind == "rectifier" else step
            for step in run.steps(method)
        ]
        self.rectifiers = nn.ModuleList([step.run for step in self.steps if isinstance(step.run, nn.ReLU)])
        self.results = nn.ModuleList([nn.Identity() for _ in self.steps])
        symbols = run.target.of(run.logits) if isinstance(run.target, SymbolTarget) else None
        self.options: dict[str, Any] = {"inputs": run.frames, "target": symbols}

    def forward(self, x: Tensor) -> Tensor:
        """Scores of frames."""
        values: list[Any] = [self.results[0](x)]
        for step, result in zip(self.steps[1:], list(self.results)[1:], strict=True):
            value = step.run(*[values[number] for number in step.inputs])
            values.append(result(value) if isinstance(value, Tensor) else value)
        scores = middle_step(values[-1])
        return scores if isinstance(self.target, SymbolTarget) else self.target(scores)

    def layer(self, name: str) -> nn.Module:
        """The module whose output is a layer.

        Raises
        ------
        InputError
            If there is none.
        """
        for step, result in zip(self.steps, self.results, strict=True):
            if name in step.layers:
                return result
        raise InputError(f"the layer {name!r} has no result of its own, so nothing can be attributed to it")


class CaptumMethod(SaliencyMethod):
    """A method of captum, called layer by layer."""

    seed: int = 0

    @abstractmethod
    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """Attribution of one layer, by the module ``captum.attr``."""

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Attributions of every tapped layer.

        Raises
        ------
        InputError
            If captum is not installed.
        """
        try:
            from captum import attr
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "captum":
                raise
            raise InputError(
                "this saliency method needs 'captum', which is not installed: pip install \"neuron-snaps[captum]\""
            ) from None
        layers = {name: activation.shape for name, activation in run.activations.items()}
        scored, found = Scored(run, self), {}
        with run.taps.paused(), torch.enable_grad(), torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # captum announces every hook that it sets and removes
            for name, shape in layers.items():
                torch.manual_seed(self.seed)
                values = self.attribute(attr, scored, name).detach()
                found[name] = values.expand(shape) if values.dim() == len(shape) else values.view(shape)
        return found


@dataclass(frozen=True)
class IntegratedGradients(CaptumMethod):
    """Gradients summed along a straight path from silence to the layer's activation (Sundararajan et al., 2017).

    Parameters
    ----------
    steps : int
        Points on the path.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True
    steps: int = 20

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``LayerIntegratedGradients``, from an input of 0."""
        method, batch = attr.LayerIntegratedGradients(scored, scored.layer(layer)), len(scored.options["inputs"])
        return method.attribute(**scored.options, n_steps=self.steps, internal_batch_size=max(batch, 2))


@dataclass(frozen=True)
class GradientShap(CaptumMethod):
    """Expected gradients between silence and noisy copies of the input (Lundberg and Lee, 2017).

    Parameters
    ----------
    samples : int
        Noisy copies of every frame.
    noise : float
        Standard deviation of the noise, in units of the features.
    seed : int
        Of the noise.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True
    samples: int = 8
    noise: float = 1.0
    seed: int = 0

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``LayerGradientShap``."""
        method, silence = attr.LayerGradientShap(scored, scored.layer(layer)), scored.options["inputs"][:1] * 0
        return method.attribute(**scored.options, baselines=silence, n_samples=self.samples, stdevs=self.noise)


@dataclass(frozen=True)
class GradCam(CaptumMethod):
    """Mean gradient of every unit times its activation, summed over units (Selvaraju et al., 2017).

    For convolutions along time, as here, that tells time alone: every unit of a step gets the same value.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``LayerGradCam``."""
        return attr.LayerGradCam(scored, scored.layer(layer)).attribute(**scored.options)


@dataclass(frozen=True)
class SmoothGrad(CaptumMethod):
    """Mean gradient of the input over noisy copies of it (Smilkov et al., 2017).

    Parameters
    ----------
    samples : int
        Noisy copies of every frame.
    noise : float
        Standard deviation of the noise, in units of the features.
    seed : int
        Of the noise.
    """

    input_alone: ClassVar[bool] = True
    samples: int = 8
    noise: float = 1.0
    seed: int = 0

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``NoiseTunnel`` over the gradient."""
        method = attr.NoiseTunnel(attr.Saliency(scored))
        return method.attribute(**scored.options, nt_samples=self.samples, stdevs=self.noise, abs=False)


@dataclass(frozen=True)
class Occlusion(CaptumMethod):
    """Fall of the score when a patch of the input is set to 0 (Zeiler and Fergus, 2014).

    Parameters
    ----------
    units, steps : int
        Size of the patch; it moves by half of it.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True
    input_alone: ClassVar[bool] = True
    units: int = 8
    steps: int = 8

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``Occlusion``."""
        _, units, steps = scored.options["inputs"].shape
        patch = (min(self.units, units), min(self.steps, steps))
        strides = tuple(max(1, size // 2) for size in patch)
        return attr.Occlusion(scored).attribute(**scored.options, sliding_window_shapes=patch, strides=strides)


@dataclass(frozen=True)
class GuidedBackpropagation(CaptumMethod):
    """The gradient of the input, of which ReLUs let the positive part alone through (Springenberg et al., 2015)."""

    input_alone: ClassVar[bool] = True

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``GuidedBackprop``."""
        return attr.GuidedBackprop(scored).attribute(**scored.options)


@dataclass(frozen=True)
class Deconvolution(CaptumMethod):
    """Like guided backpropagation, but whatever the input of the ReLUs (Zeiler and Fergus, 2014)."""

    input_alone: ClassVar[bool] = True

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``Deconvolution``."""
        return attr.Deconvolution(scored).attribute(**scored.options)
