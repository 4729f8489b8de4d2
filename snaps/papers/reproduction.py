"""The papers' experiments on a user's corpus, in one folder: ``snaps reproduce``.

Going on after an interruption is looking at which files are there: each is written at once and whole.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from snaps.datasets import FileCorpus, corpus_fingerprint, load_corpus, load_timit
from snaps.errors import InputError, check_choice, shortened
from snaps.models import Wav2Letter, load_model, read_metadata, save_model
from snaps.outputs import claimed, in_its_place, refuse, replacing
from snaps.papers import navai2018, snap2021
from snaps.papers.recipes import SCALES, TRANSFERRED, Recipe, Reproduction
from snaps.profiles import open_profiles, read_tree, save_profiles, write_netcdf
from snaps.profiling import compute_profiles, evaluate_alignment
from snaps.speech import synthesize_corpus
from snaps.training import create_network, evaluate, symbols_for, train, transfer

#: Recordings of each of TIMIT's SA sentences that are kept, because everybody reads them (SNAP, section 4.1).
DIALECT_SENTENCES = 7
#: Mel bands by which training shifts spectrograms at random, so that few speakers stand for more.
BAND_SHIFT = 3
#: Labels of silence, which are not scored.
SILENCES = {"h#": "", "pau": "", "epi": ""}
#: File by which a folder is known as a reproduction's; it holds the settings.
MARK = ".snaps-reproduction"
SYNTHETIC = "synthetic"
#: A computation: its name, the files that it leaves, and the function that makes them, with the option ``progress``.
Work = tuple[str, tuple[Path, ...], Callable[..., None]]


def run_reproduction(
    folder: Path,
    *,
    corpus: str = SYNTHETIC,
    scale: str = "tiny",
    seed: int = 0,
    device: str | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Reproduction:
    """Run the papers' experiments, and write one page in their order.

    Parameters
    ----------
    folder : Path
        Where to write. What an earlier run of the same corpus, scale and seed left there is used again.
    corpus : str
        ``"timit:PATH"``, ``"textgrids:PATH"``, or ``"synthetic"``, which is made in the folder.
    scale : {"check", "demo", "tiny", "small", "paper"}
        Size of corpus and networks.
    seed : int
        Of the corpus, the networks and all that is drawn at random.
    device : str, optional
        Where to compute.
    overwrite : bool
        Make everything anew.
    progress : bool
        Show what is going on, on standard error.

    Returns
    -------
    Reproduction
        What was made now, and what was there.

    Raises
    ------
    InputError
        If the folder holds something else, or a reproduction of another corpus, scale or seed, or another run is
        writing it.
    """
    check_choice("scale", scale, SCALES)
    results = Reproduction(in_its_place(Path(folder)), SCALES[scale], corpus, progress)
    with claimed(results.folder):
        _begin(results, seed, overwrite=overwrite)
        parts = _corpus(results, seed, overwrite=overwrite)
        for recipe in results.scale.recipes:
            path, curve = results.checkpoint(recipe.name), results.folder / f"{recipe.name}.curve.csv"
            symbols = _symbols(parts, recipe.labels)
            if overwrite:
                path.with_suffix(".training").unlink(missing_ok=True)
            if overwrite or not (path.exists() and curve.exists()):
                with results.stage(f"train {recipe.name}"):
                    _train(results, recipe, symbols, parts, seed, device)
            elif tuple(load_model(path).symbols) != symbols:
                raise InputError(f"the checkpoint {path} has another alphabet than the corpus; name another folder")
            results.curves[recipe.name], results.facts[recipe.name] = _reading(curve, _curve), read_metadata(path)
        _measure(results, _measurements(results, parts[1], device), device, overwrite=overwrite)
        for recipe in results.scale.recipes:
            results.profiles[recipe.name] = open_profiles(results.folder / f"{recipe.name}.zarr")
            results.alignments[recipe.name] = _reading(results.folder / f"{recipe.name}.alignment.nc", _evaluation)
        if results.scale.of("letter"):
            results.navai = navai2018.read(results.folder)
        with results.stage("page"):
            snap2021.write_page(results, seed=seed)
    return results


def _begin(results: Reproduction, seed: int, *, overwrite: bool) -> None:
    """Mark the folder as this reproduction's; refuse a folder that holds something else."""
    folder, mark = results.folder, results.folder / MARK
    settings = {"corpus": results.corpus, "scale": results.scale.name, "seed": seed}
    refuse(folder, overwrite=True, mark=MARK)
    if mark.exists():
        try:
            before = json.loads(mark.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            before = None
        if before != settings and not overwrite:
            raise InputError(
                f"{folder} holds a reproduction with the settings {shortened(before)}, and not {settings}; name "
                "another folder, or give overwrite=True (--overwrite)"
            )
    folder.mkdir(parents=True, exist_ok=True)
    _write(mark, json.dumps(settings, ensure_ascii=False) + "\n")


def _corpus(results: Reproduction, seed: int, *, overwrite: bool) -> tuple[FileCorpus, FileCorpus]:
    """Training and test part."""
    if results.corpus == SYNTHETIC:
        root, scale = results.folder / "corpus", results.scale
        if overwrite or not root.exists():
            with results.stage("corpus"):
                synthesize_corpus(
                    root, speakers=scale.speakers, sentences=scale.sentences, seed=seed,
                    test_speakers=scale.test_speakers, overwrite=overwrite, progress=results.progress,
                )  # fmt: skip
        # Everybody says the dialect sentences: in the test part they would be sentences that were trained on.
        return load_timit(root, split="train"), load_timit(root, split="test", dialect_sentences="drop")
    if results.corpus.startswith("timit:"):
        options: dict[str, Any] = {"dialect_sentences": DIALECT_SENTENCES, "seed": seed}
        parts = (
            load_corpus(results.corpus, split="train", **options),
            load_corpus(results.corpus, split="test", **options),
        )
    else:
        parts = _divided(load_corpus(results.corpus), seed)
    for part, name in zip(parts, ("training", "test"), strict=True):
        if len(part) == 0:
            raise InputError(f"the corpus {results.corpus} has no {name} part")
        begun, fingerprint = results.folder / f".{name}", corpus_fingerprint(part)
        if begun.exists() and begun.read_text(encoding="utf-8", errors="replace") != fingerprint:
            raise InputError(
                f"the corpus {results.corpus} has changed since this reproduction was begun; name another folder"
            )
        _write(begun, fingerprint)
    return parts


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _divided(corpus: FileCorpus, seed: int) -> tuple[FileCorpus, FileCorpus]:
    """Split a corpus by speakers, three quarters for training; by recordings where no speakers are known."""
    speakers = [entry.attributes.get("speaker", entry.id) for entry in corpus.entries]
    names = np.random.default_rng(seed).permutation(sorted(set(speakers)))
    learned = np.isin(speakers, names[: -(-3 * len(names) // 4)])
    return corpus.select(np.flatnonzero(learned).tolist()), corpus.select(np.flatnonzero(~learned).tolist())


def _symbols(parts: tuple[FileCorpus, FileCorpus], labels: str) -> tuple[str, ...]:
    """Symbols of the training part, then those that only the test part has."""
    return tuple(dict.fromkeys(symbol for part in parts for symbol in symbols_for(part, labels)))


def _train(
    results: Reproduction, recipe: Recipe, symbols: tuple[str, ...], parts: tuple[FileCorpus, FileCorpus], seed: int,
    device: str | None,
) -> None:  # fmt: skip
    """Train a network, evaluate it on the test part, and save it with its learning curve."""
    scale, path = results.scale, results.checkpoint(recipe.name)
    finetuned, state = recipe.kind == "finetuned", path.with_suffix(".training")
    network: Wav2Letter
    if finetuned:
        network = load_model(results.checkpoint(str(recipe.source)))
    else:
        network = create_network(symbols, recipe.preset, width=scale.width, seed=seed)
        if recipe.source is not None:
            network = transfer(load_model(results.checkpoint(recipe.source)), network, layers=TRANSFERRED)
    result = train(
        network, parts[0], labels=recipe.labels, epochs=recipe.epochs, batch_size=scale.batch_size,
        lr=scale.lr / (4 if finetuned else 1), band_shift=BAND_SHIFT, frozen=recipe.frozen,
        freeze_normalization=finetuned, seed=seed, checkpoint=state, device=device, progress=results.progress,
    )  # fmt: skip
    judged = evaluate(result.model, parts[1], labels=recipe.labels, fold=SILENCES, progress=results.progress)
    result.model.error_rate = judged.error_rate
    _write(path.with_suffix(".curve.csv"), result.history.to_csv(index=False))
    epochs = len(result.history)
    described = {"training": result.settings, "validation_error_rate": result.error_rate, "epochs": epochs}
    save_model(result.model, path, metadata=described, overwrite=True)
    state.unlink(missing_ok=True)


def _curve(path: Path) -> pd.DataFrame:
    """Learning curve of a network: one row an epoch."""
    found = pd.read_csv(path).astype({"epoch": int, "error_rate": float})
    if found.empty:
        raise ValueError("it has no rows")
    return found


def _evaluation(path: Path) -> xr.Dataset:
    """Evaluation of an alignment."""

    def check(tree: xr.DataTree) -> None:
        if not {"table", "n_unaligned"} <= set(tree.variables):
            raise InputError("it holds no evaluation of an alignment")

    return read_tree(path, "an evaluation of an alignment", check=check, stores=False).to_dataset()


def _reading(path: Path, read: Callable[[Path], Any]) -> Any:
    """Read a file that an earlier run made; a fault is one sentence."""
    try:
        return read(path)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"the file {str(path)!r} cannot be read: {shortened(error)}; delete it, and it is made again"
        ) from None


def _measurements(results: Reproduction, test_part: FileCorpus, device: str | None) -> list[Work]:
    """Measurements of the trained networks, the longest first."""
    number = results.scale.sampled or len(test_part)
    sampled = test_part
    if number < len(test_part):
        sampled = test_part.select([place * len(test_part) // number for place in range(number)])
    found: list[Work] = []
    for recipe in sorted(results.scale.recipes, key=lambda recipe: recipe.preset):  # w2l is the deep one
        path, network = results.folder / f"{recipe.name}.zarr", results.checkpoint(recipe.name)
        found.append(
            (f"profiles of {recipe.name}", (path,), partial(_profile, path, network, recipe, test_part, device=device))
        )
    for recipe in results.scale.recipes:
        path, network = results.folder / f"{recipe.name}.alignment.nc", results.checkpoint(recipe.name)
        judged = test_part if recipe.labels == "phoneme" else sampled
        found.append(
            (f"alignment of {recipe.name}", (path,), partial(_align, path, network, recipe, judged, device=device))
        )
    for recipe in results.scale.of("letter")[:1]:
        work = partial(navai2018.compute, results.folder, results.checkpoint(recipe.name), sampled, device=device)
        found.append((f"NAvAIs of {recipe.name}", tuple(navai2018.files(results.folder).values()), work))
    return found


def _profile(
    path: Path, network: Path, recipe: Recipe, corpus: FileCorpus, *, device: str | None, progress: bool
) -> None:  # fmt: skip
    groupings = {"phoneme": "phoneme", "letter" if recipe.labels == "letter" else "predicted": "predicted"}
    tree = compute_profiles(load_model(network), corpus, groupings=groupings, device=device, progress=progress)
    save_profiles(tree, path, overwrite=True)


def _align(
    path: Path, network: Path, recipe: Recipe, corpus: FileCorpus, *, device: str | None, progress: bool
) -> None:  # fmt: skip
    matched = recipe.labels == "phoneme"  # a network of phonemes has a symbol for every phoneme of both parts
    found = evaluate_alignment(load_model(network), corpus, matched=matched, device=device, progress=progress)
    write_netcdf(found, path, overwrite=True)


def _measure(results: Reproduction, wanted: list[Work], device: str | None, *, overwrite: bool) -> None:
    """Compute missing measurements; on CPUs one process a processor, each with one thread.

    The networks of small scales are made of many short operations, between which several threads mostly wait for
    each other.
    """
    missing = [(name, work) for name, files, work in wanted if overwrite or not all(file.exists() for file in files)]
    processes = min(len(missing), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    if processes < 2 or (device or ("cuda" if torch.cuda.is_available() else "cpu")) != "cpu":
        for name, work in missing:
            with results.stage(name):
                work(progress=results.progress)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        running = {pool.submit(_timed, work): name for name, work in missing}
        try:
            for future in as_completed(running):
                results.seconds[running[future]] = future.result(timeout=0)
                results.say(running[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _timed(work: Callable[..., None]) -> float:
    begun = time.monotonic()
    work(progress=False)
    return time.monotonic() - begun
