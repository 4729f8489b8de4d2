"""``snaps cluster`` and ``snaps report``."""

from pathlib import Path
from typing import Annotated

import typer

from snaps.cli.options import (
    JsonOption,
    MetricOption,
    OverwriteOption,
    QuietOption,
    WeightingChoice,
    WeightingOption,
)
from snaps.cli.output import print_outcome, refuse_folder, write_table, written_folder
from snaps.errors import InputError, one_of

#: Table of the silhouettes, by which an output of `snaps cluster` is known.
SWEEP_FILE = "silhouettes.csv"

ProfilesArgument = Annotated[Path, typer.Argument(help="Profiles, as `snaps profile` writes them.")]
PercentileOption = Annotated[
    float, typer.Option(help="Percentile of the distances at which clusters are cut; the paper: 87, 90, 93, 96.")
]
MinCountOption = Annotated[int, typer.Option(help="Leave out groups of fewer epochs.")]


def cluster(
    profiles: ProfilesArgument,
    *,
    out: Annotated[Path, typer.Option(help="Folder to write: tables as CSV, figures as PNG.")],
    group: Annotated[str, typer.Option(help="Grouping to cluster.")] = "phoneme",
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Layer to cluster; may be given several times; without it, all of them."),
    ] = None,
    percentile: PercentileOption = 96,
    metric: MetricOption = "euclidean",
    weighting: WeightingOption = WeightingChoice.FRAMES,
    min_count: MinCountOption = 1,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cluster groups layer by layer: silhouettes, clusters, and a clustermap of every layer."""
    import pandas as pd
    from tqdm import tqdm

    from snaps.clustering import cluster as cluster_layer
    from snaps.clustering import mean_silhouette, silhouette_sweep
    from snaps.figures import draw_offscreen, plot_clustermap, plot_silhouettes, save_figure
    from snaps.profiles import filter_groups, open_profiles, quality

    refuse_folder(out, SWEEP_FILE, command="snaps cluster", overwrite=overwrite)
    tree = open_profiles(profiles)
    if group not in tree.children:
        raise InputError(f"{profiles} has no grouping {group!r}; it has {one_of(tree.children)}")
    node = filter_groups(tree.children[group], min_count=min_count)
    layers = list(node.children)
    for name in layer or []:
        if name not in layers:
            raise InputError(f"{profiles} has no layer {name!r}; it has {one_of(layers)}")
    sweep = silhouette_sweep(node, metric=metric, weighting=weighting.value)
    draw_offscreen()
    tables, silhouettes = [], {}
    with written_folder(out) as folder:
        write_table(sweep.to_series().rename("silhouette"), folder / SWEEP_FILE, index=True)
        save_figure(plot_silhouettes(sweep), folder / "silhouettes.png")
        for name in tqdm(layer or layers, desc="clustering", unit="layer", disable=quiet, dynamic_ncols=True):
            result = cluster_layer(node[name], percentile=percentile, metric=metric, weighting=weighting.value)
            silhouettes[name] = result.silhouette
            tables.append(
                pd.DataFrame(
                    {
                        "layer": name,
                        "group": result.labels["group"].values,
                        "cluster": result.labels.values,
                        "silhouette": result.silhouettes.values,
                    }
                )
            )
            save_figure(plot_clustermap(result), folder / f"clustermap_{name}.png")
        write_table(pd.concat(tables), folder / "clusters.csv")
    print_outcome(
        f"clusters of {group}",
        {
            **quality(tree).rows(),
            "folder": str(out),
            "groups": int(node[layers[0]].sizes["group"]),
            "layers": layer or layers,
            "percentile": percentile,
            "silhouette": silhouettes,
            "mean silhouette over four percentiles": {
                str(name): float(value) for name, value in mean_silhouette(sweep).to_series().items()
            },
        },
        as_json=as_json,
    )


def report(
    profiles: ProfilesArgument,
    *,
    out: Annotated[Path, typer.Option(help="Page to write.")],
    percentile: PercentileOption = 96,
    metric: MetricOption = "euclidean",
    weighting: WeightingOption = WeightingChoice.FRAMES,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Layer whose clusters are shown, besides the best ones."),
    ] = None,
    min_count: MinCountOption = 1,
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained page about profiles: provenance, SNAPs, silhouettes, clusters."""
    from snaps.figures import draw_offscreen
    from snaps.profiles import open_profiles, quality
    from snaps.report import write_report

    draw_offscreen()
    tree = open_profiles(profiles)
    page = write_report(
        tree, out, percentile=percentile, metric=metric, weighting=weighting.value,
        layers=layer or (), min_count=min_count, title=title, overwrite=overwrite,
    )  # fmt: skip
    outcome = {**quality(tree).rows(), "page": str(page), "bytes": page.stat().st_size}
    print_outcome("report", outcome, as_json=as_json)
