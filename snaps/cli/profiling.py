"""``snaps profile``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from snaps.cli.corpora import open_corpus
from snaps.cli.options import (
    AnnotationsOption,
    BatchSizeOption,
    ContextChoice,
    ContextOption,
    CorpusOption,
    DeviceOption,
    DialectOption,
    FrameStepsOption,
    IgnoreOption,
    JsonOption,
    OnErrorChoice,
    OnErrorOption,
    OverwriteOption,
    PhonesOption,
    QuietOption,
    SaliencyOption,
    SchedulerOption,
    SplitOption,
    ignored_symbols,
)
from snaps.cli.output import print_outcome
from snaps.cli.runs import kept_run, refuse_output
from snaps.errors import InputError, MissingFileError, shortened
from snaps.schema import Provenance


def profile(
    model: Annotated[Path, typer.Argument(help="Checkpoint of a network, as `snaps train` writes it.")],
    *,
    corpus: CorpusOption,
    group: Annotated[
        list[str],
        typer.Option(
            metavar="COLUMN",
            help="What to average by, e.g. phoneme, predicted, word, sex; several columns as phoneme+sex; a column "
            "with its labels mapped by a JSON file as manner=phoneme:FILE. May be given several times.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Profiles to write: a Zarr store, or netCDF if it ends in .nc.")],
    split: SplitOption = None,
    dialect_sentences: DialectOption = None,
    phones: PhonesOption = None,
    annotations: AnnotationsOption = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Layer to tap; may be given several times; without it, all of them."),
    ] = None,
    saliency: SaliencyOption = "sensitivity",
    peak: Annotated[
        str | None, typer.Option(help="Peak rule: product, signed-product, max, min, mean; unaligned for none.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(metavar="METHOD", help="Saliency method that masks, if it is another one.")
    ] = None,
    target: Annotated[str, typer.Option(help="Score that saliency explains: predicted, or a symbol.")] = "predicted",
    ignore: IgnoreOption = None,
    context: ContextOption = ContextChoice.RECORDING,
    frame_steps: FrameStepsOption = None,
    variance: Annotated[bool, typer.Option("--variance", help="Keep variances too.")] = False,
    batch_size: BatchSizeOption = None,
    device: DeviceOption = None,
    scheduler: SchedulerOption = None,
    on_error: OnErrorOption = OnErrorChoice.RAISE,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Average a network's aligned responses to a corpus, layer by layer and group by group.

    The state of the run is kept in OUT.checkpoint, at most once a minute: the same command goes on where it stopped,
    and --overwrite begins anew.
    """
    from snaps.alignment import aligner_of
    from snaps.models import load_model
    from snaps.profiles import quality
    from snaps.profiling import compute_profiles

    refuse_output(out, overwrite=overwrite)
    groupings = parse_groups(group)
    aligner = aligner_of(saliency, peak=peak, mask=mask)
    network = load_model(model)
    material = open_corpus(
        corpus, split=split, dialect_sentences=dialect_sentences, phones=phones, annotations=annotations
    )
    with kept_run(out, scheduler=scheduler, overwrite=overwrite) as run:
        profiles = compute_profiles(
            network, material, groupings=groupings, layers=layer or None, aligner=aligner, context=context.value,
            target=target, ignore=ignored_symbols(ignore), frame_steps=frame_steps, batch_size=batch_size,
            variance=variance, device=device, on_error=on_error.value, progress=not quiet, checkpoint=run.state,
            client=run.client,
        )  # fmt: skip
        run.finish(profiles)
    provenance = Provenance.of(profiles)
    print_outcome(
        "profiles",
        {
            **quality(profiles).rows(),
            "profiles": str(out),
            "recordings": provenance.n_recordings,
            "groups": {
                name: next(iter(node.children.values())).sizes["group"] for name, node in profiles.children.items()
            },
            "layers": list(provenance.layers),
            "frames left out": {
                reason: _by_grouping(counts) for reason, counts in provenance.left_out.items() if reason != "short"
            },
            "recordings shorter than a frame": max(provenance.left_out["short"].values(), default=0),
            "intervals cut at the end of the audio": provenance.drop_log["clipped"],
            "recordings left out": provenance.skipped,
        },
        as_json=as_json,
    )


def _by_grouping(counts: dict[str, int]) -> int | dict[str, int]:
    """One number where all groupings agree."""
    return next(iter(counts.values())) if len(set(counts.values())) == 1 else counts


def parse_groups(groups: list[str]) -> dict[str, Any]:
    """Groupings as `compute_profiles` takes them, from what stands on the command line.

    Raises
    ------
    InputError
        If a mapping is no JSON object of texts, or a grouping is named twice.

    Examples
    --------
    >>> parse_groups(["phoneme", "phoneme+sex"])
    {'phoneme': ('phoneme',), 'phoneme+sex': ('phoneme', 'sex')}
    """
    parsed: dict[str, Any] = {}
    for text in groups:
        name, mapped, definition = text.partition("=")
        columns, _, file = definition.partition(":") if mapped else (text, "", "")
        if name in parsed:
            raise InputError(f"--group names {name!r} twice")
        parsed[name] = tuple(columns.split("+"))
        if mapped:
            parsed[name] = (parsed[name], _mapping(Path(file), text)) if file else parsed[name]
    return parsed


def _mapping(path: Path, option: str) -> dict[str, str]:
    try:
        if not path.is_file():
            raise MissingFileError(f"--group {option!r} names the mapping {path}, but there is no such file")
        mapping = json.loads(path.read_text(encoding="utf-8"))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise InputError(f"{path} is no mapping: it is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON file: {shortened(error)}") from None
    if not isinstance(mapping, dict) or not all(isinstance(label, str) for label in mapping.values()):
        raise InputError(f"{path} is no mapping; accepted is a JSON object from label to label")
    return mapping
