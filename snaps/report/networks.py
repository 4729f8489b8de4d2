"""Sections of the page on a comparison of networks."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from snaps.clustering import ModelComparison, mean_silhouette
from snaps.figures import figure_of, plot_changes, plot_layer_matrix, plot_moved, plot_silhouette_panels
from snaps.report.page import Block, Picture, Section, Table, drawn_on, number
from snaps.schema import GROUP

#: Number of groups in the figure of groups that moved most.
MOST_MOVED = 20


def comparison_sections(comparison: ModelComparison, *, transferred: str | None = None) -> list[Section]:
    """Sections on a comparison of networks, e.g. for ``write_report(…, sections=…)``.

    Parameters
    ----------
    comparison : ModelComparison
        Result of `snaps.compare_models`.
    transferred : str, optional
        Last layer with weights from another network, to be marked in the figure of silhouettes.

    Returns
    -------
    list of Section
        Networks, layers and groups; silhouettes; changes within each network; and a section for every pair of networks.

    Raises
    ------
    InputError
        If there is no layer `transferred`.
    """
    pairs = zip(comparison.changes["first"].values, comparison.changes["second"].values, strict=True)
    return [
        _compared(comparison),
        _silhouettes(comparison, transferred),
        _successive(comparison),
        *(_pair(comparison, str(first), str(second)) for first, second in pairs),
    ]


def _compared(comparison: ModelComparison) -> Section:
    rows = [
        [name, len(layers), ", ".join(layers), ", ".join(comparison.layers_left_out[name]) or "none"]
        for name, layers in comparison.layers.items()
    ]
    content: list[Block] = [
        Table(["network", "layers", "names", "layers left out"], rows),
        f"{len(comparison.groups)} groups that all networks have: {listed(comparison.groups)}.",
        *comparison.notes,
    ]
    if comparison.left_out:
        caption = f"Groups that were left out: {len(comparison.left_out)}"
        content.append(Table(["group", "reason"], list(comparison.left_out.items()), caption))
    else:
        content.append("No group was left out.")
    return Section("Networks and groups", content)


def _silhouettes(comparison: ModelComparison, transferred: str | None) -> Section:
    means = mean_silhouette(comparison.silhouettes).transpose("layer", "model")
    shown = means.astype(object).where(means["has_layer"], None)
    rows = [[layer, *values] for layer, values in zip(means["layer"].values, shown.values, strict=True)]
    picture = Picture(
        plot_silhouette_panels(comparison.silhouettes, transferred=transferred),
        f"Mean silhouettes over the layers of {listed(comparison.models)}, one panel for every percentile",
        "Mean silhouette of the clusters of these groups. The line of a network is dotted across layers that it lacks.",
    )
    caption = "Mean over percentiles; empty where a network has no such layer"
    table = Table(["layer", *comparison.models], rows, caption)
    undefined = comparison.silhouettes.attrs["undefined"]
    return Section("Silhouettes", [picture, table, *([f"Undefined: {undefined}."] if undefined else [])])


def _successive(comparison: ModelComparison) -> Section:
    content: list[Block] = [
        "Change of the clusters from each layer to the next: share of pairs of groups that are together in one "
        "clustering and apart in the other."
    ]
    for name, layers in comparison.layers.items():
        if len(layers) < 2:
            content.append(f"{name} has a single layer in this comparison.")
            continue
        changed = comparison.successive["changed"].sel(model=name, layer=list(layers[1:]))
        figure = figure_of(plot_changes(changed, title=name))
        content.append(Picture(figure, f"Change between the clusters of successive layers of {name}"))
    return Section("Changes from layer to layer", content)


def _pair(comparison: ModelComparison, first: str, second: str) -> Section:
    found = comparison.between(first, second)
    return Section(
        f"{first} and {second}",
        sections=[_correspondence(found, first, second), _changes(found, first, second), _moved(found, first, second)],
    )


def _correspondence(found: xr.Dataset, first: str, second: str) -> Section:
    width, height = (1.2 + 0.3 * found.sizes[dim] for dim in ("layer_", "layer"))
    figure = drawn_on(
        2 * max(width + 0.7, 3.0), max(height, 2.6) + 0.6,
        lambda ax: plot_layer_matrix(found["rsa"], ax, p_values=found["rsa_p_value"], title="distances"),
        lambda ax: plot_layer_matrix(found["cka"], ax, p_values=found["cka_p_value"], title="activations"),
    )  # fmt: skip
    rows = [
        [layer, *_best(found.sel(layer=layer), "rsa", "rsa_p_value"),
         *_best(found.sel(layer=layer), "cka", "cka_chance", "cka_p_value")]
        for layer in found["layer"].values
    ]  # fmt: skip
    columns = ["layer", "highest RSA with", "RSA", "p", "highest CKA with", "CKA", "CKA by chance", "p"]
    picture = Picture(
        figure,
        f"Correspondence of the layers of {first} and {second}: RSA at the left, CKA at the right",
        "Left: Spearman's correlation of the distances between groups. Right: linear CKA of their activations. Frames "
        "mark the most similar layer of each row; crosses mark p-values above 0.05 (permuted groups, not corrected for "
        "the number of tests); grey is undefined.",
    )
    table = Table(columns, rows, f"Most similar layer of {second} for every layer of {first}")
    return Section("Similarity of layers", [picture, table])


def _best(of_layer: xr.Dataset, measure: str, *others: str) -> list[object]:
    """Layer of the second network with the highest value of a measure, that value, and others of the same pair."""
    if not of_layer[measure].notnull().any():
        return ["undefined", *[None] * (1 + len(others))]
    best = of_layer.sel(layer_=of_layer[measure].idxmax("layer_"))
    return [best["layer_"].item(), *(best[name].item() for name in (measure, *others))]


def _changes(found: xr.Dataset, first: str, second: str) -> Section:
    rows = []
    for layer in found["layer"].values:
        one = found.sel(layer=layer)
        cells = [
            "undefined" if np.isnan(changed) else f"{number(changed)} ({number(rand, '.2f')})"
            for changed, rand in zip(one["changed"].values, one["adjusted_rand"].values, strict=True)
        ]
        rows.append([layer, one["matched"].item() or "none", *cells])
    columns = ["layer", f"layer of {second}", *(f"{one:g}th percentile" for one in found["percentile"].values)]
    caption = (
        "Share of pairs of groups that are together in one network and apart in the other, with the adjusted Rand "
        "index in brackets"
    )
    figure = figure_of(plot_changes(found["changed"]))
    picture = Picture(figure, f"Change between the clusters of {first} and {second} over layers")
    return Section("Changes between the networks", [picture, Table(columns, rows, caption)])


def _moved(found: xr.Dataset, first: str, second: str) -> Section:
    moved = found["moved"].dropna("layer", how="all")
    if not moved.sizes["layer"]:
        return Section("Groups that moved", ["Undefined in every layer."])
    most = min(MOST_MOVED, moved.sizes[GROUP])
    rows = []
    for layer in moved["layer"].values:
        ranks = found["rank"].sel(layer=layer).to_series()
        names = ", ".join(map(str, ranks[ranks > 0].sort_values().index[:8]))
        rows.append([layer, names, moved.sel(layer=layer).max().item()])
    picture = Picture(
        figure_of(plot_moved(moved, most=most)),
        f"Moves of the {most} groups that moved most between {first} and {second}",
        "One minus Spearman's correlation between a group's distances to all others in the two networks. The figure "
        f"shows the {most} groups with the largest mean over layers.",
    )
    return Section("Groups that moved", [picture, Table(["layer", "groups that moved most", "largest value"], rows)])


def listed(names: Sequence[str]) -> str:
    """Names as part of a sentence: a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
