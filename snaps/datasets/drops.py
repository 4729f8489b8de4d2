"""The drop log: what a run left out, and why."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snaps.errors import InputError, one_of

if TYPE_CHECKING:
    import pandas as pd

#: Why something is left out. ``short`` counts recordings, the others frames.
REASONS: Mapping[str, str] = {
    "ignored": "frames whose predicted symbol is ignored",
    "non-finite": "frames with an activation or saliency that is not finite",
    "unlabelled": "frames without a label",
    "short": "recordings shorter than a frame",
}


@dataclass
class DropLog:
    """Counts of what was left out, by reason and grouping; skipped recordings; clipped intervals.

    Attributes
    ----------
    counts : dict
        ``counts[reason][grouping]``: frames, or for ``short`` recordings. A 0 that was added stays: it says
        that nothing was left out.
    skipped : dict of str to str
        Why each recording that was left out could not be read.
    clipped : int
        Intervals that ended after the audio and were cut at its end.
    broken_layers : dict of str to int
        Frames whose activation or saliency is not finite, by the layer in which it is not.

    Examples
    --------
    >>> log = DropLog()
    >>> log.add("unlabelled", "phoneme", 3)
    >>> print(log)
    left out: frames without a label: 3 (phoneme)
    """

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    clipped: int = 0
    broken_layers: dict[str, int] = field(default_factory=dict)

    def break_in(self, layer: str, n: int) -> None:
        """Count `n` frames that are not finite in a layer."""
        self.broken_layers[layer] = self.broken_layers.get(layer, 0) + n

    def add(self, reason: str, grouping: str, n: int) -> None:
        """Count `n` frames, or for ``short`` recordings, that a grouping does without.

        Raises
        ------
        InputError
            If the reason is none of `REASONS`, or the number is negative.
        """
        if reason not in REASONS:
            raise InputError(f"the reason is {reason!r}; accepted are {one_of(REASONS)}")
        if n < 0:
            raise InputError(f"the number left out is {n!r}; accepted are whole numbers from 0")
        groupings = self.counts.setdefault(reason, {})
        groupings[grouping] = groupings.get(grouping, 0) + int(n)

    def skip(self, recording: str, reason: str) -> None:
        """Note that a recording was left out because it could not be read."""
        self.skipped[recording] = reason

    def merge(self, other: "DropLog") -> None:
        """Add what another part of the same run left out."""
        for reason, groupings in other.counts.items():
            for grouping, n in groupings.items():
                self.add(reason, grouping, n)
        self.skipped.update(other.skipped)
        self.clipped += other.clipped
        for layer, n in other.broken_layers.items():
            self.break_in(layer, n)

    def to_dict(self) -> dict[str, Any]:
        """Return a form that JSON can hold, the same whatever the order of adding and merging."""
        return {
            "counts": {
                reason: dict(sorted(self.counts[reason].items())) for reason in REASONS if reason in self.counts
            },
            "skipped": [{"recording": name, "reason": why} for name, why in sorted(self.skipped.items())],
            "clipped": self.clipped,
            **({"broken_layers": dict(sorted(self.broken_layers.items()))} if self.broken_layers else {}),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "DropLog":
        """Drop log from what `to_dict` gave.

        Raises
        ------
        InputError
            If it is something else.
        """
        log = cls()
        try:
            for reason, groupings in stored["counts"].items():
                for grouping, n in groupings.items():
                    log.add(reason, grouping, int(n))
            for skipped in stored["skipped"]:
                log.skip(skipped["recording"], skipped["reason"])
            log.clipped = int(stored["clipped"])
            log.broken_layers = {name: int(n) for name, n in stored.get("broken_layers", {}).items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"a drop log has counts, skipped and clipped; received {stored!r}") from error
        return log

    def table(self) -> "pd.DataFrame":
        """Tabulate the counts, one row a reason and one column a grouping, 0 where nothing was left out."""
        import pandas as pd

        groupings = sorted({grouping for by_grouping in self.counts.values() for grouping in by_grouping})
        table = pd.DataFrame(
            [[self.counts.get(reason, {}).get(name, 0) for name in groupings] for reason in REASONS],
            index=pd.Index(REASONS, name="reason"),
            columns=pd.Index(groupings, name="grouping", dtype=object),
        )
        return table.astype("int64")

    def __str__(self) -> str:
        """Few lines for a reader: what was left out, the skipped recordings each with its reason."""
        parts = []
        for reason, words in REASONS.items():
            by_number: dict[int, list[str]] = defaultdict(list)
            for grouping, n in sorted(self.counts.get(reason, {}).items()):
                if n:
                    by_number[n].append(grouping)
            parts += [f"{words}: {n:,} ({', '.join(names)})" for n, names in sorted(by_number.items())]
        if self.skipped:
            parts.append(f"recordings that cannot be read: {len(self.skipped):,}")
        lines = ["left out: " + ("; ".join(parts) if parts else "nothing")]
        lines += [f"  {name}: {why}" for name, why in sorted(self.skipped.items())]
        lines += [f"  not finite in the layer {name}: {n:,}" for name, n in sorted(self.broken_layers.items())]
        if self.clipped:
            lines.append(f"intervals cut at the end of the audio: {self.clipped:,}")
        return "\n".join(lines)
