"""How large a reproduction is: corpus, networks, and how long they learn (SNAP, Tables 1 and 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: Convolutions that a transfer takes over: those of W2P_shallow (SNAP, section 4.2).
TRANSFERRED = 5


@dataclass(frozen=True)
class Recipe:
    """How one network is made.

    Attributes
    ----------
    name : str
        As the SNAP paper calls it, in lower case.
    labels : {"phoneme", "letter"}
        What it writes.
    preset : str
        Architecture.
    epochs : int
        Passes over the training part.
    source : str or None
        Network whose lower layers, or all of which, it starts from.
    kind : {"scratch", "frozen", "finetuned"}
        ``"frozen"``: the lower layers of `source` are taken over and stay; ``"finetuned"``: all of `source` learns
        on, with batch normalisation left alone.
    """

    name: str
    labels: Literal["phoneme", "letter"]
    preset: str
    epochs: int
    source: str | None = None
    kind: Literal["scratch", "frozen", "finetuned"] = "scratch"

    @property
    def frozen(self) -> int:
        """Lower convolutions that stay as they are."""
        return TRANSFERRED if self.kind == "frozen" else 0


@dataclass(frozen=True)
class Scale:
    """Size of a reproduction.

    Attributes
    ----------
    name : str
        What the command line calls it.
    speakers, sentences : int
        Of the synthetic corpus.
    width : int
        Filters of the narrow layers; the paper's networks have 256.
    recipes : tuple of Recipe
        Networks, each after the one it starts from.
    batch_size : int
        Recordings a batch.
    lr : float
        Peak of the learning rate.
    minutes : float or None
        After which a network stops learning; None for never.
    shuffled : int
        Permutations behind p-values.
    """

    name: str
    speakers: int
    sentences: int
    width: int
    recipes: tuple[Recipe, ...]
    batch_size: int = 4
    lr: float = 2e-3
    minutes: float | None = None
    shuffled: int = 499


def paper_recipes(*, shallow: int, w2p: int, w2l: int, frozen: int, finetuned: int) -> tuple[Recipe, ...]:
    """The five networks of the paper's Table 2, with so many epochs each."""
    return (
        Recipe("w2p_shallow", "phoneme", "w2p_shallow", shallow),
        Recipe("w2p", "phoneme", "w2l", w2p),
        Recipe("w2l", "letter", "w2l", w2l),
        Recipe("w2l_tl_frozen", "letter", "w2l", frozen, "w2p_shallow", "frozen"),
        Recipe("w2l_tl_finetuned", "letter", "w2l", finetuned, "w2l_tl_frozen", "finetuned"),
    )


SCALES: Mapping[str, Scale] = {
    "demo": Scale(
        "demo", 60, 10, 48,
        (
            Recipe("w2p_shallow", "phoneme", "w2p_shallow", 26),
            Recipe("w2l", "letter", "w2l", 16),
            Recipe("w2l_tl_frozen", "letter", "w2l", 16, "w2p_shallow", "frozen"),
        ),
        minutes=2.0,
    ),
    "tiny": Scale(
        "tiny", 40, 10, 32, paper_recipes(shallow=26, w2p=12, w2l=14, frozen=14, finetuned=6), minutes=1.7
    ),
    "small": Scale(
        "small", 120, 10, 96, paper_recipes(shallow=40, w2p=30, w2l=40, frozen=40, finetuned=15), minutes=18.0
    ),
    "paper": Scale(
        "paper", 462, 10, 256, paper_recipes(shallow=100, w2p=100, w2l=100, frozen=100, finetuned=50), batch_size=16,
        shuffled=999,
    ),
}  # fmt: skip
