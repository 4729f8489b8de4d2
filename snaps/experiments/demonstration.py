"""The demonstration: synthetic speech, two small networks, their profiles, clusters and a page."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from snaps.clustering import PERCENTILES, cluster, mean_silhouette, silhouette_sweep
from snaps.datasets import FileCorpus, load_timit, synthesize_corpus
from snaps.errors import InputError
from snaps.figures import plot_clustermap, plot_silhouettes, plot_snap_grid, save_figure
from snaps.models import Wav2Letter, load_model, read_metadata, save_model
from snaps.profiles import filter_groups, open_profiles, save_profiles, snap
from snaps.profiling import compute_profiles
from snaps.report import Section, Table, write_report
from snaps.schema import decode_attribute
from snaps.training import create_network, evaluate, symbols_for, train

SPEAKERS, SENTENCES = 60, 10
#: Mel bands by which training shifts spectrograms at random, so that few speakers stand for more.
BAND_SHIFT = 3
#: Groups of fewer epochs are left out of figures and clusters: their means are not to be trusted.
MIN_COUNT = 20
#: Dots per inch of the figures.
DPI = 120


class Recipe(NamedTuple):
    """How one of the demonstration's networks is made."""

    name: str
    labels: str
    preset: str
    width: int
    epochs: int
    batch_size: int
    lr: float


RECIPES = (
    Recipe("w2p_shallow", "phoneme", "w2p_shallow", 64, 26, 4, 2e-3),
    Recipe("w2l", "letter", "w2l", 32, 24, 4, 2e-3),
)


@dataclass
class Demonstration:
    """What was made, and where it lies.

    Attributes
    ----------
    folder, page : Path
        Where everything lies, and the page that shows it.
    seconds : dict of str to float
        How long each stage took; a stage whose result was there already is missing.
    error_rates : dict of str to float
        Symbol error rate of every network on the test speakers.
    profiles : dict of str to DataTree
        Profiles of every network.
    """

    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    error_rates: dict[str, float] = field(default_factory=dict)
    profiles: dict[str, xr.DataTree] = field(default_factory=dict)

    @property
    def page(self) -> Path:
        """The page that shows everything."""
        return self.folder / "report.html"

    def summary(self) -> dict[str, Any]:
        """The closing table."""
        drops = {name: decode_attribute(tree.attrs, "drop_log")["counts"] for name, tree in self.profiles.items()}
        return {
            "page": str(self.page),
            "corpus": f"timit:{self.folder / 'corpus'}",
            "networks": [str(self.folder / f"{recipe.name}.safetensors") for recipe in RECIPES],
            "profiles": [str(self.folder / f"{name}.zarr") for name in self.profiles],
            "figures": str(self.folder / "figures"),
            "symbol error rate on the test speakers": self.error_rates,
            "frames averaged": {name: int(tree.attrs["n_frames"]) for name, tree in self.profiles.items()},
            "frames left out": {
                name: {reason: max(counts.values(), default=0) for reason, counts in by_reason.items()}
                for name, by_reason in drops.items()
            },
            "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds.items()},
        }


def run_demonstration(folder: Path, *, seed: int = 0, overwrite: bool = False, progress: bool = True) -> Demonstration:
    """Go the whole way once: from synthetic speech to clustermaps on a page.

    Parameters
    ----------
    folder : Path
        Where to write. Corpus, networks and profiles that an earlier run left there are used again.
    seed : int
        Seed of the corpus and the networks.
    overwrite : bool
        Make everything anew.
    progress : bool
        Show what is going on, on standard error.

    Raises
    ------
    InputError
        If `folder` is a file, or holds something other than a demonstration.
    """
    folder = Path(folder)
    mark = folder / ".snaps-demo"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; accepted is a folder for the demonstration")
    if folder.is_dir() and any(folder.iterdir()) and (not mark.exists() or mark.read_text() != f"seed {seed}\n"):
        if not mark.exists():
            raise InputError(f"{folder} holds something other than a demonstration; name an empty folder")
        if not overwrite:
            raise InputError(
                f"{folder} holds the demonstration of another seed ({mark.read_text().strip()}); name another folder, "
                "or give overwrite=True (--overwrite)"
            )
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(f"seed {seed}\n")
    made = Demonstration(folder)
    stages = _Stages(made.seconds, total=2 + 2 * len(RECIPES), progress=progress)
    corpus_folder = folder / "corpus"
    if overwrite or not corpus_folder.exists():
        with stages("corpus"):
            synthesize_corpus(
                corpus_folder, speakers=SPEAKERS, sentences=SENTENCES, seed=seed, overwrite=overwrite, progress=progress
            )
    else:
        stages.skip("corpus")
    train_part, test_part = (load_timit(corpus_folder, split=split) for split in ("train", "test"))
    models = {}
    for recipe in RECIPES:
        models[recipe.name] = _network(
            made, recipe, train_part, test_part, stages=stages, seed=seed, overwrite=overwrite
        )
    for recipe in RECIPES:
        made.profiles[recipe.name] = _profiles(
            made, recipe, models[recipe.name], test_part, stages=stages, overwrite=overwrite
        )
    with stages("figures and page"):
        _draw(made)
    return made


