"""Distances between groups: Euclidean and others, between flattened SNAPs (definition 12)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import xarray as xr

from snaps.errors import InputError, check_type, one_of
from snaps.profiles import Uncovered, Weighting, snap
from snaps.schema import ACTIVATION, GROUP, LAG, dataset_of

#: Second dimension of a square matrix of distances between groups.
OTHER_GROUP = "group_"
#: Relative resolution of float32, in which activations are stored.
RESOLUTION = float(np.finfo(np.float32).eps)


@runtime_checkable
class Distance(Protocol):
    """A distance between vectors.

    It is symmetric, 0 between equal vectors, never negative, and NaN where it is undefined.
    """

    @property
    def name(self) -> str:
        """Name of the distance in `DISTANCES`."""

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Distances between all pairs ``i < j``, in SciPy's condensed order.

        Parameters
        ----------
        vectors : array of shape (groups, values)
            One flattened SNAP a row, float64.

        Returns
        -------
        array of shape (groups · (groups − 1) / 2,)
            The distances, float64.
        """


class _Pairwise:
    """A distance that SciPy computes under the same name."""

    name: str

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Distances between all pairs of rows."""
        from scipy.spatial.distance import pdist

        # Cosine and correlation divide by a length that may be 0; they are then undefined, which is NaN.
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(pdist(vectors, self.name))


@dataclass(frozen=True)
class Euclidean(_Pairwise):
    """Root of the summed squared differences: the SNAP paper's distance (section 4.3.3)."""

    name: str = "euclidean"


@dataclass(frozen=True)
class Cityblock(_Pairwise):
    """Sum of the absolute differences; single large differences weigh less than in `Euclidean`."""

    name: str = "cityblock"


@dataclass(frozen=True)
class Cosine(_Pairwise):
    """One minus the cosine of the angle; independent of scale; undefined for a profile of zeros."""

    name: str = "cosine"


@dataclass(frozen=True)
class Correlation(_Pairwise):
    """One minus Pearson's correlation; independent of scale and offset; undefined for a constant profile."""

    name: str = "correlation"


#: Distances by name, as the option `metric` accepts them.
DISTANCES: dict[str, Distance] = {
    distance.name: distance for distance in (Euclidean(), Cityblock(), Cosine(), Correlation())
}


def distances(
    profiles: xr.Dataset | xr.DataTree | xr.DataArray,
    *,
    metric: str | Distance = "euclidean",
    weighting: Weighting = "frames",
    uncovered: Uncovered = "leave-out",
) -> xr.DataArray:
    """Distances between the groups of one layer.

    Activations are stored as float32, whose relative resolution is ε = 2⁻²³. A contrast is therefore known to within
    ε · A, where A is the unit's largest absolute mean activation over groups and lags, and a difference of two SNAPs,
    whose masks are at most 1, to within 2 · ε · A. Groups whose SNAPs differ by no more than that at any unit and lag
    do not differ: their distance is 0. The result does not depend on the order of the groups.

    Parameters
    ----------
    profiles : Dataset, DataTree or DataArray
        Profiles of one layer, whose SNAPs are compared; or any array with the dimension ``group``, e.g. a result of
        `snap`, `contrast` or `nap`, whose values are compared without the resolution above.
    metric : str or Distance
        A name in `DISTANCES`, or an object.
    weighting, uncovered : str
        How the grand mean of the SNAPs is taken, see `snaps.profiles.contrast`; not used for arrays.

    Returns
    -------
    DataArray of shape (groups, groups)
        With the dimensions ``group`` and ``group_``; symmetric, 0 on the diagonal; NaN where the distance is undefined.

    Raises
    ------
    InputError
        If `metric` is unknown, or values are NaN.

    Examples
    --------
    >>> values = xr.DataArray([[0.0, 0.0], [3.0, 4.0]], dims=("group", "unit"), coords={"group": ["a", "b"]})
    >>> distances(values).sel(group="a", group_="b").item()
    5.0
    """
    from scipy.spatial.distance import squareform

    distance = resolve_distance(metric)
    labelled = profiles if isinstance(profiles, xr.DataArray) else dataset_of(profiles)
    if GROUP not in labelled.dims or GROUP not in labelled.coords:
        raise InputError(f"distances are between labelled groups; the array has the dimensions {labelled.dims}")
    labels = labelled[GROUP].values
    order = np.argsort(labels.astype(str), kind="stable")
    if (np.diff(order) < 0).any():  # sums over groups, and with them the last digits, depend on their order
        labelled = labelled.isel({GROUP: order})
    values = labelled if isinstance(labelled, xr.DataArray) else snap(labelled, weighting, uncovered=uncovered)
    vectors = _vectors(values)
    condensed = np.asarray(distance(vectors), dtype=np.float64)
    if isinstance(labelled, xr.Dataset) and len(labels) > 1:
        condensed = np.where(np.isfinite(condensed) & _unresolved(vectors, labelled, values), 0.0, condensed)
    given = np.argsort(order)
    attributes = {name: values.attrs[name] for name in ("layer", "grouping") if name in values.attrs}
    return xr.DataArray(
        squareform(condensed)[np.ix_(given, given)],
        dims=(GROUP, OTHER_GROUP),
        coords={GROUP: labels, OTHER_GROUP: labels},
        name="distance",
        attrs={**attributes, "metric": distance.name, "long_name": f"{distance.name} distance"},
    )


def resolve_distance(metric: str | Distance) -> Distance:
    """Distance by its name, or the object itself.

    Raises
    ------
    InputError
        If there is no distance of that name, or the object is not a distance.
    """
    if isinstance(metric, str):
        if metric not in DISTANCES:
            raise InputError(f"there is no distance {metric!r}; accepted are {one_of(DISTANCES)}")
        return DISTANCES[metric]
    check_type("metric", metric, Distance, accepted=f"{one_of(DISTANCES)}, or a Distance")
    return metric


def _vectors(values: xr.DataArray) -> np.ndarray:
    """Flattened values, one group a row; refuses values that are not finite."""
    ordered = values.transpose(GROUP, ...)
    n_values = ordered.size // max(1, ordered.sizes[GROUP])
    vectors = ordered.values.reshape(ordered.sizes[GROUP], n_values).astype(np.float64)
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        raise InputError(
            f"distances need finite values; the groups {one_of(ordered[GROUP].values[broken].tolist())} have others "
            "(a contrast is NaN at lags that no epoch covers, a SNAP is not)"
        )
    return vectors


def _unresolved(vectors: np.ndarray, dataset: xr.Dataset, snaps: xr.DataArray) -> np.ndarray:
    """Whether the SNAPs of each pair of groups are equal within the resolution of float32."""
    from scipy.spatial.distance import pdist

    largest = abs(dataset[ACTIVATION]).max((GROUP, LAG)).fillna(0).astype(np.float64)
    resolution = (2 * RESOLUTION * largest).broadcast_like(snaps.isel({GROUP: 0})).transpose(*snaps.dims[1:])
    known = resolution.values.ravel()
    return np.asarray(pdist(vectors / np.where(known > 0, known, 1.0), "chebyshev") <= 1)
