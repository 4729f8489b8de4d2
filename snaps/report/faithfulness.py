"""Faithfulness section of the page: flipping, randomisation, and profiles against chance."""

from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr

from snaps.errors import InputError
from snaps.figures import figure_of, plot_flipping, plot_profile_null, plot_randomization
from snaps.report.page import Block, Picture, Section, Table, drawn_on, left_out_text, number


def faithfulness_sections(evaluation: xr.DataTree) -> list[Section]:
    """Section on the faithfulness of saliency, e.g. for ``write_report(…, sections=…)``.

    Parameters
    ----------
    evaluation : DataTree
        Result of `snaps.evaluate_faithfulness`.

    Returns
    -------
    list of Section
        One section, with a section for every part of the result.

    Raises
    ------
    InputError
        If the tree is not such a result.
    """
    if not isinstance(evaluation, xr.DataTree) or not set(evaluation.children) & set(PARTS):
        raise InputError("an evaluation of faithfulness is a tree with flipping, randomization or profiles")
    parts = [
        build(evaluation.children[part].to_dataset()) for part, build in PARTS.items() if part in evaluation.children
    ]
    return [Section("Faithfulness of saliency", sections=parts)]


def _flipping(found: xr.Dataset) -> Section:
    rows = [
        [str(method), *(_interval(found.sel(saliency=method, against=order)) for order in ("random", "least"))]
        for method in found["saliency"].values
    ]
    picture = Picture(
        figure_of(plot_flipping(found)),
        "Accuracy over the share of flipped bins",
        "Solid lines: the most relevant bins are flipped first; a faster fall means that the network needs these bins "
        "more. Dashed lines: the least relevant bins first; for relevances these should stay high. Bands are 95 % "
        "intervals over recordings.",
    )
    columns = ["method", "below random", "below least relevant first"]
    table = Table(columns, rows, "Mean difference in accuracy between another order and the most relevant bins first")
    text = (
        f"{found.attrs['n_frames']:,} frames of {found.attrs['n_recordings']:,} recordings; value of flipped bins: "
        f"{found.attrs['baseline']}; random orders: {found.attrs['random_orders']}. {left_out_text(found)}"
    )
    return Section("Pixel flipping", [text, picture, table])


def _randomization(found: xr.Dataset) -> Section:
    rows = []
    for method in found["saliency"].values:
        one = found.sel(saliency=method)
        correlations = (one["correlation"][0], one["correlation"][-1], one["correlation_absolute"][-1])
        rows.append([method, *(value.item() for value in correlations), int(one["undefined"].sum())])
    caption = "Rank correlation with the saliency of the trained network"
    picture = Picture(
        figure_of(plot_randomization(found)),
        caption,
        "The correlation falls towards 0 if saliency depends on the learned weights. If it stays near 1, the method "
        "shows the input rather than the network.",
    )
    columns = ["method", "top layer", "all layers", "all layers, absolute value", "frames without a correlation"]
    text = f"{found.attrs['n_frames']:,} frames. {left_out_text(found)}"
    return Section("Randomised networks", [text, picture, Table(columns, rows, caption)])


def _profiles(found: xr.Dataset) -> Section:
    content: list[Block] = [
        f"{found.attrs['n_frames']:,} frames by {found.attrs['grouping']}; {found.sizes['shuffle']} shuffled "
        "alignments, in which peaks are permuted among frames."
    ]
    for method in map(str, found["saliency"].values):
        draws = [partial(plot_profile_null, found, measure=name, method=method) for name in ("energy", "silhouette")]
        figure = drawn_on(max(10.0, 4.0 + 0.8 * found.sizes["layer"]), 3.6, *draws)
        rows = found[["energy_p", "silhouette_p"]].sel(saliency=method, drop=True).to_dataframe().reset_index()
        columns = {"energy_p": "p (energy)", "silhouette_p": "p (silhouette)"}
        content += [
            f"{method}: aligned against shuffled",
            Picture(
                figure, f"Contrast energy and silhouettes with {method}, against shuffled alignments",
                "Grey: range of the shuffled alignments.",
            ),
            rows[["layer", *columns]].rename(columns=columns),
        ]  # fmt: skip
    return Section("Profiles against chance", content)


PARTS: dict[str, Callable[[xr.Dataset], Section]] = {
    "flipping": _flipping, "randomization": _randomization, "profiles": _profiles,
}  # fmt: skip


def _interval(found: xr.Dataset) -> str:
    value, low, high = (float(found[f"accuracy_area{end}"]) for end in ("", "_low", "_high"))
    return number(value) + ("" if np.isnan(low) else f" ({number(low)} to {number(high)})")
