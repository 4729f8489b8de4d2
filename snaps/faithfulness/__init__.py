"""Faithfulness of saliency: pixel flipping, randomisation, and profiles against chance."""

from snaps.faithfulness.evaluation import PARTS, evaluate_faithfulness, open_faithfulness, save_faithfulness
from snaps.faithfulness.flipping import BASELINES, PERCENTAGES, Flipping, evaluate_flipping
from snaps.faithfulness.randomization import evaluate_randomization, randomised_layers
from snaps.faithfulness.shuffling import ProfileNull, evaluate_profiles

__all__ = [
    "BASELINES",
    "PARTS",
    "PERCENTAGES",
    "Flipping",
    "ProfileNull",
    "evaluate_faithfulness",
    "evaluate_flipping",
    "evaluate_profiles",
    "evaluate_randomization",
    "open_faithfulness",
    "randomised_layers",
    "save_faithfulness",
]
