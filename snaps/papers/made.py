"""What a reproduction has made."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from snaps.papers.scales import Recipe, Scale
from snaps.models import Wav2Letter


@dataclass(eq=False)
class Reproduction:
    """What was made, and where it lies.

    Attributes
    ----------
    folder : Path
        Where everything lies.
    scale : Scale
        Size of the experiments.
    corpus : str
        What was played.
    models, profiles, alignments, curves : dict
        By the names of the networks.
    navai : dict of str to DataTree
        Input-layer profiles of the first letter network, by alignment.
    facts : dict of str to dict
        What is stored with the networks: error rates, epochs.
    seconds : dict of str to float
        How long each stage took; one whose result was there already is missing.
    """

    folder: Path
    scale: Scale
    corpus: str
    models: dict[str, Wav2Letter] = field(default_factory=dict)
    profiles: dict[str, xr.DataTree] = field(default_factory=dict)
    alignments: dict[str, xr.Dataset] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    navai: dict[str, xr.DataTree] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def page(self) -> Path:
        """The page that shows everything."""
        return self.folder / "report.html"

    def checkpoint(self, name: str) -> Path:
        """Where a network lies."""
        return self.folder / f"{name}.safetensors"

    def of(self, labels: str) -> list[Recipe]:
        """Networks that write such labels."""
        return [recipe for recipe in self.scale.recipes if recipe.labels == labels]

    def summary(self) -> dict[str, Any]:
        """The closing table."""
        return {
            "page": str(self.page),
            "corpus": self.corpus,
            "scale": self.scale.name,
            "networks": [str(self.checkpoint(name)) for name in self.models],
            "profiles": [str(self.folder / f"{name}.zarr") for name in self.profiles],
            "symbol error rate on the test part": {name: facts["error_rate"] for name, facts in self.facts.items()},
            "frames averaged": {name: int(tree.attrs["n_frames"]) for name, tree in self.profiles.items()},
            "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds.items()},
        }
