"""Which saliency, at which peak, and the epochs that are cut around it."""

from snaps.alignment.aligner import Aligner, Alignment, Unaligned
from snaps.alignment.epochs import Epochs, cut_epochs
from snaps.alignment.peaks import PEAK_RULES, PeakRule, Peaks, find_peaks, smooth
from snaps.alignment.saliency import SALIENCY_METHODS, Sensitivity

__all__ = [
    "PEAK_RULES", "SALIENCY_METHODS", "Aligner", "Alignment", "Epochs", "PeakRule", "Peaks", "Sensitivity", "Unaligned",
    "cut_epochs", "find_peaks", "smooth",
]  # fmt: skip
