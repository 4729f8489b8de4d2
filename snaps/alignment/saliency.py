"""Saliency methods by name: the gradient, the gradient times the activation, LRP, and methods of captum.

Methods of captum need the extra ``captum`` and the frame context. Random numbers are drawn from the same seed for every
batch. For LRP see `snaps.alignment.lrp`.
"""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from snaps.alignment.lrp import LRP
from snaps.alignment.rules import COMPOSITES, LRP_RULES
from snaps.errors import InputError, one_of
from snaps.responses import Passage, Run, SaliencyMethod, SymbolTarget, middle_step


@dataclass(frozen=True)
class Sensitivity(SaliencyMethod):
    """Gradient ``∂ target / ∂ activation`` (definition 3; NAvAI, equation 1; SNAP, section 3.3).

    It has the unit of the target's score per unit of the activation.
    """

    carried: ClassVar[bool] = True

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Gradients of all layers from one backward pass; 0 where the target does not depend on a layer."""
        scores, activations = run.target(run.logits), run.activations
        gradients = torch.autograd.grad(
            scores.sum(), list(activations.values()), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return {
            name: self.at_layer(gradient, partial(activations.__getitem__, name))
            for name, gradient in zip(activations, gradients, strict=True)
        }

    def through(self, passage: Passage, carried: Tensor) -> tuple[Any, ...]:
        """Gradient at a step's inputs, by the chain rule."""
        return passage.step.gradient(carried, passage)


@dataclass(frozen=True)
class GradientTimesActivation(Sensitivity):
    """``∂ target / ∂ activation · activation``: the first-order contribution of each value.

    It has the unit of the target's score. For a network of ReLUs without biases it is LRP-0 (thesis, section
    3.2.1), and its sum over any layer is the score.
    """

    is_relevance: ClassVar[bool] = True

    def at_layer(
        self, carried: Float[Tensor, "frame ..."], cone: Callable[[], Float[Tensor, "frame ..."]]
    ) -> Float[Tensor, "frame ..."]:
        """The gradient times the activation."""
        return carried * cone()


class Scored(nn.Module):
    """A network rebuilt from its steps, whose outputs are the frames' scores.

    Every layer and every ReLU is a module of its own, because captum hooks modules. Scores are those of all symbols, or
    of the target if that is a function.
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
        """The module whose output is the activation of a layer.

        Raises
        ------
        InputError
            If there is no such module.
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
        """Attribution of one layer, by a class of the module ``captum.attr``."""

    def of_run(self, run: Run) -> dict[str, Tensor]:
        """Attributions of every tapped layer.

        Raises
        ------
        InputError
            If captum is not installed.
        """
        if find_spec("captum") is None:
            raise InputError(
                "this saliency method needs 'captum', which is not installed: pip install \"neuron-snaps[captum]\""
            )
        from captum import attr

        layers = {name: activation.shape for name, activation in run.activations.items()}
        scored, found = Scored(run, self), {}
        with run.taps.paused(), torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # captum announces every hook that it sets and removes
            for name, shape in layers.items():
                with seeded(self.seed):
                    values = self.attribute(attr, scored, name).detach()
                found[name] = values.expand(shape) if values.dim() == len(shape) else values.view(shape)
        return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the random numbers of torch and NumPy, and restore their states afterwards."""
    state = np.random.get_state()  # noqa: NPY002 (captum draws from the global state)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


@dataclass(frozen=True)
class IntegratedGradients(CaptumMethod):
    """Mean gradient on a straight path from silence to the frame, times the difference (Sundararajan et al., 2017).

    Parameters
    ----------
    steps : int
        Points on the path.
    """

    is_relevance: ClassVar[bool] = True
    steps: int = 20

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``LayerIntegratedGradients``, from an input of 0."""
        method, batch = attr.LayerIntegratedGradients(scored, scored.layer(layer)), len(scored.options["inputs"])
        return method.attribute(**scored.options, n_steps=self.steps, internal_batch_size=max(batch, 2))


@dataclass(frozen=True)
class GradientShap(CaptumMethod):
    """Expected gradients between silence and noisy copies of the frame (Lundberg and Lee, 2017).

    Parameters
    ----------
    samples : int
        Noisy copies of every frame.
    noise : float
        Standard deviation of the noise, in units of the features.
    seed : int
        Of the noise.
    """

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

    For convolutions along time, every unit of a step gets the same value.
    """

    is_relevance: ClassVar[bool] = True

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``LayerGradCam``."""
        return attr.LayerGradCam(scored, scored.layer(layer)).attribute(**scored.options)


@dataclass(frozen=True)
class SmoothGrad(CaptumMethod):
    """Mean gradient at noisy copies of the input (Smilkov et al., 2017).

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
    """Decrease of the score when a patch of the input is set to 0 (Zeiler and Fergus, 2014).

    Parameters
    ----------
    units, steps : int
        Size of the patch; it moves by half of it.
    """

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
    """Gradient whose positive part alone passes ReLUs, where their input is positive (Springenberg et al., 2015)."""

    input_alone: ClassVar[bool] = True

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``GuidedBackprop``."""
        return attr.GuidedBackprop(scored).attribute(**scored.options)


@dataclass(frozen=True)
class Deconvolution(CaptumMethod):
    """Gradient whose positive part alone passes ReLUs, whatever their input is (Zeiler and Fergus, 2014)."""

    input_alone: ClassVar[bool] = True

    def attribute(self, attr: Any, scored: Scored, layer: str) -> Tensor:
        """By captum's ``Deconvolution``."""
        return attr.Deconvolution(scored).attribute(**scored.options)


#: Saliency methods by name; those of LRP by the name of their rule or composite.
SALIENCY_METHODS: Mapping[str, Callable[[], SaliencyMethod]] = {
    "sensitivity": Sensitivity,
    "gradient-times-activation": GradientTimesActivation,
    **{f"lrp-{name}": partial(LRP, name) for name in (*LRP_RULES, *COMPOSITES)},
    "integrated-gradients": IntegratedGradients,
    "gradient-shap": GradientShap,
    "grad-cam": GradCam,
    "smoothgrad": SmoothGrad,
    "occlusion": Occlusion,
    "guided-backpropagation": GuidedBackpropagation,
    "deconvolution": Deconvolution,
}


def saliency_of(name: str) -> SaliencyMethod:
    """A saliency method by name.

    Raises
    ------
    InputError
        If there is no such method.
    """
    if name not in SALIENCY_METHODS:
        raise InputError(f"the saliency method is {name!r}; accepted are {one_of(SALIENCY_METHODS, limit=40)}")
    return SALIENCY_METHODS[name]()
