"""Usable recordings of a corpus, their targets, and the speakers who are set aside for the validation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import psutil
import torch
from jaxtyping import Float, Int
from tqdm import tqdm

from snaps.datasets.corpus import CorpusLike
from snaps.datasets.frames import interval_labels
from snaps.datasets.recording import Recording
from snaps.errors import InputError, RecordingError
from snaps.models import Wav2Letter
from snaps.training.alphabet import OnError, check_on_error, targets

#: Why recordings were left out, as in the column ``cause``.
ERROR, SHORT, UNLABELLED = "error", "short", "unlabelled"
#: Share of the free memory that features may take; what does not fit is read anew in every epoch.
MEMORY_SHARE = 0.25
#: Target of an output step at which nothing is annotated: cross-entropy passes over it.
NO_TARGET = -100


@dataclass(frozen=True, eq=False)
class Example:
    """One recording that can be trained on.

    Attributes
    ----------
    place : int
        Its place in the corpus.
    recording, speaker : str
        Its identifier, and who speaks.
    n_steps : int
        Number of input steps.
    target : tuple of int
        Positions of the symbols that the network should write.
    frames : array of shape (output step,), optional
        Position of the symbol annotated at every output step, `NO_TARGET` where there is none.
    """

    place: int
    recording: str
    speaker: str
    n_steps: int
    target: tuple[int, ...]
    frames: Int[np.ndarray, " out"] | None = None


class LeftOut:
    """List of the recordings that are left out, with the reason."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str]] = []

    def add(self, recording: str, cause: str, reason: str) -> None:
        """Note one recording; the cause is ``error``, ``short`` or ``unlabelled``."""
        self._rows.append((recording, cause, reason))

    def table(self) -> pd.DataFrame:
        """One row a recording: ``recording``, ``cause``, ``reason``."""
        return pd.DataFrame(self._rows, columns=["recording", "cause", "reason"], dtype=object)

    def refuse_all(self, n_recordings: int, anything: bool) -> None:
        """Refuse a corpus of which nothing is left.

        Raises
        ------
        InputError
            Naming the first reason.
        """
        if not anything:
            why = f"; the first reason: {self._rows[0][2]}" if self._rows else ""
            raise InputError(f"none of the {n_recordings} recordings can be used{why}")


@dataclass(frozen=True, eq=False)
class Examples:
    """Usable recordings of a corpus.

    Attributes
    ----------
    corpus : corpus or sequence of Recording
        Where features come from that are not kept.
    all : tuple of Example
        The usable recordings, in the order of the corpus.
    kept : mapping of int to array of shape (units, steps)
        Features in memory, by place in the corpus.
    left_out : DataFrame
        One row a recording that is left out: ``recording``, ``cause`` (``error``, ``short`` or
        ``unlabelled``) and ``reason``.
    """

    corpus: CorpusLike
    all: tuple[Example, ...]
    kept: Mapping[int, Float[np.ndarray, "unit step"]]
    left_out: pd.DataFrame

    def features_of(self, example: Example) -> Float[np.ndarray, "unit step"]:
        """Features of one example, from memory or from the corpus."""
        kept = self.kept.get(example.place)
        return self.corpus[example.place].features if kept is None else kept


def read_examples(
    model: Wav2Letter,
    corpus: CorpusLike,
    *,
    labels: str,
    timed: bool = False,
    on_error: OnError = "raise",
    progress: bool = True,
) -> Examples:
    """Go through a corpus once, find what can be used, and keep the features that fit into memory.

    A recording is left out as ``short`` if the network makes fewer output steps of it than CTC needs: one a
    symbol, and a blank between two equal symbols. One without any symbol is left out as ``unlabelled``.

    Parameters
    ----------
    model : Wav2Letter
        Whose symbols, number of inputs and lengths count.
    corpus : corpus or sequence of Recording
        The recordings.
    labels : str
        ``"letter"`` or the name of a tier.
    timed : bool
        Whether the symbol of every output step is looked up too.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends everything or is left out as ``error``.
    progress : bool
        Show a bar on standard error.

    Raises
    ------
    RecordingError
        If a recording cannot be read or labelled, and is not to be skipped.
    InputError
        If nothing is left, or symbols with times are asked for and no output step has one.
    """
    budget = MEMORY_SHARE * psutil.virtual_memory().available
    found: list[Example] = []
    kept: dict[int, np.ndarray] = {}
    left_out = LeftOut()
    for example, recording in usable(
        model, corpus, labels=labels, timed=timed, left_out=left_out, on_error=on_error, progress=progress
    ):
        refused = _too_short(model, example)
        if refused is not None:
            left_out.add(example.recording, SHORT, refused)
            continue
        found.append(example)
        if recording.features.nbytes <= budget:
            kept[example.place] = recording.features
            budget -= recording.features.nbytes
    left_out.refuse_all(len(corpus), bool(found))
    if timed and all(np.all(example.frames == NO_TARGET) for example in found):
        raise InputError(
            f"warm_start='frames' needs a tier with times, and no output step of the {len(found)} recordings lies in "
            f"an interval of the tier {labels!r} that has a label"
        )
    return Examples(corpus, tuple(found), kept, left_out.table())


