"""What a page shows of a comparison of networks."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from snaps.clustering import ModelComparison, mean_silhouette
from snaps.figures import plot_changes, plot_layer_matrix, plot_moved, plot_silhouette_panels
from snaps.report.page import Block, Picture, Section, Table, drawn_on, number
from snaps.schema import GROUP

#: Groups that are shown as those that moved most.
MOST_MOVED = 20


def comparison_sections(comparison: ModelComparison, *, transferred: str | None = None) -> list[Section]:
    """Build the sections of a comparison, e.g. for ``write_report(…, sections=…)``.

    Parameters
    ----------
    comparison : ModelComparison
        What `snaps.compare_models` gives.
    transferred : str, optional
        The last layer that was taken over from another network, to be marked among the silhouettes.

    Returns
    -------
    list of Section
        What is compared, silhouettes, changes within each network, and a section for every pair of networks.

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
        Table(["network", "layers", "which", "layers left out"], rows),
        f"Compared are {len(comparison.groups)} groups that all networks have: {listed(comparison.groups)}.",
        *comparison.notes,
    ]
    if comparison.left_out:
        content.append(
            Table(
                ["group", "why"],
                list(comparison.left_out.items()),
                caption=f"Groups that were left out: {len(comparison.left_out)}",
            )
        )
    else:
        content.append("No group was left out.")
    return Section("What is compared", content)


def _silhouettes(comparison: ModelComparison, transferred: str | None) -> Section:
    means = mean_silhouette(comparison.silhouettes)
    has_layer = comparison.silhouettes["has_layer"].values
    rows = [
        [
            str(layer),
            *(float(means.values[place, row]) if there[row] else None for place, there in enumerate(has_layer)),
        ]
        for row, layer in enumerate(means["layer"].values)
    ]
    content: list[Block] = [
        Picture(
            plot_silhouette_panels(comparison.silhouettes, transferred=transferred),
            f"Mean silhouettes over the layers of {listed(comparison.models)}, one panel for every percentile",
            "How well the groups fall into clusters, of the groups compared alone. Across layers that a network lacks "
            "its line is dotted.",
        ),
        Table(
            ["layer", *comparison.models],
            rows,
            caption="Mean over percentiles; empty where a network has no such layer",
        ),
    ]
    undefined = comparison.silhouettes.attrs["undefined"]
    if undefined:
        content.append(f"Undefined: {undefined}.")
    return Section("Silhouettes", content)


def _successive(comparison: ModelComparison) -> Section:
    content: list[Block] = [
        "How much the clusters change from each layer to the next: the share of pairs of groups that are together "
        "in one clustering and apart in the other."
    ]
    for name, layers in comparison.layers.items():
        if len(layers) < 2:
            content.append(f"{name} has a single layer here.")
            continue
        changed = comparison.successive["changed"].sel(model=name, layer=list(layers[1:]))
        figure = _lines(changed, len(layers), name)
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
    rows = []
    for layer in found["layer"].values:
        row: list[object] = [str(layer)]
        for name, others in (("rsa", ("rsa_p_value",)), ("cka", ("cka_chance", "cka_p_value"))):
            values = found[name].sel(layer=layer)
            if not values.notnull().any():
                row.extend(["undefined", *[None] * (1 + len(others))])
                continue
            best = values.idxmax("layer_").item()
            row.extend([best, *(float(found[one].sel(layer=layer, layer_=best)) for one in (name, *others))])
        rows.append(row)
    columns = ["layer", "most alike by RSA", "RSA", "p", "most alike by CKA", "CKA", "CKA by chance", "p"]
    return Section(
        "Layers against layers",
        [
            Picture(
                figure,
                f"Correspondence of the layers of {first} and {second}: RSA at the left, CKA at the right",
                "Left: Spearman's correlation of the distances between groups. Right: linear CKA of their activations. "
                "Frames mark the layer that is most alike in each row; crosses p-values above 0.05, from shuffled "
                "groups and without correction for their number; grey is undefined.",
            ),
            Table(columns, rows, caption=f"For every layer of {first} the layer of {second} that is most alike"),
        ],
    )


def _changes(found: xr.Dataset, first: str, second: str) -> Section:
    figure = _lines(found["changed"], found.sizes["layer"])
    columns = ["layer", f"layer of {second}", *(f"{one:g}th percentile" for one in found["percentile"].values)]
    rows = []
    for layer in found["layer"].values:
        one = found[["changed", "adjusted_rand", "matched"]].sel(layer=layer)
        cells = [
            "undefined" if np.isnan(changed) else f"{number(changed)} ({number(rand, '.2f')})"
            for changed, rand in zip(one["changed"].values, one["adjusted_rand"].values, strict=True)
        ]
        rows.append([str(layer), str(one["matched"].item()) or "none", *cells])
    return Section(
        "Changes between the networks",
        [
            Picture(figure, f"Change between the clusters of {first} and {second} over layers"),
            Table(
                columns,
                rows,
                caption="Share of pairs of groups that are together in one network and apart in the other, with the "
                "adjusted Rand index in brackets",
            ),
        ],
    )


def _moved(found: xr.Dataset, first: str, second: str) -> Section:
    moved = found["moved"].dropna("layer", how="all")
    if not moved.sizes["layer"]:
        return Section("Groups that moved", ["Undefined in every layer."])
    most = min(MOST_MOVED, moved.sizes[GROUP])
    figure = drawn_on(
        2.8 + 0.36 * moved.sizes["layer"], 1.4 + 0.21 * most, lambda ax: plot_moved(moved, ax, most=most)
    )  # fmt: skip
    rows = [
        [str(layer), ", ".join(_ranked(found, str(layer))[:8]), float(moved.sel(layer=layer).max())]
        for layer in moved["layer"].values
    ]
    return Section(
        "Groups that moved",
        [
            Picture(
                figure,
                f"How far the {most} groups that moved most moved between {first} and {second}",
                "One minus Spearman's correlation between a group's distances to all others in the one network and in "
                f"the other. Shown are the {most} groups with the largest mean over layers.",
            ),
            Table(["layer", "groups that moved most", "the first by"], rows),
        ],
    )


def _ranked(found: xr.Dataset, layer: str) -> list[str]:
    """Groups from the one that moved most; undefined ones are missing."""
    ranks = found["rank"].sel(layer=layer)
    order = np.argsort(ranks.values, kind="stable")
    return [str(ranks[GROUP].values[place]) for place in order if ranks.values[place] > 0]


def _lines(changes: xr.DataArray, layers: int, title: str | None = None) -> Figure:
    return drawn_on(max(6.0, 3.4 + 0.48 * layers), 3.3, lambda ax: plot_changes(changes, ax, title=title))


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), names[-1]])
