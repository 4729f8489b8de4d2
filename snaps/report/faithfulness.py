"""What a page shows of whether saliency can be believed."""

from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from snaps.errors import InputError
from snaps.figures import plot_flipping, plot_profile_null, plot_randomization
from snaps.report.page import Block, Picture, Section, Table, drawn_on, number
from snaps.schema import Provenance


def faithfulness_sections(evaluation: xr.DataTree) -> list[Section]:
    """Build the sections of an evaluation, e.g. for ``write_report(…, sections=…)``.

    Parameters
    ----------
    evaluation : DataTree
        What `snaps.evaluate_faithfulness` gives.

    Returns
    -------
    list of Section
        One, with a section for every part.

    Raises
    ------
    InputError
        If it is no such evaluation.
    """
    if not isinstance(evaluation, xr.DataTree) or not set(evaluation.children) & set(PARTS):
        raise InputError("an evaluation of faithfulness is a tree with flipping, randomization or profiles")
    parts = [
        build(evaluation.children[part].to_dataset()) for part, build in PARTS.items() if part in evaluation.children
    ]
    return [Section("Can saliency be believed?", sections=parts)]


def _flipping(found: xr.Dataset) -> Section:
    rows = [
        [str(method), *(_interval(found.sel(saliency=method, against=order)) for order in ("random", "least"))]
        for method in found["saliency"].values
    ]
    return Section(
        "Pixel flipping",
        [
            f"{found.attrs['n_frames']:,} frames of {found.attrs['n_recordings']:,} recordings; bins are set to: "
            f"{found.attrs['baseline']}; random orders: {found.attrs['random_orders']}. {_left_out(found)}",
            Picture(
                drawn_on(9.0, 3.9, lambda ax: plot_flipping(found, ax)), "Accuracy against the share of bins flipped",
                "The faster a solid line falls, the more the bins that a method calls relevant are needed; dashed "
                "lines of relevances should stay high. Bands are 95 % intervals over recordings.",
            ),
            Table(
                ["method", "below random", "below least relevant first"], rows,
                caption="How far accuracy with the most relevant bins first lies below another order, on average",
            ),
        ],
    )  # fmt: skip


def _randomization(found: xr.Dataset) -> Section:
    last = found.isel(randomised=-1)
    rows: list[list[object]] = [
        [
            str(method), float(found.isel(randomised=0)["correlation"].sel(saliency=method)),
            float(last["correlation"].sel(saliency=method)), float(last["correlation_absolute"].sel(saliency=method)),
            int(found["undefined"].sel(saliency=method).sum()),
        ]
        for method in found["saliency"].values
    ]  # fmt: skip
    columns = ["method", "top layer", "all layers", "all layers, absolute value", "frames without a correlation"]
    return Section(
        "Randomised networks",
        [
            f"{found.attrs['n_frames']:,} frames. {_left_out(found)}",
            Picture(
                drawn_on(9.0, 3.9, lambda ax: plot_randomization(found, ax)),
                "Rank correlation with the original's saliency",
                "Saliency that depends on what the network has learned falls towards 0; where it stays near 1 the "
                "method shows the input rather than the network.",
            ),
            Table(columns, rows, caption="Rank correlation with the original's saliency"),
        ],
    )  # fmt: skip


def _null(found: xr.Dataset, measure: str, method: str, ax: Axes) -> None:
    plot_profile_null(found, ax, measure=measure, method=method)


def _profiles(found: xr.Dataset) -> Section:
    content: list[Block] = [
        f"{found.attrs['n_frames']:,} frames by {found.attrs['grouping']}; {found.sizes['shuffle']} shuffled "
        "alignments, in which peaks are permuted among frames."
    ]
    for method in map(str, found["saliency"].values):
        one = found.sel(saliency=method)
        draws = [partial(_null, found, measure, method) for measure in ("energy", "silhouette")]
        figure = drawn_on(max(10.0, 4.0 + 0.8 * found.sizes["layer"]), 3.6, *draws)
        rows = one[["energy_p", "silhouette_p"]].to_dataframe()[["energy_p", "silhouette_p"]].reset_index()
        content.append(
            Picture(
                figure, f"Contrast energy and silhouettes with {method}, against shuffled alignments",
                "Grey: range of the shuffled alignments.",
            )
        )  # fmt: skip
        content.append(
            Table(
                ["layer", "p (energy)", "p (silhouette)"],
                rows.values.tolist(),
                caption=f"{method}: aligned against shuffled",
            )
        )
    return Section("Profiles against chance", content)


PARTS: dict[str, Callable[[xr.Dataset], Section]] = {
    "flipping": _flipping, "randomization": _randomization, "profiles": _profiles,
}  # fmt: skip


def _interval(found: xr.Dataset) -> str:
    value, low, high = (float(found[f"accuracy_area{end}"]) for end in ("", "_low", "_high"))
    return number(value) + ("" if np.isnan(low) else f" ({number(low)} to {number(high)})")


def _left_out(found: xr.Dataset) -> str:
    counts = Provenance.of(found).left_out
    return "Left out: " + "; ".join(f"{reason}: {sum(by.values()):,}" for reason, by in counts.items()) + "."
