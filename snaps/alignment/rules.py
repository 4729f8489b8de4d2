"""LRP's rules: how the relevance of a linear layer's outputs is shared among its inputs.

All rules have one form (thesis, equation 3.7). From parts of the inputs and of the weights, contributions
``z_ij = x_i · w_ij`` are formed, and the relevance ``R_j`` of every output is handed down in proportion:
``R_i = Σ_j z_ij · factor(Σ_i z_ij + b_j) · R_j``. A rule is a frozen dataclass that fulfils `Rule` and has one
line in `LRP_RULES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from snaps.errors import InputError

#: A part of inputs, weights or biases, of the same shape.
Part = Callable[[Tensor], Tensor]


def everything(values: Tensor) -> Tensor:
    """The values as they are."""
    return values


def positive(values: Tensor) -> Tensor:
    """Their positive part, 0 elsewhere."""
    return values.clamp(min=0)


def negative(values: Tensor) -> Tensor:
    """Their negative part, 0 elsewhere."""
    return values.clamp(max=0)


def ones(values: Tensor) -> Tensor:
    """1 everywhere."""
    return torch.ones_like(values)


def zeros(values: Tensor) -> Tensor:
    """0 everywhere."""
    return torch.zeros_like(values)


def favoured(values: Tensor, *, gamma: float) -> Tensor:
    """The values, with ``gamma`` times their positive part added."""
    return values + gamma * values.clamp(min=0)


def inverse(z: Tensor, sign: Tensor) -> Tensor:
    """``1 / z``, and 0 where nothing contributed."""
    return torch.where(z == 0, 0, 1 / torch.where(z == 0, 1, z))


def stabilised(z: Tensor, sign: Tensor, *, epsilon: float) -> Tensor:
    """``1 / (z + ε · sign(z))``, with sign(0) = 1."""
    return 1 / (z + torch.where(z < 0, -epsilon, epsilon))


def supporting(z: Tensor, sign: Tensor, *, epsilon: float) -> Tensor:
    """``sign / (|z| + ε)``."""
    return sign / (z.abs() + epsilon)


@dataclass(frozen=True)
class Share:
    """One way of sharing out relevance; a rule has one or two.

    Attributes
    ----------
    parts : tuple of (Part, Part)
        Parts of the inputs and of the weights whose products contribute.
    bias : Part
        Part of the bias that takes part in the sum.
    factor : callable
        Gives what relevance is multiplied with, from the sum of contributions and the sign of the output behind
        the normalisation.
    weight : float
        What the share counts.
    before_normalisation : bool
        Whether contributions are those to the convolution's own output, before a normalisation behind it.
    """

    parts: tuple[tuple[Part, Part], ...]
    bias: Part = everything
    factor: Callable[[Tensor, Tensor], Tensor] = inverse
    weight: float = 1.0
    before_normalisation: bool = False

    @property
    def whole(self) -> bool:
        """Whether contributions and bias add up to the output itself."""
        return self.parts == ((everything, everything),) and self.bias is everything


class Rule(Protocol):
    """How relevance is shared out among a linear layer's inputs."""

    @property
    def rescales(self) -> bool:
        """Whether every frame's relevance is divided by its largest absolute value, layer by layer."""

    @property
    def shares(self) -> tuple[Share, ...]:
        """What is added up."""


@dataclass(frozen=True)
class Zero:
    """LRP-0: in proportion to the contributions (thesis, equation 3.4). Without biases nothing is lost."""

    rescales: ClassVar[bool] = False

    @property
    def shares(self) -> tuple[Share, ...]:
        """All contributions alike."""
        return (Share(((everything, everything),)),)


@dataclass(frozen=True)
class Epsilon:
    """LRP-ε: small sums absorb relevance (thesis, equation 3.5).

    Parameters
    ----------
    epsilon : float
        Added to the absolute value of the sum, in units of the layer's activation.
    """

    rescales: ClassVar[bool] = False
    epsilon: float = 0.25

    def __post_init__(self) -> None:
        check_positive("epsilon", self.epsilon)

    @property
    def shares(self) -> tuple[Share, ...]:
        """All contributions alike."""
        return (Share(((everything, everything),), factor=partial(stabilised, epsilon=self.epsilon)),)


