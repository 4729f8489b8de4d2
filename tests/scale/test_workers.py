"""What workers are told, what they do with it here in one process, and what becomes of blocks that fail."""

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import snaps
from snaps.errors import InputError, RecordingError
from snaps.profiling import cluster, planning, workers
from snaps.profiling.parts import SHARD, Block, Part
from snaps.profiling.run import Run
from snaps.profiling.workers import BlockError, Plan, compute_block
from tests.scale.work import compute, recordings, saved_network

SIZE = 2 * SHARD


class Loaded(list):
    """Recordings of which one fails when it is loaded; its neighbours are loaded ahead of it."""

    def __init__(self, corpus: list, at: int, error: Exception) -> None:
        super().__init__(corpus)
        self.at, self.error = at, error

    def __getitem__(self, index: Any) -> Any:
        if index == self.at:
            raise self.error
        return super().__getitem__(index)


@pytest.fixture(scope="module")
def corpus() -> list:
    return recordings(SIZE)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return saved_network(tmp_path_factory.mktemp("networks"))


def planned(model: Any, corpus: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Plan:
    """What `compute_profiles` would tell workers."""
    plans = []

    def kept(_: Any, plan: Plan, *__: Any, **___: Any) -> Part:
        plans.append(plan)
        return Part()

    with monkeypatch.context() as patched, pytest.raises(InputError, match="nothing to average"):
        patched.setattr(cluster, "run_on_cluster", kept)
        compute(model, corpus, client=object(), **options)
    return plans[0]


def test_a_worker_without_memory_for_the_sums(model: Any, corpus: list, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(model, corpus, monkeypatch)
    assert compute_block(plan, corpus[:5], level=0).part().n_recordings == 5
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**16))
    with pytest.raises(InputError, match="would take .* GiB, over half of the free memory of 0.0 GiB"):
        compute_block(plan, corpus[:5], level=0)


