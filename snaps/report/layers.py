"""What a page shows of layers: maps of all groups, methods side by side, saliency over lag, and chosen units."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snaps.figures import plot_methods, plot_saliency_by_lag, plot_snap_grid, plot_units, reach
from snaps.figures.marks import Marks
from snaps.figures.panels import Shared
from snaps.profiles import distinctive_units, saliency_by_lag, snap, used_lags
from snaps.profiles.contrasts import Weighting
from snaps.report.page import Block, Picture, Section, Table, drawn_on, number
from snaps.schema import COUNT, GROUP, LAG, UNIT, dataset_of

#: Maps of more groups than this would not be told apart; the largest groups are shown.
MOST_MAPS = 64
#: Maps side by side: as many as fit the page at full size.
MAPS_ACROSS = 6
#: What a colour means, by where it means the same.
SHARED: Mapping[Shared, str] = {
    "row": "Colours mean the same along a row.",
    "column": "Colours mean the same down a column; panels name their largest value.",
    "panel": "Every panel has colours of its own, and names its largest value.",
    "all": "Colours mean the same everywhere.",
}


def maps_section(
    profiles: xr.Dataset | xr.DataTree,
    *,
    weighting: Weighting = "frames",
    most: int | None = None,
    marks: Marks | None = None,
    title: str = "SNAPs of the input",
) -> Section:
    """Build the section that shows the SNAPs of all groups (SNAP paper, Figures A4 to A6).

    Parameters
    ----------
    profiles : Dataset or DataTree
        Profiles of one layer, as a rule of ``input``.
    weighting : {"frames", "groups"}
        How the grand mean is taken, see `snaps.profiles.contrast`.
    most : int, optional
        Largest number of groups to show, those with the most epochs; 64 otherwise.
    marks : mapping of str to sequence of float or Mark, optional
        Frequencies to point at, as `snaps.figures.plot_snap` takes them.
    title : str
        Heading.

    Returns
    -------
    Section
        A picture.

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
        "What sets the input of a group apart, as far as the network heeds it: red above, blue below the "
        "mean of all groups, white where nothing differs or nothing matters. Lag 0 is the peak of importance."
    )
    if within < furthest:
        caption += f" Beyond ±{1000 * within:.0f} ms values are below 1 % of the largest, and are not shown."
    if len(chosen) < dataset.sizes[GROUP]:
        caption += f" Shown are the {len(chosen)} largest of {dataset.sizes[GROUP]} groups."
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
    """Build the section that sets methods against each other, as NAvAI against SNAP (SNAP paper, Figure 4).

    Parameters
    ----------
    methods : mapping of str to DataArray of shape (group, unit, lag)
        What to show, by the heading of its column.
    groups : sequence of str
        The groups to show, each of which every method has.
    shared, within, marks
        As `snaps.figures.plot_methods` takes them.
    title : str
        Heading.
    text : str
        A paragraph before the picture.

    Returns
    -------
    Section
        A picture, and a table of how much of each map lies how near to the peak.

    Raises
    ------
    InputError
        As `snaps.figures.plot_methods` does.
    """
    figure = plot_methods(methods, groups, shared=shared, within=within, marks=marks)
    names = list(map(str, methods))
    picture = Picture(
        figure,
        f"Maps of {', '.join(map(str, groups))} in rows, by {', '.join(names)} in columns",
        "What sets each group apart: red above, blue below the mean of all groups. Lag 0 is the peak. "
        f"{SHARED[shared]}",
    )
    rows = [[str(group), *(_reach(values.sel({GROUP: [group]})) for values in methods.values())] for group in groups]
    table = Table(
        ["group", *names], rows, caption="How far from the peak values reach a tenth of the largest, group by group"
    )
    content: list[Block] = [*([text] if text else []), picture, table]
    return Section(title, content)


def _reach(values: xr.DataArray) -> str:
    return f"±{1000 * reach(values, share=0.1):.0f} ms" if LAG in values.dims else ""


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
    percent = f"{100 * share:g} %"
    figure = drawn_on(
        7.6, 1.1 + 0.36 * len(curves), lambda ax: plot_saliency_by_lag(curves, ax, share=share, title="")
    )  # fmt: skip
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
    ends = dict.fromkeys(number(round(1000 * float(edge)), "") for edge in (first, last))  # type: ignore[arg-type]
    return " … ".join(ends) + " ms"
