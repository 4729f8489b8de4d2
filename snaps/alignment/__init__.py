"""Saliency methods, peaks, aligners, epochs around peaks, and alignment accuracy."""

from snaps.alignment.accuracy import AlignmentCounts, Judgement, bootstrap_interval, judge
from snaps.alignment.aligner import Aligner, Alignment, Unaligned, aligner_of, check_method, described
from snaps.alignment.epochs import Epochs, cut_epochs
from snaps.alignment.lrp import LRP
from snaps.alignment.peaks import PEAK_RULES, PeakRule, Peaks, find_peaks, smooth
from snaps.alignment.rules import (
    COMPOSITES,
    LRP_RULES,
    AlphaBeta,
    ByDepth,
    Epsilon,
    Flat,
    Gamma,
    Krug2018,
    Rule,
    TopLayers,
    Zero,
    ZPlus,
)
from snaps.alignment.saliency import SALIENCY_METHODS, GradientTimesActivation, Sensitivity, saliency_of

__all__ = [
    "COMPOSITES",
    "LRP",
    "LRP_RULES",
    "PEAK_RULES",
    "SALIENCY_METHODS",
    "Aligner",
    "Alignment",
    "AlignmentCounts",
    "AlphaBeta",
    "ByDepth",
    "Epochs",
    "Epsilon",
    "Flat",
    "Gamma",
    "GradientTimesActivation",
    "Judgement",
    "Krug2018",
    "PeakRule",
    "Peaks",
    "Rule",
    "Sensitivity",
    "TopLayers",
    "Unaligned",
    "ZPlus",
    "Zero",
    "aligner_of",
    "bootstrap_interval",
    "check_method",
    "cut_epochs",
    "described",
    "find_peaks",
    "judge",
    "saliency_of",
    "smooth",
]
