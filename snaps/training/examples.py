"""Recordings to train on, their targets, the speakers set aside for the validation, and padded batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd
import psutil
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from snaps.datasets import CorpusLike, OnError, Recording, interval_labels
from snaps.errors import InputError, RecordingError, check_choice
from snaps.models import Wav2Letter
from snaps.training.alphabet import targets

#: Share of the free memory that features may take; what does not fit is read anew in every epoch.
MEMORY_SHARE = 0.25
#: Target of an output step at which nothing is annotated: cross-entropy passes over it.
NO_TARGET = -100
#: Batches whose recordings are sorted by length together: alike enough to pad little, mixed enough to differ
#: from epoch to epoch.
POOL_BATCHES = 8


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


class LeftOut(list[tuple[str, str, str]]):
    """Recordings left out, each with its identifier, cause (``error``, ``short`` or ``unlabelled``) and reason."""

    def table(self) -> pd.DataFrame:
        """One row a recording: ``recording``, ``cause``, ``reason``."""
        return pd.DataFrame(list(self), columns=["recording", "cause", "reason"], dtype=object)

    def none_left(self, n_recordings: int) -> InputError:
        """Error of a corpus without any usable recording; it names the first reason."""
        why = f"; the first reason: {self[0][2]}" if self else ""
        return InputError(f"none of the {n_recordings} recordings can be used{why}")


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
    """Read a corpus once, choose the recordings to train on, and keep the features that fit into memory.

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
    bar = "reading" if progress else None
    for example, recording in usable(model, corpus, labels=labels, left_out=left_out, on_error=on_error, bar=bar):
        # CTC needs a step a symbol, and a blank between two equal symbols.
        needed = len(example.target) + sum(one == other for one, other in pairwise(example.target))
        n_out = int(model.output_lengths(torch.tensor(example.n_steps)))
        if n_out < needed:
            reason = f"recording {example.recording!r} gives {n_out} output steps, and its symbols need {needed}"
            left_out.append((example.recording, "short", reason))
            continue
        found.append(replace(example, frames=frame_targets(model, recording, labels)) if timed else example)
        if recording.features.nbytes <= budget:
            kept[example.place] = recording.features
            budget -= recording.features.nbytes
    if not found:
        raise left_out.none_left(len(corpus))
    if timed and all(np.all(example.frames == NO_TARGET) for example in found):
        raise InputError(
            f"warm_start='frames' needs a tier with times, and no output step of the {len(found)} recordings lies in "
            f"an interval of the tier {labels!r} that has a label"
        )
    return Examples(corpus, tuple(found), kept, left_out.table())


def usable(
    model: Wav2Letter, corpus: CorpusLike, *, labels: str, left_out: LeftOut, on_error: OnError, bar: str | None
) -> Iterator[tuple[Example, Recording]]:
    """Recordings that can be read and have symbols; the others go into `left_out`. `bar` names the progress bar."""
    check_choice("on_error", on_error, get_args(OnError))
    for index in tqdm(range(len(corpus)), desc=bar, unit="rec", leave=False, disable=bar is None):
        try:
            recording = corpus[index]
            example = _example(model, recording, index, labels)
        except RecordingError as error:
            if on_error == "raise":
                raise
            left_out.append((error.recording, "error", str(error)))
            continue
        if example.target:
            yield example, recording
        else:
            left_out.append((recording.id, "unlabelled", f"recording {recording.id!r} has no symbols"))


def _example(model: Wav2Letter, recording: Recording, index: int, labels: str) -> Example:
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
    return Example(index, recording.id, speaker, recording.n_steps, target)


