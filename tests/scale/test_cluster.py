"""Runs over a cluster of real processes give what one process gives, also when workers are killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xarray as xr
from distributed import Client, LocalCluster

from snaps.datasets import load_timit
from snaps.errors import InputError, RecordingError
from snaps.models import Wav2Letter, load_model, save_model
from snaps.profiling import cluster as clusters
from snaps.profiling import planning
from snaps.profiling.cluster import block_level, open_cluster
from snaps.profiling.parts import SHARD
from tests.scale.poisoned import Poison, tree
from tests.scale.work import Faulty, assert_identical, compute, network, recordings, saved_network
from tests.waiting import PATIENCE, wait_until

SIZE = 10 * SHARD + 5


@pytest.fixture(autouse=True)
def never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes long to start a worker; the warning of it would be an error here."""
    monkeypatch.setattr(clusters, "PATIENCE", PATIENCE)


@contextmanager
def peopled(number: int) -> Iterator[Client]:
    """A cluster that gets a new worker when it has had none for a while: dask restarts not every one that is killed."""
    with open_cluster(f"local:{number}") as client:
        over = threading.Event()

        def people() -> None:
            empty = 0
            while not over.wait(1.0):
                empty = 0 if client.nthreads() else empty + 1
                if empty == 10:
                    client.cluster.scale(len(client.cluster.worker_spec) + 1)
                    empty = 0

        with doing(people):
            try:
                yield client
            finally:
                over.set()


@contextmanager
def doing(deed: Callable[[], object]) -> Iterator[None]:
    """Do something beside the test."""
    thread = threading.Thread(target=deed, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with peopled(2) as client:
        yield client


@pytest.fixture(scope="module")
def corpus() -> list:
    return recordings(SIZE)


@pytest.fixture(scope="module")
def whole(corpus: list) -> Any:
    return compute(network(), corpus)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return saved_network(tmp_path_factory.mktemp("networks"))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_it_is_what_one_process_computes(
    client: Client, corpus: list, model: Any, whole: Any, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "block_level", lambda _, threads: level)
    assert_identical(compute(model, corpus, client=client), whole)


def test_started_here_and_finished_there(client: Client, tmp_path: Path, corpus: list, model: Any, whole: Any) -> None:
    with pytest.raises(KeyError):
        compute(model, Faulty(corpus, 3 * SHARD + 1, KeyError()), checkpoint=tmp_path / "other")
    state = tmp_path / "state"
    poisoned = [*corpus[: 5 * SHARD], Poison(corpus[5 * SHARD], "raise"), *corpus[5 * SHARD + 1 :]]
    with pytest.raises(RecordingError) as raised:
        compute(model, poisoned, client=client, checkpoint=state)
    assert raised.value.recording == "r80"
    assert "recording 'r80' cannot be played on" in str(raised.value)
    assert "RuntimeError: poison" in str(raised.value)
    assert state.is_file()
    assert_identical(compute(model, corpus, client=client, checkpoint=state), whole)
    assert_identical(compute(model, corpus, checkpoint=state), whole)


DYING = "'r20' cannot be played: 3 workers in turn ended while they computed it"


@pytest.mark.campaign
def test_a_recording_that_kills_workers_is_named(client: Client, tmp_path: Path, corpus: list, model: Any) -> None:
    part, state = corpus[: 2 * SHARD], tmp_path / "state"
    with pytest.raises(RecordingError, match=DYING) as raised:
        compute(model, [*part[:20], Poison(part[20], "die"), *part[21:]], client=client, checkpoint=state)
    assert raised.value.recording == "r20"
    assert state.is_file()
    assert_identical(compute(model, part, checkpoint=state), compute(model, part))


@pytest.mark.parametrize(("deed", "told"), [("die", DYING), ("raise", "'r20' cannot be played on")])
def test_a_recording_that_fails_is_left_out_where_such_are_skipped(
    client: Client, corpus: list, model: Any, deed: str, told: str
) -> None:
    """Also one that kills its worker, of which a single process would die too."""
    part = corpus[: 2 * SHARD]
    poisoned = [*part[:20], Poison(part[20], deed), *part[21:]]
    found = compute(model, poisoned, client=client, on_error="skip")
    (skipped,) = json.loads(found.attrs["drop_log"])["skipped"]
    assert skipped["recording"] == "r20"
    assert told in skipped["reason"]
    expected = compute(model, Faulty(part, 20, RecordingError("r20", skipped["reason"])), on_error="skip")
    assert found.attrs["drop_log"] == expected.attrs["drop_log"]
    for node in expected.leaves:
        xr.testing.assert_identical(found[node.path].to_dataset(), node.to_dataset())


def test_a_fault_that_passes(client: Client, tmp_path: Path, corpus: list, model: Any) -> None:
    """Twice it fails, the third time it does not."""
    part = corpus[: 2 * SHARD]
    poisoned = [*part[:20], Poison(part[20], "raise", often=2, folder=tmp_path), *part[21:]]
    assert_identical(compute(model, poisoned, client=client), compute(model, part))


def test_a_worker_killed_during_the_run(client: Client, tmp_path: Path, corpus: list, model: Any, whole: Any) -> None:
    middle = 5 * SHARD
    poisoned = [*corpus[:middle], Poison(corpus[middle], "die", often=1, folder=tmp_path), *corpus[middle + 1 :]]
    assert_identical(compute(model, poisoned, client=client), whole)
    assert (tmp_path / "0.done").exists()


@pytest.mark.campaign
@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.7, 1.1, 1.6])
def test_both_workers_killed_at_many_moments(corpus: list, model: Any, whole: Any, seconds: float) -> None:
    for _ in range(3):
        with peopled(2) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            pids = list(client.run(os.getpid).values())

            def kill(pids: list[int] = pids) -> None:
                for pid in pids:
                    time.sleep(seconds)
                    os.kill(pid, signal.SIGKILL)

            with doing(kill):
                assert_identical(compute(model, corpus, client=client), whole)


