"""Training a network on a corpus: `train`, its result, and the state that it keeps on disk."""

import copy
import json
import math
import os
import time
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from snaps.datasets import CorpusLike, OnError, corpus_fingerprint, exists
from snaps.errors import InputError, RecordingError, check_number, check_type, one_of, reason_of, shortened
from snaps.models import Wav2Letter
from snaps.outputs import claimed, remove_leftovers, replacing
from snaps.responses import device_of
from snaps.training.decode import blank_position
from snaps.training.examples import Example, read_examples, set_aside
from snaps.training.loop import Settings, Training, WarmStart

FORMAT = "neuron-snaps training"
#: Version 3 is PyTorch's own format.
FORMAT_VERSION = 3
#: Name of the file that keeps a state, where a folder is given.
FILE_NAME = "training.ckpt"
#: Columns of the history that the progress bar shows.
SHOWN = ("epoch", "train_loss", "val_loss", "error_rate")
#: Steps that are measured where `max_minutes` is given.
MEASURED_STEPS = 20
#: Fewest epochs to which a limit of time shortens a training; with fewer no network has learned anything.
FEWEST_EPOCHS = 6
#: What a batch of the validation costs, in steps: a forward, where a step is a forward and a backward.
VALIDATION_COST = 0.4


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network and its history.

    Attributes
    ----------
    model : Wav2Letter
        The network with the weights of the best epoch, in evaluation mode.
    history : DataFrame
        One row an epoch: ``epoch`` from 1, ``train_loss``, ``val_loss``, ``error_rate`` and ``blanks`` (share of the
        output steps whose best symbol is the blank) of the validation, ``lr`` at the end of the epoch, ``seconds``.
    error_rate : float
        Symbol error rate of `model` on the speakers set aside; NaN without validation.
    best_epoch : int
        The epoch whose weights `model` has: that of the lowest error rate, or the last without validation.
    n_train, n_validation : int
        Number of recordings trained on and set aside.
    validation_speakers : tuple of str
        Who was set aside.
    unseen : tuple of str
        Symbols of the network, other than the blank and repetitions, that no recording trained on has.
    left_out : DataFrame
        What was not used: ``recording``, ``cause`` (``error``, ``short`` or ``unlabelled``), ``reason``.
    settings : dict
        The options that determine the result, in values that JSON can hold, for `save_model`'s metadata.
    """

    model: Wav2Letter
    history: pd.DataFrame
    error_rate: float
    best_epoch: int
    n_train: int
    n_validation: int
    validation_speakers: tuple[str, ...]
    unseen: tuple[str, ...]
    left_out: pd.DataFrame
    settings: dict[str, Any]


def train(
    model: Wav2Letter,
    corpus: CorpusLike,
    *,
    labels: str = Settings.labels,
    epochs: int = Settings.epochs,
    batch_size: int = Settings.batch_size,
    lr: float = Settings.lr,
    warm_start: WarmStart | None = Settings.warm_start,
    band_shift: int = Settings.band_shift,
    validation: float = Settings.validation,
    frozen: int = Settings.frozen,
    freeze_normalization: bool = Settings.freeze_normalization,
    seed: int = Settings.seed,
    checkpoint: str | os.PathLike[str] | None = None,
    max_minutes: float | None = None,
    device: str | torch.device | None = None,
    on_error: OnError = "raise",
    progress: bool = True,
) -> TrainingResult:
    """Train a network with CTC to write letters or the labels of a tier.

    AdamW with one cycle of the learning rate, which is always played to its end; gradients clipped by their norm;
    batches of recordings of about the same length. After every epoch the speakers who were set aside are
    transcribed; the weights with the lowest symbol error rate are kept. SNAP's Table 2 is made with `transfer`
    before it.

    Parameters
    ----------
    model : Wav2Letter
        Where to start; it stays as it is, and a copy is trained.
    corpus : corpus or sequence of Recording
        The training part. Features are kept in memory while they take less than a quarter of what is free;
        those that do not fit are read anew in every epoch.
    labels : str
        ``"letter"`` for the recordings' attribute ``text``, or the name of a tier.
    epochs : int
        Passes over the training part; the cycle is laid over all of them.
    batch_size : int
        Recordings a batch.
    lr : float
        Peak of the learning rate.
    warm_start : {"frames"}, optional
        Begin with two epochs of cross-entropy between every output step and the label at its centre, for tiers with
        times. It is the quickest way to learn, but such a network predicts a phoneme at the phoneme's centre, where
        one of CTC alone predicts it later: alignments of the two cannot be compared.
    band_shift : int
        Largest number of units (mel bands) by which every recording is moved up or down, drawn anew in every
        epoch: it stands for longer and shorter vocal tracts where speakers are few. 0, as in the papers, moves
        nothing.
    validation : float
        Share of the speakers (attribute ``speaker``) that is set aside, at least one; 0 for none. Recordings
        without the attribute count each as a speaker of their own.
    frozen : int
        Number of lower convolutions, each with its batch normalisation, that stay as they are.
    freeze_normalization : bool
        Leave parameters and statistics of all batch normalisations as they are, as in fine-tuning.
    seed : int
        Seed of the choice of speakers and of the order of recordings. With the same seed, machine and number
        of threads the result is the same; the global random state is left alone.
    checkpoint : path, optional
        File that keeps the state after every epoch; or a folder, for ``training.ckpt`` in it. If it exists,
        the training goes on from there, and must have the same options, network and corpus.
    max_minutes : float, optional
        Measure 20 steps, and lower the number of epochs to what fits into this time, but not below six: a warning
        says if they take longer. The result then depends on how fast the machine is.
    device : str or torch.device, optional
        ``"cpu"`` or ``"cuda"``; without it, CUDA if there is any.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read or labelled ends the training, or is left out and listed.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    TrainingResult
        The trained network, the history, and what was left out.

    Raises
    ------
    InputError
        If an option has no meaning, nothing can be trained on, the checkpoint is of another training, another one is
        writing it, it cannot be read or written, or the loss is no longer finite.
    RecordingError
        If a recording cannot be read or labelled, and is not to be skipped.

    Warns
    -----
    UserWarning
        If a symbol of the network occurs in no recording trained on, or the time does not suffice.

    Examples
    --------
    >>> network = create_network(symbols_for(corpus), "w2p_shallow", seed=0)  # doctest: +SKIP
    >>> result = train(network, corpus, labels="phoneme", epochs=30)  # doctest: +SKIP
    """
    check_type("the model", model, Wav2Letter, accepted="a Wav2Letter")
    if max_minutes is not None:
        check_number("max_minutes", max_minutes, above=0)
    settings = Settings(
        labels=labels, epochs=epochs, batch_size=batch_size, lr=lr, warm_start=warm_start, band_shift=band_shift,
        validation=validation, frozen=frozen, freeze_normalization=freeze_normalization, seed=seed,
    )  # fmt: skip
    settings.check(model)
    blank_position(model)
    place = device_of(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    identity = json.dumps({**asdict(settings), "network": model.config, "corpus": corpus_fingerprint(corpus)})

    path = None if checkpoint is None else _state_file(Path(checkpoint))
    with nullcontext() if path is None else claimed(path):
        state = None if path is None else load_state(path, identity)
        examples = read_examples(
            model, corpus, labels=labels, timed=warm_start is not None, on_error=on_error, progress=progress
        )
        training, aside = set_aside(examples.all, share=validation, seed=seed)
        unseen = _unseen(model, training, labels)

        def begin(settings: Settings) -> Training:
            return Training(copy.deepcopy(model), settings, examples, training, aside, place)

        if state is not None:
            run = begin(replace(settings, epochs=state["epochs"]))
            run.load_state_dict(state)
        elif max_minutes is not None:
            seconds = measure_step(begin(replace(settings, epochs=MEASURED_STEPS + 1)))
            run = begin(replace(settings, epochs=epochs_within(max_minutes, seconds, begin(settings))))
        else:
            run = begin(settings)
        with tqdm(
            total=run.settings.epochs * run.n_batches, initial=len(run.history) * run.n_batches,
            desc=f"training on {labels}s", unit="batch", disable=not progress,
        ) as bar:  # fmt: skip
            while len(run.history) < run.settings.epochs:
                try:
                    run.run_epoch(bar.update)
                except RecordingError:
                    raise
                except InputError as error:  # a loss that is not finite
                    kept = f"; the state after epoch {len(run.history)} is kept in {str(path)!r}"
                    raise InputError(f"{error}{kept if path is not None and run.history else ''}") from None
                bar.set_postfix({name: f"{run.history[-1][name]:.3g}" for name in SHOWN})
                if path is not None:
                    save_state(run.state_dict(), path, identity)
    network = run.network
    network.load_state_dict(run.best)
    for ours, theirs in zip(network.parameters(), model.parameters(), strict=True):
        ours.requires_grad_(theirs.requires_grad).grad = None
    error_rate = run.history[run.best_epoch - 1]["error_rate"]
    network.error_rate = None if math.isnan(error_rate) else error_rate
    return TrainingResult(
        model=network.to(next(model.parameters()).device).eval(),
        history=pd.DataFrame(run.history),
        error_rate=error_rate,
        best_epoch=run.best_epoch,
        n_train=len(training),
        n_validation=len(aside),
        validation_speakers=tuple(sorted({example.speaker for example in aside})),
        unseen=unseen,
        left_out=examples.left_out,
        settings=asdict(run.settings),
    )


def measure_step(run: Training) -> float:
    """Seconds of one step, measured over the first steps of a training that is thrown away afterwards."""
    steps = list(islice(run.training_batches(0), MEASURED_STEPS))
    run.step(steps[0])  # memory and threads are set up
    begun = time.monotonic()
    for batch in steps:
        run.step(batch)
    return (time.monotonic() - begun) / len(steps)


def epochs_within(max_minutes: float, step_seconds: float, run: Training) -> int:
    """Number of epochs that fit into a time, at most that of the settings and at least `FEWEST_EPOCHS`."""
    settings = run.settings
    epoch = step_seconds * (run.n_batches + VALIDATION_COST * -(-len(run.validation) // settings.batch_size))
    fewest = min(settings.epochs, FEWEST_EPOCHS)
    fitting = int(60 * max_minutes / epoch)
    if fitting < fewest:
        warnings.warn(
            f"max_minutes={max_minutes:g} does not suffice: an epoch takes some {epoch / 60:.2g} minutes here, and no "
            f"network has learned before {fewest} of them; training takes some {fewest * epoch / 60:.2g} minutes",
            stacklevel=3,
        )
    return max(fewest, min(settings.epochs, fitting))


def _unseen(model: Wav2Letter, training: tuple[Example, ...], labels: str) -> tuple[str, ...]:
    """Symbols that no recording has, with a warning that they cannot be learned."""
    seen = {position for example in training for position in example.target}
    unseen = tuple(
        symbol
        for position, symbol in enumerate(model.symbols)
        if position not in seen and symbol not in model.ignored_symbols
    )
    if unseen:
        warnings.warn(
            f"no recording trained on has the {labels}s {one_of(unseen)}; the network cannot learn to write them",
            stacklevel=3,
        )
    return unseen


def _state_file(path: Path) -> Path:
    """File of a state: the path itself, or ``training.ckpt`` in it where it is a folder."""
    is_folder = (exists(path) and path.is_dir()) or not path.suffix
    return path / FILE_NAME if is_folder else path


def save_state(state: Mapping[str, Any], path: Path, identity: str) -> None:
    """Write the state of a training, as `Training.state_dict` gives it; the file is replaced at once and whole.

    Options, network and corpus are the `identity`, as JSON; a training that goes on must have the same.

    Raises
    ------
    InputError
        If it cannot be written; the state before it is untouched.
    """
    saved = {"format": FORMAT, "version": FORMAT_VERSION, "identity": json.loads(identity), "state": state}
    try:
        with replacing(path) as partial:
            torch.save(saved, partial)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or shortened(error)
        raise InputError(f"the state of the training cannot be written to {str(path)!r}: {reason}") from error


def load_state(path: Path, identity: str) -> dict[str, Any] | None:
    """Read the state of a training, as `Training.load_state_dict` takes it; nothing is ever unpickled.

    Without a file there is no state; what an interrupted writing left beside it is removed.

    Raises
    ------
    InputError
        If the file is no state of a training, is damaged, or that of another training; the sentence names the option
        that differs.
    """
    remove_leftovers(path)
    if not exists(path):
        return None
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if (saved["format"], saved["version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError(f"it is {saved['format']!r} in the version {saved['version']}, not {FORMAT_VERSION}")
        earlier, state = saved["identity"], saved["state"]
    except Exception as error:
        reason = f"{path} is not the state of a training: {reason_of(error)}; delete it to begin anew"
        raise InputError(reason) from None
    for name, value in json.loads(identity).items():
        if earlier.get(name) != value:
            raise InputError(
                f"{path} is the state of a training with {name}={shortened(repr(earlier.get(name)))}, and this one has "
                f"{name}={shortened(repr(value))}; go on with the same options, give another checkpoint, or delete the "
                "file"
            )
    return state
