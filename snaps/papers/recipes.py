"""Scales of a reproduction (corpus, networks, epochs: SNAP, Tables 1 and 2), and its results."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import xarray as xr

from snaps.schema import Provenance

#: Convolutions that a transfer takes over: those of W2P_shallow (SNAP, section 4.2).
TRANSFERRED = 5


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

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
class Wanted:
    """Bounds that the networks of a scale should reach on unseen speakers and sentences.

    Attributes
    ----------
    error_rates : mapping of str to float
        Highest symbol error rate, by network; silences are not scored.
    n_frames : int
        Fewest frames that profiles are averaged over.
    at_peak, near_peak : float
        Smallest share of frames of a phoneme network whose predicted phoneme is annotated at the peak, and within
        two steps of it.
    """

    error_rates: Mapping[str, float]
    n_frames: int = 15_000
    at_peak: float = 0.4
    near_peak: float = 0.6


@dataclass(frozen=True)
class Scale:
    """Size of a reproduction.

    Attributes
    ----------
    name : str
        What the command line calls it.
    speakers, test_speakers, sentences : int
        Speakers of the synthetic corpus, how many of them are in the test part, and what each of them says.
    width : int
        Filters of the narrow layers; the paper's networks have 256.
    recipes : tuple of Recipe
        Networks, each after the one it starts from.
    batch_size : int
        Recordings a batch.
    lr : float
        Peak of the learning rate.
    n_permutations : int
        Permutations behind p-values.
    sampled : int or None
        Recordings of the test part, spread evenly over it, for what is only looked at: NAvAIs in four alignments, and
        what is annotated where letters are predicted. None for all of them.
    wanted : Wanted or None
        What the networks should reach on the synthetic corpus.
    """

    name: str
    speakers: int
    test_speakers: int
    sentences: int
    width: int
    recipes: tuple[Recipe, ...]
    batch_size: int = 4
    lr: float = 5e-3
    n_permutations: int = 499
    sampled: int | None = None
    wanted: Wanted | None = None

    def of(self, labels: str) -> list[Recipe]:
        """Recipes of networks that write these labels."""
        return [recipe for recipe in self.recipes if recipe.labels == labels]


def paper_recipes(*, shallow: int, w2p: int, w2l: int, frozen: int, finetuned: int) -> tuple[Recipe, ...]:
    """The five networks of the paper's Table 2, with so many epochs each."""
    return (
        Recipe("w2p_shallow", "phoneme", "w2p_shallow", shallow),
        Recipe("w2p", "phoneme", "w2l", w2p),
        Recipe("w2l", "letter", "w2l", w2l),
        Recipe("w2l_tl_frozen", "letter", "w2l", frozen, "w2p_shallow", "frozen"),
        Recipe("w2l_tl_finetuned", "letter", "w2l", finetuned, "w2l_tl_frozen", "finetuned"),
    )


def demo_recipes(*, shallow: int, frozen: int) -> tuple[Recipe, ...]:
    """A phoneme network, and a letter network on its lower layers."""
    return (
        Recipe("w2p_shallow", "phoneme", "w2p_shallow", shallow),
        Recipe("w2l_tl_frozen", "letter", "w2l", frozen, "w2p_shallow", "frozen"),
    )


#: Numbers of epochs are fixed, so that results do not depend on how fast the machine is.
SCALES: Mapping[str, Scale] = {
    "check": Scale(
        "check", 52, 16, 10, 48, (Recipe("w2p_shallow", "phoneme", "w2p_shallow", 20),),
        wanted=Wanted({"w2p_shallow": 0.35}, n_frames=1000),
    ),
    "demo": Scale(
        "demo", 144, 64, 10, 64, demo_recipes(shallow=12, frozen=8), sampled=120,
        wanted=Wanted({"w2p_shallow": 0.18, "w2l_tl_frozen": 0.45}),
    ),
    "tiny": Scale("tiny", 80, 20, 10, 48, paper_recipes(shallow=16, w2p=14, w2l=16, frozen=12, finetuned=6)),
    "small": Scale("small", 200, 50, 10, 96, paper_recipes(shallow=24, w2p=24, w2l=40, frozen=24, finetuned=10)),
    "paper": Scale(
        "paper", 630, 168, 10, 256, paper_recipes(shallow=100, w2p=100, w2l=100, frozen=100, finetuned=50),
        batch_size=16, lr=3e-3, n_permutations=999,
    ),
}  # fmt: skip


@dataclass(eq=False)
class Reproduction:
    """Results of a reproduction, and their paths.

    Attributes
    ----------
    folder : Path
        Where everything lies.
    scale : Scale
        Size of the experiments.
    corpus : str
        What was played.
    progress : bool
        Whether to show what is going on.
    profiles, alignments, curves, facts : dict
        By the names of the networks: profiles, evaluations of alignments, learning curves, and what is stored with
        the networks (error rates, epochs).
    navai : dict of str to Dataset
        Input-layer profiles of the first letter network, by alignment.
    seconds : dict of str to float
        How long each stage took; one whose result was there already is missing.
    """

    folder: Path
    scale: Scale
    corpus: str
    progress: bool = False
    profiles: dict[str, xr.DataTree] = field(default_factory=dict)
    alignments: dict[str, xr.Dataset] = field(default_factory=dict)
    curves: dict[str, pd.DataFrame] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    navai: dict[str, xr.Dataset] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def page(self) -> Path:
        """Path of the page."""
        return self.folder / "report.html"

    def checkpoint(self, name: str) -> Path:
        """Path of a network's checkpoint."""
        return self.folder / f"{name}.safetensors"

    def summary(self) -> dict[str, Any]:
        """The closing table."""
        names = [recipe.name for recipe in self.scale.recipes]
        return {
            "page": str(self.page),
            "corpus": self.corpus,
            "scale": self.scale.name,
            "networks": [str(self.checkpoint(name)) for name in names],
            "profiles": [str(self.folder / f"{name}.zarr") for name in names],
            "symbol error rate on the test part": {name: self.facts[name]["error_rate"] for name in names},
            "frames averaged": {name: Provenance.of(self.profiles[name]).n_frames for name in names},
            "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds.items()},
        }

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage, and measure its time."""
        self.say(name)
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun

    def say(self, name: str) -> None:
        """Write one line of progress to standard error."""
        if self.progress:
            sys.stderr.write(f"{name}\n")
