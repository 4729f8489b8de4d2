"""Saliency methods by the name that the command line knows them by."""

from collections.abc import Callable, Mapping
from functools import partial

from snaps.alignment.aligner import Aligner, Alignment, Unaligned
from snaps.alignment.attributions import (
    Deconvolution,
    GradCam,
    GradientShap,
    GuidedBackpropagation,
    IntegratedGradients,
    Occlusion,
    SmoothGrad,
)
from snaps.alignment.composites import COMPOSITES
from snaps.alignment.relevance import LRP
from snaps.alignment.rules import LRP_RULES
from snaps.alignment.saliency import GradientTimesActivation, Sensitivity
from snaps.errors import InputError, one_of
from snaps.responses import SaliencyMethod

#: Name of the aligner that does not align, and of the peak rule that finds no peak.
UNALIGNED = "unaligned"

#: One line a method; rules and composites of LRP bear their own names.
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


def aligner_of(name: str, *, peak: str | None = None, mask: str | None = None) -> Alignment:
    """An aligner by name.

    Parameters
    ----------
    name : str
        A saliency method of `SALIENCY_METHODS`, with a peak rule behind a colon if it is not its usual one, e.g.
        ``"sensitivity"`` or ``"sensitivity:max"``; ``"unaligned"`` for none.
    peak : str, optional
        A peak rule, or ``"unaligned"``; instead of one in `name`.
    mask : str, optional
        The saliency method that masks, if it is another one.

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


def saliency_of(name: str) -> SaliencyMethod:
    """A saliency method by name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in SALIENCY_METHODS:
        raise InputError(f"the saliency method is {name!r}; accepted are {one_of(SALIENCY_METHODS, limit=40)}")
    return SALIENCY_METHODS[name]()
