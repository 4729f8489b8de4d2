"""Sections of the page on layers: SNAPs of all groups, methods side by side, saliency over lag, single units."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snaps.figures import (
    Marks,
    Shared,
    figure_of,
    plot_methods,
    plot_saliency_by_lag,
    plot_snap_grid,
    plot_units,
    reach,
)
from snaps.profiles import Weighting, distinctive_units, saliency_by_lag, snap, used_lags
from snaps.report.page import Block, Picture, Section, Table, number
from snaps.schema import COUNT, GROUP, LAG, UNIT, dataset_of

#: Largest number of maps in one figure; of more groups the largest ones are shown.
MOST_MAPS = 64
#: Number of groups that the table of units names above and below 0.
TOP_GROUPS = 3
#: Number of maps side by side that fit the page at full size.
MAPS_ACROSS = 6
#: Sentence about the colour scale, by the option `shared`.
SHARED: Mapping[Shared, str] = {
    "row": "Each row has one colour scale.",
    "column": "Each column has one colour scale; panels name their largest value.",
    "panel": "Each panel has its own colour scale and names its largest value.",
    "all": "All panels have one colour scale.",
}


def maps_section(
    profiles: xr.Dataset | xr.DataTree,
    *,
    weighting: Weighting = "frames",
    most: int | None = None,
    marks: Marks | None = None,
    title: str = "SNAPs of the input",
) -> Section:
    """Section with the SNAPs of all groups (SNAP paper, Figures A4 to A6).

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer, usually ``input``.
    weighting : {"frames", "groups"}
        How the grand mean is taken, see `snaps.profiles.contrast`.
    most : int, optional
        Largest number of groups to show, those with the most epochs; 64 otherwise.
    marks : mapping of str to sequence of float or Mark, optional
        Frequencies to mark, as in `snaps.figures.plot_snap`.
    title : str
        Heading.

    Returns
    -------
    Section
        A figure.

    Raises
    ------
    InputError
        As `snaps.profiles.snap` and `snaps.figures.plot_snap_grid` do.
    """
    dataset = dataset_of(profiles)
    values = snap(dataset, weighting)
    largest = dataset[COUNT].values.argsort(kind="stable")[::-1][: MOST_MAPS if most is None else most]
    chosen = [str(label) for label in dataset[GROUP].values[np.sort(largest)]]
    within = reach(values)
    furthest = float(abs(values[LAG]).max())
    caption = (
        "Difference of each group from the grand mean, weighted by saliency: red above, blue below, white where there "
        "is no difference or no saliency. Lag 0 is the peak of importance."
    )
    if within < furthest:
        caption += f" Lags beyond ±{1000 * within:.0f} ms, with values below 1 % of the largest, are not shown."
    if len(chosen) < dataset.sizes[GROUP]:
        caption += f" The figure shows the {len(chosen)} largest of {dataset.sizes[GROUP]} groups."
    figure = plot_snap_grid(values, chosen, within=within, columns=min(len(chosen), MAPS_ACROSS), marks=marks)
    alt = f"Maps of frequency and lag of {len(chosen)} groups: {', '.join(chosen)}"
    return Section(title, [Picture(figure, alt, caption)])


def methods_section(
    methods: Mapping[str, xr.DataArray],
    groups: Sequence[str],
    *,
    shared: Shared = "row",
    within: float | None = None,
    marks: Marks | None = None,
    title: str = "Methods side by side",
    text: str = "",
) -> Section:
    """Section that compares methods, e.g. NAvAI and SNAP (SNAP paper, Figure 4).

    Parameters
    ----------
    methods : mapping of str to DataArray of shape (group, unit, lag)
        Values by the heading of their column.
    groups : sequence of str
        Groups to show; every method must have all of them.
    shared, within, marks
        As in `snaps.figures.plot_methods`.
    title : str
        Heading.
    text : str
        A paragraph before the figure.

    Returns
    -------
    Section
        A figure, and a table of the lags at which each map has values above a tenth of its largest.

    Raises
    ------
    InputError
        As `snaps.figures.plot_methods` does.
    """
    names = list(map(str, methods))
    picture = Picture(
        plot_methods(methods, groups, shared=shared, within=within, marks=marks),
        f"Maps of {', '.join(map(str, groups))} in rows, by {', '.join(names)} in columns",
        f"Difference of each group from the grand mean: red above, blue below. Lag 0 is the peak. {SHARED[shared]}",
    )
    rows = [
        [str(group), *(
            f"±{1000 * reach(values.sel({GROUP: [group]}), share=0.1):.0f} ms" if LAG in values.dims else ""
            for values in methods.values()
        )]
        for group in groups
    ]  # fmt: skip
    table = Table(["group", *names], rows, caption="Largest lag with a value above a tenth of the group's largest")
    content: list[Block] = [*([text] if text else []), picture, table]
    return Section(title, content)


def saliency_section(
    profiles: xr.Dataset | xr.DataTree, *, share: float = 0.95, title: str = "Saliency over lag"
) -> Section:
    """Section with the range of lags that has saliency in each layer (SNAP paper, section 5.2).

    Parameters
    ----------
    profiles : Dataset or DataTree
        Node of a grouping with all its layers, or profiles of one layer.
    share : float
        Share of the saliency in each range, above 0 and at most 1.
    title : str
        Heading.

    Returns
    -------
    Section
        A figure and a table.

    Raises
    ------
    InputError
        As `snaps.profiles.saliency_by_lag` and `snaps.profiles.used_lags` do.
    """
    curves = saliency_by_lag(profiles)
    ranges = used_lags(curves, share=share)
    percent = f"{100 * share:g} %"
    rows: list[list[object]] = []
    for layer, curve in curves.items():
        found, lags = ranges.sel(layer=layer), curve[LAG].values
        cells: list[object] = ["no saliency", None, None]
        if n_used := int(found["n_used"]):
            used = f"{n_used} of {int(found['n_lags'])}"
            cells = [span(found["first"], found["last"]), used, f"{100 * float(found['used']):.0f} %"]
        rows.append([layer, span(lags[0], lags[-1]), *cells])
    picture = Picture(
        figure_of(plot_saliency_by_lag(curves, share=share, title="")),
        f"Mean saliency over lag of {len(curves)} layers, from {next(iter(curves))} on",
        "Mean absolute saliency over all units and epochs, scaled to the largest value of each layer. Lag 0 is the "
        f"peak. The thick line is the shortest range of lags with {percent} of the saliency, the thin line covers all "
        "lags of the layer.",
    )
    columns = ["layer", "lags", f"{percent} of saliency", "steps used", "share"]
    return Section(title, [picture, Table(columns, rows, f"Shortest range of lags with {percent} of the saliency")])


def units_section(
    profiles: xr.Dataset | xr.DataTree,
    *,
    units: Sequence[int] | None = None,
    groups: Sequence[str] | None = None,
    number: int = 6,
    weighting: Weighting = "frames",
    title: str | None = None,
) -> Section:
    """Section with the SNAPs of single units of a layer over lag: a line for every group.

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer.
    units : sequence of int, optional
        Numbers of the units; otherwise those that differ most between groups.
    groups : sequence of str, optional
        Groups drawn in colour; otherwise the six with the largest absolute values.
    number : int
        Number of units to show if `units` is None.
    weighting : {"frames", "groups"}
        How the grand mean is taken, see `snaps.profiles.contrast`.
    title : str, optional
        Heading; the layer otherwise.

    Returns
    -------
    Section
        A figure and a table.

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
    how = "Units whose values differ most between groups. " if units is None else ""
    rows: list[list[object]] = []
    for unit in chosen:
        of_unit = values.sel({UNIT: unit})
        highest, lowest = of_unit.max(LAG).to_series(), of_unit.min(LAG).to_series()
        above, below = highest[highest > 0].nlargest(TOP_GROUPS), lowest[lowest < 0].nsmallest(TOP_GROUPS)
        rows.append([unit, ", ".join(above.index), ", ".join(below.index)])
    picture = Picture(
        figure,
        f"SNAPs of units {', '.join(map(str, chosen))} of {layer} over lag, a line for every group",
        f"{how}Lag 0 is the peak. Values are 0 where a unit does not differ from the grand mean or has no saliency. "
        "All panels have one scale.",
    )
    table = Table(["unit", "groups furthest above 0", "groups furthest below 0"], rows)
    return Section(title or f"Units of {layer}", [picture, table])


def span(first: object, last: object) -> str:
    """Range from the first to the last lag, in ms; given in seconds."""
    ends = dict.fromkeys(number(round(1000 * float(edge)), "") for edge in (first, last))  # type: ignore[arg-type]
    return " … ".join(ends) + " ms"
