"""Every figure of the package, with labels that are more than text."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import snaps
from snaps import figures
from snaps.alignment import AlignmentCounts, Judgement
from snaps.clustering import silhouette_sweep
from snaps.profiles import saliency_by_lag, snap
from tests.profiles.build import node_attributes, random_dataset, root_attributes

#: Those that somebody who draws takes for something else.
PICTURED = (
    "<script>document.title = 'attacked'</script>", r"$\frac{$", "%s {0}", "a\nb", "\x1b]0;title\x07", "\u202eevil",
    "\ufeffbom", "_label", "../x", "x" * 10_000,
)  # fmt: skip
#: As many as say something in a short run.
FEW = (r"$\frac{$", "<b>\n\x07", "_label", "x" * 10_000)


def tree_of(groups: tuple[str, ...] = ("a", "b", "c"), **names: tuple[str, ...]) -> xr.DataTree:
    names = {"groupings": ("phoneme",), "layers": ("input", "conv1"), **names}
    nodes = {"/": xr.Dataset(attrs=root_attributes(names["layers"], names["groupings"]))}
    for grouping in names["groupings"]:
        for place, layer in enumerate(names["layers"]):
            attributes = node_attributes(layer, grouping)
            nodes[f"/{grouping}/{layer}"] = random_dataset(
                place, groups=groups, n_epochs=4 * len(groups), layer=layer, n_units=3 + place, attrs=attributes
            )
    return xr.DataTree.from_dict(nodes)


def evaluation_of(labels: tuple[str, ...]) -> xr.Dataset:
    counts = AlignmentCounts(labels, labels, 5)
    codes = np.arange(len(labels))
    judged = Judgement(codes, codes, np.ones(len(labels), dtype=bool), codes % 3)
    counts.add("one", judged, predicted=codes, same=codes, unaligned=0)
    return counts.result(step=0.01, matched=True, n_resamples=3, seed=0)


def pictures(labels: tuple[str, ...]) -> Iterator[tuple[str, Axes | Figure]]:
    """Every figure of the room, with the labels wherever it has some."""
    tree = tree_of(labels)
    values = snap(tree["phoneme/input"])
    node = tree["phoneme"]
    first = labels[0]
    named = tree_of(layers=("input", *[label for label in labels if "/" not in label and label != ".."]))["phoneme"]
    comparison = snaps.compare_models(dict.fromkeys(labels[:3], node), min_count=1, n_permutations=9)
    sweep = silhouette_sweep(named)
    pair = comparison.between(*labels[:2])
    aligners = xr.concat(
        [evaluation_of(labels)] * len(labels), xr.Variable("aligner", np.array(labels)), combine_attrs="override"
    )
    curve = pd.DataFrame({"epoch": [1, 2], "error_rate": [0.5, 0.4]})
    marked = {first: [figures.Mark(1000, first)]}
    yield "snap", figures.plot_snap(values.assign_attrs(layer=first), first, marks=marked, units=first)
    yield "grid", figures.plot_snap_grid(values, title=first, shared=False, units=first)
    yield "methods", figures.plot_methods(dict.fromkeys(labels[:3], values), labels[:3], title=first, units=first)
    yield "panels", figures.plot_panels([[figures.Panel(values, first, first)]], names=[first], headings=[first])
    yield "unit", figures.plot_unit(values.assign_attrs(layer=first), 0, groups=labels[:18], title=None, units=first)
    yield "units", figures.plot_units(values.assign_attrs(layer=first), groups=labels[:18], units=first)
    yield "lags", figures.plot_saliency_by_lag(saliency_by_lag(named), title=first)
    yield "clustermap", figures.plot_clustermap(snaps.cluster(node["conv1"]))
    yield "silhouettes", figures.plot_silhouettes(sweep, transferred=str(sweep["layer"].values[-1]), title=first)
    yield "networks", figures.plot_model_silhouettes(comparison.silhouettes, title=first)
    yield "panels of networks", figures.plot_silhouette_panels(comparison.silhouettes, title=first)
    yield "changes", figures.plot_changes(pair["changed"], title=first)
    yield "matrix", figures.plot_layer_matrix(pair["rsa"], title=first)
    yield "moved", figures.plot_moved(pair["moved"], most=len(labels), title=first)
    yield "alignment", figures.plot_alignment(evaluation_of(labels), title=first)
    yield "aligners", figures.plot_aligners(aligners, title=first)
    yield "curves", figures.plot_learning_curves(dict.fromkeys(labels, curve), title=first)
