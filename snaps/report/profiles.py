"""What a page shows of profiles: where they come from, what was left out, groups and clusters of each grouping."""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from snaps.clustering import Clustering, cluster, mean_silhouette, silhouette_sweep
from snaps.datasets import REASONS
from snaps.errors import InputError, one_of
from snaps.figures import plot_clustermap, plot_silhouettes
from snaps.figures.clustering import SINGLETON, cluster_colors
from snaps.profiles import filter_groups
from snaps.profiles.groups import left_out
from snaps.report.layers import maps_section
from snaps.report.page import Block, LabelSet, LabelSets, Picture, Section, Table, drawn_on, number
from snaps.schema import (
    COUNT,
    GROUP,
    INPUT_LAYER,
    LAG,
    UNALIGNED,
    UNIT,
    Provenance,
    dataset_of,
)

#: Layers of the network whose clusters are shown besides those asked for: those of the highest silhouettes.
BEST_LAYERS = 2
CONTEXTS: Mapping[str, str] = {
    "recording": "recording: responses are computed on whole recordings, epochs are cut from them",
    "frame": "frame: every frame is run alone",
}
#: Levels of nested attributes that are shown.
DEEPEST = 20


def provenance_section(profiles: xr.DataTree) -> Section:
    """Build the table of everything that the root attributes say."""
    found = Provenance.of(profiles)
    model, corpus = found.model, found.corpus
    rows = [
        ("network", model.get("name")),
        ("weights", model.get("hash")),
        ("symbols", _symbols(model.get("symbols"))),
        *((f"network: {name}", _text(model[name])) for name in model if name not in {"name", "hash", "symbols"}),
        ("corpus", corpus.get("name")),
        ("corpus fingerprint", corpus.get("fingerprint")),
        ("recordings", _counted(corpus.get("n_recordings") if found.n_recordings is None else found.n_recordings)),
        ("frames", _counted(found.n_frames)),
        ("features", _text(found.features)),
        ("input step", None if found.step is None else f"{1000 * found.step:g} ms"),
        ("context", CONTEXTS.get(found.context, found.context)),
        ("target", found.target),
        ("alignment", _aligner(found.aligner)),
        ("ignored symbols", _text(found.ignored) or "none"),
        ("layers", _text(found.layers)),
        ("groupings", _text(found.groupings)),
        ("precision", found.precision),
        ("frame", _text(found.frame)),
        *((name, _text(value)) for name, value in found.others.items()),
        ("computed", found.created),
        ("snaps", found.package_version),
        ("schema version", _counted(found.schema_version)),
    ]
    kept = [(name, value) for name, value in rows if value not in (None, "")]
    return Section("Where the profiles come from", [Table(["what", "value"], kept)])


def drop_section(profiles: xr.DataTree) -> Section:
    """Build the tables of what was left out, by reason and grouping."""
    found = Provenance.of(profiles)
    log, counts, groupings = found.drop_log, found.left_out, found.groupings
    content: list[str | Table] = []
    rows = [
        [reason, REASONS.get(reason, ""), *(int(of.get(grouping, 0)) for grouping in groupings)]
        for reason, of in counts.items()
    ]
    if rows:
        content.append(Table(["reason", "what is counted", *groupings], rows))
    else:
        content.append("The profiles hold no drop log.")
    if log.get("clipped"):
        content.append(f"Annotated intervals that ended after their recording and were clipped: {log['clipped']:,}.")
    skipped = found.skipped
    if skipped:
        content.append(
            Table(
                ["recording", "reason"],
                [[name, reason] for name, reason in skipped.items()],
                caption=f"Recordings that could not be read and were left out: {len(skipped):,}",
            )
        )
    elif rows:
        content.append("Every recording could be read.")
    return Section("What was left out", content)


def _aligner(described: Any) -> str:
    """Say how epochs were aligned."""
    if not described:
        return ""
    if set(described) == {"name"}:
        return str(described["name"])
    saliency = _plugin(described.get("saliency"))
    if described.get("name") == "Unaligned":
        return f"none; saliency: {saliency}"
    parts = [f"saliency: {saliency}", f"peak: {_plugin(described.get('peak'))}"]
    if described.get("mask"):
        parts.append(f"mask: {_plugin(described['mask'])}")
    return "; ".join(parts)


def _plugin(described: Any) -> str:
    if isinstance(described, dict) and "name" in described:
        others = {name: value for name, value in described.items() if name != "name"}
        return f"{described['name']} ({_text(others)})" if others else str(described["name"])
    return _text(described)


