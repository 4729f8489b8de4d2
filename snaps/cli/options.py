"""Options that several commands share, so that they are written and explained alike."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OnErrorChoice(StrEnum):
    """What happens to a recording that cannot be read."""

    RAISE = "raise"
    SKIP = "skip"


class ContextChoice(StrEnum):
    """Whether responses are computed on whole recordings or on every frame alone."""

    RECORDING = "recording"
    FRAME = "frame"
    AUTO = "auto"


class WeightingChoice(StrEnum):
    """What counts alike in a grand mean: every frame, or every group."""

    FRAMES = "frames"
    GROUPS = "groups"


CorpusOption = Annotated[
    str, typer.Option("--corpus", metavar="NAME:PATH", help="Corpus, as timit:PATH or textgrids:PATH.")
]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="Part of the corpus: train or test. Without it, all of it.")
]
DialectOption = Annotated[
    str | None,
    typer.Option(
        "--dialect-sentences",
        metavar="keep|drop|N",
        help="TIMIT's SA sentences: keep all, drop all, or keep N recordings of each (the SNAP paper: 7).",
    ),
]
PhonesOption = Annotated[
    int | None, typer.Option("--phones", metavar="61|39", help="TIMIT's phones as they are, or folded to 39.")
]
AnnotationsOption = Annotated[
    Path | None,
    typer.Option("--annotations", help="Folder of the TextGrids, where they lie in a tree of their own."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the closing table as JSON on standard output.")]
OnErrorOption = Annotated[
    OnErrorChoice,
    typer.Option(
        "--on-error", help="A recording that cannot be read: end with its reason, or leave it out and list it."
    ),
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="Where to compute, e.g. cpu or cuda. Without it, the CPU.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS|local:N",
        help="Compute on a dask cluster: the address of its scheduler, or N processes here.",
    ),
]
WeightingOption = Annotated[
    WeightingChoice,
    typer.Option(help="What counts alike in the grand mean: every frame, or every group."),
]
MetricOption = Annotated[str, typer.Option(help="Distance between SNAPs.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
SaliencyOption = Annotated[
    str,
    typer.Option(
        "--saliency",
        metavar="METHOD",
        help="Saliency method: sensitivity, gradient-times-activation, lrp-epsilon, lrp-thesis, …; a wrong name lists "
        "them all.",
    ),
]
ContextOption = Annotated[
    ContextChoice, typer.Option("--context", help="Compute on whole recordings, or run every frame alone.")
]
FrameStepsOption = Annotated[
    int | None, typer.Option("--frame-steps", help="Length of a frame in steps; without it, the receptive field.")
]
BatchSizeOption = Annotated[
    int | None, typer.Option("--batch-size", help="Frames at once; without it, as many as pay.")
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="SYMBOL",
        help="Predicted symbol to leave out, instead of the network's blank; an empty one for none.",
    ),
]


def ignored_symbols(ignore: list[str] | None) -> list[str] | None:
    """Symbols to ignore, from what stands on the command line: an empty one stands for none."""
    return None if ignore is None else [symbol for symbol in ignore if symbol]
