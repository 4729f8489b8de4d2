"""What the page shows of one grouping: groups, maps, silhouettes and clusters."""

from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr
from matplotlib.figure import Figure

from snaps.clustering import Clustering, Distance, cluster, mean_silhouette, silhouette_sweep
from snaps.errors import InputError, one_of
from snaps.figures import plot_clustermap, plot_silhouettes
from snaps.figures.clustermaps import SINGLETON, cluster_colors
from snaps.profiles import filter_groups
from snaps.profiles.contrasts import Weighting
from snaps.profiles.groups import left_out
from snaps.report.blocks import Block, LabelSet, LabelSets, Picture, Section, Table
from snaps.report.maps import maps_section
from snaps.schema import COUNT, GROUP, INPUT_LAYER, LAG, UNALIGNED, UNIT, dataset_of

#: Layers of the network whose clusters are shown besides those asked for: those of the highest silhouettes.
BEST_LAYERS = 2


@dataclass(frozen=True)
class Options:
    """How the groups of a report are clustered.

    Attributes
    ----------
    percentile : float
        Percentile of the distances at which the clusters shown are cut.
    percentiles : sequence of float
        Percentiles of the silhouettes.
    metric : str or Distance
        Distance between SNAPs.
    weighting : {"frames", "groups"}
        How the grand mean is taken.
    layers : sequence of str
        Layers whose clusters are shown in any case.
    min_count : int
        Smallest number of epochs of a group.
    """

    percentile: float
    percentiles: Sequence[float]
    metric: str | Distance
    weighting: Weighting
    layers: Sequence[str]
    min_count: int


def grouping_section(node: xr.DataTree, options: Options, *, title: str | None = None) -> Section:
    """Build the section of one grouping.

    Raises
    ------
    InputError
        If no group has the smallest number of epochs, or a layer asked for does not exist.
    """
    absent = [layer for layer in options.layers if layer not in node.children]
    if absent:
        raise InputError(f"there is no layer {absent[0]!r}; there are {one_of(node.children)}")
    kept = filter_groups(node, min_count=options.min_count)
    assert isinstance(kept, xr.DataTree)  # a grouping's node stays one
    layers = {str(name): dataset_of(child) for name, child in kept.children.items()}
    sections = [_groups(layers, options), _layers(layers)]
    if INPUT_LAYER in layers:
        sections.append(maps_section(layers[INPUT_LAYER], weighting=options.weighting))
    first = next(iter(layers.values()))
    if first.sizes[GROUP] < 2:
        sections.append(Section("Clusters", ["There is a single group: nothing to compare it with."]))
    else:
        sections.append(_silhouettes(kept, options))
        sections.extend(_clusters(layers, options))
    return Section(title or f"Grouped by {node.name}", sections=sections)


def _groups(layers: dict[str, xr.Dataset], options: Options) -> Section:
    first = next(iter(layers.values()))
    counts, total = first[COUNT], int(first[COUNT].sum())
    unaligned = xr.concat(
        [dataset[UNALIGNED] for dataset in layers.values()],
        dim="layer",
        join="outer",
        coords="minimal",
        compat="override",
    )
    shares = unaligned / counts
    rows = [
        [str(label), int(counts[index]), _percent(int(counts[index]), total), f"{100 * float(most):.1f} %"]
        for index, (label, most) in enumerate(zip(first[GROUP].values, shares.max("layer").values, strict=True))
    ]
    content: list[Block] = [
        f"{len(rows):,} groups, {total:,} epochs. The smallest group has {int(counts.min()):,} epochs, the "
        f"largest {int(counts.max()):,}. An epoch without any importance has no peak and stays unaligned; "
        "the share shown is that of the layer where it is largest.",
        Table(["group", "epochs", "share", "unaligned"], rows, fold=3 if len(rows) > 15 else 1),
    ]
    gone = left_out(first)
    if gone:
        content.append(
            LabelSets([LabelSet(f"left out ({len(gone)})", gone)], caption="Groups that are not in this report:")
        )
    return Section("Groups", content)