def _symbols(symbols: Any) -> str | None:
    if not symbols:
        return None
    return f"{len(symbols)}: " + " ".join("space" if symbol == " " else str(symbol) for symbol in symbols)


def _counted(value: Any) -> str | None:
    return None if value is None else f"{value:,}"


def _text(value: Any, levels: int = DEEPEST) -> str:
    """Nested values as one line, down to so many levels."""
    if value is None:
        return ""
    if not levels:
        return "…"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner, levels - 1)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner, levels - 1) for inner in value)
    return str(value)


def grouping_section(
    node: xr.DataTree, *, percentile: float, percentiles: Sequence[float], layers: Sequence[str], min_count: int,
    **distance: Any,
) -> Section:  # fmt: skip
    """Build the section of one grouping; `distance` is metric and weighting, as `snaps.cluster` takes them.

    Raises
    ------
    InputError
        If no group has the smallest number of epochs, or a layer asked for does not exist.
    """
    absent = [layer for layer in layers if layer not in node.children]
    if absent:
        raise InputError(f"there is no layer {absent[0]!r}; there are {one_of(node.children)}")
    kept = filter_groups(node, min_count=min_count)
    assert isinstance(kept, xr.DataTree)  # a grouping's node stays one
    datasets = {str(name): dataset_of(child) for name, child in kept.children.items()}
    sections = [_groups(datasets), _layers(datasets)]
    if INPUT_LAYER in datasets:
        sections.append(maps_section(datasets[INPUT_LAYER], weighting=distance["weighting"]))
    if next(iter(datasets.values())).sizes[GROUP] < 2:
        sections.append(Section("Clusters", ["There is a single group: nothing to compare it with."]))
    else:
        sections.append(_silhouettes(silhouette_sweep(kept, percentiles=percentiles, **distance)))
        sections.extend(_clusters(datasets, layers, percentile=percentile, **distance))
    return Section(f"Grouped by {node.name}", sections=sections)


def _groups(layers: dict[str, xr.Dataset]) -> Section:
    first = next(iter(layers.values()))
    counts, total = first[COUNT], int(first[COUNT].sum())
    unaligned = [dataset[UNALIGNED].reindex_like(counts) / counts for dataset in layers.values()]
    most = xr.concat(unaligned, dim="layer", coords="minimal", compat="override").max("layer").values
    rows = [
        [str(label), int(count), _percent(int(count), total), f"{100 * float(share):.1f} %"]
        for label, count, share in zip(first[GROUP].values, counts.values, most, strict=True)
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


def _silhouettes(sweep: xr.DataArray) -> Section:
    figure = drawn_on(max(6.0, 3.4 + 0.48 * sweep.sizes["layer"]), 3.7, lambda ax: plot_silhouettes(sweep, ax))
    means = mean_silhouette(sweep).values
    rows: list[list[object]] = []
    for row, layer in enumerate(sweep["layer"].values):
        cells = [
            f"undefined: {reason}" if reason else f"{number(value)} ({count})"
            for value, count, reason in zip(
                sweep.values[row], sweep["n_clusters"].values[row], sweep["undefined"].values[row], strict=True
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


def _clusters(layers: dict[str, xr.Dataset], asked: Sequence[str], **options: Any) -> list[Section]:
    results, undefined = {}, {}
    for name, dataset in layers.items():
        try:
            results[name] = cluster(dataset, **options)
        except InputError as error:
            # One layer of constant profiles has no correlations; the others have.
            undefined[name] = str(error)
    shown = _shown(results, asked)
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
    every: list[Block] = [f"Clusters cut at the {options['percentile']:g}th percentile of the distances."]
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
    together = {place: members for place, members in result.clusters.items() if len(members) > 1}
    alone = [members[0] for members in result.clusters.values() if len(members) == 1]
    sets = [
        LabelSet(f"cluster {place} ({len(members)})", members, colors[place]) for place, members in together.items()
    ]
    if alone:
        sets.append(LabelSet(f"singletons ({len(alone)})", alone, SINGLETON))
    caption = f"{name}: {_score(result)}" if name else ""
    return LabelSets(sets, caption)


def _score(result: Clustering) -> str:
    clusters = f"{result.n_clusters} cluster" + ("" if result.n_clusters == 1 else "s")
    if result.undefined:
        return f"{clusters}; silhouette undefined: {result.undefined}."
    return f"{clusters}, silhouette {number(result.silhouette)}."


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""