class _Stages:
    """Says which stage begins, and keeps how long it took."""

    def __init__(self, seconds: dict[str, float], *, total: int, progress: bool) -> None:
        self.seconds, self.total, self.progress = seconds, total, progress
        self.number = 0

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._say(name)
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun

    def skip(self, name: str) -> None:
        self._say(f"{name}: there already")

    def _say(self, text: str) -> None:
        self.number += 1
        if self.progress:
            sys.stderr.write(f"[{self.number}/{self.total}] {text}\n")
            sys.stderr.flush()


def _network(
    made: Demonstration,
    recipe: Recipe,
    train_part: FileCorpus,
    test_part: FileCorpus,
    *,
    stages: _Stages,
    seed: int,
    overwrite: bool,
) -> Wav2Letter:
    path = made.folder / f"{recipe.name}.safetensors"
    stage = f"train {recipe.name}"
    if path.exists() and not overwrite:
        stages.skip(stage)
        made.error_rates[recipe.name] = read_metadata(path)["test_error_rate"]
        return load_model(path)
    state = made.folder / f"{recipe.name}.training"
    if overwrite:
        state.unlink(missing_ok=True)
    with stages(stage):
        symbols = symbols_for(train_part, recipe.labels)
        network = create_network(symbols, recipe.preset, width=recipe.width, seed=seed)
        result = train(
            network,
            train_part,
            labels=recipe.labels,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            lr=recipe.lr,
            band_shift=BAND_SHIFT,
            seed=seed,
            checkpoint=state,
            progress=stages.progress,
        )
        judged = evaluate(result.model, test_part, labels=recipe.labels, progress=stages.progress)
        made.error_rates[recipe.name] = judged.error_rate
        described = {"training": result.settings, "error_rate": result.error_rate, "test_error_rate": judged.error_rate}
        save_model(result.model, path, metadata=described, overwrite=overwrite)
        state.unlink(missing_ok=True)
    return result.model


def _profiles(
    made: Demonstration,
    recipe: Recipe,
    model: Wav2Letter,
    corpus: FileCorpus,
    *,
    stages: _Stages,
    overwrite: bool,
) -> xr.DataTree:
    path = made.folder / f"{recipe.name}.zarr"
    stage = f"profiles of {recipe.name}"
    if path.exists() and not overwrite:
        stages.skip(stage)
        return open_profiles(path)
    with stages(stage):
        by_letter = {"letter": "predicted"} if recipe.labels == "letter" else {"predicted": "predicted"}
        profiles = compute_profiles(
            model, corpus, groupings={"phoneme": "phoneme", **by_letter}, progress=stages.progress
        )
        save_profiles(profiles, path, overwrite=overwrite)
    return profiles


def _draw(made: Demonstration) -> None:
    """Write the figures, and the page."""
    figures = made.folder / "figures"
    shutil.rmtree(figures, ignore_errors=True)
    for name, tree in made.profiles.items():
        for grouping, node in tree.children.items():
            kept = filter_groups(node, min_count=MIN_COUNT)
            folder = figures / name / grouping
            folder.mkdir(parents=True)
            save_figure(plot_snap_grid(snap(kept.children["input"])), folder / "snaps_input.png", dpi=DPI)
            sweep = silhouette_sweep(kept)
            save_figure(plot_silhouettes(sweep), folder / "silhouettes.png", dpi=DPI)
            overall = mean_silhouette(sweep)
            best = str(overall.idxmax("layer").item()) if overall.notnull().any() else "conv5"
            for layer in dict.fromkeys(["conv5", best]):
                clustered = cluster(kept[layer], percentile=PERCENTILES[-1])
                save_figure(plot_clustermap(clustered), folder / f"clustermap_{layer}.png", dpi=DPI)
    rates = Table(
        ("network", "labels", "symbol error rate on the test speakers"),
        [(recipe.name, recipe.labels, made.error_rates[recipe.name]) for recipe in RECIPES],
    )
    write_report(
        made.profiles,
        made.page,
        min_count=MIN_COUNT,
        sections=[Section("Networks", ["Trained for this page on synthetic speech, with CTC.", rates])],
        title="Demonstration: two small speech networks",
        overwrite=True,
    )
