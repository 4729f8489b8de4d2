"""LRP's rules, which share the relevance of a linear layer's outputs among its inputs, and composites of rules.

All rules have one form (thesis, equation 3.7). Parts of the inputs and of the weights give the contributions
``z_ij = x_i · w_ij``, and each output's relevance ``R_j`` is shared in proportion to them:
``R_i = Σ_j z_ij · factor(Σ_i z_ij + b_j) · R_j``. A rule is a frozen dataclass that fulfils `Rule` and has one
line in `LRP_RULES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from snaps.errors import InputError, check_number, one_of
from snaps.responses import Part, divided


def everything(values: Tensor) -> Tensor:
    """The values as they are."""
    return values


def positive(values: Tensor) -> Tensor:
    """The positive part of the values, 0 elsewhere."""
    return values.clamp(min=0)


def negative(values: Tensor) -> Tensor:
    """The negative part of the values, 0 elsewhere."""
    return values.clamp(max=0)


def favoured(values: Tensor, *, gamma: float) -> Tensor:
    """The values, with ``gamma`` times their positive part added."""
    return values + gamma * values.clamp(min=0)


def inverse(z: Tensor, sign: Tensor) -> Tensor:
    """``1 / z``, and 0 where `z` is 0."""
    return divided(1.0, z)


def stabilised(z: Tensor, sign: Tensor, *, epsilon: float) -> Tensor:
    """``1 / (z + ε · sign(z))``, with sign(0) = 1."""
    return 1 / (z + torch.where(z < 0, -epsilon, epsilon))


def supporting(z: Tensor, sign: Tensor, *, epsilon: float) -> Tensor:
    """``sign / (|z| + ε)``."""
    return sign / (z.abs() + epsilon)


@dataclass(frozen=True)
class Share:
    """One way to share relevance among inputs; a rule adds up one or two.

    Attributes
    ----------
    parts : tuple of (Part, Part)
        Parts of the inputs and of the weights whose products contribute.
    bias : Part
        Part of the bias that is added to the contributions.
    factor : callable
        Factor of the relevance, from the sum of contributions and the sign of the normalised output.
    weight : float
        Weight of the share in the rule.
    before_normalisation : bool
        Whether contributions to the convolution's own output count, before the normalisation that follows.
    rescales : bool
        Whether every frame's relevance by this share is divided by its largest absolute value, layer by layer.
    """

    parts: tuple[tuple[Part, Part], ...]
    bias: Part = everything
    factor: Callable[[Tensor, Tensor], Tensor] = inverse
    weight: float = 1.0
    before_normalisation: bool = False
    rescales: bool = False

    @property
    def whole(self) -> bool:
        """Whether contributions and bias add up to the output itself."""
        return self.parts == ((everything, everything),) and self.bias is everything


@runtime_checkable
class Rule(Protocol):
    """How relevance is shared among a linear layer's inputs."""

    def __hash__(self) -> int:
        """Equal rules have equal hashes, as frozen dataclasses have."""

    @property
    def shares(self) -> tuple[Share, ...]:
        """Shares that add up to the relevance of the inputs."""


