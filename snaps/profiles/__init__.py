"""Profiles: open and save, contrast, SNAP, NAvAI, NAP, merging and leaving out groups, used lags.

Everything here works on the file alone: labelled arrays in, labelled arrays out, no network in sight.
"""

from snaps.profiles.contrasts import contrast, nap, navai, snap
from snaps.profiles.digests import write_netcdf
from snaps.profiles.files import open_profiles, save_profiles
from snaps.profiles.groups import filter_groups, regroup
from snaps.profiles.lags import saliency_by_lag, used_lags
from snaps.profiles.quality import Quality, quality
from snaps.profiles.units import distinctive_units

__all__ = [
    "Quality",
    "contrast",
    "distinctive_units",
    "filter_groups",
    "nap",
    "navai",
    "open_profiles",
    "quality",
    "regroup",
    "saliency_by_lag",
    "save_profiles",
    "snap",
    "used_lags",
    "write_netcdf",
]
