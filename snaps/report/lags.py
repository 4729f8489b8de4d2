"""What a page shows over lag: how far saliency reaches in every layer, and chosen units of one."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from snaps.figures import plot_saliency_by_lag, plot_units, reach
from snaps.profiles import distinctive_units, saliency_by_lag, snap, used_lags
from snaps.profiles.contrasts import Weighting
from snaps.report.blocks import Picture, Section, Table
from snaps.schema import GROUP, LAG, UNIT, dataset_of


def saliency_section(
    profiles: xr.Dataset | xr.DataTree, *, share: float = 0.95, title: str = "How far saliency reaches"
) -> Section:
    """Build the section that shows how much of the receptive field is used (SNAP paper, section 5.2).

    Parameters
    ----------
    profiles : Dataset or DataTree
        A grouping's node with all its layers, or profiles of one layer.
    share : float
        Share of the saliency that the ranges hold, above 0 and at most 1.
    title : str
        Heading.

    Returns
    -------
    Section
        A picture and a table.

    Raises
    ------
    InputError
        As `snaps.profiles.saliency_by_lag` and `snaps.profiles.used_lags` do.
    """
    curves = saliency_by_lag(profiles)
    ranges = used_lags(curves, share=share)
    figure = Figure(figsize=(7.6, 1.1 + 0.36 * len(curves)), layout="constrained")
    percent = f"{100 * share:g} %"
    plot_saliency_by_lag(curves, figure.subplots(), share=share, title="")
    rows: list[list[object]] = []
    for layer, curve in curves.items():
        found = ranges.sel(layer=layer)
        lags = curve[LAG].values
        if int(found["n_used"]) == 0:
            rows.append([layer, _span(lags[0], lags[-1]), "no saliency", None, None])
            continue
        used = f"{int(found['n_used'])} of {int(found['n_lags'])}"
        share_used = f"{100 * float(found['used']):.0f} %"
        rows.append([layer, _span(lags[0], lags[-1]), _span(found["first"], found["last"]), used, share_used])
    return Section(
        title,
        [
            Picture(
                figure,
                f"Mean saliency over lag of {len(curves)} layers, from {next(iter(curves))} on",
                "Mean absolute saliency over all units and epochs, scaled to the largest of each layer. Lag 0 is the "
                f"peak. The thick line is the shortest range of lags that holds {percent} of it, the thin one all lags "
                "at which there can be saliency.",
            ),
            Table(
                ["layer", "lags", f"{percent} of saliency", "steps used", "share"],
                rows,
                caption="Shortest range of lags that holds so much of the saliency",
            ),
        ],
    )


def units_section(
    profiles: xr.Dataset | xr.DataTree,
    *,
    units: Sequence[int] | None = None,
    groups: Sequence[str] | None = None,
    number: int = 6,
    weighting: Weighting = "frames",
    title: str | None = None,
) -> Section:
    """Build the section that shows SNAPs of chosen units of a layer over lag, a line for every group.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer.
    units : sequence of int, optional
        Numbers of the units; otherwise those that differ most between groups.
    groups : sequence of str, optional
        Groups that have a colour; otherwise the six that reach furthest from zero.
    number : int
        How many units to choose if none are named.
    weighting : {"frames", "groups"}
        How the grand mean is taken, see `snaps.profiles.contrast`.
    title : str, optional
        Heading; the layer otherwise.

    Returns
    -------
    Section
        A picture and a table.

    Raises
    ------
    InputError
        As `snaps.figures.plot_units` does.
    """
    dataset = dataset_of(profiles)
    layer = str(dataset.attrs.get("layer", "the layer"))
    values = snap(dataset, weighting)
    chosen = distinctive_units(values, number=number)[UNIT].values.tolist() if units is None else list(units)
    figure = plot_units(values, chosen, groups=groups, within=reach(values), title="")
    how = "Chosen are those whose values differ most between groups. " if units is None else ""
    # Units may have numbers of their own, or be counted.
    numbers = values[UNIT].values.tolist() if UNIT in values.coords else list(range(values.sizes[UNIT]))
    rows: list[list[object]] = []
    for unit in chosen:
        over_lag = values.isel({UNIT: numbers.index(unit)}).transpose(GROUP, LAG).values
        highest, lowest = np.nanmax(over_lag, axis=1), np.nanmin(over_lag, axis=1)
        labels = values[GROUP].values
        above = [str(labels[place]) for place in np.argsort(-highest, kind="stable")[:3] if highest[place] > 0]
        below = [str(labels[place]) for place in np.argsort(lowest, kind="stable")[:3] if lowest[place] < 0]
        rows.append([unit, ", ".join(above), ", ".join(below)])
    return Section(
        title or f"Units of {layer}",
        [
            Picture(
                figure,
                f"SNAPs of units {', '.join(map(str, chosen))} of {layer} over lag, a line for every group",
                f"{how}Lag 0 is the peak; at 0 a unit does not differ from the mean of all groups, or does not matter. "
                "All panels have one scale.",
            ),
            Table(["unit", "furthest above", "furthest below"], rows),
        ],
    )


def _span(first: object, last: object) -> str:
    begin, end = (round(1000 * float(edge)) for edge in (first, last))  # type: ignore[arg-type]
    return f"{begin} … {end} ms".replace("-", "−") if begin != end else f"{begin} ms".replace("-", "−")
