"""Whole experiments, from a corpus to a page."""

from snaps.experiments.demonstration import Demonstration, run_demonstration

__all__ = ["Demonstration", "run_demonstration"]
