"""Report: one HTML page about profiles, alignment, networks or faithfulness."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from snaps.clustering import PERCENTILES, Distance, ModelComparison
from snaps.errors import InputError, check_number, check_type
from snaps.outputs import refuse, writing
from snaps.profiles import Weighting
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

    A page about profiles shows their provenance, what was left out, and for every grouping its groups, their
    input SNAPs, silhouettes over layers, and the clusters of the layers with the highest silhouettes. The page is one
    file with embedded figures and without scripts.

    Parameters
    ----------
    what : DataTree, mapping of str to DataTree, Dataset or ModelComparison
        Result of `snaps.open_profiles`, `snaps.evaluate_alignment`, `snaps.profiling.compare_aligners`,
        `snaps.compare_models` or `snaps.evaluate_faithfulness`; or several profiles, e.g. of two networks, by their
        headings on the page.
    out : path
        File to write; missing folders are created.
    percentile : float
        Percentile of the distances at which the clusters in the figures are cut.
    percentiles : sequence of float
        Percentiles in the figure and table of silhouettes.
    metric : str or Distance
        Distance between SNAPs, see `snaps.clustering.DISTANCES`.
    weighting : {"frames", "groups"}
        How the grand mean is taken, see `snaps.profiles.contrast`.
    layers : sequence of str
        Layers whose clusters are shown in addition to the two with the highest silhouettes.
    min_count : int
        Smallest number of epochs of a group; smaller groups are left out and listed. The options from `percentile` to
        `min_count` are for pages about profiles.
    profiles : mapping of str to DataTree, optional
        Whole profiles trees by the names of their networks, for the provenance on a page about a comparison.
    transferred : str, optional
        Last layer with weights from another network, marked in the silhouettes of a comparison.
    sections : sequence of Section
        Additional sections at the beginning of the page.
    last : sequence of Section
        Additional sections at the end of the page.
    title : str, optional
        Heading of the page; otherwise it names the network and the corpus, or the kind of result.
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
    refuse(Path(out), overwrite=overwrite)  # before anything is drawn
    check_number("percentile", percentile, least=0, most=100)
    results: Mapping[str, xr.DataTree | xr.Dataset]
    if isinstance(what, ModelComparison):
        results = profiles = _checked(profiles or {})
        heading = f"Comparison of {listed(what.models)}"
        lead = f"{len(what.groups)} groups, by {what.grouping or 'group'}"
        shown = comparison_sections(what, transferred=transferred)
        shown += [Section(f"Profiles of {name}", sections=_origin(tree)) for name, tree in profiles.items()]
    elif isinstance(what, xr.Dataset):
        heading, lead = "Alignment", _counted(what.attrs.get("n_recordings", 0), "recording")
        shown, results = alignment_sections(what), {"": what}
    elif isinstance(what, xr.DataTree) and "groupings" not in what.attrs and set(what.children) & set(PARTS):
        heading, lead, shown, results = "Faithfulness of saliency", "", faithfulness_sections(what), {"": what}
    else:
        # A tree is a mapping too.
        trees = results = _checked({"": what} if isinstance(what, xr.DataTree) else what)
        if not trees:
            raise InputError("there are no profiles to report on")
        shown = []
        for name, tree in trees.items():
            parts = _origin(tree) + [
                grouping_section(
                    tree.children[grouping], percentile=percentile, percentiles=percentiles, layers=layers,
                    min_count=min_count, metric=metric, weighting=weighting,
                )
                for grouping in Provenance.of(tree).groupings
            ]  # fmt: skip
            shown += [Section(str(name), sections=parts)] if name else parts
        heading = "; ".join(dict.fromkeys(map(_title, trees.values())))
        lead = "; ".join(f"{name}: {_summary(tree)}" if name else _summary(tree) for name, tree in trees.items())
    page = render_page(title or heading, [*sections, *shown, *last], lead=lead, results=results)
    with writing(out, overwrite=overwrite) as partial:
        partial.write_text(page, encoding="utf-8")
    return Path(out)


def _checked(trees: Any) -> Mapping[str, xr.DataTree]:
    """Profiles by their names, after a check that they are profiles."""
    check_type(
        "the result", trees, Mapping, accepted="profiles, an alignment, a comparison of networks, or faithfulness"
    )
    for name, tree in trees.items():
        check_type("the result", tree, xr.DataTree, accepted="a profiles tree")
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
    numbers = {"recording": provenance.n_recordings, "frame": provenance.n_frames, "layer": len(provenance.layers)}
    counts = [_counted(number, word) for word, number in numbers.items() if number is not None]
    return ", ".join([*counts, "grouped by " + " and by ".join(provenance.groupings)])


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
