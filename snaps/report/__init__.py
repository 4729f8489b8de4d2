"""The report: one page about profiles, alignments, networks or faithfulness. It computes nothing of its own."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from snaps.clustering import PERCENTILES, Distance, ModelComparison
from snaps.errors import InputError, check_number
from snaps.outputs import writing
from snaps.profiles.contrasts import Weighting
from snaps.report.alignment import alignment_sections
from snaps.report.faithfulness import PARTS, faithfulness_sections
from snaps.report.layers import maps_section, methods_section, saliency_section, units_section
from snaps.report.networks import comparison_sections, listed
from snaps.report.page import Block, LabelSet, LabelSets, Picture, Section, Table, render_page
from snaps.report.profiles import drop_section, grouping_section, provenance_section
from snaps.schema import Provenance, validate_tree

__all__ = [
    "Block",
    "LabelSet",
    "LabelSets",
    "Picture",
    "Section",
    "Table",
    "alignment_sections",
    "comparison_sections",
    "faithfulness_sections",
    "maps_section",
    "methods_section",
    "saliency_section",
    "units_section",
    "write_report",
]


#: Words for what the root attributes count.
COUNTS: Mapping[str, str] = {"n_recordings": "recording", "n_frames": "frame"}


def write_report(
    what: xr.DataTree | Mapping[str, xr.DataTree] | xr.Dataset | ModelComparison,
    out: str | os.PathLike[str],
    *,
    percentile: float = 96,
    percentiles: Sequence[float] = PERCENTILES,
    metric: str | Distance = "euclidean",
    weighting: Weighting = "frames",
    layers: Sequence[str] = (),
    min_count: int = 1,
    profiles: Mapping[str, xr.DataTree] | None = None,
    transferred: str | None = None,
    sections: Sequence[Section] = (),
    last: Sequence[Section] = (),
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one HTML page about profiles, an alignment, a comparison of networks, or the faithfulness of saliency.

    A page about profiles shows where they come from, what was left out, and for every grouping its groups, their
    input SNAPs, silhouettes over layers, and the clusters of the layers that cluster best. The page needs nothing
    beside itself: pictures are inside, there are no scripts.

    Parameters
    ----------
    what : DataTree, mapping of str to DataTree, Dataset or ModelComparison
        What `snaps.open_profiles`, `snaps.evaluate_alignment`, `snaps.profiling.compare_aligners`,
        `snaps.compare_models` or `snaps.evaluate_faithfulness` gives; or several profiles, e.g. of two networks, by
        the name under which the page shows them.
    out : path
        Where to write the page. Missing folders above it are made.
    percentile : float
        Percentile of the distances at which the clusters shown are cut.
    percentiles : sequence of float
        Percentiles of the silhouettes.
    metric : str or Distance
        Distance between SNAPs, see `snaps.clustering.DISTANCES`.
    weighting : {"frames", "groups"}
        How the grand mean is taken, see `snaps.profiles.contrast`.
    layers : sequence of str
        Layers whose clusters are shown besides those of the best silhouettes.
    min_count : int
        Smallest number of epochs of a group; smaller ones are left out and listed. This and the options before
        it are for profiles.
    profiles : mapping of str to DataTree, optional
        Whole profiles trees by the names of their networks, to show where a comparison of networks comes from.
    transferred : str, optional
        The last layer that was taken over from another network, to be marked among the silhouettes of a comparison.
    sections : sequence of Section
        Sections of your own, shown before the others.
    last : sequence of Section
        Sections of your own, shown after them.
    title : str, optional
        Heading of the page; what it is about otherwise.
    overwrite : bool
        Whether to replace a page that exists.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If `what` or one of `profiles` is none of these, or an option is not accepted.
    OutputExistsError
        If the page exists and may not be replaced.
    """
    check_number("percentile", percentile, least=0, most=100)
    results: Mapping[str, xr.DataTree | xr.Dataset]
    if isinstance(what, ModelComparison):
        results = _checked(profiles or {})
        heading, lead = (
            f"Comparison of {listed(what.models)}",
            f"{len(what.groups)} groups, by {what.grouping or 'group'}",
        )
        shown = comparison_sections(what, transferred=transferred)
        shown += [Section(f"Profiles of {name}", sections=_origin(tree)) for name, tree in (profiles or {}).items()]
    elif isinstance(what, xr.Dataset):
        heading, lead = "Alignment", f"{what.attrs.get('n_recordings', 0):,} recordings"
        shown, results = alignment_sections(what), {"": what}
    elif isinstance(what, xr.DataTree) and "groupings" not in what.attrs and set(what.children) & set(PARTS):
        heading, lead, shown, results = "Can saliency be believed?", "", faithfulness_sections(what), {"": what}
    else:
        # A tree is a mapping too.
        trees = results = _checked({"": what} if isinstance(what, xr.DataTree) else what)
        if not trees:
            raise InputError("there are no profiles to report on")
        shown = []
        for name, tree in trees.items():
            parts = _origin(tree)
            for grouping in Provenance.of(tree).groupings:
                parts.append(
                    grouping_section(
                        tree.children[grouping], percentile=percentile, percentiles=percentiles, layers=layers,
                        min_count=min_count, metric=metric, weighting=weighting,
                    )
                )  # fmt: skip
            shown.extend([Section(str(name), sections=parts)] if name else parts)
        heading = "; ".join(dict.fromkeys(map(_title, trees.values())))
        lead = "; ".join(f"{name}: {_summary(tree)}" if name else _summary(tree) for name, tree in trees.items())
    page = render_page(title or heading, [*sections, *shown, *last], lead=lead, results=results)
    with writing(out, overwrite=overwrite) as partial:
        partial.write_text(page, encoding="utf-8")
    return Path(out)


def _checked(trees: object) -> Mapping[str, xr.DataTree]:
    """Trees by their names, if they are profiles; a single one has none."""
    if not isinstance(trees, Mapping):
        raise InputError(
            f"a report is about profiles, an alignment, networks or faithfulness; received {type(trees).__name__}"
        )
    for name, tree in trees.items():
        if not isinstance(tree, xr.DataTree):
            raise InputError(f"a report is about a profiles tree; received {type(tree).__name__}")
        validate_tree(tree, f"the profiles {name!r}" if name else "the tree")
    return trees


def _origin(tree: xr.DataTree) -> list[Section]:
    return [provenance_section(tree), drop_section(tree)]


def _title(tree: xr.DataTree) -> str:
    provenance = Provenance.of(tree)
    corpus = provenance.corpus.get("name")
    return f"Profiles of {provenance.model.get('name') or 'a network'}" + (f" on {corpus}" if corpus else "")


def _summary(tree: xr.DataTree) -> str:
    provenance = Provenance.of(tree)
    numbers = {word: getattr(provenance, name) for name, word in COUNTS.items()}
    counts = [_counted(number, word) for word, number in numbers.items() if number is not None]
    layers = _counted(len(provenance.layers), "layer")
    return ", ".join([*counts, layers, "grouped by " + " and by ".join(provenance.groupings)])


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
