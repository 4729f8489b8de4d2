"""How long a run over a cluster takes, and what travels: a simulation of workers, blocks and failures.

Run as ``python -m benchmarks.cluster_simulation`` for the plan's table, and with ``--check`` to hold the simulation
against a small run on this machine. Time passes in events: a worker takes the next block, plays it, sends its sums to
the one process that merges them in order; workers fail at random, and lose the block at hand.
"""

import argparse
import heapq
import random
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from snaps.profiling.parts import FAN_IN, SHARD


@dataclass(frozen=True)
class Cluster:
    """What a run is made of.

    Attributes
    ----------
    recordings : int
        Recordings of the corpus.
    seconds : float
        Time that one recording takes on one worker.
    workers : int
        Workers of one thread.
    level : int
        Levels that are merged on a worker: a block is ``SHARD * FAN_IN ** level`` recordings.
    megabytes : float
        Sums of all groups and layers.
    start : float
        Time of a block before its first recording, in seconds.
    merge : float
        Time to add sums to others, in seconds a gigabyte.
    receive : float
        Time of the merging process for what it receives, in seconds a gigabyte.
    hours_between_failures : float
        Mean time between failures of one worker; 0 for none.
    restart : float
        Seconds until a failed worker is back.
    spread : float
        Standard deviation of a block's time, as a share of it.
    """

    recordings: int
    seconds: float
    workers: int
    level: int
    megabytes: float
    start: float = 0.05
    merge: float = 0.3
    receive: float = 1.0
    hours_between_failures: float = 0.0
    restart: float = 60.0
    spread: float = 0.1


@dataclass(frozen=True)
class Outcome:
    """What a simulated run came to: hours, share of the workers' time that was of use, gigabytes, blocks lost."""

    hours: float
    efficiency: float
    gigabytes: float
    lost: int
    driver: float


