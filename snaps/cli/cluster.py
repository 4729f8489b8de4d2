"""``snaps cluster``."""

from pathlib import Path
from typing import Annotated

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome, write_table
from snaps.errors import InputError, one_of
from snaps.outputs import writing

#: Table of the silhouettes, by which an output of `snaps cluster` is known.
SWEEP_FILE = "silhouettes.csv"


def cluster(
    profiles: options.Profiles,
    *,
    out: Annotated[Path, typer.Option(help="Folder to write: tables as CSV, figures as PNG.")],
    group: Annotated[str, typer.Option(help="Grouping to cluster.")] = "phoneme",
    layer: options.Layers = None,
    percentile: options.Percentile = 96,
    metric: options.Metric = "euclidean",
    weighting: options.Weighting = "frames",
    min_count: options.MinCount = 1,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Cluster groups layer by layer: silhouettes, clusters, and a clustermap of every layer."""
    import pandas as pd
    from tqdm import tqdm

    from snaps.clustering import cluster as cluster_layer
    from snaps.clustering import mean_silhouette, silhouette_sweep
    from snaps.figures import draw_offscreen, plot_clustermap, plot_silhouettes, save_figure
    from snaps.profiles import filter_groups, open_profiles, quality

    with writing(out, overwrite=overwrite, mark=SWEEP_FILE) as folder:
        tree = open_profiles(profiles)
        if group not in tree.children:
            raise InputError(f"{profiles} has no grouping {group!r}; it has {one_of(tree.children)}")
        node = filter_groups(tree.children[group], min_count=min_count)
        layers = list(node.children)
        for name in layer or []:
            if name not in layers:
                raise InputError(f"{profiles} has no layer {name!r}; it has {one_of(layers)}")
        sweep = silhouette_sweep(node, metric=metric, weighting=weighting)
        draw_offscreen()
        tables, silhouettes = [], {}
        folder.mkdir()
        write_table(sweep.to_series().rename("silhouette"), folder / SWEEP_FILE, index=True)
        save_figure(plot_silhouettes(sweep), folder / "silhouettes.png")
        for name in tqdm(layer or layers, desc="clustering", unit="layer", disable=quiet, dynamic_ncols=True):
            result = cluster_layer(node[name], percentile=percentile, metric=metric, weighting=weighting)
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
