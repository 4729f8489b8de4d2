"""Saliency methods by the name that the command line knows them by."""

from collections.abc import Callable, Mapping
from functools import partial

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
from snaps.responses import SaliencyMethod

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