def frame_targets(model: Wav2Letter, recording: Recording, tier: str) -> Int[np.ndarray, " out"]:
    """Symbol annotated at the centre of every output step's receptive field.

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


def set_aside(
    examples: Sequence[Example], *, share: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Split examples by speaker into those to train on and those set aside for the validation.

    Parameters
    ----------
    examples : sequence of Example
        All examples.
    share : float
        Share of the speakers to set aside, at least one of them; 0 for none.
    seed : int
        Seed of the choice.

    Returns
    -------
    training, validation : tuple of Example
        No speaker is in both.

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
    training = tuple(example for example in examples if example.speaker not in chosen)
    return training, tuple(example for example in examples if example.speaker in chosen)


class Batch(NamedTuple):
    """Several recordings, padded at their ends: features with silence (0 dB above the floor), targets with 0.

    Lengths are numbers of input steps and of symbols. `frame_targets` is None unless examples have them; where a
    recording has no label it holds `NO_TARGET`.
    """

    features: Float[Tensor, "batch unit step"]
    lengths: Int[Tensor, " batch"]
    targets: Int[Tensor, "batch symbol"]
    target_lengths: Int[Tensor, " batch"]
    frame_targets: Int[Tensor, "batch out"] | None

    def to(self, device: torch.device) -> "Batch":
        """Copy to a device."""
        return Batch._make(part if part is None else part.to(device) for part in self)


def batches(
    examples: Examples,
    chosen: Sequence[Example],
    *,
    batch_size: int,
    band_shift: int = 0,
    seed: int = 0,
    epoch: int | None = None,
) -> Iterator[Batch]:
    """Batches of the chosen examples.

    Parameters
    ----------
    examples : Examples
        Where features come from; those that are not in memory are read from the corpus.
    chosen : sequence of Example
        The examples to put into batches.
    batch_size : int
        Recordings a batch.
    band_shift : int
        Largest number of bands by which a recording is moved up or down, drawn anew in every epoch.
    seed, epoch : int
        Order and shifts depend on them alone, so that a training that is resumed goes on with the batches that it
        would have had. Without an epoch, batches go from short to long recordings and nothing is shifted.
    """
    # A stream of its own, so that the order does not depend on whether bands are shifted.
    random = np.random.default_rng([seed, epoch or 0, 1])
    most = band_shift if epoch is not None else 0
    shifts = random.integers(-most, most + 1, size=len(chosen))
    for places in length_batches([example.n_steps for example in chosen], batch_size, seed=seed, epoch=epoch):
        yield padded(
            [(shift_bands(examples.features_of(chosen[place]), int(shifts[place])), chosen[place]) for place in places]
        )


def length_batches(
    lengths: Sequence[int], batch_size: int, *, seed: int = 0, epoch: int | None = None
) -> list[list[int]]:
    """Positions of recordings in batches of about the same length.

    Examples
    --------
    >>> length_batches([5, 3, 4], batch_size=2)
    [[1, 2], [0]]
    """
    of = np.asarray(lengths)

    def cut(order: np.ndarray) -> list[list[int]]:
        order = order[np.argsort(of[order], kind="stable")]
        return [order[start : start + batch_size].tolist() for start in range(0, len(order), batch_size)]

    if epoch is None:
        return cut(np.arange(len(of)))
    random = np.random.default_rng([seed, epoch])
    order, size = random.permutation(len(of)), POOL_BATCHES * batch_size
    found = [batch for start in range(0, len(order), size) for batch in cut(order[start : start + size])]
    return [found[place] for place in random.permutation(len(found))]


def shift_bands(features: Float[np.ndarray, "unit step"], bands: int) -> Float[np.ndarray, "unit step"]:
    """Move a spectrogram up by some bands, or down; the outermost band is repeated.

    Examples
    --------
    >>> shift_bands(np.array([[1.0], [2.0], [3.0]]), 1).ravel()
    array([1., 1., 2.])
    """
    return features.take(np.arange(len(features)) - bands, axis=0, mode="clip")


def padded(pairs: Sequence[tuple[Float[np.ndarray, "unit step"], Example]]) -> Batch:
    """Pad recordings and targets to those of the longest in the batch."""
    features = [torch.from_numpy(one) for one, _ in pairs]
    targets = [torch.tensor(example.target) for _, example in pairs]
    frames = [torch.from_numpy(example.frames) for _, example in pairs if example.frames is not None]
    return Batch(
        features=pad_sequence([one.T for one in features], batch_first=True).transpose(1, 2).contiguous(),
        lengths=torch.tensor([one.shape[1] for one in features]),
        targets=pad_sequence(targets, batch_first=True),
        target_lengths=torch.tensor([len(one) for one in targets]),
        frame_targets=pad_sequence(frames, batch_first=True, padding_value=NO_TARGET) if frames else None,
    )
