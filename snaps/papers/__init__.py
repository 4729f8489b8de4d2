"""Whole experiments, from a corpus to a page."""

from snaps.papers.reproduction import Reproduction, run_reproduction
from snaps.papers.scales import SCALES, Recipe, Scale

__all__ = ["SCALES", "Recipe", "Reproduction", "Scale", "run_reproduction"]
