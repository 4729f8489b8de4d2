"""Batches of recordings: which go together, and how they are padded."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from snaps.training.examples import NO_TARGET, Example, Examples

#: Batches whose recordings are sorted by length together: alike enough to pad little, mixed enough to differ
#: from epoch to epoch.
POOL_BATCHES = 8


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
        What to put into batches.
    batch_size : int
        Recordings a batch.
    band_shift : int
        Largest number of bands by which a recording is moved up or down, drawn anew in every epoch.
    seed, epoch : int
        What order and shifts depend on, and nothing else: a training that is resumed goes on with the batches that
        it would have had. Without an epoch batches go from short to long recordings, as they are.
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
    """Places of recordings in batches of about the same length.

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
    """Move a spectrogram up by some bands, or down; the outermost band takes the place of what moves in.

    Examples
    --------
    >>> shift_bands(np.array([[1.0], [2.0], [3.0]]), 1).ravel()
    array([1., 1., 2.])
    """
    units = len(features)
    return features[np.clip(np.arange(units) - bands, 0, units - 1)]


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
