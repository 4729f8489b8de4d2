"""The drop log: frames and recordings that a run left out, by reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snaps.errors import InputError, check_whole, one_of

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
    """Counts of dropped frames by reason and grouping, skipped recordings, and clipped intervals.

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

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    clipped: int = 0
    broken_layers: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, grouping: str, n: int) -> None:
        """Count `n` frames (for ``short``: recordings) that are left out of a grouping.

        Raises
        ------
        InputError
            If the reason is none of `REASONS`, or the number is negative.
        """
        if reason not in REASONS:
            raise InputError(f"the reason is {reason!r}; accepted are {one_of(REASONS)}")
        check_whole("the number left out", n, least=0)
        self.counts.setdefault(reason, Counter())[grouping] += int(n)

    def skip(self, recording: str, reason: str) -> None:
        """Note that a recording was left out because it could not be read."""
        self.skipped[recording] = reason

    def merge(self, other: "DropLog") -> None:
        """Add the drop log of another part of the same run."""
        for reason, groupings in other.counts.items():
            for grouping, n in groupings.items():
                self.add(reason, grouping, n)
        self.skipped.update(other.skipped)
        self.clipped += other.clipped
        self.broken_layers.update(other.broken_layers)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON, which does not depend on the order of adding and merging."""
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
        """Drop log from the dictionary of `to_dict`.

        Raises
        ------
        InputError
            If it is something else.
        """
        log = cls()
        try:
            for reason, groupings in stored["counts"].items():
                for grouping, n in groupings.items():
                    log.add(reason, grouping, n)
            for skipped in stored["skipped"]:
                log.skip(skipped["recording"], skipped["reason"])
            log.clipped = stored["clipped"]
            log.broken_layers.update(stored.get("broken_layers", {}))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"a drop log has counts, skipped and clipped; received {stored!r}") from error
        return log

    def table(self) -> "pd.DataFrame":
        """Tabulate the counts, one row a reason and one column a grouping, 0 where nothing was left out."""
        import pandas as pd

        groupings = sorted({grouping for by_grouping in self.counts.values() for grouping in by_grouping})
        index, columns = pd.Index(groupings, name="grouping", dtype=object), pd.Index(REASONS, name="reason")
        return pd.DataFrame(self.counts, index, columns, dtype=float).T.fillna(0).astype("int64")

    def __str__(self) -> str:
        """Summary in a few lines: what was left out, and each skipped recording with its reason."""
        parts = []
        for reason, words in REASONS.items():
            counts = self.counts.get(reason, Counter())
            for n in sorted(set(counts.values()) - {0}):
                parts.append(f"{words}: {n:,} ({', '.join(name for name in sorted(counts) if counts[name] == n)})")
        if self.skipped:
            parts.append(f"recordings that cannot be read: {len(self.skipped):,}")
        lines = ["left out: " + ("; ".join(parts) if parts else "nothing")]
        lines += [f"  {name}: {why}" for name, why in sorted(self.skipped.items())]
        lines += [f"  not finite in the layer {name}: {n:,}" for name, n in sorted(self.broken_layers.items())]
        if self.clipped:
            lines.append(f"intervals cut at the end of the audio: {self.clipped:,}")
        return "\n".join(lines)
