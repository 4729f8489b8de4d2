"""Batches of recordings: which go together, and how they are padded."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Sampler

from snaps.training.material import Example, Material

#: Batches whose recordings are sorted by length together: alike enough to pad little, mixed enough to differ
#: from epoch to epoch.
POOL_BATCHES = 8


class Batch(NamedTuple):
    """Several recordings, padded at their ends: features with silence (0 dB above the floor), targets with 0.

    Lengths are numbers of input steps and of symbols.
    """

    features: Float[Tensor, "batch unit step"]
    lengths: Int[Tensor, " batch"]
    targets: Int[Tensor, "batch symbol"]
    target_lengths: Int[Tensor, " batch"]


class LengthBatches(Sampler[list[int]]):
    """Places of examples in batches of about the same length.

    Shuffled ones depend on `seed` and `epoch` alone, so that a run that is resumed goes on with the batches
    that it would have had.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, *, seed: int = 0, epoch: int | None = None) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches, the same in every epoch."""
        pool = POOL_BATCHES * self.batch_size
        full, rest = divmod(len(self.lengths), pool)
        return full * POOL_BATCHES + -(-rest // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Go through the batches; without an epoch, from short to long recordings."""
        if self.epoch is None:
            yield from self._cut(np.argsort(self.lengths, kind="stable"))
            return
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        size = POOL_BATCHES * self.batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            pool = order[start : start + size]
            batches.extend(self._cut(pool[np.argsort(self.lengths[pool], kind="stable")]))
        for place in random.permutation(len(batches)):
            yield batches[place]

    def _cut(self, order: np.ndarray) -> list[list[int]]:
        return [order[start : start + self.batch_size].tolist() for start in range(0, len(order), self.batch_size)]


class Examples(Dataset[tuple[Tensor, Tensor]]):
    """Features and target of each example; features that are not in memory are read from the corpus.

    `random`, from which shifts of the bands are drawn, must be as fresh as the epoch.
    """

    def __init__(
        self, material: Material, examples: Sequence[Example], *, band_shift: int, random: np.random.Generator
    ) -> None:
        self.material = material
        self.examples = examples
        self.shifts = random.integers(-band_shift, band_shift + 1, size=len(examples))

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.examples)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        """Features of shape (unit, step) and positions in the symbol table."""
        example = self.examples[place]
        features = self.material.features.get(example.place)
        if features is None:
            features = self.material.corpus[example.place].features
        shifted = shift_bands(features, int(self.shifts[place]))
        return torch.from_numpy(shifted), torch.tensor(example.target)


def shift_bands(features: Float[np.ndarray, "unit step"], bands: int) -> Float[np.ndarray, "unit step"]:
    """Move a spectrogram up by some bands, or down; the outermost band takes the place of what moves in.

    Examples
    --------
    >>> shift_bands(np.array([[1.0], [2.0], [3.0]]), 1).ravel()
    array([1., 1., 2.])
    """
    units = len(features)
    return features[np.clip(np.arange(units) - bands, 0, units - 1)]


def collate(pairs: Sequence[tuple[Tensor, Tensor]]) -> Batch:
    """Pad recordings and targets to those of the longest in the batch."""
    features, sequences = zip(*pairs, strict=True)
    return Batch(
        features=pad_sequence([one.T for one in features], batch_first=True).transpose(1, 2).contiguous(),
        lengths=torch.tensor([one.shape[1] for one in features]),
        targets=pad_sequence(list(sequences), batch_first=True),
        target_lengths=torch.tensor([len(one) for one in sequences]),
    )


def loader(
    material: Material,
    examples: Sequence[Example],
    *,
    batch_size: int,
    band_shift: int = 0,
    seed: int = 0,
    epoch: int | None = None,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of examples: shuffled and shifted for one epoch or, without one, from short to long as they are."""
    batches = LengthBatches([example.n_steps for example in examples], batch_size, seed=seed, epoch=epoch)
    random = np.random.default_rng([seed, epoch or 0, 1])  # another stream than that of the order
    dataset = Examples(material, examples, band_shift=band_shift if epoch is not None else 0, random=random)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=collate)