def simulate(cluster: Cluster, *, seed: int = 0, unmerged_each: int = 3) -> Outcome:
    """Let time pass from event to event until all blocks are merged."""
    rng = random.Random(seed)
    size = SHARD * FAN_IN**cluster.level
    n_blocks = -(-cluster.recordings // size)
    gigabytes = cluster.megabytes / 1000
    merging = gigabytes * cluster.merge
    fetching = gigabytes * (cluster.receive + cluster.merge)
    waiting = list(range(n_blocks))
    heapq.heapify(waiting)
    free = [0.0] * cluster.workers
    heapq.heapify(free)
    events: list[tuple[float, int, bool]] = []
    finished: set[int] = set()
    now = driver_free = busy = 0.0
    merged = lost = 0
    while merged < n_blocks:
        while waiting and free and (waiting[0] == merged or len(finished) < unmerged_each * cluster.workers):
            block = heapq.heappop(waiting)
            begin = max(now, heapq.heappop(free))
            own = min(size, cluster.recordings - block * size)
            playing = own * cluster.seconds * max(0.2, rng.gauss(1, cluster.spread)) + -(-own // SHARD) * merging
            needed = cluster.start + playing
            rate = cluster.hours_between_failures * 3600
            fails = rng.expovariate(1 / rate) if rate else float("inf")
            heapq.heappush(events, (begin + min(fails, needed), block, fails < needed))
        now, block, failed = heapq.heappop(events)
        if failed:
            lost += 1
            heapq.heappush(waiting, block)
            heapq.heappush(free, now + cluster.restart)
            continue
        heapq.heappush(free, now)
        finished.add(block)
        while merged in finished:
            finished.remove(merged)
            driver_free = max(driver_free, now) + fetching
            busy += fetching
            merged += 1
        # Results wait on the workers for as long as they are not fetched; too many of them, and nothing is handed out.
        if driver_free - now > unmerged_each * cluster.workers * fetching:
            now = driver_free
    end = max(now, driver_free)
    useful = cluster.recordings * cluster.seconds
    return Outcome(end / 3600, useful / (end * cluster.workers), n_blocks * gigabytes, lost, busy / end)


#: Sums of 61 phonemes and 28 letters in all 13 layers of a full W2L.
W2L_MEGABYTES = 89 * 3.94
#: Recordings and seconds of one of them, on two cores (200 frames/s) and on a GPU (6,000 frames/s).
CORPORA = {"TIMIT": (6300, 0.45, 0.015), "960 h": (281_000, 3.7, 0.12), "100,000 h": (30_000_000, 3.7, 0.12)}


def plan() -> None:
    """Print the table of docs/scale.md."""
    print("| corpus | workers | level | hours | efficiency | received (GB) | blocks lost | merging process busy |")
    print("|---|---|---|---|---|---|---|---|")
    for name, kind, workers, level in (
        ("TIMIT", "CPU", 4, 1), ("TIMIT", "CPU", 16, 0),
        ("960 h", "CPU", 64, 1), ("960 h", "CPU", 64, 2), ("960 h", "GPU", 16, 0), ("960 h", "GPU", 16, 1),
        ("960 h", "GPU", 16, 2), ("100,000 h", "CPU", 1024, 2), ("100,000 h", "CPU", 1024, 3),
        ("100,000 h", "GPU", 128, 1), ("100,000 h", "GPU", 128, 2), ("100,000 h", "GPU", 128, 3),
    ):  # fmt: skip
        recordings, on_cpu, on_gpu = CORPORA[name]
        cluster = Cluster(
            recordings, on_cpu if kind == "CPU" else on_gpu, workers, level, W2L_MEGABYTES, hours_between_failures=200.0
        )
        found = simulate(cluster)
        print(
            f"| {name} | {workers} × {kind} | {level} | {found.hours:,.2f} | {found.efficiency:.0%} "
            f"| {found.gigabytes:,.0f} | {found.lost} | {found.driver:.0%} |"
        )


def check() -> None:
    """Measure a small run on one and two workers, and say what the simulation makes of the first for the second."""
    import snaps
    from benchmarks.work import network, recordings
    from snaps.models import load_model, save_model
    from snaps.profiling.cluster import block_level, open_cluster
    from snaps.profiling.parts import count_shards

    with tempfile.TemporaryDirectory() as folder:
        model = load_model(save_model(network(padding="valid", width=32), Path(folder) / "network.safetensors"))
        corpus = [recordings(86, n_groups=40, seed=seed)[0] for seed in range(384)]
        warnings.filterwarnings("ignore", message="Sending large graph")  # recordings that lie in files do not travel
        options = {"groupings": ["phoneme"], "ignore": (), "progress": False}
        begun = time.perf_counter()
        profiles = snaps.compute_profiles(model, corpus, **options)
        alone = time.perf_counter() - begun
        megabytes = sum(
            2 * 8 * node["activation"].size / 1e6 for node in profiles["phoneme"].children.values()
        )  # fmt: skip
        print(f"one process: {alone:.1f} s, {megabytes:.0f} MB of sums")
        for workers in (1, 2):
            with open_cluster(f"local:{workers}") as client:
                snaps.compute_profiles(model, corpus[: 2 * SHARD], client=client, **options)  # loads libraries
                begun = time.perf_counter()
                snaps.compute_profiles(model, corpus, client=client, **options)
                measured = time.perf_counter() - begun
            level = block_level(count_shards(len(corpus)), threads=workers)
            cluster = Cluster(len(corpus), alone / len(corpus), workers, level, megabytes)
            foreseen = 3600 * simulate(replace(cluster, restart=0.0)).hours
            print(f"{workers} workers, level {level}: {measured:.1f} s measured, {foreseen:.1f} s simulated")


def main() -> None:
    """Print the plan, or hold the simulation against a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="measure a small run and compare")
    check() if parser.parse_args().check else plan()


if __name__ == "__main__":
    main()
