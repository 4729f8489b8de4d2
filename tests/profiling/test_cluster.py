"""Runs over a cluster of real processes give what one process gives, also when workers are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from snaps.datasets import load_timit
from snaps.errors import InputError, RecordingError
from snaps.models import Wav2Letter
from snaps.profiling import blocks, open_cluster
from tests.profiling.poisoned import Poison, tree
from tests.profiling.runs import Faulty, assert_identical, compute, network, recordings
from tests.waiting import PATIENCE, wait_until

#: Recordings of a block.
BLOCK = blocks.LEAST_RECORDINGS
SIZE = 6 * BLOCK + 5


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


def test_it_is_what_one_process_computes(client: Client, corpus: list, whole: Any) -> None:
    assert_identical(compute(network(), corpus, client=client), whole)


def test_started_here_and_finished_there(client: Client, tmp_path: Path, corpus: list, whole: Any) -> None:
    folder, at = tmp_path / "run", 3 * BLOCK
    poisoned = [*corpus[:at], Poison(corpus[at], "raise"), *corpus[at + 1 :]]
    with pytest.raises(RuntimeError, match="poison") as raised:
        compute(network(), poisoned, client=client, checkpoint=folder)
    assert "while recording 'r48' was played" in raised.value.__notes__
    assert len(list(folder.glob("*.npz"))) == 3
    assert_identical(compute(network(), corpus, client=client, checkpoint=folder), whole)
    assert_identical(compute(network(), corpus, checkpoint=folder), whole)


def test_a_fault_that_passes_is_retried(client: Client, tmp_path: Path, corpus: list) -> None:
    part = corpus[: 2 * BLOCK]
    poisoned = [*part[:20], Poison(part[20], "raise", often=2, folder=tmp_path), *part[21:]]
    assert_identical(compute(network(), poisoned, client=client), compute(network(), part))


def test_a_recording_that_cannot_be_read_is_not_retried(client: Client, corpus: list) -> None:
    part = corpus[: 2 * BLOCK]
    poisoned = [*part[:20], Poison(part[20], "unreadable"), *part[21:]]
    with pytest.raises(RecordingError, match="it is broken"):
        compute(network(), poisoned, client=client)


def test_a_worker_killed_during_the_run(client: Client, tmp_path: Path, corpus: list, whole: Any) -> None:
    middle = 3 * BLOCK
    poisoned = [*corpus[:middle], Poison(corpus[middle], "die", often=1, folder=tmp_path), *corpus[middle + 1 :]]
    assert_identical(compute(network(), poisoned, client=client), whole)
    assert (tmp_path / "0.done").exists()


@pytest.mark.campaign
def test_recordings_that_kill_every_worker_are_named_by_their_block(
    client: Client, tmp_path: Path, corpus: list
) -> None:
    part, folder = corpus[: 2 * BLOCK], tmp_path / "run"
    with pytest.raises(InputError, match="recordings 17 to 32 cannot be computed: every worker that tried died"):
        compute(network(), [*part[:20], Poison(part[20], "die"), *part[21:]], client=client, checkpoint=folder)
    assert_identical(compute(network(), part, checkpoint=folder), compute(network(), part))


@pytest.mark.campaign
@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.7, 1.1, 1.6])
def test_both_workers_killed_at_many_moments(corpus: list, whole: Any, seconds: float) -> None:
    for _ in range(3):
        with peopled(2) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            pids = list(client.run(os.getpid).values())

            def kill(pids: list[int] = pids) -> None:
                for pid in pids:
                    time.sleep(seconds)
                    os.kill(pid, signal.SIGKILL)

            with doing(kill):
                assert_identical(compute(network(), corpus, client=client), whole)


def test_files_are_read_where_they_are(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if they were named from a folder in which no worker is; a broken one is skipped there too."""
    tree(tmp_path / "speech")
    monkeypatch.chdir(tmp_path)
    corpus = load_timit("speech")
    options = {"groupings": ["phoneme", "sex"], "on_error": "skip"}
    model = Wav2Letter(["_", "s", "iy"], layers=[(6, 24, 2), (3, 1, 1)])
    expected = compute(model, corpus, **options)
    assert_identical(compute(model, corpus, client=client, **options), expected)
    with pytest.raises(RecordingError, match="damaged|cannot be read|is not"):
        compute(model, corpus, client=client, groupings=["phoneme"])
    # A worker that does not see the corpus must not take its recordings for broken ones.
    monkeypatch.setattr(blocks.Path, "cwd", lambda: "/nowhere")
    with pytest.raises(InputError, match="the worker on .* does not see '/nowhere'"):
        compute(model, corpus, client=client, **options)


def test_a_cluster_without_workers_is_told(corpus: list, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        with monkeypatch.context() as patched, pytest.raises(InputError, match="has been without workers for 0 s"):
            patched.setattr(blocks, "LIMIT", 0.1)
            patched.setattr(blocks.warnings, "warn", lambda *_, **__: None)
            compute(network(), corpus, client=client)

        def warn(message: str, **_: object) -> None:
            if "no workers" in str(message):
                told.append(message)
                cluster.scale(1)

        with monkeypatch.context() as patched:
            patched.setattr(blocks.warnings, "warn", warn)
            assert_identical(compute(network(), corpus, client=client), whole)
    assert set(told) == {"the cluster has no workers; the run goes on when there is one"}


def test_corpora_and_clients_that_do_not_serve(client: Client, corpus: list, monkeypatch: pytest.MonkeyPatch) -> None:
    few = corpus[:5]
    with pytest.raises(InputError, match="the corpus is a Faulty; on a cluster accepted are"):
        compute(network(), Faulty(few, -1, KeyError()), client=client)
    with pytest.raises(InputError, match="client is a str; accepted is a distributed.Client"):
        compute(network(), few, client="tcp://127.0.0.1:8786")
    monkeypatch.setattr(blocks.snaps, "__version__", "9.9")
    with pytest.raises(InputError, match=r"the worker on .* has the version \S+ of snaps, and not 9.9"):
        compute(network(), few, client=client)


def test_schedulers_that_are_not_there() -> None:
    for address in ("local:0", "local", "local:many"):
        with pytest.raises(InputError, match="accepted are an address and local:N"), open_cluster(address):
            pass
    with pytest.raises(InputError, match="there is no scheduler at 'nowhere'"), open_cluster("nowhere"):
        pass


def test_without_dask_it_is_one_sentence() -> None:
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from snaps.profiling import open_cluster\n"
        "try:\n    open_cluster('local:2').__enter__()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout.strip().startswith(
        "InputError runs over a cluster need dask.distributed, which is not installed"
    )


@pytest.mark.filterwarnings("ignore:the cluster has no workers")  # as its last moments are
def test_the_scheduler_ends_during_the_run(tmp_path: Path, corpus: list, whole: Any) -> None:
    """Finished blocks are kept, and the run goes on without a cluster."""
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs="CRITICAL")
    middle = 3 * BLOCK
    held = [*corpus[:middle], Poison(corpus[middle], "hold", often=1, folder=tmp_path), *corpus[middle + 1 :]]

    def close() -> None:
        wait_until((tmp_path / "0.done").exists, "the run is in the middle")
        cluster.close(timeout=PATIENCE)

    with Client(cluster) as client, doing(close), pytest.raises(InputError, match="the cluster's scheduler is gone"):
        compute(network(), held, client=client, checkpoint=tmp_path / "run")
    assert_identical(compute(network(), corpus, checkpoint=tmp_path / "run"), whole)
