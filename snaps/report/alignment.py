"""What a page shows of how good alignments are."""

import numpy as np
import xarray as xr

from snaps.errors import InputError
from snaps.figures import plot_aligners, plot_alignment
from snaps.figures.alignment import CRITERION_NAMES, rank_aligners
from snaps.report.page import Block, Picture, Section, Table, drawn_on
from snaps.schema import Provenance


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
        figure = drawn_on(8.0, 1.8 + 0.28 * len(names), lambda ax: plot_aligners(evaluation, ax))
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
    found = [evaluation.sel(aligner=name) for name in rank_aligners(evaluation)]
    rows = [
        [str(one["aligner"].item()), *(_share(one.sel(criterion=criterion)) for criterion in CRITERION_NAMES),
         f"{float(one['mean_offset_ms']):.1f}", int(one["n_unaligned"])]
        for one in found
    ]  # fmt: skip
    return Table(["aligner", *CRITERION_NAMES.values(), "mean offset (ms)", "without a peak"], rows)


def _one(evaluation: xr.Dataset) -> list[Block]:
    drops = Provenance.of(evaluation).left_out
    left_out = "; ".join(f"{reason}: {sum(counts.values()):,}" for reason, counts in drops.items())
    content: list[Block] = []
    if "accuracy" in evaluation:
        shares = evaluation["offsets"].sel(offset=0) / evaluation["offsets"].sum("offset")
        rows: list[list[object]] = [
            [words, _share(evaluation.sel(criterion=criterion))] for criterion, words in CRITERION_NAMES.items()
        ]
        mostly = f"{int((shares > 0.5).sum())} of {evaluation.sizes['symbol']}"
        rows.append(["mean offset", f"{float(evaluation['mean_offset_ms']):.1f} ms"])
        rows.append(["symbols with most frames at offset 0", mostly])
        content.append(Table(["the predicted symbol is annotated", "share of frames"], rows))
    before = "nnotation against prediction before and after alignment, rows in the order of their largest share."
    above = "Above: how far from the peak the predicted symbol is annotated. Below: a"
    caption = (above if "accuracy" in evaluation else "A") + before
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
