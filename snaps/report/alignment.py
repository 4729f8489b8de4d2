"""What a page shows of how good alignments are."""

import os
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from snaps.errors import InputError
from snaps.figures import plot_aligners, plot_alignment
from snaps.figures.alignments import CRITERION_NAMES, rank_aligners
from snaps.outputs import refuse_file
from snaps.report.blocks import Block, Picture, Section, Table
from snaps.report.page import render_page, save_page
from snaps.schema import Provenance


def write_alignment(
    evaluation: xr.Dataset, out: str | os.PathLike[str], *, title: str | None = None, overwrite: bool = False
) -> Path:
    """Write one HTML page about how good an alignment is, or several.

    Parameters
    ----------
    evaluation : Dataset
        What `snaps.evaluate_alignment` or `snaps.profiling.compare_aligners` gives.
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
    lead = f"{evaluation.attrs.get('n_recordings', 0):,} recordings"
    page = render_page(title or "Alignment", alignment_sections(evaluation), lead=lead, results={"": evaluation})
    return save_page(page, target)


def alignment_sections(evaluation: xr.Dataset, *, of: str = "") -> list[Section]:
    """Build the sections of an evaluation, e.g. for ``write_report(…, sections=…)``.

    Parameters
    ----------
    evaluation : Dataset
        What `snaps.evaluate_alignment` or `snaps.profiling.compare_aligners` gives.
    of : str
        The network, for headings.

    Returns
    -------
    list of Section
        A comparison if there are several aligners, and a section for each.

    Raises
    ------
    InputError
        If it is no such evaluation.
    """
    if "table" not in evaluation or "tier" not in evaluation.attrs:
        raise InputError("an evaluation of alignments has the variable 'table' and the attribute 'tier'")
    heading = f"Alignment of {of}" if of else "Alignment"
    if "aligner" not in evaluation.dims:
        return [Section(heading, _one(evaluation))]
    names = rank_aligners(evaluation) if "accuracy" in evaluation else list(map(str, evaluation["aligner"].values))
    parts = [Section(name, _one(evaluation.sel(aligner=name))) for name in names]
    content: list[Block] = []
    if "accuracy" in evaluation:
        figure = Figure(figsize=(8.0, 1.8 + 0.28 * len(names)), layout="constrained")
        plot_aligners(evaluation, figure.subplots())
        content = [
            Picture(
                figure,
                "Accuracies of several aligners with their confidence intervals",
                "Share of frames whose predicted symbol is annotated at the peak and near it; 95 % intervals from "
                "recordings drawn with replacement.",
            ),
            accuracy_table(evaluation),
        ]
    return [Section(heading, content, sections=parts)]


def accuracy_table(evaluation: xr.Dataset) -> Table:
    """Accuracies and mean offsets, a row for each aligner, the best first."""
    rows: list[list[object]] = []
    for name in rank_aligners(evaluation):
        found = evaluation.sel(aligner=name)
        cells: list[object] = [name]
        for criterion in CRITERION_NAMES:
            cells.append(_share(found.sel(criterion=criterion)))
        cells.append(f"{float(found['mean_offset_ms']):.1f}")
        cells.append(int(found["n_unaligned"]))
        rows.append(cells)
    return Table(["aligner", *CRITERION_NAMES.values(), "mean offset (ms)", "without a peak"], rows)


def _one(evaluation: xr.Dataset) -> list[Block]:
    drops = Provenance.of(evaluation).left_out
    left_out = "; ".join(f"{reason}: {sum(counts.values()):,}" for reason, counts in drops.items())
    content: list[Block] = []
    if "accuracy" in evaluation:
        exact = evaluation["offsets"]
        shares = exact.sel(offset=0) / exact.sum("offset")
        rows: list[list[object]] = [
            [words, _share(evaluation.sel(criterion=criterion))] for criterion, words in CRITERION_NAMES.items()
        ]
        rows.append(["mean offset", f"{float(evaluation['mean_offset_ms']):.1f} ms"])
        rows.append(
            ["symbols with most frames at offset 0", f"{int((shares > 0.5).sum())} of {evaluation.sizes['symbol']}"]
        )
        content.append(Table(["the predicted symbol is annotated", "share of frames"], rows))
    caption = (
        "Above: how far from the peak the predicted symbol is annotated. Below: annotation against prediction before "
        "and after alignment, rows in the order of their largest share."
        if "accuracy" in evaluation
        else "Annotation against prediction before and after alignment, rows in the order of their largest share."
    )
    content.append(
        Picture(plot_alignment(evaluation, across=1), "Annotation at the centre and at the peak of frames", caption)
    )
    content.append(
        f"Left out: {left_out}. Frames without a peak, kept at the middle: {int(evaluation['n_unaligned'])}."
    )
    return content


def _share(found: xr.Dataset) -> str:
    share, low, high = (100 * float(found[name]) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    return f"{share:.1f} %" + ("" if np.isnan(low) else f" ({low:.1f} to {high:.1f})")
