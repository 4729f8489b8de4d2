"""The papers' experiments, from a corpus to a page."""

from snaps.papers.recipes import SCALES, Recipe, Scale
from snaps.papers.reproduction import BAND_SHIFT, SILENCES, Reproduction, run_reproduction

__all__ = ["BAND_SHIFT", "SCALES", "SILENCES", "Recipe", "Reproduction", "Scale", "run_reproduction"]
