"""Trees of recordings, some of them damaged, with what reading them must come to."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snaps.datasets import FileCorpus, load_textgrids, load_timit
from snaps.errors import legible
from tests.hostile.audio_damages import AUDIO_DAMAGES
from tests.hostile.damages import Damage
from tests.hostile.grid_damages import GRID_DAMAGES
from tests.hostile.label_damages import LABEL_DAMAGES
from tests.hostile.place_damages import PLACE_DAMAGES
from tests.hostile.speech import Files, Utterance

CATALOGUE: tuple[Damage, ...] = (*AUDIO_DAMAGES, *LABEL_DAMAGES, *GRID_DAMAGES, *PLACE_DAMAGES)
LOADERS = {"timit": load_timit, "textgrids": load_textgrids}


@dataclass(frozen=True)
class Planned:
    """One recording as it is to be written."""

    utterance: Utterance = field(default_factory=Utterance)
    container: str = "sphere"
    damage: Damage | None = None


@dataclass
class Tree:
    """What was written, and the truth about it.

    Attributes
    ----------
    layout : str
        ``timit`` or ``textgrids``.
    root : Path
        Where it lies.
    read : dict of str to Utterance
        The recordings that can be read, by identifier.
    refused : dict of str to (str, str)
        Of those that cannot, the pattern of the reason, and the file that it names.
    files : dict of str to Files
        Where each of them lies.
    """

    layout: str
    root: Path
    read: dict[str, Utterance] = field(default_factory=dict)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    files: dict[str, Files] = field(default_factory=dict)

    def load(self) -> FileCorpus:
        return LOADERS[self.layout](self.root)

    def add(self, planned: Planned, *, name: str = "", speaker: str = "") -> Files:
        """Write one more recording."""
        number = len(self.files)
        name, speaker = name or f"sx{number}", speaker or f"f{number % 3}"
        spoken = [speaker, name]
        folder = self.root / "TRAIN" / "DR1" / speaker if self.layout == "timit" else self.root / speaker
        if self.layout == "timit":
            spoken = ["train", "dr1", speaker.lower(), name.lower()]
        files = Files(self.layout, folder, name, legible("/".join(spoken)), planned.container)
        utterance = planned.damage.alter(planned.utterance) if planned.damage else planned.utterance
        files.write(utterance)
        if planned.damage:
            planned.damage.apply(files)
        if planned.damage and planned.damage.refused:
            self.refused[files.id] = (planned.damage.refused, planned.damage.named(files))
        else:
            self.read[files.id] = utterance
        self.files[files.id] = files
        return files

    def assert_reason(self, recording: str, reason: str) -> None:
        """One line that names the file, and says what is wrong with it."""
        pattern, path = self.refused[recording]
        assert reason.isprintable(), reason
        assert legible(path) in reason, (path, reason)
        assert re.search(pattern, reason), (pattern, reason)
        assert len(reason) < len(path) + 1000

    @property
    def frames(self) -> dict[str, int]:
        return {name: utterance.frames for name, utterance in self.read.items()}

    @property
    def clipped(self) -> int:
        return sum(utterance.clipped for utterance in self.read.values())

    @property
    def short(self) -> int:
        return sum(frames == 0 for frames in self.frames.values())

    def labels(self, tier: str) -> Counter[str | None]:
        """How many frames have each label, None for those that have none."""
        return Counter(label for utterance in self.read.values() for label in utterance.labels(tier))


def write_tree(root: Path, layout: str, planned: Sequence[Planned]) -> Tree:
    tree = Tree(layout, root)
    for one in planned:
        tree.add(one)
    return tree


def containers(damage: Damage, layout: str) -> list[str]:
    """Containers of audio in which a recording of a layout can have a damage."""
    return [container for container in ("sphere", "riff", "flac") if damage.fits(layout, container)]
