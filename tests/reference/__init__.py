"""The definitions of section 5 of the design, written out slowly: one frame, one layer, one lag at a time.

Nothing here is taken from the package; the package is held against it. Every function names the definition
that it spells out, as ``(4)`` for importance. Torch is used for convolutions and gradients alone, in float64.
"""

from tests.reference.changes import reference_adjusted_rand, reference_changed
from tests.reference.clusters import (
    reference_clustering,
    reference_distances,
    reference_silhouette,
    reference_silhouettes,
)
from tests.reference.differences import (
    reference_contrast,
    reference_nap,
    reference_navai,
    reference_regroup,
    reference_snap,
)
from tests.reference.frames import reference_frame_table
from tests.reference.geometry import Geometry, lag_steps
from tests.reference.networks import ForeignNetwork, ReferenceNetwork
from tests.reference.profiles import ReferenceProfiles, reference_profiles

__all__ = [
    "ForeignNetwork",
    "Geometry",
    "ReferenceNetwork",
    "ReferenceProfiles",
    "lag_steps",
    "reference_adjusted_rand",
    "reference_changed",
    "reference_clustering",
    "reference_contrast",
    "reference_distances",
    "reference_frame_table",
    "reference_nap",
    "reference_navai",
    "reference_profiles",
    "reference_regroup",
    "reference_silhouette",
    "reference_silhouettes",
    "reference_snap",
]