@dataclass(frozen=True)
class Zero:
    """LRP-0: in proportion to the contributions (thesis, equation 3.4). Without biases relevance is conserved."""

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

    epsilon: float = 0.25

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon, above=0)

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

    gamma: float = 0.25

    def __post_init__(self) -> None:
        check_number("gamma", self.gamma, above=0)

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
        ``alpha − beta`` is 1, so that relevance is conserved.
    """

    alpha: float = 2.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        alpha, beta = check_number("alpha", self.alpha), check_number("beta", self.beta, least=0)
        if abs(alpha - beta - 1) > 1e-9:
            raise InputError(f"alpha is {alpha!r} and beta {beta!r}; accepted are numbers with alpha − beta = 1")

    @property
    def shares(self) -> tuple[Share, ...]:
        """Positive contributions, and negative ones."""
        raising = Share(((positive, positive), (negative, negative)), bias=positive, weight=self.alpha)
        lowering = Share(((positive, negative), (negative, positive)), bias=negative, weight=-self.beta)
        return (raising,) if self.beta == 0 else (raising, lowering)


@dataclass(frozen=True)
class ZPlus:
    """LRP-z⁺: positive contributions alone; αβ with α = 1 and β = 0 (Montavon et al., 2017)."""

    @property
    def shares(self) -> tuple[Share, ...]:
        """Positive contributions."""
        return AlphaBeta(1.0, 0.0).shares


@dataclass(frozen=True)
class Flat:
    """LRP-flat: every input of an output gets the same share (Lapuschkin et al., 2019)."""

    @property
    def shares(self) -> tuple[Share, ...]:
        """1 for every weight and input."""
        return (Share(((torch.ones_like, torch.ones_like),), bias=torch.zeros_like),)


@dataclass(frozen=True)
class Krug2018:
    """The NAvAI paper's rule for normalisation after the convolution (section 3.4, equations 3 and 4).

    Contributions to the convolution's output ``z_j``, bias included, are divided by ``|z_j| + ε`` and take the
    sign of the normalised output. Relevance starts from 1 at the target, whatever its score, and every frame's
    relevance is divided by its largest absolute value, layer by layer. A normalisation before the convolution is
    folded into it.

    Parameters
    ----------
    epsilon : float
        Added to the absolute value of the sum.
    """

    epsilon: float = 1e-21

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon, above=0)

    @property
    def shares(self) -> tuple[Share, ...]:
        """All contributions alike, before normalisation."""
        factor = partial(supporting, epsilon=self.epsilon)
        return (Share(((everything, everything),), factor=factor, before_normalisation=True, rescales=True),)


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


def rule_of(rule: Any) -> Rule:
    """A rule, from itself or its name.

    Raises
    ------
    InputError
        If there is no such rule.
    """
    if isinstance(rule, str) and rule in LRP_RULES:
        return LRP_RULES[rule]()
    if isinstance(rule, type) or not isinstance(rule, Rule):
        raise InputError(f"rule is {rule!r}; accepted are {one_of(LRP_RULES)}, or a rule such as Epsilon(0.5)")
    return rule


@runtime_checkable
class Composite(Protocol):
    """Chooses the rule of each linear layer."""

    def rule(self, depth: int, n_deep: int) -> Rule:
        """Rule of the layer at `depth`, from 0 at the input, of `n_deep` convolutions and fully connected layers."""


@dataclass(frozen=True)
class Uniform:
    """One rule for all layers."""

    everywhere: Rule

    def rule(self, depth: int, n_deep: int) -> Rule:
        """The only rule."""
        return self.everywhere


@dataclass(frozen=True)
class ByDepth:
    """Rules for equal parts of the network's depth.

    With as many rules as there are convolutions and fully connected layers, each layer has its own.

    Raises
    ------
    InputError
        If there is no rule, or later, more rules than layers.

    Parameters
    ----------
    rules : sequence of rules or of their names
        From the input to the output.

    Examples
    --------
    >>> composite = ByDepth(["flat", Gamma(5.0), "zero"])
    >>> [composite.rule(depth, 6) for depth in range(6)]
    [Flat(), Flat(), Gamma(gamma=5.0), Gamma(gamma=5.0), Zero(), Zero()]
    """

    rules: tuple[Rule, ...]

    def __init__(self, rules: Sequence[Rule | str]) -> None:
        if isinstance(rules, str) or not len(rules):
            raise InputError(f"rules are {rules!r}; accepted is a list of rules, from the input to the output")
        object.__setattr__(self, "rules", tuple(rule_of(rule) for rule in rules))

    def rule(self, depth: int, n_deep: int) -> Rule:
        """Rule of the part that the layer lies in."""
        if len(self.rules) > n_deep:
            raise InputError(
                f"{len(self.rules)} rules are given for a network of {n_deep} convolutions and fully connected "
                "layers; accepted are at most as many"
            )
        return self.rules[depth * len(self.rules) // n_deep]


@dataclass(frozen=True)
class TopLayers:
    """One rule for the layers next to the output, another one for those before.

    Parameters
    ----------
    top, below : rule
        The rules.
    number : int
        How many convolutions and fully connected layers are the top.
    """

    top: Rule
    below: Rule
    number: int = 1

    def rule(self, depth: int, n_deep: int) -> Rule:
        """`top` for the last layers, else `below`."""
        return self.top if depth >= n_deep - self.number else self.below


#: Composites by name.
COMPOSITES: Mapping[str, Composite] = {
    # Thesis, section 6.3 and its captions: LRP-0 on top, ε in the middle, γ in the lowest third.
    "thesis": ByDepth([Gamma(5.0), Epsilon(0.5), Zero()]),
    "thesis-captions": ByDepth([Gamma(5.0), Epsilon(0.8), Zero()]),
    # Thesis, section 6.1: LRP-0 for the three fully connected layers on top, ε below them.
    "thesis-gender": TopLayers(Zero(), Epsilon(0.8), number=3),
    # Contributions of both signs are weighed on top alone, as is usual for deep networks (Kohlbrenner et al., 2020).
    "epsilon-plus": TopLayers(Epsilon(1e-6), ZPlus()),
}


def composite_of(rule: Any) -> Composite:
    """A composite, from itself, a rule, a list of rules, or the name of a composite or rule.

    Raises
    ------
    InputError
        If there is no such composite or rule.
    """
    if isinstance(rule, str) and rule in COMPOSITES:
        return COMPOSITES[rule]
    if isinstance(rule, str) and rule not in LRP_RULES:
        raise InputError(
            f"rule is {rule!r}; accepted are the rules {one_of(LRP_RULES)}, the composites {one_of(COMPOSITES)}, "
            "and objects such as Epsilon(0.5) or ByDepth([…])"
        )
    if isinstance(rule, list | tuple):
        return ByDepth(rule)
    if not isinstance(rule, type) and isinstance(rule, Composite):
        return rule
    return Uniform(rule_of(rule))
