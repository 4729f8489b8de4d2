"""State files that are damaged, foreign or hostile; full disks; two runs at once."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from snaps.datasets.drops import DropLog
from snaps.errors import InputError
from snaps.models import Wav2Letter, save_model, sealed
from snaps.outputs import claimed
from snaps.profiling import state as states
from snaps.profiling.parts import Counter, Part
from snaps.profiling.state import StateFile, read_state, write_state
from tests.scale.work import SHORT as SHARD
from tests.scale.work import Faulty, assert_identical, compute, network, recordings
from tests.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("short_shards")

CORPUS = recordings(2 * SHARD)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("states") / "state"
    compute(network(), CORPUS, checkpoint=path)
    return path.read_bytes()


def refused(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "state"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        compute(network(), CORPUS, checkpoint=path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    assert path.read_bytes() == content
    return str(raised.value)


def test_the_file_is_one_of_safetensors(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "state").write_bytes(written)
    with safe_open(tmp_path / "state", framework="pt") as file:
        assert file.metadata()["format"] == "neuron-snaps run"
        assert json.loads(file.metadata()["run"])["done"] == 2
        assert file.keys()


@pytest.mark.parametrize("length", [0, 7, 8, 30, 99, 5000, -1])
def test_truncated(tmp_path: Path, written: bytes, length: int) -> None:
    assert "damaged" in (told := refused(tmp_path, written[:length])) or "no state of a run" in told


def test_flipped_bits(tmp_path: Path, written: bytes) -> None:
    rng = np.random.default_rng(0)
    places = [*range(0, 110, 9), *rng.integers(110, len(written), 25).tolist()]
    for place in places:
        content = bytearray(written)
        content[place] ^= 1 << int(rng.integers(8))
        assert "damaged" in (told := refused(tmp_path, bytes(content))) or "no state of a run" in told


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04" + bytes(100),
        b"\x80\x04\x95" + bytes(200),
        (2**62).to_bytes(8, "little") + b'{"__metadata__":{"sha256":"' + bytes(200),
        save({"a": torch.zeros(3)}, metadata={"format": "neuron-snaps wav2letter"}),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    assert "is no state of a run" in refused(tmp_path, content)


def test_nobody_is_told_to_delete_a_file_of_another_kind(tmp_path: Path) -> None:
    sealed = (save_model(Wav2Letter(["_", "a"], layers=[(2, 3, 1)], n_inputs=5), tmp_path / "w2l"), tmp_path / "own")
    with sealed[1].open("wb") as file:
        states.write_sealed(file, {}, {"format": "neuron-snaps training", "run": "{}"})
    for path in sealed:
        told = refused(tmp_path, path.read_bytes())
        assert "is no state of a run: it is a file of another kind; give another name" in told
        assert "delete it" not in told


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(InputError, match=r"state' cannot be read: Is a directory"):
        compute(network(), CORPUS, checkpoint=tmp_path / "state")


def forged(written: bytes, change: Callable[[dict[str, Any]], None], tmp_path: Path) -> bytes:
    """The same state with another header, and the digest that belongs to it."""
    (tmp_path / "forged").write_bytes(written)
    with safe_open(tmp_path / "forged", framework="pt") as file:
        run = json.loads(file.metadata()["run"])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    change(run)
    with (tmp_path / "forged").open("wb") as out:
        states.write_sealed(out, tensors, {"format": "neuron-snaps run", "run": json.dumps(run)})
    return (tmp_path / "forged").read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: run.update(version=99), "version 99; this version of snaps reads up to 1"),
        (lambda run: run.update(version="new"), "is no state of a run"),
        (lambda run: run.update(done=10**9), "1000000000 of 2 shards"),
        (lambda run: run.update(done=-1), "-1 of 2 shards"),
        (lambda run: run.update(done=1, parts=[None]), "its sums are not those of 1 shards"),
        (lambda run: run.update(parts=5), "is no state of a run"),
        (lambda run: run.update(about=[]), "with another version of snaps: null"),
        (lambda run: run["parts"][0].update(shapes={"input": [10**9, 10**9]}), "is no state of a run"),
        (lambda run: run["parts"][0].update(shapes={}), "is no state of"),
        (lambda run: run["parts"][0]["counts"][""].update(phoneme=[["s", 1]]), "is no state of a run"),
        (lambda run: run["parts"][0]["counts"][""].pop("phoneme"), "is no state of"),
        (lambda run: run["parts"][0].update(drops={"counts": 3}), "is no state of a run"),
        (lambda run: run["parts"][0]["like"].update(step=-1.0), "is no state of a run"),
        (lambda run: run["parts"][0]["like"].update(units="many"), "is no state of a run"),
        (lambda run: run["parts"][0]["like"].update(units=10**15), "does not fit the network"),
        (lambda run: run["parts"][0].update(batch_size=-3), "batch_size"),
        (lambda run: run["parts"][0].pop("n_frames"), "is no state of a run"),
    ],
)
def test_a_forged_state_is_one_sentence(tmp_path: Path, written: bytes, change: Any, told: str) -> None:
    (tmp_path / "own").mkdir()
    path = tmp_path / "state"
    path.write_bytes(forged(written, change, tmp_path / "own"))
    with pytest.raises(InputError) as raised:
        compute(network(), CORPUS, checkpoint=path)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


class FullDisk:
    """Writing fails from so many calls on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
        self.left = after
        monkeypatch.setattr(states, "write_sealed", self.write)

    def write(self, file: Any, tensors: Any, metadata: Any) -> None:
        if self.left == 0:
            file.write(b"half of it")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1
        WRITE(file, tensors, metadata)


