"""Quality of the network behind a result: error rate, share of blanks, frames."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from snaps.schema import COUNT, GROUP, Provenance

#: Symbol error rate above which a network has not learned what it is looked at for.
WORST_ERROR_RATE = 0.5
#: Frames that the median group of a grouping should have; means of fewer are noise.
MIN_COUNT = 50


@dataclass(frozen=True)
class Quality:
    """Quality of the network behind a result, and number of frames that the result rests on.

    Attributes
    ----------
    error_rate : float
        Symbol error rate on speech that the network was not trained on, as its checkpoint says; NaN if unknown.
    blanks : float
        Share of the frames played whose predicted symbol is ignored: blanks and repetitions, unless told otherwise.
        NaN if unknown.
    n_frames : int
        Frames that were averaged or judged.
    group_frames : mapping of str to float
        Frames of the median group, by grouping.
    """

    error_rate: float
    blanks: float
    n_frames: int
    group_frames: Mapping[str, float] = field(default_factory=dict)

    @property
    def warning(self) -> str:
        """One sentence if the result describes noise; empty otherwise.

        Examples
        --------
        >>> Quality(0.834, 0.7, 677).warning
        'This network gets 83 % of the symbols wrong: what is shown describes noise.'
        """
        reasons = []
        if self.error_rate > WORST_ERROR_RATE:
            reasons.append(f"this network gets {100 * self.error_rate:.0f} % of the symbols wrong")
        few = {name: n for name, n in self.group_frames.items() if n < MIN_COUNT}
        if few:
            listed = ", ".join(f"{n:g} by {name!r}" for name, n in few.items())
            reasons.append(f"half of the groups have so few frames as {listed}, where {MIN_COUNT} are needed")
        if not reasons:
            return ""
        sentence = " and ".join(reasons)
        return f"{sentence[0].upper()}{sentence[1:]}: what is shown describes noise."

    def rows(self) -> dict[str, Any]:
        """Values by their names in tables."""
        return {
            "symbol error rate": self.error_rate,
            "share of blanks": self.blanks,
            "frames": self.n_frames,
            **({"describes noise": self.warning} if self.warning else {}),
        }

    def __str__(self) -> str:
        """One line for a page or a terminal."""
        error = "unknown" if math.isnan(self.error_rate) else f"{100 * self.error_rate:.1f} %"
        blanks = "unknown" if math.isnan(self.blanks) else f"{100 * self.blanks:.0f} %"
        groups = "".join(f", {n:g} in the median group by {name}" for name, n in self.group_frames.items())
        return f"Symbol error rate {error}, share of blanks {blanks}, {self.n_frames:,} frames{groups}."


def quality(result: xr.DataTree | xr.Dataset) -> Quality:
    """Quality of the network behind profiles, an evaluation of alignments, or one of faithfulness.

    Parameters
    ----------
    result : DataTree or Dataset
        What `snaps.compute_profiles`, `snaps.evaluate_alignment` or `snaps.evaluate_faithfulness` gives.

    Examples
    --------
    >>> found = xr.Dataset(attrs={"model": '{"error_rate": 0.25}', "n_frames": 90, "drop_log": '{"counts": {}}'})
    >>> print(quality(found))
    Symbol error rate 25.0 %, share of blanks 0 %, 90 frames.
    """
    children = dict(result.children) if isinstance(result, xr.DataTree) else {}
    # The parts of an evaluation of faithfulness have frames and drop logs of their own.
    provenance = Provenance.of(
        {str(name): value for one in (*children.values(), result) for name, value in one.attrs.items()}
    )
    n_frames, blanks = provenance.n_frames or 0, math.nan
    if provenance.drop_log:
        # The same frames are left out of every grouping for these reasons.
        ignored, broken = (
            max(provenance.left_out.get(reason, {}).values(), default=0) for reason in ("ignored", "non-finite")
        )
        blanks = ignored / max(n_frames + ignored + broken, 1)
    groups = {}
    for name, grouping in children.items():
        layers = [layer for layer in grouping.children.values() if COUNT in layer.data_vars]
        if layers and layers[0].sizes.get(GROUP):
            groups[name] = float(layers[0][COUNT].median())
    return Quality(provenance.error_rate, blanks, n_frames, groups)
