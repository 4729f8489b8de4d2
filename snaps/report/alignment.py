"""Alignment accuracy section of the page."""

import numpy as np
import xarray as xr

from snaps.errors import InputError
from snaps.figures import CRITERION_NAMES, figure_of, plot_aligners, plot_alignment, rank_aligners
from snaps.report.page import Block, Picture, Section, Table, left_out_text


def alignment_sections(evaluation: xr.Dataset, *, of: str = "") -> list[Section]:
    """Section on alignment accuracy, e.g. for ``write_report(…, sections=…)``.

    Parameters
    ----------
    evaluation : Dataset
        Result of `snaps.evaluate_alignment` or `snaps.profiling.compare_aligners`.
    of : str
        Name of the network, for the heading.

    Returns
    -------
    list of Section
        One section; with several aligners it compares them and has a section for each.

    Raises
    ------
    InputError
        If the dataset is not such a result.
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
        content = [
            Picture(
                figure_of(plot_aligners(evaluation)),
                "Accuracies of several aligners with their confidence intervals",
                "Share of frames whose predicted symbol is annotated at the peak and near it, with 95 % intervals from "
                "a bootstrap over recordings.",
            ),
            accuracy_table(evaluation),
        ]
    return [Section(heading, content, sections=parts)]


def accuracy_table(evaluation: xr.Dataset) -> Table:
    """Accuracies and mean offsets: a row for each aligner, the best first."""
    found = [evaluation.sel(aligner=name) for name in rank_aligners(evaluation)]
    rows = [
        [str(one["aligner"].item()), *(_share(one.sel(criterion=criterion)) for criterion in CRITERION_NAMES),
         f"{float(one['mean_offset_ms']):.1f}", int(one["n_unaligned"])]
        for one in found
    ]  # fmt: skip
    return Table(["aligner", *CRITERION_NAMES.values(), "mean offset (ms)", "without a peak"], rows)


def _one(evaluation: xr.Dataset) -> list[Block]:
    """Table of accuracies, if there are any, figures, and what was left out, for one aligner."""
    content: list[Block] = []
    tables = "annotated symbols for every predicted symbol, before and after alignment, in the same order."
    caption = tables.capitalize()
    if "accuracy" in evaluation:
        caption = f"Top: offset from the peak to the annotation of the predicted symbol. Bottom: {tables}"
        shares = evaluation["offsets"].sel(offset=0) / evaluation["offsets"].sum("offset")
        rows = [[words, _share(evaluation.sel(criterion=criterion))] for criterion, words in CRITERION_NAMES.items()]
        rows += [
            ["mean offset", f"{float(evaluation['mean_offset_ms']):.1f} ms"],
            ["symbols with most frames at offset 0", f"{int((shares > 0.5).sum())} of {evaluation.sizes['symbol']}"],
        ]
        content.append(Table(["the predicted symbol is annotated", "share of frames"], rows))
    figure = plot_alignment(evaluation, across=1)
    content.append(Picture(figure, "Annotation at the centre and at the peak of frames", caption))
    unaligned = int(evaluation["n_unaligned"])
    content.append(
        f"{left_out_text(evaluation)} Frames without a peak, aligned at the middle of the cone: {unaligned}."
    )
    return content


def _share(found: xr.Dataset) -> str:
    share, low, high = (100 * float(found[name]) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    return f"{share:.1f} %" + ("" if np.isnan(low) else f" ({low:.1f} to {high:.1f})")
