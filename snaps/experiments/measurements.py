"""What is computed of the trained networks of a reproduction: profiles, alignments, NAvAIs; each leaves its files."""

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from snaps.alignment import LRP, Aligner, Alignment, Unaligned
from snaps.datasets import FileCorpus
from snaps.experiments.made import Reproduction
from snaps.experiments.scales import Recipe
from snaps.experiments.stages import Stages
from snaps.models import load_model
from snaps.profiles import save_profiles, write_netcdf
from snaps.profiling import compute_by_aligner, compute_profiles, evaluate_alignment

#: Alignments of the NAvAI paper's Figure 3.
NAVAI_ALIGNERS: Mapping[str, Alignment] = {
    "unaligned": Unaligned(),
    "minimum sensitivity": Aligner(peak="min"),
    "maximum sensitivity": Aligner(peak="max"),
    "maximum LRP": Aligner(LRP("krug2018")),
}


@dataclass(frozen=True)
class Measurement:
    """One computation.

    Attributes
    ----------
    name : str
        As the stage is called.
    files : tuple of Path
        What it writes; it is not made again where all are there.
    compute : callable
        Makes them; it is told whether to show progress.
    """

    name: str
    files: tuple[Path, ...]
    compute: Callable[[bool], None]


def measurements(made: Reproduction, test_part: FileCorpus, *, device: str | None) -> list[Measurement]:
    """All computations of a reproduction, those that take longest first."""
    sampled = _sampled(test_part, made.scale.sampled)
    found = []
    for recipe in sorted(made.scale.recipes, key=lambda recipe: recipe.preset):  # w2l is the deep one
        path, network = made.folder / f"{recipe.name}.zarr", made.checkpoint(recipe.name)
        work = partial(_profile, path, network, recipe, test_part, device)
        found.append(Measurement(f"profiles of {recipe.name}", (path,), work))
    for recipe in made.scale.recipes:
        path, network = made.folder / f"{recipe.name}.alignment.nc", made.checkpoint(recipe.name)
        judged = test_part if recipe.labels == "phoneme" else sampled
        work = partial(_align, path, network, recipe, judged, device)
        found.append(Measurement(f"alignment of {recipe.name}", (path,), work))
    for recipe in made.of("letter")[:1]:
        paths = navai_files(made.folder)
        work = partial(_navai, made.folder, made.checkpoint(recipe.name), sampled, device)
        found.append(Measurement(f"NAvAIs of {recipe.name}", tuple(paths.values()), work))
    return found


def navai_files(folder: Path) -> dict[str, Path]:
    """Where NAvAIs lie, by their alignment."""
    return {name: folder / f"navai {name}.zarr" for name in NAVAI_ALIGNERS}


def compute_measurements(wanted: Sequence[Measurement], stages: Stages, *, device: str | None, overwrite: bool) -> None:
    """Make what is not there yet; on CPUs as many at a time as there are processors, each with one thread.

    The networks of small scales are made of many short operations, between which several threads mostly wait for
    each other.
    """
    missing = []
    for one in wanted:
        if overwrite or not all(file.exists() for file in one.files):
            missing.append(one)
        else:
            stages.tell(f"{one.name}: there already")
    processes = min(len(missing), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    if processes < 2 or (device or ("cuda" if torch.cuda.is_available() else "cpu")) != "cpu":
        for one in missing:
            with stages(one.name):
                one.compute(stages.progress)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        running = {pool.submit(_timed, one.compute): one.name for one in missing}
        try:
            for future in as_completed(running):
                stages.seconds[running[future]] = future.result(timeout=0)
                stages.tell(running[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _timed(compute: Callable[[bool], None]) -> float:
    begun = time.monotonic()
    compute(False)
    return time.monotonic() - begun


def _sampled(corpus: FileCorpus, number: int | None) -> FileCorpus:
    """So many recordings, spread evenly over a corpus."""
    if number is None or number >= len(corpus):
        return corpus
    return corpus.select([place * len(corpus) // number for place in range(number)])


def _profile(
    path: Path, network: Path, recipe: Recipe, corpus: FileCorpus, device: str | None, progress: bool
) -> None:  # fmt: skip
    predicted = "letter" if recipe.labels == "letter" else "predicted"
    groupings = {"phoneme": "phoneme", predicted: "predicted"}
    tree = compute_profiles(load_model(network), corpus, groupings=groupings, device=device, progress=progress)
    save_profiles(tree, path, overwrite=True)


def _align(
    path: Path, network: Path, recipe: Recipe, corpus: FileCorpus, device: str | None, progress: bool
) -> None:  # fmt: skip
    # A network of phonemes has a symbol for every phoneme of both parts.
    matched = recipe.labels == "phoneme"
    write_netcdf(
        evaluate_alignment(load_model(network), corpus, matched=matched, device=device, progress=progress), path
    )


def _navai(folder: Path, network: Path, corpus: FileCorpus, device: str | None, progress: bool) -> None:
    found = compute_by_aligner(
        load_model(network), corpus, NAVAI_ALIGNERS, groupings={"letter": "predicted"}, layers=["input"],
        device=device, progress=progress,
    )  # fmt: skip
    for name, path in navai_files(folder).items():
        save_profiles(found[name], path, overwrite=True)
