"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

OnErrorChoice = Literal["raise", "skip"]
ContextChoice = Literal["recording", "frame"]
WeightingChoice = Literal["frames", "groups"]

Checkpoint = Annotated[Path, typer.Argument(help="Checkpoint of a network, as `snaps train` writes it.")]
Profiles = Annotated[Path, typer.Argument(help="Profiles, as `snaps profile` writes them.")]
Corpus = Annotated[str, typer.Option("--corpus", metavar="NAME:PATH", help="Corpus, as timit:PATH or textgrids:PATH.")]
Split = Annotated[str | None, typer.Option("--split", help="Part of the corpus: train or test. Without it, all of it.")]
DialectSentences = Annotated[
    str | None,
    typer.Option(
        metavar="keep|drop|N",
        callback=lambda kept: int(kept) if kept is not None and kept.isdecimal() else kept,
        help="TIMIT's SA sentences: keep all, drop all, or keep N recordings of each (the SNAP paper: 7).",
    ),
]
Phones = Annotated[int | None, typer.Option(metavar="61|39", help="TIMIT's phones as they are, or folded to 39.")]
Annotations = Annotated[
    Path | None, typer.Option(help="Folder of the TextGrids, where they lie in a tree of their own.")
]
Layers = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Layer to take; may be given several times; without it, all of them."),
]
Context = Annotated[ContextChoice, typer.Option(help="Compute on whole recordings, or run every frame alone.")]
FrameSteps = Annotated[int | None, typer.Option(help="Length of a frame in steps; without it, the receptive field.")]
BatchSize = Annotated[int | None, typer.Option(help="Frames at once; without it, a number that fits in memory.")]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SYMBOL", help="Predicted symbol to leave out, instead of the network's blank; an empty one for none."
    ),
]
Device = Annotated[
    str | None,
    typer.Option(help="Where to compute, e.g. cpu or cuda. Without it, the CPU; for training, CUDA if there is one."),
]
OnError = Annotated[
    OnErrorChoice,
    typer.Option(help="A recording that cannot be read: end with its reason, or leave it out and list it."),
]
Percentile = Annotated[
    float, typer.Option(help="Percentile of the distances at which clusters are cut; the paper: 87, 90, 93, 96.")
]
Metric = Annotated[str, typer.Option(help="Distance between SNAPs.")]
Weighting = Annotated[
    WeightingChoice, typer.Option(help="What counts alike in the grand mean: every frame, or every group.")
]
MinCount = Annotated[int, typer.Option(help="Leave out groups of fewer epochs.")]
Title = Annotated[str | None, typer.Option(help="Heading of the page.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print the closing table as JSON on standard output.")]


def ignored_symbols(ignore: list[str] | None) -> list[str] | None:
    """Symbols to ignore; an empty text on the command line stands for none."""
    return None if ignore is None else [symbol for symbol in ignore if symbol]