def test_files_are_read_where_they_are(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if they were named from a folder in which no worker is; a broken one is skipped there too."""
    tree(tmp_path / "speech")
    monkeypatch.chdir(tmp_path)
    corpus = load_timit("speech")
    options = {"groupings": ["phoneme", "sex"], "on_error": "skip"}
    speech = Wav2Letter(["_", "s", "iy"], layers=[(6, 24, 2), (3, 1, 1)])
    model = load_model(save_model(speech, "speech.safetensors"))
    expected = compute(model, corpus, **options)
    assert_identical(compute(model, corpus, client=client, **options), expected)
    with pytest.raises(RecordingError, match="damaged|cannot be read"):
        compute(model, corpus, client=client, groupings=["phoneme"])


def test_a_network_without_a_file_is_written_beside_the_checkpoint(
    client: Client, tmp_path: Path, corpus: list
) -> None:
    few = corpus[:20]
    found = compute(network(), few, client=client, checkpoint=tmp_path / "state")
    assert_identical(found, compute(network(), few))
    with pytest.raises(InputError, match="the network comes from no file that workers could load; save it"):
        compute(network(), few, client=client)


def test_a_cluster_without_workers_is_told(
    corpus: list, model: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 0.1)
    told = []
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        with (
            monkeypatch.context() as patched,
            pytest.raises(InputError, match="has been without workers for 0 seconds"),
        ):
            patched.setattr(clusters, "LIMIT", 0.1)
            patched.setattr(clusters, "warnings", SimpleNamespace(warn=lambda *_, **__: None))
            compute(model, corpus, client=client)

        def warn(message: str, **_: object) -> None:
            told.append(message)
            cluster.scale(1)

        monkeypatch.setattr(clusters, "warnings", SimpleNamespace(warn=warn))
        assert_identical(compute(model, corpus, client=client), whole)
    assert told == ["the cluster has no workers yet; the run begins when there is one"]


def test_networks_and_corpora_that_workers_cannot_load(client: Client, tmp_path: Path, corpus: list) -> None:
    few, model = corpus[:5], saved_network(tmp_path)
    with pytest.raises(InputError, match="the corpus is a Faulty; on a cluster accepted are"):
        compute(model, Faulty(few, -1, KeyError()), client=client)
    changed = load_model(model.source)
    changed.conv1.weight.data += 1
    with pytest.raises(InputError, match="has other weights than the one that was given"):
        compute(changed, few, client=client)
    with pytest.raises(InputError, match="client is a str; accepted is a distributed.Client"):
        compute(model, few, client="tcp://127.0.0.1:8786")


@pytest.mark.parametrize(
    ("name", "found", "told"),
    [
        ("_witnesses", ("/nowhere/speech",), r"does not see '/nowhere/speech'; network and corpus must be on paths"),
        ("_file_of", "/nowhere/w2l", r"does not see '/nowhere/w2l'; network and corpus must be on paths"),
        ("snaps", SimpleNamespace(__version__="9.9"), r"has the version \S+ of snaps, and not 9.9"),
    ],
)
def test_workers_elsewhere(
    client: Client, corpus: list, model: Any, monkeypatch: pytest.MonkeyPatch, name: str, found: Any, told: str
) -> None:
    """One that does not see the corpus must not take its recordings for broken ones."""
    monkeypatch.setattr(planning, name, found if name == "snaps" else lambda *_: found)
    with pytest.raises(InputError, match=f"the worker on .* {told}"):
        compute(model, corpus[:5], client=client, on_error="skip")


def test_schedulers_that_are_not_there() -> None:
    for address in ("local:0", "local", "local:many"):
        with pytest.raises(InputError, match="accepted are an address and local:N"), open_cluster(address):
            pass
    with pytest.raises(InputError, match="there is no scheduler at 'nowhere'"), open_cluster("nowhere"):
        pass


def test_without_dask_it_is_one_sentence() -> None:
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from snaps.profiling.cluster import open_cluster\n"
        "try:\n    open_cluster('local:2').__enter__()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout.strip().startswith(
        "InputError runs over a cluster need dask.distributed, which is not installed"
    )


def test_the_scheduler_ends_during_the_run(tmp_path: Path, corpus: list, model: Any, whole: Any) -> None:
    """What was merged is kept, and goes on without a cluster."""
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs="CRITICAL")
    middle = 5 * SHARD
    held = [*corpus[:middle], Poison(corpus[middle], "hold", often=1, folder=tmp_path), *corpus[middle + 1 :]]

    def close() -> None:
        wait_until((tmp_path / "0.done").exists, "the run is in the middle")
        cluster.close(timeout=PATIENCE)

    with Client(cluster) as client, doing(close), pytest.raises(InputError, match="the cluster's scheduler is gone"):
        compute(model, held, client=client, checkpoint=tmp_path / "state")
    assert_identical(compute(model, corpus, checkpoint=tmp_path / "state"), whole)


def test_the_sums_must_fit_here_too_and_that_is_told_first(
    client: Client, model: Any, corpus: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a client that is not the default one, for there may be several."""
    with Client(client.scheduler.address, set_as_default=False) as other:
        monkeypatch.setattr("distributed.client._global_clients", {})
        assert compute(model, corpus[:20], client=other).attrs["n_recordings"] == 20
        monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**10))
        with pytest.raises(InputError, match="would take .* GiB, over half of the free memory of 0.0 GiB"):
            compute(model, corpus[:20], client=other, checkpoint=tmp_path / "state")
        # Nothing was merged that could be kept.
        assert not (tmp_path / "state").exists()


def test_levels_leave_every_thread_something_to_do() -> None:
    assert [block_level(n, threads=4) for n in (1, 95, 96, 800, 10**6)] == [0, 0, 1, 2, 3]
