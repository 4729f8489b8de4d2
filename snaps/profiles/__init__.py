"""Profiles: open and save, contrast, SNAP, NAvAI, NAP, merging and leaving out groups, reach of saliency.

Everything here works on the file alone: labelled arrays in, labelled arrays out, no network in sight.
"""

from snaps.profiles.contrasts import Uncovered, Weighting, contrast, grand_mean, nap, navai, snap
from snaps.profiles.groups import filter_groups, left_out, regroup
from snaps.profiles.quality import Quality, quality
from snaps.profiles.reach import saliency_by_lag, used_lags
from snaps.profiles.store import open_profiles, read_tree, save_profiles, write_netcdf
from snaps.profiles.units import distinctive_units

__all__ = [
    "Quality",
    "Uncovered",
    "Weighting",
    "contrast",
    "distinctive_units",
    "filter_groups",
    "grand_mean",
    "left_out",
    "nap",
    "navai",
    "open_profiles",
    "quality",
    "read_tree",
    "regroup",
    "saliency_by_lag",
    "save_profiles",
    "snap",
    "used_lags",
    "write_netcdf",
]
