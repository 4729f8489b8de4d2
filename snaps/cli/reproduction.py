"""``snaps reproduce``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from snaps.cli.options import DeviceOption, JsonOption, OverwriteOption, QuietOption
from snaps.cli.output import print_outcome


class ScaleChoice(StrEnum):
    """Size of corpus and networks."""

    DEMO = "demo"
    TINY = "tiny"
    SMALL = "small"
    PAPER = "paper"


def reproduce(
    *,
    corpus: Annotated[
        str, typer.Option(metavar="NAME:PATH|synthetic", help="Corpus, as timit:PATH, textgrids:PATH or synthetic.")
    ] = "synthetic",
    scale: Annotated[
        ScaleChoice,
        typer.Option(
            help="demo: three networks, within 10 minutes on two cores; tiny: five, within 15; small: within two "
            "hours; paper: full size, for a GPU."
        ),
    ] = ScaleChoice.TINY,
    out: Annotated[Path, typer.Option(help="Folder for networks, profiles, figures and page.")],
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn at random.")] = 0,
    device: DeviceOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do what the SNAP and NAvAI papers did, on a corpus of your own, and write one page in their order.

    What an earlier run left in the folder is used again, unless --overwrite is given.
    """
    from snaps.experiments import run_reproduction
    from snaps.figures import draw_offscreen

    draw_offscreen()
    made = run_reproduction(
        out, corpus=corpus, scale=scale.value, seed=seed, device=device, overwrite=overwrite, progress=not quiet
    )
    print_outcome("reproduction", made.summary(), as_json=as_json)