def _layers(layers: dict[str, xr.Dataset]) -> Section:
    rows = []
    for name, dataset in layers.items():
        lags = 1000 * dataset[LAG].values
        span = f"{lags[0]:.0f} … {lags[-1]:.0f} ms".replace("-", "−") if len(lags) > 1 else "0 ms"
        unaligned = _percent(int(dataset[UNALIGNED].sum()), int(dataset[COUNT].sum()))
        rows.append([name, dataset.sizes[UNIT], dataset.sizes[LAG], span, unaligned])
    return Section("Layers", [Table(["layer", "units", "lags", "from … to", "unaligned epochs"], rows)])


def _silhouettes(node: xr.DataTree, options: Options) -> Section:
    sweep = silhouette_sweep(node, percentiles=options.percentiles, metric=options.metric, weighting=options.weighting)
    figure = Figure(figsize=(max(6.0, 3.4 + 0.48 * sweep.sizes["layer"]), 3.7), layout="constrained")
    plot_silhouettes(sweep, figure.subplots())
    means = mean_silhouette(sweep).values
    rows: list[list[object]] = []
    for row, layer in enumerate(sweep["layer"].values):
        cells = [
            f"undefined: {reason}" if reason else f"{value:.3f} ({number})".replace("-", "−")
            for value, number, reason in zip(
                sweep.values[row],
                sweep["n_clusters"].values[row],
                sweep["undefined"].values[row],
                strict=True,
            )
        ]
        rows.append([str(layer), *cells, float(means[row])])
    columns = ["layer", *(f"{p:g}th percentile" for p in sweep["percentile"].values), "mean"]
    caption = (
        "How well the groups fall into clusters, layer by layer: near 1 groups are close to their own "
        "cluster and far from the next, near 0 they lie between two."
    )
    return Section(
        "Silhouettes",
        [
            Picture(figure, "Mean silhouettes of the layers, a line for every percentile", caption),
            Table(columns, rows, caption="Mean silhouette, with the number of clusters in brackets"),
        ],
    )


def _clusters(layers: dict[str, xr.Dataset], options: Options) -> list[Section]:
    results, undefined = {}, {}
    for name, dataset in layers.items():
        try:
            results[name] = cluster(
                dataset, percentile=options.percentile, metric=options.metric, weighting=options.weighting
            )
        except InputError as error:
            # One layer of constant profiles has no correlations; the others have.
            undefined[name] = str(error)
    shown = _shown(results, options.layers)
    sections = [
        Section(
            f"Clusters in {name}",
            [
                Picture(
                    plot_clustermap(results[name]),
                    f"Distances between the groups in {name}, ordered by their dendrogram",
                    _score(results[name]),
                ),
                _sets(results[name]),
            ],
        )
        for name in shown
    ]
    every: list[Block] = [f"Clusters cut at the {options.percentile:g}th percentile of the distances."]
    for name in layers:
        every.append(_sets(results[name], name) if name in results else f"{name}: {undefined[name]}.")
    return [*sections, Section("Clusters in every layer", every, folded=True)]


def _shown(results: dict[str, Clustering], asked: Sequence[str]) -> list[str]:
    """Choose the layers asked for and the network's own of the highest silhouettes, in its order."""
    inner = [name for name in results if name != INPUT_LAYER] or list(results)
    defined = [name for name in inner if not results[name].undefined]
    best = sorted(defined, key=lambda name: -results[name].silhouette)[:BEST_LAYERS]
    wanted = {*asked, *(best or inner[:1])}
    return [name for name in results if name in wanted]


def _sets(result: Clustering, name: str = "") -> LabelSets:
    colors = cluster_colors(result)
    together = {number: members for number, members in result.clusters.items() if len(members) > 1}
    alone = [members[0] for members in result.clusters.values() if len(members) == 1]
    sets = [
        LabelSet(f"cluster {number} ({len(members)})", members, colors[number]) for number, members in together.items()
    ]
    if alone:
        sets.append(LabelSet(f"singletons ({len(alone)})", alone, SINGLETON))
    caption = f"{name}: {_score(result)}" if name else ""
    return LabelSets(sets, caption)


def _score(result: Clustering) -> str:
    number = f"{result.n_clusters} cluster" + ("" if result.n_clusters == 1 else "s")
    if result.undefined:
        return f"{number}; silhouette undefined: {result.undefined}."
    return f"{number}, silhouette {result.silhouette:.3f}.".replace("-", "−")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""
