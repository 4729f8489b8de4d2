"""Aligners: a saliency method, a peak rule, and the saliency that masks."""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Protocol

import torch

from snaps.alignment.peaks import PEAK_RULES, PeakRule, Peaks, peaks_by_rule
from snaps.alignment.saliency import Sensitivity, saliency_of
from snaps.errors import InputError, one_of
from snaps.responses import LayerResponse, SaliencyMethod

#: Name of `Unaligned`, as an aligner and as a peak rule.
UNALIGNED = "unaligned"


class Alignment(Protocol):
    """Aligns the frames of every layer, and chooses the saliency methods that run."""

    @property
    def methods(self) -> tuple[SaliencyMethod, ...]:
        """Saliency methods to run: the one that aligns first, the one that masks last."""

    def peaks(self, response: LayerResponse) -> Peaks:
        """Step of each frame at which one layer is aligned."""

    def describe(self) -> dict[str, Any]:
        """Names and parameters, for the provenance."""
        return described(self)


@dataclass(frozen=True)
class Aligner(Alignment):
    """Align every frame, layer by layer, at the peak of its importance (SNAP, section 3.3).

    Parameters
    ----------
    saliency : saliency method
        Its saliency gives the peak.
    peak : str or PeakRule, optional
        ``"product"``, ``"signed-product"``, ``"max"``, ``"min"``, ``"mean"``, or another peak rule. None for the rule
        that suits the saliency method: ``"product"`` for a gradient, ``"max"`` for a relevance.
    mask : saliency method, optional
        Its mean absolute saliency masks the contrast; None for the same method.

    Raises
    ------
    InputError
        If the peak rule is unknown, or `saliency` or `mask` is no saliency method.

    Examples
    --------
    >>> Aligner().peak
    'product'
    """

    saliency: SaliencyMethod = field(default_factory=Sensitivity)
    peak: str | PeakRule | None = None
    mask: SaliencyMethod | None = None

    def __post_init__(self) -> None:
        check_method("saliency", self.saliency)
        if self.mask is not None:
            check_method("mask", self.mask)
        if self.peak is None:
            object.__setattr__(self, "peak", self.saliency.default_peak)
        if self.peak not in PEAK_RULES if isinstance(self.peak, str) else not isinstance(self.peak, PeakRule):
            raise InputError(f"peak is {self.peak!r}; accepted are {one_of(PEAK_RULES)}, or a peak rule")

    @property
    def rule(self) -> PeakRule:
        """The peak rule itself."""
        return PEAK_RULES[self.peak] if isinstance(self.peak, str) else self.peak  # type: ignore[return-value]

    @property
    def methods(self) -> tuple[SaliencyMethod, ...]:
        """Saliency methods to run."""
        return (self.saliency,) if self.mask is None or self.mask == self.saliency else (self.saliency, self.mask)

    def peaks(self, response: LayerResponse) -> Peaks:
        """Step of the largest importance."""
        return peaks_by_rule(self.rule, response.saliencies[0], response.cone)


@dataclass(frozen=True)
class Unaligned(Alignment):
    """Leave every frame at the middle step of its cone, as NAPs do (definition 5; SNAP, section 3.2).

    Parameters
    ----------
    saliency : saliency method
        Its mean absolute saliency masks the contrast.
    """

    saliency: SaliencyMethod = field(default_factory=Sensitivity)

    def __post_init__(self) -> None:
        check_method("saliency", self.saliency)

    @property
    def methods(self) -> tuple[SaliencyMethod, ...]:
        """Saliency methods to run."""
        return (self.saliency,)

    def peaks(self, response: LayerResponse) -> Peaks:
        """Middle step of the cone; no frame counts as unaligned."""
        return Peaks(
            torch.full_like(response.start, response.geometry.middle),
            torch.zeros_like(response.start, dtype=torch.bool),
        )


def described(thing: Any) -> Any:
    """Dataclasses as dictionaries with the name of their class, and other objects as text."""
    if is_dataclass(thing) and not isinstance(thing, type):
        values = {f.name: described(getattr(thing, f.name)) for f in fields(thing)}
        return {"name": type(thing).__name__, **values}
    if isinstance(thing, list | tuple):
        return [described(item) for item in thing]
    if isinstance(thing, dict):
        return {str(name): described(value) for name, value in thing.items()}
    return thing if thing is None or isinstance(thing, str | int | float | bool) else str(thing)


def check_method(option: str, method: Any) -> None:
    """Refuse an option that is no saliency method.

    Raises
    ------
    InputError
        Naming the option and what was received.
    """
    if not isinstance(method, SaliencyMethod):
        raise InputError(f"{option} is {method!r}; accepted is a saliency method such as Sensitivity()")


def aligner_of(name: str, *, peak: str | None = None, mask: str | None = None) -> Alignment:
    """An aligner by name.

    Parameters
    ----------
    name : str
        A name in `SALIENCY_METHODS`, e.g. ``"sensitivity"``; a colon and a name in `PEAK_RULES` may follow, e.g.
        ``"sensitivity:max"``. ``"unaligned"`` for `Unaligned`.
    peak : str, optional
        A peak rule, or ``"unaligned"``; replaces one in `name`.
    mask : str, optional
        The saliency method that masks; None for the same method.

    Raises
    ------
    InputError
        If there is no such method or rule.

    Examples
    --------
    >>> aligner_of("sensitivity:max").peak
    'max'
    """
    if name == UNALIGNED:
        return Unaligned()
    method, _, rule = name.partition(":")
    saliency = saliency_of(method)
    if (peak or rule) == UNALIGNED:
        return Unaligned(saliency)
    return Aligner(saliency, peak or rule or None, None if mask is None else saliency_of(mask))