WRITE = states.write_sealed


def test_a_full_disk_ends_the_run_and_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, path = recordings(4 * SHARD), tmp_path / "state"
    expected = compute(network(), Faulty(corpus, -1, KeyError()))
    with monkeypatch.context() as patched:
        patched.setattr(states, "INTERVAL", 0.0)
        patched.setattr(states, "TIMES_WRITING", 0)
        FullDisk(patched, after=2)
        with pytest.raises(InputError, match=r"No space left on device; that of 2 shards is kept, and the same"):
            compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=path)
    assert [left.name for left in tmp_path.iterdir()] == ["state"]
    unread = Faulty(corpus, 0, AssertionError("computed twice"))
    assert_identical(compute(network(), unread, checkpoint=path), expected)


def test_a_state_that_could_not_be_read_back_replaces_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = StateFile(tmp_path / "state", {"a": 1})
    kept.write(Counter(1, [Part()]))
    before = kept.path.read_bytes()
    monkeypatch.setattr(sealed, "LARGEST_HEADER", len(before) + 100)
    many = Part(drops=DropLog({"ignored": {f"grouping {n}": n for n in range(100)}}))
    with pytest.raises(InputError, match=r"state': what is said .* at most [\d,]+; that of 1 shards is kept") as raised:
        kept.write(Counter(2, [many]))
    assert "\n" not in str(raised.value)
    assert kept.path.read_bytes() == before
    assert kept.load(device=torch.device("cpu"), n_shards=8).done == 1


def test_a_disk_that_is_full_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FullDisk(monkeypatch, after=0)
    with monkeypatch.context() as eager, pytest.raises(InputError, match="there is none before it"):
        eager.setattr(states, "INTERVAL", 0.0)
        compute(network(), CORPUS, checkpoint=tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_is_not_lost_for_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FullDisk(monkeypatch, after=0)
    with pytest.warns(UserWarning, match="No space left on device.* all was computed"):
        found = compute(network(), CORPUS, checkpoint=tmp_path / "state")
    assert_identical(found, compute(network(), CORPUS))
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_the_run_is_the_one_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FullDisk(monkeypatch, after=0)
    with pytest.raises(KeyError, match="its own"):
        compute(network(), Faulty(CORPUS, SHARD, KeyError("its own")), checkpoint=tmp_path / "state")


def test_a_folder_that_does_not_exist_is_made(tmp_path: Path) -> None:
    compute(network(), CORPUS, checkpoint=tmp_path / "new" / "state")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["state"]


def test_an_empty_counter_is_a_state_too(tmp_path: Path) -> None:
    write_state(tmp_path / "state", Counter(), {"a": 1})
    assert read_state(tmp_path / "state", {"a": 1}, device=torch.device("cpu"), n_shards=0).done == 0


HOLD = """
import sys
from snaps.outputs import claimed
with claimed(sys.argv[1]):
    print("claimed", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Another process that has claimed an output."""
    command = [sys.executable, "-c", HOLD, tmp_path / "out"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE)


def test_two_runs_into_one_output(tmp_path: Path, held: subprocess.Popen) -> None:
    """The second is told; once the first is killed, its claim is gone, whatever it left behind."""
    with pytest.raises(InputError, match=r"another run is writing '.*out'; wait for it"):
        compute(network(), CORPUS, checkpoint=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    held.kill()
    held.wait(PATIENCE)
    assert (tmp_path / ".out.lock").exists()
    compute(network(), CORPUS, checkpoint=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_one_process_is_no_exception(tmp_path: Path) -> None:
    with claimed(tmp_path / "out"), pytest.raises(InputError, match="another run is writing"):
        compute(network(), CORPUS, checkpoint=tmp_path / "out")
    with claimed(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".out.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match=r"out' cannot be written"), claimed(tmp_path / "out"):
        pass
    assert not (tmp_path / "precious").exists()
