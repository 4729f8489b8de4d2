"""The page itself: sections in, one self-contained HTML file out."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import xarray as xr

from snaps.clustering import PERCENTILES, Distance
from snaps.errors import InputError, check_number, legible
from snaps.outputs import refuse_file, replacing
from snaps.profiles import quality
from snaps.profiles.contrasts import Weighting
from snaps.report.blocks import Section
from snaps.report.groupings import Options, grouping_section
from snaps.report.provenance import drop_section, provenance_section
from snaps.schema import Provenance, validate_tree

#: Words for what the root attributes count.
COUNTS: Mapping[str, str] = {"n_recordings": "recording", "n_frames": "frame"}


def write_report(
    profiles: xr.DataTree | Mapping[str, xr.DataTree],
    out: str | os.PathLike[str],
    *,
    percentile: float = 96,
    percentiles: Sequence[float] = PERCENTILES,
    metric: str | Distance = "euclidean",
    weighting: Weighting = "frames",
    layers: Sequence[str] = (),
    min_count: int = 1,
    sections: Sequence[Section] = (),
    last: Sequence[Section] = (),
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one HTML page about profiles.

    It shows where the profiles come from, what was left out, and for every grouping its groups, their input
    SNAPs, silhouettes over layers, and the clusters of the layers that cluster best. The page needs nothing
    beside itself: pictures are inside, there are no scripts.

    Parameters
    ----------
    profiles : DataTree, or mapping of str to DataTree
        What `snaps.open_profiles` gives; or several, e.g. of two networks, by the name under which the page
        shows them.
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
        Smallest number of epochs of a group; smaller ones are left out and listed.
    sections : sequence of Section
        Sections of your own, shown before those of the profiles.
    last : sequence of Section
        Sections of your own, shown after them.
    title : str, optional
        Heading of the page; network and corpus otherwise.
    overwrite : bool
        Whether to replace a page that exists.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If `profiles` is no profiles tree, or an option is not accepted.
    OutputExistsError
        If the page exists and may not be replaced.
    """
    target = Path(out)
    refuse_file(target, overwrite=overwrite)
    check_number("percentile", percentile, least=0, most=100)
    trees = _named_trees(profiles)
    options = Options(percentile, percentiles, metric, weighting, layers, min_count)
    parts = list(sections)
    for name, tree in trees.items():
        inner = _sections(tree, options)
        parts.extend([Section(name, sections=inner)] if name else inner)
    parts.extend(last)
    heading = title or "; ".join(dict.fromkeys(_title(tree) for tree in trees.values()))
    return save_page(render_page(heading, parts, lead=_lead(trees), results=trees), target)


def save_page(text: str, target: Path) -> Path:
    """Write a page under another name first: it appears whole or not at all."""
    with replacing(target) as partial:
        partial.write_text(text, encoding="utf-8")
    return target


def render_page(
    title: str,
    sections: Sequence[Section],
    *,
    lead: str = "",
    results: Mapping[str, xr.DataTree | xr.Dataset] = MappingProxyType({}),
) -> str:
    """Render sections as a page; every text in them is escaped.

    Parameters
    ----------
    title : str
        Heading of the page.
    sections : sequence of Section
        What it shows.
    lead : str
        A line below the heading.
    results : mapping of str to DataTree or Dataset
        What the page shows, by the names of the networks, or under an empty name if there is one. Error rate, share
        of blanks and frames of each stand at the top, and before them a warning if they are too bad.

    Returns
    -------
    str
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Escaping is asked for by name: by default Jinja escapes nothing in a template of this ending.
    environment = Environment(
        loader=PackageLoader("snaps.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_legible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    qualities = {name: quality(result) for name, result in results.items()}
    return environment.get_template("page.html.j2").render(
        title=title, sections=sections, lead=lead, qualities=qualities
    )


def _legible(value: object) -> object:
    """Texts without what HTML cannot hold, or what would turn the direction of the text behind."""
    # What was rendered before, by a macro, is marked as HTML and goes on as it is.
    return legible(value, keep="\t\n") if type(value) is str else value


def _named_trees(profiles: xr.DataTree | Mapping[str, xr.DataTree]) -> dict[str, xr.DataTree]:
    """Give the trees by their names; a single tree has none."""
    # A tree is a mapping too, so it comes first.
    trees = {"": profiles} if isinstance(profiles, xr.DataTree) else {str(n): t for n, t in profiles.items()}
    if not trees:
        raise InputError("there are no profiles to report on")
    for name, tree in trees.items():
        if not isinstance(tree, xr.DataTree):
            raise InputError(f"a report is about a profiles tree; received {type(tree).__name__}")
        validate_tree(tree, f"the profiles {name!r}" if name else "the tree")
    return trees


def _sections(tree: xr.DataTree, options: Options) -> list[Section]:
    groupings = [tree.children[name] for name in Provenance.of(tree).groupings]
    return [
        provenance_section(tree),
        drop_section(tree),
        *(grouping_section(node, options) for node in groupings),
    ]


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


def _lead(trees: Mapping[str, xr.DataTree]) -> str:
    summaries = {name: _summary(tree) for name, tree in trees.items()}
    return "; ".join(f"{name}: {text}" if name else text for name, text in summaries.items())


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
