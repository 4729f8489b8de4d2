"""Play a corpus to a network: profiles, frame tables, alignment accuracy."""

from snaps.profiling.alignment import compare_aligners, evaluate_alignment
from snaps.profiling.averaging import sum_epochs
from snaps.profiling.blocks import open_cluster, remove_blocks
from snaps.profiling.compute import compute_by_aligner, compute_profiles
from snaps.profiling.listen import Batch, Log, OnError, listen, progress_bar, read
from snaps.profiling.network import Playing, PreparedNetwork, fixed_target, prepared
from snaps.profiling.played import ByGroupings, Played, labelled
from snaps.profiling.table import frame_table

__all__ = [
    "Batch",
    "ByGroupings",
    "Log",
    "OnError",
    "Played",
    "Playing",
    "PreparedNetwork",
    "compare_aligners",
    "compute_by_aligner",
    "compute_profiles",
    "evaluate_alignment",
    "fixed_target",
    "frame_table",
    "labelled",
    "listen",
    "open_cluster",
    "prepared",
    "progress_bar",
    "read",
    "remove_blocks",
    "sum_epochs",
]
