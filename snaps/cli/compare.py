"""``snaps compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome, write_table
from snaps.errors import InputError, one_of
from snaps.outputs import writing

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from snaps.clustering import ModelComparison

#: Table of the layers, by which an output of `snaps compare` is known.
LAYERS_FILE = "layers.csv"


def compare(
    profiles: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]PROFILES...",
            help="Profiles of two networks or more, as `snaps profile` writes them; the file's name is the network's.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder to write: tables as CSV, figures as PNG, and a page.")],
    group: Annotated[str, typer.Option(help="Grouping to compare.")] = "phoneme",
    layer: options.Layers = None,
    percentile: Annotated[
        list[float] | None,
        typer.Option(
            help="Percentile of the distances at which clusters are cut; may be given several times; without it, "
            "the paper's 87, 90, 93 and 96."
        ),
    ] = None,
    min_count: Annotated[int, typer.Option(help="Leave out groups of fewer epochs in any of the networks.")] = 10,
    match: Annotated[
        Literal["name", "correspondence"],
        typer.Option(help="Layers to set against each other: those of the same name, or those that are most alike."),
    ] = "name",
    transferred: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="Last layer taken over from another network, to be marked in the figure."),
    ] = None,
    metric: options.Metric = "euclidean",
    weighting: options.Weighting = "frames",
    n_permutations: Annotated[int, typer.Option(help="Permutations of the groups behind every p-value.")] = 999,
    seed: Annotated[int, typer.Option(help="Seed of the permutations.")] = 0,
    title: options.Title = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Compare networks layer by layer: silhouettes, changed clusters, similar layers, groups that moved."""
    from snaps.clustering import PERCENTILES, compare_models
    from snaps.figures import draw_offscreen
    from snaps.profiles import open_profiles
    from snaps.report import write_report

    with writing(out, overwrite=overwrite, mark=LAYERS_FILE) as folder:
        trees = {}
        for name, path in _named(profiles).items():
            trees[name] = open_profiles(path)
            if group not in trees[name].children:
                raise InputError(f"{path} has no grouping {group!r}; it has {one_of(trees[name].children)}")
        comparison = compare_models(
            {name: tree.children[group] for name, tree in trees.items()},
            percentiles=percentile or PERCENTILES, layers=layer, min_count=min_count, match=match, metric=metric,
            weighting=weighting, n_permutations=n_permutations, seed=seed,
        )  # fmt: skip
        draw_offscreen()
        folder.mkdir()
        for file, table in _tables(comparison).items():
            write_table(table, folder / file)
        _draw(comparison, folder, transferred)
        write_report(comparison, folder / "report.html", profiles=trees, transferred=transferred, title=title)
    print_outcome(f"comparison by {group}", _outcome(comparison, trees, out), as_json=as_json)


def _named(profiles: list[str]) -> dict[str, Path]:
    """Files by the names of their networks: ``NAME=PATH``, or the file's own name."""
    named: dict[str, Path] = {}
    for given in profiles:
        name, separator, path = given.partition("=")
        if not separator or Path(given).exists():
            name, path = Path(given).stem, given
        if not name or not path or Path(name).name != name:
            raise InputError(f"the profiles are {given!r}; accepted are PATH and NAME=PATH, the name without slashes")
        if name in named:
            raise InputError(f"the name {name!r} occurs twice: {named[name]} and {path}; give another one as NAME=PATH")
        named[name] = Path(path)
    return named


def _tables(comparison: "ModelComparison") -> dict[str, "pd.DataFrame"]:
    """Tables by the names of their files, without the layers that a network lacks."""
    import pandas as pd

    silhouettes = _rows(comparison.silhouettes.to_dataset(name="silhouette"))
    silhouettes = silhouettes[silhouettes.pop("has_layer")]
    successive = _rows(comparison.successive)
    pairs = [
        comparison.between(str(first), str(second))
        for first, second in zip(comparison.changes["first"].values, comparison.changes["second"].values, strict=True)
    ]
    front = ["first", "second", "layer"]
    similar = ["rsa", "rsa_p_value", "cka", "cka_chance", "cka_p_value"]
    whole = pd.concat([_rows(pair[similar].drop_vars(["pair", "matched"])) for pair in pairs])
    changes = pd.concat([_rows(pair[["changed", "adjusted_rand"]].drop_vars("pair")) for pair in pairs])
    moved = pd.concat([_rows(pair[["moved", "rank"]].drop_vars("pair")) for pair in pairs])
    return {
        "silhouettes.csv": silhouettes[["model", "layer", "percentile", "silhouette", "n_clusters", "undefined"]],
        "successive.csv": successive[successive["previous"] != ""][
            ["model", "layer", "previous", "percentile", "changed", "adjusted_rand"]
        ],
        "changes.csv": changes[[*front, "matched", "percentile", "changed", "adjusted_rand"]],
        LAYERS_FILE: whole[[*front, "layer_", *similar]],
        "moved.csv": moved[[*front, "matched", "group", "moved", "rank"]],
        "left_out.csv": pd.DataFrame(list(comparison.left_out.items()), columns=["group", "why"]),
    }


def _rows(dataset: "xr.Dataset") -> "pd.DataFrame":
    return dataset.to_dataframe().reset_index()


def _draw(comparison: "ModelComparison", folder: Path, transferred: str | None) -> None:
    from snaps.figures import plot_changes, plot_layer_matrix, plot_moved, plot_silhouette_panels, save_figure

    panels = plot_silhouette_panels(comparison.silhouettes, transferred=transferred)
    save_figure(panels, folder / "silhouettes.png")
    for pair in comparison.pairs:
        first, second = (str(comparison.changes[name].sel(pair=pair).item()) for name in ("first", "second"))
        found, end = comparison.between(first, second), f"{first}_{second}.png"
        save_figure(plot_changes(found["changed"], title=pair), folder / f"changes_{end}")
        save_figure(plot_moved(found["moved"], title=pair), folder / f"moved_{end}")
        for measure in ("rsa", "cka"):
            drawn = plot_layer_matrix(found[measure], p_values=found[f"{measure}_p_value"])
            save_figure(drawn, folder / f"{measure}_{end}")


def _outcome(comparison: "ModelComparison", trees: "dict[str, xr.DataTree]", out: Path) -> dict[str, Any]:
    from snaps.clustering import mean_silhouette
    from snaps.profiles import quality

    qualities = {name: quality(tree) for name, tree in trees.items()}
    means = mean_silhouette(comparison.silhouettes)
    highest = comparison.changes["percentile"].values.max()
    changed = comparison.changes["changed"].sel(percentile=highest)
    return {
        "symbol error rate": {name: of.error_rate for name, of in qualities.items()},
        "share of blanks": {name: of.blanks for name, of in qualities.items()},
        "frames": {name: of.n_frames for name, of in qualities.items()},
        "describes noise": {name: of.warning for name, of in qualities.items() if of.warning},
        "folder": str(out),
        "page": str(out / "report.html"),
        "networks": list(comparison.models),
        "groups": len(comparison.groups),
        "groups left out": comparison.left_out,
        "notes": list(comparison.notes),
        "mean silhouette": {
            name: {layer: float(means.sel(model=name, layer=layer)) for layer in layers}
            for name, layers in comparison.layers.items()
        },
        f"changed pairs at percentile {highest:g}": {
            pair: {
                str(layer): float(value)
                for layer, value in changed.sel(pair=pair).to_series().items()
                if comparison.changes["matched"].sel(pair=pair, layer=layer).item()
            }
            for pair in comparison.pairs
        },
    }
