"""Profiles and frame tables of a network over a corpus."""

from snaps.profiling.compute import compute_profiles
from snaps.profiling.table import frame_table

__all__ = ["compute_profiles", "frame_table"]
