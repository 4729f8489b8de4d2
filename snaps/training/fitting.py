"""Training a network: one function from a corpus to the best weights."""

import copy
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from snaps.datasets.corpus import CorpusLike, corpus_fingerprint
from snaps.datasets.paths import exists
from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.outputs import claimed, remove_leftovers
from snaps.responses import device_of
from snaps.training.alphabet import OnError
from snaps.training.checkpoint import TIME, RunState, checkpoint_file, load_state, save_state
from snaps.training.decode import blank_position
from snaps.training.extra import train_extra
from snaps.training.material import read_material, set_aside
from snaps.training.resuming import UnfitStateError
from snaps.training.settings import Settings


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network, and how it came about.

    Attributes
    ----------
    model : Wav2Letter
        The network with the weights of the best epoch, in evaluation mode.
    history : DataFrame
        One row an epoch: ``epoch`` from 1, ``train_loss``, ``val_loss``, ``error_rate`` of the validation,
        ``lr`` at the end of the epoch, ``seconds``.
    error_rate : float
        Symbol error rate of `model` on the speakers set aside; NaN without validation.
    best_epoch : int
        The epoch whose weights `model` has: that of the lowest error rate, or the last without validation.
    stopped : str
        ``finished`` after all epochs, else ``patience`` or ``time``.
    n_train, n_validation : int
        Number of recordings trained on and set aside.
    validation_speakers : tuple of str
        Who was set aside.
    left_out : DataFrame
        What was not used: ``recording``, ``cause`` (``error``, ``short`` or ``unlabelled``), ``reason``.
    settings : dict
        The options that determine the result, in values that JSON can hold, for `save_model`'s metadata.
    """

    model: Wav2Letter
    history: pd.DataFrame
    error_rate: float
    best_epoch: int
    stopped: str
    n_train: int
    n_validation: int
    validation_speakers: tuple[str, ...]
    left_out: pd.DataFrame
    settings: dict[str, Any]


def train(
    model: Wav2Letter,
    corpus: CorpusLike,
    *,
    labels: str = "phoneme",
    epochs: int = 30,
    batch_size: int = 16,
    lr: float = 2e-3,
    band_shift: int = 0,
    validation: float = 0.1,
    patience: int | None = None,
    frozen: int = 0,
    freeze_normalization: bool = False,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    max_minutes: float | None = None,
    device: str | torch.device | None = None,
    on_error: OnError = "raise",
    progress: bool = True,
) -> TrainingResult:
    """Train a network with CTC to write letters or the labels of a tier.

    AdamW with a one-cycle schedule of the learning rate, gradients clipped by their norm, batches of
    recordings of about the same length. After every epoch the speakers who were set aside are transcribed;
    the weights with the lowest symbol error rate are kept. SNAP's Table 2 is made with `transfer` before it.

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
        Passes over the training part; the schedule is laid over all of them.
    batch_size : int
        Recordings a batch.
    lr : float
        Peak of the learning rate.
    band_shift : int
        Largest number of units (mel bands) by which every recording is moved up or down, drawn anew in every
        epoch: it stands for longer and shorter vocal tracts where speakers are few. 0, as in the papers, moves
        nothing.
    validation : float
        Share of the speakers (attribute ``speaker``) that is set aside, at least one; 0 for none. Recordings
        without the attribute count each as a speaker of their own.
    patience : int, optional
        Stop after so many epochs without a lower error rate.
    frozen : int
        Number of lower convolutions, each with its batch normalisation, that stay as they are.
    freeze_normalization : bool
        Leave parameters and statistics of all batch normalisations as they are, as in fine-tuning.
    seed : int
        Seed of the choice of speakers and of the order of recordings. With the same seed, machine and number
        of threads the result is the same; the global random state is left alone.
    checkpoint : path, optional
        File that keeps the state after every epoch; or a folder, for ``training.ckpt`` in it. If it exists,
        the run goes on from there, and must have the same options, network and corpus.
    max_minutes : float, optional
        Stop before the epoch that would end later; with a checkpoint the run can go on.
    device : str or torch.device, optional
        ``"cpu"`` or ``"cuda"``; without it, CUDA if there is any.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read or labelled ends the run, or is left out and listed.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    TrainingResult
        The trained network, the history, and what was left out.

    Raises
    ------
    InputError
        If an option has no meaning, nothing can be trained on, the checkpoint is of another run, another run is
        writing it, it cannot be read or written, the loss is no longer finite, or the extra ``train`` is not
        installed.
    RecordingError
        If a recording cannot be read or labelled, and is not to be skipped.

    Examples
    --------
    >>> network = create_network(symbols_for(corpus), "w2p_shallow", seed=0)  # doctest: +SKIP
    >>> result = train(network, corpus, labels="phoneme", epochs=30)  # doctest: +SKIP
    """
    if not isinstance(model, Wav2Letter):
        raise InputError(f"the model is a {type(model).__name__}; accepted is a Wav2Letter")
    if max_minutes is not None and not max_minutes > 0:
        raise InputError(f"max_minutes is {max_minutes!r}; accepted are numbers above 0")
    settings = Settings(
        labels=labels,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        band_shift=band_shift,
        validation=validation,
        patience=patience,
        frozen=frozen,
        freeze_normalization=freeze_normalization,
        seed=seed,
    )
    settings.check(model)
    blank_position(model)
    with train_extra():
        from snaps.training.loop import fit
    place = device_of(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    with ExitStack() as stack:
        state, kept = RunState(), None
        if checkpoint is not None:
            described = {**settings.decisive, "network": model.config, "corpus": corpus_fingerprint(corpus)}
            kept = stack.enter_context(_kept_state(checkpoint, described))
            state = kept.load(model)
        material = read_material(model, corpus, labels=labels, on_error=on_error, progress=progress)
        training, aside = set_aside(material.examples, share=validation, seed=seed)
        network = copy.deepcopy(model)
        if state.reason_to_stop(settings) is None:
            try:
                fit(
                    network,
                    settings,
                    material=material,
                    training=training,
                    validation=aside,
                    state=state,
                    device=place,
                    max_minutes=max_minutes,
                    save=kept.save if kept else None,
                    progress=progress,
                )
            except UnfitStateError as error:
                path = kept.path if kept else checkpoint
                raise InputError(f"{path} is not the state of a training: {error}; delete it to begin anew") from None
    network.load_state_dict(state.best)
    for ours, theirs in zip(network.parameters(), model.parameters(), strict=True):
        ours.requires_grad_(theirs.requires_grad).grad = None
    return TrainingResult(
        model=network.to(next(model.parameters()).device).eval(),
        history=pd.DataFrame(state.history),
        error_rate=state.history[state.best_epoch - 1]["error_rate"],
        best_epoch=state.best_epoch,
        stopped=state.reason_to_stop(settings) or TIME,
        n_train=len(training),
        n_validation=len(aside),
        validation_speakers=tuple(sorted({example.speaker for example in aside})),
        left_out=material.left_out,
        settings=settings.as_dict(),
    )


class _KeptState:
    """The state of one training on disk.

    Parameters
    ----------
    path : Path
        The file.
    described : mapping
        What the training is about.
    """

    def __init__(self, path: Path, described: Mapping[str, Any]) -> None:
        self.path, self.described = path, described
        self._epochs = 0

    def load(self, network: Wav2Letter) -> RunState:
        """State that is kept, or that of a training that begins."""
        state = load_state(self.path, self.described, network=network) if exists(self.path) else RunState()
        self._epochs = len(state.history)
        return state

    def save(self, state: RunState) -> None:
        """Keep a state in place of the one before.

        Raises
        ------
        InputError
            If it cannot be written; the state before it is kept.
        """
        try:
            save_state(state, self.path, self.described)
        except OSError as error:
            kept = (
                f"that of {self._epochs} epochs is kept, and the same training goes on from there"
                if self._epochs
                else "there is none before it"
            )
            raise InputError(
                f"the state of the training cannot be written to {str(self.path)!r}: {error.strerror or error}; {kept}"
            ) from error
        self._epochs = len(state.history)


@contextmanager
def _kept_state(checkpoint: str | os.PathLike[str], described: Mapping[str, Any]) -> Iterator[_KeptState]:
    """Claim the file of a state, and remove what killed trainings left half-written of it."""
    exists(Path(checkpoint))  # whether it is a folder can be told
    path = checkpoint_file(checkpoint)
    with claimed(path):
        remove_leftovers(path)
        yield _KeptState(path, described)
