"""NAvAI (Krug et al. 2018): neuron activation profiles of the input, in four alignments (Figure 3)."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from snaps.alignment import LRP, Aligner, Alignment, Unaligned
from snaps.datasets import FileCorpus
from snaps.models import load_model
from snaps.profiles import navai, open_profiles, save_profiles
from snaps.profiling import compute_by_aligner
from snaps.report import Section, methods_section

#: Alignments of Figure 3.
ALIGNERS: Mapping[str, Alignment] = {
    "unaligned": Unaligned(),
    "minimum sensitivity": Aligner(peak="min"),
    "maximum sensitivity": Aligner(peak="max"),
    "maximum LRP": Aligner(LRP("krug2018")),
}


def files(folder: Path) -> dict[str, Path]:
    """Paths of the profiles, by alignment."""
    return {name: folder / f"navai {name}.zarr" for name in ALIGNERS}


def compute(folder: Path, network: Path, corpus: FileCorpus, *, device: str | None, progress: bool) -> None:
    """Average the input of a letter network by predicted letter, in all alignments from one pass over a corpus."""
    found = compute_by_aligner(
        load_model(network), corpus, ALIGNERS, groupings={"letter": "predicted"}, layers=["input"], device=device,
        progress=progress,
    )  # fmt: skip
    for name, path in files(folder).items():
        save_profiles(found[name], path, overwrite=True)


def read(folder: Path) -> dict[str, xr.Dataset]:
    """Read the profiles that `compute` wrote, by alignment."""
    return {name: open_profiles(path)["letter/input"].to_dataset() for name, path in files(folder).items()}


def alignments_section(layers: Mapping[str, xr.Dataset], groups: list[str], *, network: str) -> Section:
    """Figure 3: the same letters in every alignment."""
    return methods_section(
        {name: navai(layer) for name, layer in layers.items()},
        groups,
        title=f"Alignments of NAvAIs: {network} (NAvAI, Figure 3)",
        text="Unaligned means, and means aligned at the smallest and largest sensitivity and the largest LRP.",
    )
