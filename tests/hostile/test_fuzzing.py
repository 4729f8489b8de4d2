"""The targets of ``python -m fuzzing.readers``: they pass on their seeds, and notice what a reader must not do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzzing import readers, targets
from fuzzing.targets import TARGETS
from fuzzing.trees import FindingError
from snaps.datasets.textgrids import TextGrid, parse_textgrid
from snaps.errors import RecordingError
from tests.waiting import PATIENCE


@pytest.mark.parametrize("name", [*TARGETS])
def test_seeds_are_read_or_refused(name: str) -> None:
    target = TARGETS[name]()
    seeds = target.seeds()
    assert len(seeds) >= 8 and all(len(seed) <= targets.LONGEST for seed in seeds)
    for seed in seeds[:: max(1, len(seeds) // 12)]:
        target.check(seed)


def refuse(sentence: str) -> Callable[..., object]:
    def read(path: Path, **_: object) -> object:
        raise RecordingError("a", sentence.format(path))

    return read


def crash(*_: object, **__: object) -> object:
    raise OverflowError("too large")


@pytest.mark.parametrize(
    ("target", "place", "broken", "error"),
    [
        ("textgrid", "snaps.datasets.textgrids.parse_textgrid", crash, OverflowError),
        ("phn", "snaps.datasets.timit._read_intervals", lambda *_: [], FindingError),
        ("wrd", "snaps.datasets.timit.read_text", refuse("it cannot be read"), FindingError),
        ("flac", "fuzzing.targets.read_audio", refuse("it is bad"), FindingError),
        ("riff", "fuzzing.targets.read_audio", crash, OverflowError),
        ("trees", "snaps.datasets.files.read_audio", crash, OverflowError),
    ],
)
def test_targets_notice(
    monkeypatch: pytest.MonkeyPatch, target: str, place: str, broken: object, error: type[BaseException]
) -> None:
    made = TARGETS[target]()
    seed = made.seeds()[0]
    made.check(seed)
    monkeypatch.setattr(place, broken)
    with pytest.raises(error):
        made.check(seed)


def test_a_lost_interval_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_the_last(text: str) -> TextGrid:
        grid = parse_textgrid(text)
        return TextGrid(tuple((name, tier[:-1]) for name, tier in grid.tiers), grid.point_tiers)

    made = TARGETS["textgrid"]()
    monkeypatch.setattr("snaps.datasets.textgrids.parse_textgrid", lose_the_last)
    with pytest.raises(FindingError, match="strings, of which"):
        made.check(made.seeds()[0])


def test_a_finding_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "findings" / "phn-crash"
    result = readers.Result(12, 3, 1, 4, broken, "the last lines")
    monkeypatch.setattr(readers, "fuzz", lambda name, **_: result)
    monkeypatch.setattr(readers.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(sys, "argv", ["readers", "--target", "phn"])
    assert readers.main() == 1
    told = capsys.readouterr().out
    assert f"--target phn --reproduce {broken}" in told and "the last lines" in told
    monkeypatch.setattr(readers, "fuzz", lambda name, **_: readers.Result(12, 3, 1, 4, None, ""))
    assert readers.main() == 0


def test_without_atheris_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(readers.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["readers"])
    assert readers.main() == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "atheris" in told and "[fuzz]" in told


def test_a_finding_is_reproduced(tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.write_bytes(b"0 1 h#\n")
    command = [sys.executable, "-m", "fuzzing.readers", "--target", "phn", "--reproduce", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert "read or refused as it should be" in done.stdout


@pytest.mark.campaign
def test_a_minute_of_fuzzing_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "fuzzing.readers", "--seconds", "60", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("none") == len(TARGETS)
