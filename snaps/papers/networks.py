"""The networks of a reproduction: trained where they are not there yet."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from snaps.datasets import FileCorpus
from snaps.errors import InputError
from snaps.papers.scales import TRANSFERRED, Recipe, Scale
from snaps.papers.stored import stored_curve
from snaps.models import Wav2Letter, load_model, save_model
from snaps.training import create_network, evaluate, symbols_for, train, transfer

#: Mel bands by which training shifts spectrograms at random, so that few speakers stand for more.
BAND_SHIFT = 3
#: Labels of silence, which are not scored.
SILENCES = {"h#": "", "pau": "", "epi": ""}


def make_network(
    path: Path,
    recipe: Recipe,
    scale: Scale,
    *,
    parts: tuple[FileCorpus, FileCorpus],
    sources: Mapping[str, Wav2Letter],
    seed: int,
    device: str | None,
    progress: bool,
) -> Wav2Letter:
    """Train a network, judge it on the test part, and save it with its learning curve.

    Parameters
    ----------
    path : Path
        Checkpoint to write; the learning curve lies beside it as CSV, and the state of an interrupted training too.
    recipe, scale : Recipe, Scale
        What to make.
    parts : pair of corpora
        To learn from, and to be judged on.
    sources : mapping of str to network
        Networks that are there.
    seed : int
        Of weights, order and speakers set aside.
    device : str or None
        Where to compute.
    progress : bool
        Whether to show progress.

    Returns
    -------
    Wav2Letter
        The trained network.

    Raises
    ------
    InputError
        If it cannot be trained, or the state beside it is of another training.
    """
    train_part, test_part = parts
    state = training_file(path)
    symbols = symbols_of(parts, recipe.labels)
    if recipe.kind == "finetuned":
        network = sources[str(recipe.source)]
    else:
        network = create_network(symbols, recipe.preset, width=scale.width, seed=seed)
        if recipe.source is not None:
            network = transfer(sources[recipe.source], network, layers=TRANSFERRED)
    result = train(
        network, train_part, labels=recipe.labels, epochs=recipe.epochs, batch_size=scale.batch_size,
        lr=scale.lr / (4 if recipe.kind == "finetuned" else 1), band_shift=BAND_SHIFT, frozen=recipe.frozen,
        freeze_normalization=recipe.kind == "finetuned", seed=seed, checkpoint=state, device=device,
        progress=progress,
    )  # fmt: skip
    judged = evaluate(result.model, test_part, labels=recipe.labels, fold=SILENCES, progress=progress)
    result.model.error_rate = judged.error_rate
    result.history.to_csv(curve_file(path), index=False)
    described = {
        "training": result.settings,
        "validation_error_rate": result.error_rate,
        "epochs": len(result.history),
    }
    save_model(result.model, path, metadata=described, overwrite=True)
    state.unlink(missing_ok=True)
    return result.model


def symbols_of(parts: tuple[FileCorpus, FileCorpus], labels: str) -> tuple[str, ...]:
    """Symbols of the training part, and those that the test part alone has."""
    learned, judged = (symbols_for(part, labels) for part in parts)
    return (*learned, *(symbol for symbol in judged if symbol not in learned))


def stored_network(path: Path, recipe: Recipe, parts: tuple[FileCorpus, FileCorpus]) -> Wav2Letter:
    """A network that an earlier run left.

    Raises
    ------
    InputError
        If it has another alphabet than the corpus.
    """
    model = load_model(path)
    symbols = symbols_of(parts, recipe.labels)
    if tuple(model.symbols) != symbols:
        strange = sorted(set(model.symbols) ^ set(symbols))
        raise InputError(
            f"the checkpoint {path} has another alphabet than the corpus: they differ in "
            f"{', '.join(map(repr, strange)) or 'their order'}; name another folder"
        )
    return model


def learning_curve(path: Path) -> pd.DataFrame:
    """Learning curve of a checkpoint: one row an epoch.

    Raises
    ------
    InputError
        As `snaps.papers.stored.stored_curve`.
    """
    return stored_curve(curve_file(path))


def curve_file(path: Path) -> Path:
    """Where the learning curve of a checkpoint lies."""
    return path.with_name(f"{path.stem}.curve.csv")


def training_file(path: Path) -> Path:
    """Where the state of a checkpoint's training lies until it is finished."""
    return path.with_suffix(".training")
