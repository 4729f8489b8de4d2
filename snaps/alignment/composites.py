"""Composites: other rules of LRP at other depths of a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from snaps.alignment.rules import LRP_RULES, Epsilon, Gamma, Krug2018, Rule, Zero, ZPlus
from snaps.errors import InputError, one_of


def rule_of(rule: Any) -> Rule:
    """A rule, from itself or its name.

    Raises
    ------
    InputError
        If it is none.
    """
    if isinstance(rule, str) and rule in LRP_RULES:
        return LRP_RULES[rule]()
    if isinstance(rule, str | type) or not hasattr(rule, "shares"):
        raise InputError(f"rule is {rule!r}; accepted are {one_of(LRP_RULES)}, or a rule such as Epsilon(0.5)")
    return rule


@runtime_checkable
class Composite(Protocol):
    """Which rule a linear layer has."""

    def rule(self, depth: int, n_deep: int) -> Rule:
        """Rule of the layer at `depth`, from 0 at the input, of `n_deep` convolutions and fully connected layers."""


@dataclass(frozen=True)
class Uniform:
    """One rule for all layers."""

    everywhere: Rule

    def rule(self, depth: int, n_deep: int) -> Rule:
        """The rule."""
        return self.everywhere


@dataclass(frozen=True)
class ByDepth:
    """The network's depth in equal parts, each with a rule of its own.

    With as many rules as there are convolutions and fully connected layers, each layer has its own; with more,
    some have none.

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
    """One rule for the layers next to the output, another one below.

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
        """`top` for the last ones, else `below`."""
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
    """A composite, from itself, a rule, a list of rules, or a name of one of them.

    Raises
    ------
    InputError
        If it is none.
    """
    if isinstance(rule, str):
        if rule in COMPOSITES:
            return COMPOSITES[rule]
        if rule not in LRP_RULES:
            raise InputError(
                f"rule is {rule!r}; accepted are the rules {one_of(LRP_RULES)}, the composites {one_of(COMPOSITES)}, "
                "and objects such as Epsilon(0.5) or ByDepth([…])"
            )
    if isinstance(rule, list | tuple):
        return ByDepth(rule)
    if not isinstance(rule, type) and isinstance(rule, Composite):
        return rule
    return Uniform(rule_of(rule))


def starts_from_one(composite: Composite) -> bool:
    """Whether relevance starts from 1 and not from the target's score, as `Krug2018` has it."""
    return isinstance(composite, Uniform) and isinstance(composite.everywhere, Krug2018)
