"""``snaps profile``."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome
from snaps.cli.resuming import resuming, state_beside
from snaps.errors import InputError, MissingFileError, shortened
from snaps.schema import Provenance


def profile(
    model: options.Checkpoint,
    *,
    corpus: options.Corpus,
    group: Annotated[
        list[str],
        typer.Option(
            metavar="COLUMN",
            help="What to average by, e.g. phoneme, predicted, word, sex; several columns as phoneme+sex; a column "
            "with its labels mapped by a JSON file as manner=phoneme:FILE. May be given several times.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Profiles to write: a Zarr store, or netCDF if it ends in .nc.")],
    split: options.Split = None,
    dialect_sentences: options.DialectSentences = None,
    phones: options.Phones = None,
    annotations: options.Annotations = None,
    layer: options.Layers = None,
    saliency: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help="Saliency method: sensitivity, gradient-times-activation, lrp-epsilon, lrp-thesis, …; a wrong name "
            "lists them all.",
        ),
    ] = "sensitivity",
    peak: Annotated[
        str | None, typer.Option(help="Peak rule: product, signed-product, max, min, mean; unaligned for none.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(metavar="METHOD", help="Saliency method that masks, if it is another one.")
    ] = None,
    target: Annotated[str, typer.Option(help="Score that saliency explains: predicted, or a symbol.")] = "predicted",
    ignore: options.Ignore = None,
    context: options.Context = "recording",
    frame_steps: options.FrameSteps = None,
    variance: Annotated[bool, typer.Option("--variance", help="Keep variances too.")] = False,
    batch_size: options.BatchSize = None,
    device: options.Device = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local:N",
            help="Compute on a dask cluster: the address of its scheduler, or N processes here.",
        ),
    ] = None,
    on_error: options.OnError = "raise",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Average a network's aligned responses to a corpus, layer by layer and group by group.

    Finished blocks of recordings are kept in the folder OUT.checkpoint: the same command goes on from them, and
    --overwrite begins anew.
    """
    from snaps.alignment import aligner_of
    from snaps.datasets import load_corpus
    from snaps.models import load_model
    from snaps.profiles import quality, save_profiles
    from snaps.profiling import compute_profiles, open_cluster, remove_blocks

    state, mark = state_beside(out, ".checkpoint"), None if out.suffix.lower() == ".nc" else "zarr.json"
    with resuming(out, state, overwrite=overwrite, mark=mark) as partial:
        groupings = parse_groups(group)
        aligner = aligner_of(saliency, peak=peak, mask=mask)
        network = load_model(model)
        recordings = load_corpus(
            corpus, split=split, dialect_sentences=dialect_sentences, phones=phones, annotations=annotations
        )
        if overwrite:
            remove_blocks(state)
        with open_cluster(scheduler) if scheduler is not None else nullcontext() as client:
            profiles = compute_profiles(
                network, recordings, groupings=groupings, layers=layer or None, aligner=aligner, context=context,
                target=target, ignore=options.ignored_symbols(ignore), frame_steps=frame_steps, batch_size=batch_size,
                variance=variance, device=device, on_error=on_error, progress=not quiet, checkpoint=state,
                client=client,
            )  # fmt: skip
        save_profiles(profiles, partial)
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
