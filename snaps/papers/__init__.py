"""The papers' experiments, from a corpus to a page."""

from snaps.papers.recipes import SCALES, Recipe, Reproduction, Scale
from snaps.papers.reproduction import BAND_SHIFT, SILENCES, run_reproduction

__all__ = ["BAND_SHIFT", "SCALES", "SILENCES", "Recipe", "Reproduction", "Scale", "run_reproduction"]