@pytest.mark.parametrize("at", [0, 4, SHARD, SIZE - 1])
def test_a_recording_that_cannot_be_loaded_is_the_one_that_is_named(
    model: Any, corpus: list, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    plan = planned(model, corpus, monkeypatch, on_error="skip")
    with pytest.raises(RecordingError, match="cannot be played on .*: KeyError: 'no such table'") as raised:
        compute_block(plan, Loaded(corpus, at, KeyError("no such table")), level=1)
    assert type(raised.value) is RecordingError
    assert raised.value.recording == corpus[at].id
    with pytest.raises(BlockError, match=f"recording 'r{at}' cannot be played on .*: MemoryError$"):
        compute_block(plan, Loaded(corpus, at, MemoryError()), level=1)


@pytest.mark.parametrize("place", ["start", "take"])
def test_no_recording_is_blamed_for_what_befalls_the_worker(
    model: Any, corpus: list, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    plan = planned(model, corpus, monkeypatch, on_error="skip")

    def failing(*_: Any) -> None:
        raise RuntimeError("the device is busy")

    monkeypatch.setattr(Run, place, failing)
    with pytest.raises(BlockError, match="the recordings 'r0' to 'r31' cannot be played on .*: the device is busy"):
        compute_block(plan, corpus, level=1)


def test_leaving_out_the_same_recording_twice_helps_nobody(corpus: list) -> None:
    plan = SimpleNamespace(on_error="skip")
    driver = cluster._Driver(SimpleNamespace(status="running"), plan, corpus, 0, end=2)  # type: ignore[arg-type]
    block, waiting = Block(0, 1, 0), deque[Block]()
    driver.attempts[0] = cluster.ATTEMPTS
    driver._failed(block, RecordingError("r3", "it is poisoned"), waiting)
    assert (driver.failure, list(waiting), driver.without) == (None, [block], {0: {"r3": "it is poisoned"}})
    driver.attempts[0] = cluster.ATTEMPTS
    driver._failed(block, RecordingError("r3", "it is poisoned"), waiting)
    assert isinstance(driver.failure, RecordingError)
    assert driver.end == 0


def test_blocks_that_fail_for_no_recording_are_tried_again(corpus: list) -> None:
    driver = cluster._Driver(SimpleNamespace(status="running"), SimpleNamespace(on_error="skip"), corpus, 0, end=2)  # type: ignore[arg-type]
    block, waiting = Block(0, 1, 0), deque[Block]()
    for attempt in range(1, cluster.ATTEMPTS):
        driver.attempts[0] = attempt
        driver._failed(block, BlockError("the device is busy"), waiting)
        assert driver.failure is None
        assert waiting.pop() == block
    driver.attempts[0] = cluster.ATTEMPTS
    driver._failed(block, BlockError("the device is busy"), waiting)
    assert str(driver.failure) == "the device is busy"
    assert driver.without[0] == {}


def test_frames_at_once_do_not_depend_on_free_memory(model: Any, corpus: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**24))
    assert planned(model, corpus, monkeypatch).options["batch_size"] == 64
    assert planned(model, corpus, monkeypatch, device="cuda:1").options["batch_size"] == 256
    assert planned(model, corpus, monkeypatch, batch_size=3).options["batch_size"] == 3


def test_arithmetic_is_that_of_the_workers(model: Any, corpus: list, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(model, corpus, monkeypatch, device="cuda", precision="tf32")
    assert (plan.options["device"], plan.options["precision"]) == ("cuda", "tf32")


def test_annotations_in_a_tree_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named from the folder in which the caller is, where workers are not."""
    (tmp_path / "audio").mkdir()
    (tmp_path / "grids").mkdir()
    soundfile.write(tmp_path / "audio" / "one.wav", np.zeros(16_000), 16_000)
    span = "xmin = 0\nxmax = 1\n"
    tiers = "".join(
        f'item [{number}]:\nclass = "IntervalTier"\nname = "{name}"\n{span}intervals: size = 1\nintervals [1]:\n{span}'
        'text = "s"\n'
        for number, name in enumerate(["phones", "words"], start=1)
    )
    (tmp_path / "grids" / "one.TextGrid").write_text(
        f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n{span}tiers? <exists>\nsize = 2\nitem []:\n{tiers}'
    )
    monkeypatch.chdir(tmp_path)
    corpus = snaps.load_textgrids(tmp_path / "audio", annotations="grids")
    assert corpus[0].tiers["phoneme"]
    witnesses = planning._witnesses(corpus)
    assert witnesses == (str(tmp_path / "audio" / "one.wav"), str(tmp_path / "grids" / "one.TextGrid"))
    shipped = planning.absolute(corpus)
    monkeypatch.chdir("/")
    assert shipped[0].tiers == snaps.load_textgrids(tmp_path / "audio", annotations=tmp_path / "grids")[0].tiers
    # A folder that is there, for want of the file system that should be mounted on it, is no corpus.
    (tmp_path / "grids" / "one.TextGrid").unlink()
    with pytest.raises(InputError, match=r"does not see '.*one\.TextGrid'; network and corpus must be on paths"):
        workers.look_around(SimpleNamespace(version=snaps.__version__, network=witnesses[0], witnesses=witnesses))  # type: ignore[arg-type]


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> tuple[cluster._Driver, list[str]]:
    """A driver whose cluster has no workers, and what it warns of."""
    told: list[str] = []
    monkeypatch.setattr(cluster, "warnings", SimpleNamespace(warn=lambda message, **_: told.append(message)))
    client = SimpleNamespace(nthreads=lambda **_: {})
    return cluster._Driver(client, SimpleNamespace(), [], 0), told  # type: ignore[arg-type]


def test_a_cluster_that_loses_its_workers_is_told_once(
    emptied: tuple[cluster._Driver, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.01)
    driver, told = emptied
    looks = []

    def has_ready() -> bool:
        looks.append(len(told))
        return looks.count(1) > 10

    driver._wait(SimpleNamespace(has_ready=has_ready))
    (message,) = told
    assert message.startswith("the cluster has no workers left; the run goes on when there is one")


def test_a_cluster_that_stays_without_workers_ends_the_run(
    emptied: tuple[cluster._Driver, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.01)
    monkeypatch.setattr(cluster, "LIMIT", 0.5)
    driver, _ = emptied
    with pytest.raises(InputError, match=r"has been without workers for \d+ seconds; the same call goes on where"):
        driver._wait(SimpleNamespace(has_ready=lambda: False))
