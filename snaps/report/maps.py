"""What a page shows of the input layer: maps of all groups, and methods side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snaps.figures import plot_methods, plot_snap_grid, reach
from snaps.figures.marks import Marks
from snaps.figures.rows import Shared
from snaps.profiles import snap
from snaps.profiles.contrasts import Weighting
from snaps.report.blocks import Block, Picture, Section, Table
from snaps.schema import COUNT, GROUP, LAG, dataset_of

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
