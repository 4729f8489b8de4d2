"""Whole experiments, from a corpus to a page."""

from snaps.experiments.reproduction import Reproduction, run_reproduction
from snaps.experiments.scales import SCALES, Recipe, Scale

__all__ = ["SCALES", "Recipe", "Reproduction", "Scale", "run_reproduction"]
