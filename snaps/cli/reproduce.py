"""``snaps reproduce``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome


def reproduce(
    *,
    corpus: Annotated[
        str, typer.Option(metavar="NAME:PATH|synthetic", help="Corpus, as timit:PATH, textgrids:PATH or synthetic.")
    ] = "synthetic",
    scale: Annotated[
        Literal["check", "demo", "tiny", "small", "paper"],
        typer.Option(
            help="check: one network, two minutes; demo: two networks, about ten minutes on two cores; tiny: five, "
            "about 15; small: two hours; paper: full size, for a GPU."
        ),
    ] = "tiny",
    out: Annotated[Path, typer.Option(help="Folder for networks, profiles, figures and page.")],
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn at random.")] = 0,
    device: options.Device = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Reproduce the SNAP and NAvAI papers on a corpus of your own, and write one page in their order.

    What an earlier run left in the folder is used again, unless --overwrite is given.
    """
    from snaps.figures import draw_offscreen
    from snaps.papers import run_reproduction

    draw_offscreen()
    reproduction = run_reproduction(
        out, corpus=corpus, scale=scale, seed=seed, device=device, overwrite=overwrite, progress=not quiet
    )
    print_outcome("reproduction", reproduction.summary(), as_json=as_json)