def usable(
    model: Wav2Letter,
    corpus: CorpusLike,
    *,
    labels: str,
    left_out: LeftOut,
    timed: bool = False,
    on_error: OnError = "raise",
    description: str = "reading",
    progress: bool = True,
) -> Iterator[tuple[Example, Recording]]:
    """Go through all recordings that can be read and have symbols; the others are noted in `left_out`.

    Raises
    ------
    RecordingError
        If a recording cannot be read or labelled, and is not to be skipped.
    """
    check_on_error(on_error)
    with tqdm(total=len(corpus), desc=description, unit="rec", leave=False, disable=not progress) as bar:
        for index in range(len(corpus)):
            try:
                recording = corpus[index]
                example = _example(model, recording, index, labels, timed=timed)
            except RecordingError as error:
                if on_error == "raise":
                    raise
                left_out.add(error.recording, ERROR, str(error))
            else:
                if example.target:
                    yield example, recording
                else:
                    left_out.add(example.recording, UNLABELLED, f"recording {recording.id!r} has no symbols")
            bar.update()


def _example(model: Wav2Letter, recording: Recording, index: int, labels: str, *, timed: bool) -> Example:
    units = recording.features.shape[0]
    if units != model.n_inputs:
        raise RecordingError(
            recording.id, f"recording {recording.id!r} has {units} units; the network takes {model.n_inputs}"
        )
    if not np.isfinite(recording.features).all():
        raise RecordingError(recording.id, f"recording {recording.id!r} has features that are not finite")
    # Recordings of unknown speakers count each as a speaker of their own.
    speaker = recording.attributes.get("speaker") or f"recording {recording.id}"
    target = targets(recording, labels, model.symbols, blank=model.blank)
    frames = frame_targets(model, recording, labels) if timed else None
    return Example(index, recording.id, speaker, recording.n_steps, target, frames)


def frame_targets(model: Wav2Letter, recording: Recording, tier: str) -> Int[np.ndarray, " out"]:
    """Symbol that is annotated at the centre of every output step's receptive field.

    Parameters
    ----------
    model : Wav2Letter
        The network, whose padding counts.
    recording : Recording
        A recording with the tier.
    tier : str
        Name of the tier; its labels are among the network's symbols.

    Returns
    -------
    array of shape (output steps,)
        Positions in the symbol table, `NO_TARGET` where no interval or one without a label lies.
    """
    n_out = int(model.output_lengths(torch.tensor(recording.n_steps)))
    first, stride = model.receptive_field // 2, 1
    for shape in model.shapes:
        if model.pads:
            first -= (shape.kernel - shape.stride) // 2 * stride
        stride *= shape.stride
    steps = first + stride * np.arange(n_out)
    found = interval_labels(recording.tiers[tier], steps * recording.step)
    table = {symbol: position for position, symbol in enumerate(model.symbols)}
    return np.array([NO_TARGET if label is None else table[label] for label in found], dtype=np.int64)


def _too_short(model: Wav2Letter, example: Example) -> str | None:
    repeats = sum(one == other for one, other in pairwise(example.target))
    needed = len(example.target) + repeats
    steps = int(model.output_lengths(torch.tensor(example.n_steps)))
    if steps >= needed:
        return None
    return f"recording {example.recording!r} gives {steps} output steps, and its symbols need {needed}"


def set_aside(
    examples: Sequence[Example], *, share: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Part examples into those to train on and those of speakers who are set aside.

    Parameters
    ----------
    examples : sequence of Example
        What there is.
    share : float
        Share of the speakers to set aside, at least one of them; 0 for none.
    seed : int
        Seed of the choice.

    Returns
    -------
    tuple of two tuples of Example
        To train on; to validate with. No speaker is in both.

    Raises
    ------
    InputError
        If there is but one speaker, or `share` is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise InputError(f"validation is {share!r}; accepted is a share of the speakers from 0 to below 1")
    if share == 0:
        return tuple(examples), ()
    speakers = sorted({example.speaker for example in examples})
    if len(speakers) == 1:
        raise InputError(
            f"validation={share:g} sets speakers aside, but all recordings are of {speakers[0]!r}; "
            "give validation=0 to train without"
        )
    n_aside = min(max(1, round(share * len(speakers))), len(speakers) - 1)
    chosen = set(np.random.default_rng(seed).permutation(speakers)[:n_aside].tolist())
    return (
        tuple(example for example in examples if example.speaker not in chosen),
        tuple(example for example in examples if example.speaker in chosen),
    )
