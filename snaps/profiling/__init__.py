"""Profiles, frame tables and alignments of a network over a corpus."""

from snaps.profiling.compute import compute_by_aligner, compute_profiles
from snaps.profiling.evaluation import compare_aligners, evaluate_alignment
from snaps.profiling.table import frame_table

__all__ = ["compare_aligners", "compute_by_aligner", "compute_profiles", "evaluate_alignment", "frame_table"]
