"""What a page shows of a comparison of networks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from snaps.clustering import ModelComparison, mean_silhouette
from snaps.figures import plot_changes, plot_layer_matrix, plot_moved, plot_silhouette_panels
from snaps.outputs import refuse_file
from snaps.report.blocks import Block, Picture, Section, Table
from snaps.report.page import render_page, save_page
from snaps.report.provenance import drop_section, provenance_section
from snaps.schema import GROUP, validate_tree

#: Groups that are shown as those that moved most.
MOST_MOVED = 20


def write_comparison(
    comparison: ModelComparison,
    out: str | os.PathLike[str],
    *,
    profiles: Mapping[str, xr.DataTree] | None = None,
    transferred: str | None = None,
    sections: Sequence[Section] = (),
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one HTML page about a comparison of networks.

    The page needs nothing beside itself, as that of `write_report`. To put a comparison on the page of a report,
    give `comparison_sections` to it as its ``sections``.

    Parameters
    ----------
    comparison : ModelComparison
        What `snaps.compare_models` gives.
    out : path
        Where to write the page. Missing folders above it are made.
    profiles : mapping of str to DataTree, optional
        Whole profiles trees by the names of their networks, to show where they come from.
    transferred : str, optional
        The last layer that was taken over from another network, to be marked among the silhouettes.
    sections : sequence of Section
        Sections of your own, shown first.
    title : str, optional
        Heading of the page; the names of the networks otherwise.
    overwrite : bool
        Whether to replace a page that exists.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If a tree in `profiles` is no profiles tree, or there is no layer `transferred`.
    OutputExistsError
        If the page exists and may not be replaced.
    """
    target = Path(out)
    refuse_file(target, overwrite=overwrite)
    origins = []
    for name, tree in (profiles or {}).items():
        validate_tree(tree, f"the profiles {name!r}")
        origins.append(Section(f"Profiles of {name}", sections=[provenance_section(tree), drop_section(tree)]))
    parts = [*sections, *comparison_sections(comparison, transferred=transferred), *origins]
    heading = title or f"Comparison of {_listed(comparison.models)}"
    lead = f"{len(comparison.groups)} groups, by {comparison.grouping or 'group'}"
    return save_page(render_page(heading, parts, lead=lead, results=profiles or {}), target)


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
        f"Compared are {len(comparison.groups)} groups that all networks have: {_listed(comparison.groups)}.",
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
            f"Mean silhouettes over the layers of {_listed(comparison.models)}, one panel for every percentile",
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
        figure = _line_figure(len(layers))
        plot_changes(changed, figure.subplots(), title=name)
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
    figure = Figure(figsize=(2 * max(width + 0.7, 3.0), max(height, 2.6) + 0.6), layout="constrained")
    for ax, name, title in zip(figure.subplots(1, 2), ("rsa", "cka"), ("distances", "activations"), strict=True):
        plot_layer_matrix(found[name], ax, p_values=found[f"{name}_p_value"], title=title)
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
    figure = _line_figure(found.sizes["layer"])
    plot_changes(found["changed"], figure.subplots())
    percentiles = found["percentile"].values.tolist()
    columns = ["layer", f"layer of {second}", *(f"{percentile:g}th percentile" for percentile in percentiles)]
    rows = []
    for layer in found["layer"].values:
        cells = [
            "undefined" if np.isnan(changed) else f"{changed:.3f} ({rand:.2f})".replace("-", "−")
            for changed, rand in zip(
                found["changed"].sel(layer=layer).values, found["adjusted_rand"].sel(layer=layer).values, strict=True
            )
        ]
        matched = str(found["matched"].sel(layer=layer).item())
        rows.append([str(layer), matched or "none", *cells])
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
    number = min(MOST_MOVED, moved.sizes[GROUP])
    figure = Figure(figsize=(2.8 + 0.36 * moved.sizes["layer"], 1.4 + 0.21 * number), layout="constrained")
    plot_moved(moved, figure.subplots(), most=number)
    rows = [
        [str(layer), ", ".join(_ranked(found, str(layer))[:8]), float(moved.sel(layer=layer).max())]
        for layer in moved["layer"].values
    ]
    return Section(
        "Groups that moved",
        [
            Picture(
                figure,
                f"How far the {number} groups that moved most moved between {first} and {second}",
                "One minus Spearman's correlation between a group's distances to all others in the one network and in "
                f"the other. Shown are the {number} groups with the largest mean over layers.",
            ),
            Table(["layer", "groups that moved most", "the first by"], rows),
        ],
    )


def _ranked(found: xr.Dataset, layer: str) -> list[str]:
    """Groups from the one that moved most; undefined ones are missing."""
    ranks = found["rank"].sel(layer=layer)
    order = np.argsort(ranks.values, kind="stable")
    return [str(ranks[GROUP].values[place]) for place in order if ranks.values[place] > 0]


def _line_figure(layers: int) -> Figure:
    return Figure(figsize=(max(6.0, 3.4 + 0.48 * layers), 3.3), layout="constrained")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), names[-1]])
