"""``snaps report``."""

from pathlib import Path
from typing import Annotated

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome


def report(
    profiles: options.Profiles,
    *,
    out: Annotated[Path, typer.Option(help="Page to write.")],
    percentile: options.Percentile = 96,
    metric: options.Metric = "euclidean",
    weighting: options.Weighting = "frames",
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Layer whose clusters are shown, besides the best ones."),
    ] = None,
    min_count: options.MinCount = 1,
    title: options.Title = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Write one self-contained page about profiles: provenance, SNAPs, silhouettes, clusters."""
    from snaps.figures import draw_offscreen
    from snaps.profiles import open_profiles, quality
    from snaps.report import write_report

    draw_offscreen()
    tree = open_profiles(profiles)
    page = write_report(
        tree, out, percentile=percentile, metric=metric, weighting=weighting,
        layers=layer or (), min_count=min_count, title=title, overwrite=overwrite,
    )  # fmt: skip
    outcome = {**quality(tree).rows(), "page": str(page), "bytes": page.stat().st_size}
    print_outcome("report", outcome, as_json=as_json)
