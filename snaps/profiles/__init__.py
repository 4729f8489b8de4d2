"""Profiles: open and save, contrast, SNAP, NAvAI, NAP, merging and leaving out groups.

Everything here works on the file alone: labelled arrays in, labelled arrays out, no network in sight.
"""

from snaps.profiles.contrasts import contrast, nap, navai, snap
from snaps.profiles.files import open_profiles, save_profiles
from snaps.profiles.groups import filter_groups, regroup

__all__ = ["contrast", "filter_groups", "nap", "navai", "open_profiles", "regroup", "save_profiles", "snap"]
