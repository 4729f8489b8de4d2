"""``snaps align``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome, write_table
from snaps.errors import InputError
from snaps.outputs import writing

if TYPE_CHECKING:
    import xarray as xr

#: Labelled arrays, by which an output of `snaps align` is known.
EVALUATION_FILE = "alignment.nc"


def align(
    model: options.Checkpoint,
    aligners: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ALIGNER]...",
            help="Saliency methods, each with a peak rule behind a colon if it is not its usual one: sensitivity, "
            "sensitivity:max, lrp-epsilon, unaligned. Without any, sensitivity.",
        ),
    ] = None,
    *,
    corpus: options.Corpus,
    out: Annotated[Path, typer.Option(help="Folder to write: labelled arrays, tables as CSV, figures, and a page.")],
    compare: Annotated[
        bool, typer.Option("--compare", help="Rank the aligners that are named, in one pass over the corpus.")
    ] = False,
    tier: Annotated[str, typer.Option(help="Tier of the annotation.")] = "phoneme",
    window: Annotated[int, typer.Option(help="Steps to either side of the peak that count as near.")] = 2,
    tables_only: Annotated[
        bool,
        typer.Option(
            "--tables-only", help="For networks of other symbols than the tier's, such as letters: the tables alone."
        ),
    ] = False,
    split: options.Split = None,
    dialect_sentences: options.DialectSentences = None,
    phones: options.Phones = None,
    annotations: options.Annotations = None,
    ignore: options.Ignore = None,
    context: options.Context = "recording",
    frame_steps: options.FrameSteps = None,
    batch_size: options.BatchSize = None,
    n_resamples: Annotated[int, typer.Option(help="Resamples of the bootstrap over recordings.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    device: options.Device = None,
    on_error: options.OnError = "raise",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Measure alignment accuracy: which phoneme is annotated at the peak."""
    from snaps.alignment import aligner_of
    from snaps.datasets import load_corpus
    from snaps.figures import draw_offscreen
    from snaps.models import load_model
    from snaps.profiling import compare_aligners

    names = list(dict.fromkeys(aligners or ["sensitivity"]))
    if len(names) > 1 and not compare:
        raise InputError(f"{len(names)} aligners are named; accepted is one, or several with --compare")
    with writing(out, overwrite=overwrite, mark=EVALUATION_FILE) as folder:
        found = compare_aligners(
            load_model(model),
            load_corpus(
                corpus, split=split, dialect_sentences=dialect_sentences, phones=phones, annotations=annotations
            ),
            {name: aligner_of(name) for name in names},
            tier=tier, window=window, matched=not tables_only, ignore=options.ignored_symbols(ignore), context=context,
            frame_steps=frame_steps, batch_size=batch_size, n_resamples=n_resamples, seed=seed, device=device,
            on_error=on_error, progress=not quiet,
        )  # fmt: skip
        draw_offscreen()
        folder.mkdir()
        _write(found, folder, title=f"Alignment of {model.stem}")
    print_outcome("alignment", _outcome(found, out), as_json=as_json)


def _write(found: "xr.Dataset", folder: Path, *, title: str) -> None:
    from snaps.figures import plot_aligners, plot_alignment, save_figure
    from snaps.profiles import write_netcdf
    from snaps.report import write_report

    write_netcdf(found, folder / EVALUATION_FILE)
    write_table(found["table"].to_dataframe().reset_index().query("table > 0"), folder / "table.csv")
    if "accuracy" in found:
        accuracies = found[["accuracy", "accuracy_low", "accuracy_high"]].to_dataframe().reset_index()
        write_table(accuracies, folder / "accuracy.csv")
        write_table(found["offsets"].to_dataframe().reset_index().query("offsets > 0"), folder / "offsets.csv")
        if found.sizes["aligner"] > 1:
            save_figure(plot_aligners(found), folder / "aligners.png")
    for name in found["aligner"].values:
        file = f"{str(name).replace(':', '-')}.png"
        save_figure(plot_alignment(found.sel(aligner=name), title=str(name)), folder / file)
    write_report(found, folder / "report.html", title=title)


def _outcome(found: "xr.Dataset", out: Path) -> dict[str, Any]:
    from snaps.profiles import quality
    from snaps.schema import Provenance

    outcome: dict[str, Any] = {
        **quality(found).rows(),
        "folder": str(out),
        "page": str(out / "report.html"),
        "recordings": int(found.attrs["n_recordings"]),
    }
    if "accuracy" in found:
        for name in found["aligner"].values:
            one = found.sel(aligner=name)
            outcome[str(name)] = {
                **{str(c): float(one["accuracy"].sel(criterion=c)) for c in one["criterion"].values},
                "mean offset ms": float(one["mean_offset_ms"]),
            }
    provenance = Provenance.of(found)
    outcome["left out"] = {reason: sum(counts.values()) for reason, counts in provenance.left_out.items()}
    outcome["recordings left out"] = provenance.skipped
    return outcome
