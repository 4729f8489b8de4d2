"""What can be wrong with one recording's files, each with its truth."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.hostile.speech import Files, Utterance

#: What audio may lie in.
CONTAINERS = ("sphere", "riff", "flac")
TIERS = ("phonemes", "words")


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong, or only looks so.

    Attributes
    ----------
    name : str
        What it is called.
    part : str
        ``audio``, one of `CONTAINERS`, ``phn``, ``wrd``, ``txt``, ``grid``, or ``labels``, which every layout has.
    refused : str or None
        Pattern that the reason has to hold, if the recording is to be refused. Otherwise it is to be read, with
        the frames, labels and clipped intervals of its utterance.
    utter : callable, optional
        Makes another utterance of it, before its files are written: the truth changes with it.
    change : callable, optional
        Makes other bytes of those of the part.
    place : callable, optional
        Does something to the files where they lie.
    names : str, optional
        Kind of the file that the reason names, or the tier; that of the part unless given.
    """

    name: str
    part: str
    refused: str | None = None
    utter: Callable[[Utterance], Utterance] | None = None
    change: Callable[[bytes], bytes] | None = None
    place: Callable[[Files], None] | None = None
    names: str = ""

    @property
    def kind(self) -> str:
        """The file that it is about."""
        return "audio" if self.part in CONTAINERS else self.part

    def fits(self, layout: str, container: str) -> bool:
        """Whether a recording of this layout, with audio in this container, can have it."""
        if self.part in CONTAINERS:
            return self.part == container
        return self.part in ("audio", "labels") or (self.part == "grid") == (layout == "textgrids")

    def named(self, files: Files) -> str:
        """The file that the reason names."""
        of_tier = {"phonemes": "phn", "words": "wrd"} if files.layout == "timit" else dict.fromkeys(TIERS, "grid")
        kind = self.names or self.kind
        return str(files.paths[of_tier.get(kind, kind)])

    def alter(self, utterance: Utterance) -> Utterance:
        return self.utter(utterance) if self.utter else utterance

    def apply(self, files: Files) -> None:
        if self.change:
            path = files.paths[self.kind]
            path.write_bytes(self.change(path.read_bytes()))
        if self.place:
            self.place(files)


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Put other bytes in the place of the first ones like these, which have to be there."""

    def change(whole: bytes) -> bytes:
        assert old in whole
        return whole.replace(old, new, 1)

    return change


def spans(**tiers: object) -> Callable[[Utterance], Utterance]:
    """Put other intervals, or others made from those that there are, into an utterance."""

    def utter(utterance: Utterance) -> Utterance:
        given = {
            name: tuple(tier(getattr(utterance, name)) if callable(tier) else tier) for name, tier in tiers.items()
        }
        return replace(utterance, **given)

    return utter
