"""The papers' experiments on a corpus of one's own: ``snaps reproduce``."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from snaps.alignment import LRP, Aligner, Alignment, Unaligned
from snaps.datasets import FileCorpus, load_corpus, load_timit, synthesize_corpus
from snaps.datasets.corpus import corpus_fingerprint
from snaps.errors import InputError, one_of, shortened
from snaps.experiments.made import Reproduction
from snaps.experiments.networks import learning_curve, make_network, stored_network, training_file
from snaps.experiments.page import draw
from snaps.experiments.scales import SCALES, Recipe
from snaps.experiments.stored import stored_alignment, stored_settings, stored_text
from snaps.models import Wav2Letter, read_metadata
from snaps.outputs import in_its_place
from snaps.profiles import open_profiles, save_profiles
from snaps.profiles.digests import write_netcdf
from snaps.profiling import compute_by_aligner, compute_profiles, evaluate_alignment

#: Recordings of each of TIMIT's SA sentences that are kept, because everybody reads them (SNAP, section 4.1).
DIALECT_SENTENCES = 7
#: File by which a folder is known as a reproduction's.
MARK = ".snaps-reproduction"
SYNTHETIC = "synthetic"
#: Alignments of the NAvAI paper's Figure 3.
NAVAI_ALIGNERS: Mapping[str, Alignment] = {
    "unaligned": Unaligned(),
    "minimum sensitivity": Aligner(peak="min"),
    "maximum sensitivity": Aligner(peak="max"),
    "maximum LRP": Aligner(LRP("krug2018")),
}


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
    """Do what the papers did, and write one page in their order.

    Parameters
    ----------
    folder : Path
        Where to write. What an earlier run of the same corpus, scale and seed left there is used again.
    corpus : str
        ``"timit:PATH"``, ``"textgrids:PATH"``, or ``"synthetic"``, which is made in the folder.
    scale : {"demo", "tiny", "small", "paper"}
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
        All that was made, or was there.

    Raises
    ------
    InputError
        If the folder holds something else, or a reproduction of another corpus, scale or seed.
    """
    if scale not in SCALES:
        raise InputError(f"scale is {scale!r}; accepted are {one_of(SCALES)}")
    folder = in_its_place(Path(folder))
    _claim(folder, {"corpus": corpus, "scale": scale, "seed": seed}, overwrite=overwrite)
    made = Reproduction(folder, SCALES[scale], corpus)
    stages = Stages(made.seconds, total=2 + 3 * len(made.scale.recipes) + bool(made.of("letter")), progress=progress)
    parts = _corpus(made, stages, seed=seed, overwrite=overwrite)
    for recipe in made.scale.recipes:
        path = made.checkpoint(recipe.name)
        if overwrite:
            training_file(path).unlink(missing_ok=True)
        with stages(f"train {recipe.name}", there=path.exists() and not overwrite) as needed:
            made.models[recipe.name] = (
                make_network(
                    path, recipe, made.scale, parts=parts, sources=made.models, seed=seed, device=device,
                    progress=progress,
                )
                if needed
                else stored_network(path, recipe, parts)
            )  # fmt: skip
        made.curves[recipe.name], made.facts[recipe.name] = learning_curve(path), read_metadata(path)
    test_part = parts[1]
    for recipe in made.scale.recipes:
        model = made.models[recipe.name]
        _profiles(made, recipe, model, test_part, stages=stages, device=device, overwrite=overwrite)
        judged = test_part if recipe.labels == "phoneme" else _sampled(test_part, made.scale.sampled)
        _alignment(made, recipe, model, judged, stages=stages, device=device, overwrite=overwrite)
    if made.of("letter"):
        _navai(made, _sampled(test_part, made.scale.sampled), stages=stages, device=device, overwrite=overwrite)
    with stages("page"):
        draw(made, seed=seed)
    return made


def _claim(folder: Path, settings: dict[str, Any], *, overwrite: bool) -> None:
    """Make the folder a reproduction's, unless it is somebody else's."""
    mark = folder / MARK
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; accepted is a folder for the reproduction")
    if folder.is_dir() and any(folder.iterdir()):
        if not mark.exists():
            raise InputError(f"{folder} holds something other than a reproduction; name an empty folder")
        before = stored_settings(mark)
        different = [name for name, value in settings.items() if before.get(name) != value]
        if different and not overwrite:
            was = ", ".join(f"{name} {shortened(repr(before.get(name)))}" for name in different)
            now = ", ".join(f"{name} {settings[name]!r}" for name in different)
            raise InputError(
                f"{folder} holds a reproduction with {was}, and not {now}; name another folder, or give "
                "overwrite=True (--overwrite)"
            )
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps(settings, ensure_ascii=False) + "\n", encoding="utf-8")


def _corpus(made: Reproduction, stages: "Stages", *, seed: int, overwrite: bool) -> tuple[FileCorpus, FileCorpus]:
    """Training and test part."""
    if made.corpus == SYNTHETIC:
        root = made.folder / "corpus"
        with stages("corpus", there=root.exists() and not overwrite) as needed:
            if needed:
                synthesize_corpus(
                    root, speakers=made.scale.speakers, sentences=made.scale.sentences, seed=seed,
                    test_speakers=made.scale.test_speakers, overwrite=overwrite, progress=stages.progress,
                )  # fmt: skip
        # Everybody says the dialect sentences: networks would learn them by heart, and be judged on what they know.
        train_part, test_part = (load_timit(root, split=split, dialect_sentences="drop") for split in ("train", "test"))
        return train_part, test_part
    with stages("corpus"):
        if made.corpus.startswith("timit:"):
            parts = (
                load_corpus(made.corpus, split="train", dialect_sentences=DIALECT_SENTENCES, seed=seed),
                load_corpus(made.corpus, split="test", dialect_sentences=DIALECT_SENTENCES, seed=seed),
            )
        else:
            parts = _divided(load_corpus(made.corpus), seed=seed)
    for part, name in zip(parts, ("training", "test"), strict=True):
        if len(part) == 0:
            raise InputError(f"the corpus {made.corpus} has no {name} part")
        _unchanged(made.folder / f".{name}", corpus_fingerprint(part), made.corpus)
    return parts


def _sampled(corpus: FileCorpus, number: int | None) -> FileCorpus:
    """So many recordings, spread evenly over a corpus."""
    if number is None or number >= len(corpus):
        return corpus
    return corpus.select([place * len(corpus) // number for place in range(number)])


def _divided(corpus: FileCorpus, *, seed: int) -> tuple[FileCorpus, FileCorpus]:
    """Three quarters of the speakers to learn from, the others to be judged on; recordings where none are known."""
    speakers = [entry.attributes.get("speaker", entry.id) for entry in corpus.entries]
    names = np.random.default_rng(seed).permutation(sorted(set(speakers)))
    learned = set(names[: -(-3 * len(names) // 4)].tolist())
    inside = [number for number, speaker in enumerate(speakers) if speaker in learned]
    outside = [number for number, speaker in enumerate(speakers) if speaker not in learned]
    return corpus.select(inside), corpus.select(outside)


def _unchanged(path: Path, fingerprint: str, corpus: str) -> None:
    """Refuse a corpus that changed since the folder was begun."""
    if path.exists() and stored_text(path, "the fingerprint of the corpus") != fingerprint:
        raise InputError(f"the corpus {corpus} has changed since this reproduction was begun; name another folder")
    path.write_text(fingerprint, encoding="utf-8")


def _profiles(
    made: Reproduction, recipe: Recipe, model: Wav2Letter, corpus: FileCorpus, *, stages: "Stages",
    device: str | None, overwrite: bool,
) -> None:  # fmt: skip
    path = made.folder / f"{recipe.name}.zarr"
    with stages(f"profiles of {recipe.name}", there=path.exists() and not overwrite) as needed:
        if needed:
            predicted = "letter" if recipe.labels == "letter" else "predicted"
            profiles = compute_profiles(
                model, corpus, groupings={"phoneme": "phoneme", predicted: "predicted"}, device=device,
                progress=stages.progress,
            )  # fmt: skip
            save_profiles(profiles, path, overwrite=overwrite)
        made.profiles[recipe.name] = open_profiles(path)


def _alignment(
    made: Reproduction, recipe: Recipe, model: Wav2Letter, corpus: FileCorpus, *, stages: "Stages",
    device: str | None, overwrite: bool,
) -> None:  # fmt: skip
    path = made.folder / f"{recipe.name}.alignment.nc"
    with stages(f"alignment of {recipe.name}", there=path.exists() and not overwrite) as needed:
        if needed:
            # A network of phonemes has a symbol for every phoneme of both parts.
            matched = recipe.labels == "phoneme"
            found = evaluate_alignment(model, corpus, matched=matched, device=device, progress=stages.progress)
            write_netcdf(found, path)
        made.alignments[recipe.name] = stored_alignment(path)


def _navai(made: Reproduction, corpus: FileCorpus, *, stages: "Stages", device: str | None, overwrite: bool) -> None:
    recipe = made.of("letter")[0]
    paths = {name: made.folder / f"navai {name}.zarr" for name in NAVAI_ALIGNERS}
    there = all(path.exists() for path in paths.values()) and not overwrite
    with stages(f"NAvAIs of {recipe.name}", there=there) as needed:
        if needed:
            found = compute_by_aligner(
                made.models[recipe.name], corpus, NAVAI_ALIGNERS, groupings={"letter": "predicted"}, layers=["input"],
                device=device, progress=stages.progress,
            )  # fmt: skip
            for name, tree in found.items():
                save_profiles(tree, paths[name], overwrite=True)
        made.navai = {name: open_profiles(path) for name, path in paths.items()}


class Stages:
    """Says which stage begins, and keeps how long it took."""

    def __init__(self, seconds: dict[str, float], *, total: int, progress: bool) -> None:
        self.seconds, self.total, self.progress = seconds, total, progress
        self.number = 0

    @contextmanager
    def __call__(self, name: str, *, there: bool = False) -> Iterator[bool]:
        """Give whether the stage is to be done; one whose result is there is only told."""
        self.number += 1
        if self.progress:
            sys.stderr.write(f"[{self.number}/{self.total}] {name}{': there already' if there else ''}\n")
            sys.stderr.flush()
        begun = time.monotonic()
        yield not there
        if not there:
            self.seconds[name] = time.monotonic() - begun
