"""Which saliency, at which peak, and the epochs that are cut around it."""

from snaps.alignment.aligner import Aligner, Alignment, Unaligned
from snaps.alignment.composites import COMPOSITES, ByDepth, Composite, TopLayers, Uniform
from snaps.alignment.epochs import Epochs, cut_epochs
from snaps.alignment.methods import SALIENCY_METHODS, aligner_of, saliency_of
from snaps.alignment.peaks import PEAK_RULES, PeakRule, Peaks, find_peaks, smooth
from snaps.alignment.relevance import LRP
from snaps.alignment.rules import LRP_RULES, AlphaBeta, Epsilon, Flat, Gamma, Krug2018, Rule, Zero, ZPlus
from snaps.alignment.saliency import GradientTimesActivation, Sensitivity

__all__ = [
    "COMPOSITES",
    "LRP",
    "LRP_RULES",
    "PEAK_RULES",
    "SALIENCY_METHODS",
    "Aligner",
    "Alignment",
    "AlphaBeta",
    "ByDepth",
    "Composite",
    "Epochs",
    "Epsilon",
    "Flat",
    "Gamma",
    "GradientTimesActivation",
    "Krug2018",
    "PeakRule",
    "Peaks",
    "Rule",
    "Sensitivity",
    "TopLayers",
    "Unaligned",
    "Uniform",
    "ZPlus",
    "Zero",
    "aligner_of",
    "cut_epochs",
    "find_peaks",
    "saliency_of",
    "smooth",
]
