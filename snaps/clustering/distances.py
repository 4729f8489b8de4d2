"""How far apart groups are: pluggable distances between flattened SNAPs."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import xarray as xr

from snaps.errors import InputError, one_of
from snaps.profiles import snap
from snaps.profiles.contrasts import Weighting
from snaps.schema import GROUP

#: Second dimension of a square matrix of distances between groups.
OTHER_GROUP = "group_"


@runtime_checkable
class Distance(Protocol):
    """A distance between vectors.

    It is symmetric, 0 between equal vectors, never negative, and NaN where it is undefined.
    """

    @property
    def name(self) -> str:
        """Name under which it stands in `DISTANCES`."""

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


@dataclass(frozen=True)
class Euclidean:
    """Root of the summed squared differences: the SNAP paper's distance (section 4.3.3)."""

    name: str = "euclidean"

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Distances between all pairs of rows."""
        return _pairwise(vectors, "euclidean")


@dataclass(frozen=True)
class Cityblock:
    """Sum of the absolute differences: single large differences weigh less than in `Euclidean`."""

    name: str = "cityblock"

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Distances between all pairs of rows."""
        return _pairwise(vectors, "cityblock")


@dataclass(frozen=True)
class Cosine:
    """One minus the cosine of the angle: blind to how strong a profile is; undefined for one of zeros."""

    name: str = "cosine"

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Distances between all pairs of rows."""
        return _pairwise(vectors, "cosine")


@dataclass(frozen=True)
class Correlation:
    """One minus Pearson's correlation: blind to strength and offset; undefined for a constant profile."""

    name: str = "correlation"

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Distances between all pairs of rows."""
        return _pairwise(vectors, "correlation")


#: Distances by the names that `metric` takes. A new one is a line here.
DISTANCES: dict[str, Distance] = {
    distance.name: distance for distance in (Euclidean(), Cityblock(), Cosine(), Correlation())
}


def distances(
    profiles: xr.Dataset | xr.DataTree | xr.DataArray,
    *,
    metric: str | Distance = "euclidean",
    weighting: Weighting = "frames",
) -> xr.DataArray:
    """Distances between the groups of one layer.

    Parameters
    ----------
    profiles : Dataset, DataTree or DataArray
        Profiles of one layer, whose SNAPs are compared; or any array with the dimension ``group``, e.g. what
        `snap`, `contrast` or `nap` gives, whose values are compared as they are.
    metric : str or Distance
        A name in `DISTANCES`, or an object.
    weighting : {"frames", "groups"}
        How the grand mean of the SNAPs is taken, see `snaps.profiles.contrast`; arrays are past that.

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
    distance = resolve_distance(metric)
    values = profiles if isinstance(profiles, xr.DataArray) else snap(profiles, weighting)
    if GROUP not in values.dims or GROUP not in values.coords:
        raise InputError(f"distances are between labelled groups; the array has the dimensions {values.dims}")
    vectors = _vectors(values)
    condensed = np.asarray(distance(vectors), dtype=np.float64)
    labels = values[GROUP].values
    attributes = {name: values.attrs[name] for name in ("layer", "grouping") if name in values.attrs}
    return xr.DataArray(
        _square(condensed, len(labels)),
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
        Naming the distances there are.
    """
    if isinstance(metric, str):
        if metric not in DISTANCES:
            raise InputError(f"there is no distance {metric!r}; accepted are {one_of(DISTANCES)}")
        return DISTANCES[metric]
    if not callable(metric) or not hasattr(metric, "name"):
        raise InputError(f"metric is {metric!r}; accepted are {one_of(DISTANCES)}, or a Distance")
    return metric


def _vectors(values: xr.DataArray) -> np.ndarray:
    """Rows of flattened values, or a sentence about those that are NaN."""
    ordered = values.transpose(GROUP, ...)
    size = ordered.size // max(1, ordered.sizes[GROUP])
    vectors = ordered.values.reshape(ordered.sizes[GROUP], size).astype(np.float64)
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        labels = [str(label) for label in ordered[GROUP].values[broken]]
        raise InputError(
            f"distances need finite values; the groups {one_of(labels)} have others "
            "(a contrast is NaN at lags that no epoch covers, a SNAP is not)"
        )
    return vectors


def _pairwise(vectors: np.ndarray, metric: str) -> np.ndarray:
    from scipy.spatial.distance import pdist

    # Cosine and correlation divide by a length that may be 0; they are then undefined, which is NaN.
    if len(vectors) < 2:
        return np.zeros(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(pdist(vectors, metric))


def _square(condensed: np.ndarray, number: int) -> np.ndarray:
    rows, columns = np.triu_indices(number, k=1)
    square = np.zeros((number, number))
    square[rows, columns] = square[columns, rows] = condensed
    return square
