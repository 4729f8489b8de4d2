"""``snaps profile`` as a process that a signal meets when its first block is on disk."""

import sys
from collections.abc import Sequence
from pathlib import Path

from snaps.cli import main
from snaps.models import Wav2Letter, save_model
from snaps.profiles import open_profiles
from snaps.speech import synthesize_corpus
from tests.profiling.runs import assert_identical

SIGNALLING = """
import os, sys
from snaps.profiling.blocks import BlockFolder
signals, save = [int(sys.argv.pop(1))], BlockFolder._save
def save_and_signal(*arguments):
    save(*arguments)
    os.kill(os.getpid(), signals.pop() if signals else 0)
BlockFolder._save = save_and_signal
from snaps.cli import main
sys.exit(main(sys.argv[1:]))
"""


def command(arguments: list[str], *, signal: int = 0) -> list[str]:
    """The command as a process is started with it; it sends itself a signal when its first block is on disk."""
    return [sys.executable, "-c", SIGNALLING, str(int(signal)), *arguments]


class Work:
    """Speech with one broken file, a network, and the profiles of a run that nothing stopped."""

    def __init__(self, folder: Path, layers: Sequence[tuple[int, int, int]] | None = None) -> None:
        self.corpus = folder / "speech"
        synthesize_corpus(self.corpus, speakers=4, sentences=10, progress=False)
        broken = sorted(path for path in self.corpus.rglob("*") if path.suffix.lower() == ".wav")[20]
        broken.write_bytes(b"RIFF")
        network = Wav2Letter(["_", "s", "iy", "ah"], "w2p_shallow", width=16, layers=layers)
        self.network = save_model(network, folder / "w.safetensors")
        self.whole = folder / "whole.zarr"
        assert main([*self.options, "--out", str(self.whole)]) == 0

    @property
    def options(self) -> list[str]:
        """Arguments but for the output."""
        return [
            *("profile", str(self.network), "--corpus", f"timit:{self.corpus}", "--group", "phoneme", "--ignore", ""),
            *("--on-error", "skip", "--quiet", "--json"),
        ]

    def arguments(self, out: Path) -> list[str]:
        """All arguments."""
        return [*self.options, "--out", str(out)]

    def assert_finished(self, out: Path) -> None:
        """The output is whole, to the byte but for its date, and nothing lies beside it."""
        assert_identical(open_profiles(out), open_profiles(self.whole))
        files = {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
        expected = {p.relative_to(self.whole): p.read_bytes() for p in sorted(self.whole.rglob("*")) if p.is_file()}
        assert files.keys() == expected.keys()
        # Attributes hold the date.
        changed = {str(name) for name in files if files[name] != expected[name]}
        assert changed <= {"zarr.json"}
        assert sorted(path.name for path in out.parent.iterdir()) == [out.name]
