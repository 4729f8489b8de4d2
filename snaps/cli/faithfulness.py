"""``snaps faithfulness``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome
from snaps.outputs import writing

if TYPE_CHECKING:
    import xarray as xr

#: Labelled arrays, by which an output of `snaps faithfulness` is known.
EVALUATION_FILE = "faithfulness.nc"


def faithfulness(
    model: options.Checkpoint,
    methods: Annotated[
        list[str] | None,
        typer.Argument(metavar="[METHOD]...", help="Saliency methods to compare. Without any, sensitivity."),
    ] = None,
    *,
    corpus: options.Corpus,
    out: Annotated[Path, typer.Option(help="Folder to write: labelled arrays, figures, and a page.")],
    part: Annotated[
        list[str] | None,
        typer.Option(help="flipping, randomization or profiles; may be given several times; without it, all three."),
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames whose bins are flipped; 0 for all.")] = 1000,
    randomization_frames: Annotated[
        int, typer.Option(help="Frames looked at in randomised networks; 0 for all.")
    ] = 200,
    baseline: Annotated[str, typer.Option(help="What flipped bins are set to: floor, mean or moore.")] = "floor",
    percentage: Annotated[
        list[float] | None,
        typer.Option(help="Share of bins to flip, in percent; may be given several times; without it, ten of them."),
    ] = None,
    group: Annotated[str, typer.Option(help="Grouping of the profiles.")] = "phoneme",
    n_permutations: Annotated[
        int, typer.Option(help="Shuffled alignments behind the profiles' null distribution.")
    ] = 19,
    min_count: options.MinCount = 1,
    split: options.Split = None,
    dialect_sentences: options.DialectSentences = None,
    phones: options.Phones = None,
    annotations: options.Annotations = None,
    ignore: options.Ignore = None,
    context: options.Context = "recording",
    frame_steps: options.FrameSteps = None,
    batch_size: options.BatchSize = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn at random.")] = 0,
    device: options.Device = None,
    on_error: options.OnError = "raise",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Measure the faithfulness of saliency methods: pixel flipping, randomised networks, profiles against chance."""
    from snaps.alignment import saliency_of
    from snaps.datasets import load_corpus
    from snaps.faithfulness import PARTS, PERCENTAGES, evaluate_faithfulness, save_faithfulness
    from snaps.figures import draw_offscreen
    from snaps.models import load_model
    from snaps.report import write_report

    names = list(dict.fromkeys(methods or ["sensitivity"]))
    with writing(out, overwrite=overwrite, mark=EVALUATION_FILE) as folder:
        found = evaluate_faithfulness(
            load_model(model),
            load_corpus(
                corpus, split=split, dialect_sentences=dialect_sentences, phones=phones, annotations=annotations
            ),
            {name: saliency_of(name) for name in names},
            parts=part or tuple(PARTS), frames=frames or None, randomization_frames=randomization_frames or None,
            baseline=baseline, percentages=percentage or PERCENTAGES, grouping=group, n_permutations=n_permutations,
            min_count=min_count, ignore=options.ignored_symbols(ignore), context=context, frame_steps=frame_steps,
            batch_size=batch_size, seed=seed, device=device, on_error=on_error, progress=not quiet,
        )  # fmt: skip
        draw_offscreen()
        folder.mkdir()
        save_faithfulness(found, folder / EVALUATION_FILE)
        _draw(found, folder)
        write_report(found, folder / "report.html", title=f"Can saliency of {model.stem} be believed?")
    print_outcome("faithfulness", _outcome(found, out), as_json=as_json)


def _draw(found: "xr.DataTree", folder: Path) -> None:
    from snaps.figures import plot_flipping, plot_profile_null, plot_randomization, save_figure

    parts = {name: node.to_dataset() for name, node in found.children.items()}
    if "flipping" in parts:
        for measure in ("accuracy", "score"):
            save_figure(plot_flipping(parts["flipping"], measure=measure), folder / f"flipping_{measure}.png")
    if "randomization" in parts:
        save_figure(plot_randomization(parts["randomization"]), folder / "randomization.png")
    if "profiles" in parts:
        for method in map(str, parts["profiles"]["saliency"].values):
            for measure in ("energy", "silhouette"):
                drawn = plot_profile_null(parts["profiles"], measure=measure, method=method)
                save_figure(drawn, folder / f"{measure}_{method}.png")


def _outcome(found: "xr.DataTree", out: Path) -> dict[str, Any]:
    from snaps.profiles import quality

    outcome: dict[str, Any] = {**quality(found).rows(), "folder": str(out), "page": str(out / "report.html")}
    parts = {name: node.to_dataset() for name, node in found.children.items()}
    if "flipping" in parts:
        area = parts["flipping"]["accuracy_area"].sel(against="random")
        outcome["frames flipped"] = int(parts["flipping"].attrs["n_frames"])
        outcome["accuracy below random order"] = {str(m): float(area.sel(saliency=m)) for m in area["saliency"].values}
    if "randomization" in parts:
        last = parts["randomization"]["correlation"].isel(randomised=-1)
        outcome["frames in randomised networks"] = int(parts["randomization"].attrs["n_frames"])
        outcome["correlation with the randomised network"] = {
            str(m): float(last.sel(saliency=m)) for m in last["saliency"].values
        }
    if "profiles" in parts:
        for name, words in (("energy_p", "contrast energy"), ("silhouette_p", "silhouette")):
            for method in map(str, parts["profiles"]["saliency"].values):
                by_layer = parts["profiles"][name].sel(saliency=method)
                outcome[f"p of {words} with {method}"] = {
                    str(layer): float(by_layer.sel(layer=layer)) for layer in by_layer["layer"].values
                }
    return outcome
