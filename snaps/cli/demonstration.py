"""``snaps demo``."""

from pathlib import Path
from typing import Annotated

import typer

from snaps.cli.options import JsonOption, OverwriteOption, QuietOption
from snaps.cli.output import print_outcome


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for corpus, networks, profiles, figures and page.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the corpus and the networks.")] = 0,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go the whole way once, with synthetic speech: from a corpus to clustermaps on a page.

    What an earlier run left in the folder is used again, unless --overwrite is given.
    """
    from snaps.experiments import run_demonstration
    from snaps.figures import draw_offscreen

    draw_offscreen()
    made = run_demonstration(out, seed=seed, overwrite=overwrite, progress=not quiet)
    print_outcome("demonstration", made.summary(), as_json=as_json)
