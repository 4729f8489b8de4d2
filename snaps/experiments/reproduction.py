"""The papers' experiments on a corpus of one's own: ``snaps reproduce``."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from snaps.datasets import FileCorpus, load_corpus, load_timit
from snaps.datasets.corpus import corpus_fingerprint
from snaps.errors import InputError, one_of, shortened
from snaps.experiments.made import Reproduction
from snaps.experiments.measurements import compute_measurements, measurements, navai_files
from snaps.experiments.networks import learning_curve, make_network, stored_network, training_file
from snaps.experiments.page import draw
from snaps.experiments.scales import SCALES
from snaps.experiments.stages import Stages
from snaps.experiments.stored import stored_alignment, stored_settings, stored_text
from snaps.models import read_metadata
from snaps.outputs import in_its_place
from snaps.profiles import open_profiles
from snaps.speech import synthesize_corpus

#: Recordings of each of TIMIT's SA sentences that are kept, because everybody reads them (SNAP, section 4.1).
DIALECT_SENTENCES = 7
#: File by which a folder is known as a reproduction's.
MARK = ".snaps-reproduction"
SYNTHETIC = "synthetic"


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
    wanted = measurements(made, parts[1], device=device)
    compute_measurements(wanted, stages, device=device, overwrite=overwrite)
    for recipe in made.scale.recipes:
        made.profiles[recipe.name] = open_profiles(folder / f"{recipe.name}.zarr")
        made.alignments[recipe.name] = stored_alignment(folder / f"{recipe.name}.alignment.nc")
    if made.of("letter"):
        made.navai = {name: open_profiles(path) for name, path in navai_files(folder).items()}
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


def _corpus(made: Reproduction, stages: Stages, *, seed: int, overwrite: bool) -> tuple[FileCorpus, FileCorpus]:
    """Training and test part."""
    if made.corpus == SYNTHETIC:
        root = made.folder / "corpus"
        with stages("corpus", there=root.exists() and not overwrite) as needed:
            if needed:
                synthesize_corpus(
                    root, speakers=made.scale.speakers, sentences=made.scale.sentences, seed=seed,
                    test_speakers=made.scale.test_speakers, overwrite=overwrite, progress=stages.progress,
                )  # fmt: skip
        # Everybody says the dialect sentences: in the test part they would be sentences that were trained on.
        return load_timit(root, split="train"), load_timit(root, split="test", dialect_sentences="drop")
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
