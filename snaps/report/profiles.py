"""Sections of the page on profiles: provenance, what was left out, groups and clusters of each grouping."""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from snaps.clustering import Clustering, cluster, mean_silhouette, silhouette_sweep
from snaps.datasets import REASONS
from snaps.errors import InputError, one_of
from snaps.figures import SINGLETON, cluster_colors, figure_of, plot_clustermap, plot_silhouettes
from snaps.profiles import filter_groups, left_out
from snaps.report.layers import maps_section, span
from snaps.report.page import Block, LabelSet, LabelSets, Picture, Section, Table, number
from snaps.schema import COUNT, GROUP, INPUT_LAYER, LAG, UNALIGNED, UNIT, Provenance, layers_of

#: Number of layers with the highest silhouettes whose clusters are shown in addition to the requested ones.
BEST_LAYERS = 2
CONTEXTS: Mapping[str, str] = {
    "recording": "recording: responses are computed on whole recordings, epochs are cut from them",
    "frame": "frame: responses are computed on every frame separately",
}


def provenance_section(profiles: xr.DataTree) -> Section:
    """Table of the attributes of the root: network, corpus, alignment and settings."""
    found = Provenance.of(profiles)
    model, corpus = dict(found.model), found.corpus
    rows = {
        "network": model.pop("name", None),
        "weights": model.pop("hash", None),
        "symbols": _symbols(model.pop("symbols", None) or ()),
        **{f"network: {name}": value for name, value in model.items()},
        "corpus": corpus.get("name"),
        "corpus fingerprint": corpus.get("fingerprint"),
        "recordings": corpus.get("n_recordings") if found.n_recordings is None else found.n_recordings,
        "frames": found.n_frames,
        "features": found.features,
        "input step": None if found.step is None else f"{1000 * found.step:g} ms",
        "context": CONTEXTS.get(found.context, found.context),
        "target": found.target,
        "alignment": found.aligner,
        "ignored symbols": found.ignored or "none",
        "layers": found.layers,
        "groupings": found.groupings,
        "precision": found.precision,
        "frame": found.frame,
        **found.others,
        "computed": found.created,
        "snaps": found.package_version,
        "schema version": found.schema_version,
    }
    cells = [(name, value if isinstance(value, int) else _text(value)) for name, value in rows.items()]
    return Section("Provenance", [Table(["setting", "value"], [row for row in cells if row[1] != ""])])


def drop_section(profiles: xr.DataTree) -> Section:
    """Tables of the frames and recordings that were left out, by reason and grouping."""
    found = Provenance.of(profiles)
    log, counts, groupings = found.drop_log, found.left_out, found.groupings
    content: list[str | Table] = []
    rows = [
        [reason, REASONS.get(reason, ""), *(int(of.get(grouping, 0)) for grouping in groupings)]
        for reason, of in counts.items()
    ]
    if rows:
        content.append(Table(["reason", "explanation", *groupings], rows))
    else:
        content.append("The profiles have no drop log.")
    if log.get("clipped"):
        content.append(f"Annotated intervals that ended after their recording and were clipped: {log['clipped']:,}.")
    if skipped := list(found.skipped.items()):
        caption = f"Recordings that could not be read and were left out: {len(skipped):,}"
        content.append(Table(["recording", "reason"], skipped, caption))
    elif rows:
        content.append("Every recording could be read.")
    return Section("What was left out", content)


def _symbols(symbols: Sequence[str]) -> str:
    shown = ["space" if symbol == " " else str(symbol) for symbol in symbols]
    return f"{len(shown)}: {' '.join(shown)}" if shown else ""


