"""Saliency methods of captum, wrapped for whole frames; they need the extra ``captum``.

They work in the frame context. Those that know the input alone say so in ``input_alone``, and profiles then have
no other layer. What they draw at random is drawn anew for every batch, from the same seed.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from snaps.errors import InputError
from snaps.responses import Run, StepByStep, SymbolTarget


class Scored(nn.Module):
    """A network whose outputs are the frames' scores: of all symbols, or of the target where that is a function."""

    def __init__(self, run: Run, *, by_steps: bool) -> None:
        super().__init__()
        self.run = run
        self.network = StepByStep(run.model) if by_steps else run.model
        self.by_symbol = isinstance(run.target, SymbolTarget)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of frames."""
        scores = self.run.score(self.network(x))
        return scores if self.by_symbol else self.run.target(scores)

    def layer(self, name: str) -> nn.Module:
        """The place of a layer.

        Raises
        ------
        InputError
            If there is none.
        """
        places: dict[str, nn.Module] = self.network.places  # type: ignore[assignment]
        if name not in places:
            raise InputError(f"the layer {name!r} has no result of its own, so nothing can be attributed to it")
        return places[name]

    def options(self) -> dict[str, Any]:
        """Target as captum takes it."""
        target = self.run.target.of(self.run.logits) if isinstance(self.run.target, SymbolTarget) else None
        return {"inputs": self.run.frames, "target": target}


@contextmanager
def captum_extra() -> Iterator[None]:
    """Say in one sentence what to install, where captum is missing.

    Raises
    ------
    InputError
        If captum is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "captum":
            raise
        raise InputError(
            "this saliency method needs 'captum', which is not installed: pip install \"neuron-snaps[captum]\""
        ) from None


def attribute(run: Run, make: Callable[[Scored, str], Callable[..., Tensor]], *, seed: int = 0) -> dict[str, Tensor]:
    """Attributions of every tapped layer.

    Parameters
    ----------
    run : Run
        Frames and network.
    make : callable
        From the scored network and a layer's name to a function that attributes.
    seed : int
        For what is drawn at random.
    """
    layers = {name: activation.shape for name, activation in run.activations.items()}
    found = {}
    with captum_extra(), run.unheard(), torch.enable_grad(), torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum announces every hook that it sets and removes
        scored = Scored(run, by_steps=True)
        for name, shape in layers.items():
            torch.manual_seed(seed)
            values = make(scored, name)(**scored.options())
            found[name] = values.detach().expand(shape) if values.dim() == len(shape) else values.detach().view(shape)
    return found


@dataclass(frozen=True)
class IntegratedGradients:
    """Gradients summed along a straight path from silence to the layer's activation (Sundararajan et al., 2017).

    Parameters
    ----------
    steps : int
        Points on the path.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True
    input_alone: ClassVar[bool] = False
    passes_over_hooks: ClassVar[bool] = True
    steps: int = 20

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """By captum's ``LayerIntegratedGradients``, layer by layer, from an input of 0."""

        def make(scored: Scored, layer: str) -> Callable[..., Tensor]:
            from captum.attr import LayerIntegratedGradients

            method = LayerIntegratedGradients(scored, scored.layer(layer))
            return lambda inputs, target: method.attribute(
                inputs, target=target, n_steps=self.steps, internal_batch_size=max(len(inputs), 2)
            )

        return attribute(run, make)


@dataclass(frozen=True)
class GradientShap:
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
    input_alone: ClassVar[bool] = False
    passes_over_hooks: ClassVar[bool] = True
    samples: int = 8
    noise: float = 1.0
    seed: int = 0

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """By captum's ``LayerGradientShap``, layer by layer."""

        def make(scored: Scored, layer: str) -> Callable[..., Tensor]:
            from captum.attr import LayerGradientShap

            method = LayerGradientShap(scored, scored.layer(layer))
            return lambda inputs, target: method.attribute(
                inputs, torch.zeros_like(inputs[:1]), target=target, n_samples=self.samples, stdevs=self.noise
            )

        return attribute(run, make, seed=self.seed)


@dataclass(frozen=True)
class GradCam:
    """Mean gradient of every unit times its activation, summed over units (Selvaraju et al., 2017).

    For convolutions along time, as here, that tells time alone: every unit of a step gets the same value.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True
    input_alone: ClassVar[bool] = False
    passes_over_hooks: ClassVar[bool] = True

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """By captum's ``LayerGradCam``, layer by layer."""

        def make(scored: Scored, layer: str) -> Callable[..., Tensor]:
            from captum.attr import LayerGradCam

            method = LayerGradCam(scored, scored.layer(layer))
            return lambda inputs, target: method.attribute(inputs, target=target)

        return attribute(run, make)


@dataclass(frozen=True)
class SmoothGrad:
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

    default_peak: ClassVar[str] = "product"
    is_relevance: ClassVar[bool] = False
    input_alone: ClassVar[bool] = True
    passes_over_hooks: ClassVar[bool] = True
    samples: int = 8
    noise: float = 1.0
    seed: int = 0

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """By captum's ``NoiseTunnel`` over the gradient."""

        def make(scored: Scored, layer: str) -> Callable[..., Tensor]:
            from captum.attr import NoiseTunnel, Saliency

            method = NoiseTunnel(Saliency(scored))
            return lambda inputs, target: method.attribute(
                inputs, target=target, nt_samples=self.samples, stdevs=self.noise, abs=False
            )

        return attribute(run, make, seed=self.seed)


@dataclass(frozen=True)
class Occlusion:
    """How much the score falls when a patch of the input is set to 0 (Zeiler and Fergus, 2014).

    Parameters
    ----------
    units, steps : int
        Size of the patch; it moves by half of it.
    """

    default_peak: ClassVar[str] = "max"
    is_relevance: ClassVar[bool] = True
    input_alone: ClassVar[bool] = True
    passes_over_hooks: ClassVar[bool] = True
    units: int = 8
    steps: int = 8

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """By captum's ``Occlusion``."""

        def make(scored: Scored, layer: str) -> Callable[..., Tensor]:
            from captum.attr import Occlusion as ByCaptum

            method = ByCaptum(scored)
            patch = (min(self.units, run.frames.shape[1]), min(self.steps, run.frames.shape[2]))
            return lambda inputs, target: method.attribute(
                inputs, sliding_window_shapes=patch, strides=tuple(max(1, size // 2) for size in patch), target=target
            )

        return attribute(run, make)


@dataclass(frozen=True)
class GuidedBackpropagation:
    """The gradient of the input, of which ReLUs let the positive part alone through (Springenberg et al., 2015)."""

    default_peak: ClassVar[str] = "product"
    is_relevance: ClassVar[bool] = False
    input_alone: ClassVar[bool] = True
    passes_over_hooks: ClassVar[bool] = True

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """By captum's ``GuidedBackprop``."""

        def make(scored: Scored, layer: str) -> Callable[..., Tensor]:
            from captum.attr import GuidedBackprop

            return GuidedBackprop(scored).attribute

        return attribute(run, make)


@dataclass(frozen=True)
class Deconvolution:
    """Like guided backpropagation, but whatever the ReLUs were given (Zeiler and Fergus, 2014)."""

    default_peak: ClassVar[str] = "product"
    is_relevance: ClassVar[bool] = False
    input_alone: ClassVar[bool] = True
    passes_over_hooks: ClassVar[bool] = True

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """By captum's ``Deconvolution``."""

        def make(scored: Scored, layer: str) -> Callable[..., Tensor]:
            from captum.attr import Deconvolution as ByCaptum

            return ByCaptum(scored).attribute

        return attribute(run, make)