@dataclass(frozen=True)
class Gamma:
    """LRP-γ: positive weights count ``1 + γ`` times (thesis, equation 3.6).

    Parameters
    ----------
    gamma : float
        How much more positive weights and biases count.
    """

    rescales: ClassVar[bool] = False
    gamma: float = 0.25

    def __post_init__(self) -> None:
        check_positive("gamma", self.gamma)

    @property
    def shares(self) -> tuple[Share, ...]:
        """All contributions, the positive ones more."""
        part = partial(favoured, gamma=self.gamma)
        return (Share(((everything, part),), bias=part),)


@dataclass(frozen=True)
class AlphaBeta:
    """LRP-αβ: positive contributions count α, negative ones −β, each among themselves (Bach et al., 2015).

    Parameters
    ----------
    alpha, beta : float
        ``alpha − beta`` is 1, so that relevance is kept.
    """

    rescales: ClassVar[bool] = False
    alpha: float = 2.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if not (_is_number(self.alpha) and _is_number(self.beta) and self.beta >= 0) or (
            abs(self.alpha - self.beta - 1) > 1e-9
        ):
            raise InputError(
                f"alpha is {self.alpha!r} and beta {self.beta!r}; accepted are numbers with beta ≥ 0 and "
                "alpha − beta = 1"
            )

    @property
    def shares(self) -> tuple[Share, ...]:
        """Positive contributions, and negative ones."""
        raising = Share(((positive, positive), (negative, negative)), bias=positive, weight=self.alpha)
        lowering = Share(((positive, negative), (negative, positive)), bias=negative, weight=-self.beta)
        return (raising,) if self.beta == 0 else (raising, lowering)


@dataclass(frozen=True)
class ZPlus:
    """LRP-z⁺: positive contributions alone, which is αβ with α = 1 and β = 0 (Montavon et al., 2017)."""

    rescales: ClassVar[bool] = False

    @property
    def shares(self) -> tuple[Share, ...]:
        """Positive contributions."""
        return AlphaBeta(1.0, 0.0).shares


@dataclass(frozen=True)
class Flat:
    """Every input that an output sees gets the same share (Lapuschkin et al., 2019)."""

    rescales: ClassVar[bool] = False

    @property
    def shares(self) -> tuple[Share, ...]:
        """1 for every weight and input."""
        return (Share(((ones, ones),), bias=zeros),)


@dataclass(frozen=True)
class Krug2018:
    """The NAvAI paper's rule for normalisation behind the convolution (section 3.4, equations 3 and 4).

    Contributions to the convolution's output ``z_j``, bias included, are divided by ``|z_j| + ε`` and take the
    sign of the normalised output. It starts from 1 at the target, whatever its score, and every frame's relevance
    is divided by its largest absolute value, layer by layer. A normalisation before the convolution is folded
    into it.

    Parameters
    ----------
    epsilon : float
        Added to the absolute value of the sum.
    """

    rescales: ClassVar[bool] = True
    epsilon: float = 1e-21

    def __post_init__(self) -> None:
        check_positive("epsilon", self.epsilon)

    @property
    def shares(self) -> tuple[Share, ...]:
        """All contributions alike, before normalisation."""
        factor = partial(supporting, epsilon=self.epsilon)
        return (Share(((everything, everything),), factor=factor, before_normalisation=True),)


#: LRP's rules by name.
LRP_RULES: Mapping[str, Callable[[], Rule]] = {
    "zero": Zero,
    "epsilon": Epsilon,
    "gamma": Gamma,
    "zplus": ZPlus,
    "alpha-beta": AlphaBeta,
    "flat": Flat,
    "krug2018": Krug2018,
}


def check_positive(option: str, value: float) -> None:
    """Refuse what is no positive number.

    Raises
    ------
    InputError
        Naming the option and what was received.
    """
    if not _is_number(value) or value <= 0:
        raise InputError(f"{option} is {value!r}; accepted are numbers above 0")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