def _text(value: Any) -> str:
    """Nested values as one line: those of a plug-in in brackets after its name."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        known = {key: inner for key, inner in value.items() if key != "name" and inner is not None}
        name, others = _text(value.get("name")), ", ".join(f"{key} {_text(inner)}" for key, inner in known.items())
        return f"{name} ({others})" if name and others else name or others
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)


def grouping_section(
    node: xr.DataTree, *, percentile: float, percentiles: Sequence[float], layers: Sequence[str], min_count: int,
    **distance: Any,
) -> Section:  # fmt: skip
    """Section of one grouping; `distance` is metric and weighting as in `snaps.cluster`.

    Raises
    ------
    InputError
        If no group has `min_count` epochs, or one of `layers` does not exist.
    """
    absent = [layer for layer in layers if layer not in node.children]
    if absent:
        raise InputError(f"there is no layer {absent[0]!r}; there are {one_of(node.children)}")
    kept = filter_groups(node, min_count=min_count)
    datasets = layers_of(kept)
    sections = [_groups(datasets), _layers(datasets)]
    if INPUT_LAYER in datasets:
        sections.append(maps_section(datasets[INPUT_LAYER], weighting=distance["weighting"]))
    if next(iter(datasets.values())).sizes[GROUP] < 2:
        sections.append(Section("Clusters", ["There is only one group, so there are no clusters."]))
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
        f"largest {int(counts.max()):,}. An epoch whose importance is 0 everywhere has no peak and stays unaligned; "
        "the table has the share of the layer with most unaligned epochs.",
        Table(["group", "epochs", "share", "unaligned"], rows, fold=3 if len(rows) > 15 else 1),
    ]
    if gone := left_out(first):
        content.append(LabelSets([LabelSet(f"left out ({len(gone)})", gone)], "Groups that this report leaves out:"))
    return Section("Groups", content)


def _layers(layers: dict[str, xr.Dataset]) -> Section:
    rows = []
    for name, dataset in layers.items():
        lags = dataset[LAG].values
        unaligned = _percent(int(dataset[UNALIGNED].sum()), int(dataset[COUNT].sum()))
        rows.append([name, dataset.sizes[UNIT], len(lags), span(lags[0], lags[-1]), unaligned])
    return Section("Layers", [Table(["layer", "units", "lags", "range of lags", "unaligned epochs"], rows)])


def _silhouettes(sweep: xr.DataArray) -> Section:
    rows: list[list[object]] = []
    for layer, mean in zip(sweep["layer"].values, mean_silhouette(sweep).values, strict=True):
        one = sweep.sel(layer=layer)
        cells = [
            f"undefined: {reason}" if reason else f"{number(value)} ({count})"
            for value, count, reason in zip(one.values, one["n_clusters"].values, one["undefined"].values, strict=True)
        ]
        rows.append([layer, *cells, mean])
    columns = ["layer", *(f"{p:g}th percentile" for p in sweep["percentile"].values), "mean"]
    caption = (
        "The silhouette measures how well the groups form clusters: near 1 groups are close to their own cluster and "
        "far from the next one, near 0 they lie between two clusters."
    )
    picture = Picture(figure_of(plot_silhouettes(sweep)), "Mean silhouettes over layers for every percentile", caption)
    return Section(
        "Silhouettes", [picture, Table(columns, rows, "Mean silhouette, with the number of clusters in brackets")]
    )


def _clusters(layers: dict[str, xr.Dataset], asked: Sequence[str], **options: Any) -> list[Section]:
    results, undefined = {}, {}
    for name, dataset in layers.items():
        try:
            results[name] = cluster(dataset, **options)
        except InputError as error:
            # For example, a layer with a constant profile has no correlation distances; other layers have them.
            undefined[name] = str(error)
    sections = []
    for name in _shown(results, asked):
        alt = f"Distances between the groups in {name}, ordered by their dendrogram"
        picture = Picture(plot_clustermap(results[name]), alt, _score(results[name]))
        sections.append(Section(f"Clusters in {name}", [picture, _sets(results[name])]))
    every: list[Block] = [f"Clusters are cut at the {options['percentile']:g}th percentile of the distances."]
    for name in layers:
        every.append(_sets(results[name], name) if name in results else f"{name}: {undefined[name]}.")
    return [*sections, Section("Clusters in every layer", every, folded=True)]


def _shown(results: dict[str, Clustering], asked: Sequence[str]) -> list[str]:
    """Requested layers and hidden layers with the highest silhouettes, in the order of the network."""
    inner = [name for name in results if name != INPUT_LAYER] or list(results)
    defined = [name for name in inner if not results[name].undefined]
    best = sorted(defined, key=lambda name: -results[name].silhouette)[:BEST_LAYERS]
    wanted = {*asked, *(best or inner[:1])}
    return [name for name in results if name in wanted]


def _sets(result: Clustering, name: str = "") -> LabelSets:
    colors = cluster_colors(result)
    sets = [
        LabelSet(f"cluster {place} ({len(members)})", members, colors[place])
        for place, members in result.clusters.items()
        if len(members) > 1
    ]
    alone = [members[0] for members in result.clusters.values() if len(members) == 1]
    if alone:
        sets.append(LabelSet(f"singletons ({len(alone)})", alone, SINGLETON))
    return LabelSets(sets, f"{name}: {_score(result)}" if name else "")


def _score(result: Clustering) -> str:
    clusters = f"{result.n_clusters} cluster" + ("" if result.n_clusters == 1 else "s")
    if result.undefined:
        return f"{clusters}; silhouette undefined: {result.undefined}."
    return f"{clusters}, silhouette {number(result.silhouette)}."


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""
