"""What a page shows of whether saliency can be believed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError
from snaps.figures import plot_flipping, plot_profile_null, plot_randomization
from snaps.outputs import refuse_file
from snaps.report.blocks import Block, Picture, Section, Table
from snaps.report.page import render_page, save_page
from snaps.schema import Provenance


def write_faithfulness(
    evaluation: xr.DataTree, out: str | os.PathLike[str], *, title: str | None = None, overwrite: bool = False
) -> Path:
    """Write one HTML page about an evaluation of faithfulness.

    Parameters
    ----------
    evaluation : DataTree
        What `snaps.evaluate_faithfulness` gives.
    out : path
        Where to write the page. Missing folders above it are made.
    title : str, optional
        Heading of the page.
    overwrite : bool
        Whether to replace a page that exists.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If it is no such evaluation.
    OutputExistsError
        If the page exists and may not be replaced.
    """
    target = Path(out)
    refuse_file(target, overwrite=overwrite)
    sections = faithfulness_sections(evaluation)
    return save_page(render_page(title or "Can saliency be believed?", sections, results={"": evaluation}), target)


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
    if not isinstance(evaluation, xr.DataTree) or not set(evaluation.children) & set(_SECTIONS):
        raise InputError("an evaluation of faithfulness is a tree with flipping, randomization or profiles")
    parts = [
        build(evaluation.children[part].to_dataset())
        for part, build in _SECTIONS.items()
        if part in evaluation.children
    ]
    return [Section("Can saliency be believed?", sections=parts)]


def _flipping(found: xr.Dataset) -> Section:
    rows: list[list[object]] = []
    for method in found["saliency"].values:
        one = found.sel(saliency=method)
        cells: list[object] = [str(method)]
        for against in ("random", "least"):
            area = one.sel(against=against)
            cells.append(_interval(area["accuracy_area"], area["accuracy_area_low"], area["accuracy_area_high"]))
        rows.append(cells)
    return Section(
        "Pixel flipping",
        [
            f"{found.attrs['n_frames']:,} frames of {found.attrs['n_recordings']:,} recordings; bins are set to: "
            f"{found.attrs['baseline']}; random orders: {found.attrs['random_orders']}. {_left_out(found)}",
            _picture(
                found, lambda data, ax: plot_flipping(data, ax), "Accuracy against the share of bins flipped",
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
            _picture(
                found, lambda data, ax: plot_randomization(data, ax), "Rank correlation with the original's saliency",
                "Saliency that depends on what the network has learned falls towards 0; where it stays near 1 the "
                "method shows the input rather than the network.",
            ),
            Table(columns, rows, caption="Rank correlation with the original's saliency"),
        ],
    )  # fmt: skip


def _profiles(found: xr.Dataset) -> Section:
    content: list[Block] = [
        f"{found.attrs['n_frames']:,} frames by {found.attrs['grouping']}; {found.sizes['shuffle']} shuffled "
        "alignments, in which peaks are permuted among frames."
    ]
    for method in map(str, found["saliency"].values):
        one = found.sel(saliency=method)
        figure = Figure(figsize=(max(10.0, 4.0 + 0.8 * found.sizes["layer"]), 3.6), layout="constrained")
        for ax, measure in zip(figure.subplots(1, 2), ("energy", "silhouette"), strict=True):
            plot_profile_null(found, ax, measure=measure, method=method)
        rows: list[list[object]] = [
            [str(layer), *(float(one[name].sel(layer=layer)) for name in ("energy_p", "silhouette_p"))]
            for layer in one["layer"].values
        ]
        content.append(
            Picture(
                figure, f"Contrast energy and silhouettes with {method}, against shuffled alignments",
                "Grey: range of the shuffled alignments.",
            )
        )  # fmt: skip
        content.append(
            Table(["layer", "p (energy)", "p (silhouette)"], rows, caption=f"{method}: aligned against shuffled")
        )
    return Section("Profiles against chance", content)


_SECTIONS: dict[str, Callable[[xr.Dataset], Section]] = {
    "flipping": _flipping, "randomization": _randomization, "profiles": _profiles,
}  # fmt: skip


def _picture(found: xr.Dataset, draw: Callable[[xr.Dataset, Axes], object], alt: str, caption: str) -> Picture:
    figure = Figure(figsize=(9.0, 3.9), layout="constrained")
    draw(found, figure.subplots())
    return Picture(figure, alt, caption)


def _interval(value: xr.DataArray, low: xr.DataArray, high: xr.DataArray) -> str:
    ends = "" if np.isnan(float(low)) else f" ({float(low):.3f} to {float(high):.3f})"
    return (f"{float(value):.3f}" + ends).replace("-", "−")


def _left_out(found: xr.Dataset) -> str:
    counts = Provenance.of(found).left_out
    return "Left out: " + "; ".join(f"{reason}: {sum(by.values()):,}" for reason, by in counts.items()) + "."
