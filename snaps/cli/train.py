"""``snaps train``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from snaps.cli import options
from snaps.cli.output import print_outcome
from snaps.cli.resuming import resuming, state_beside


def train(
    preset: Annotated[str, typer.Argument(help="Architecture: w2l (also W2P, with phonemes) or w2p_shallow.")],
    *,
    corpus: options.Corpus,
    out: Annotated[Path, typer.Option(help="Checkpoint to write, e.g. w2p.safetensors.")],
    labels: Annotated[str, typer.Option(help="What to write: letter, or the name of a tier.")] = "phoneme",
    split: Annotated[str | None, typer.Option(help="Part of the corpus to train on.")] = None,
    dialect_sentences: options.DialectSentences = None,
    phones: options.Phones = None,
    annotations: options.Annotations = None,
    width: Annotated[int, typer.Option(help="Filters of the narrow layers; the paper's networks have 256.")] = 256,
    norm: Annotated[str, typer.Option(help="Normalise before each convolution (SNAP) or after it (NAvAI).")] = "before",
    epochs: Annotated[int, typer.Option(help="Passes over the training part.")] = 24,
    batch_size: Annotated[int, typer.Option(help="Recordings a batch.")] = 4,
    lr: Annotated[float, typer.Option(help="Peak of the learning rate.")] = 5e-3,
    warm_start: Annotated[
        Literal["frames"] | None,
        typer.Option(help="frames: begin with two epochs of cross-entropy on the times of the tier."),
    ] = None,
    band_shift: Annotated[
        int, typer.Option(help="Mel bands by which recordings are moved up or down at random; 0 for none.")
    ] = 0,
    validation: Annotated[float, typer.Option(help="Share of the speakers that is set aside; 0 for none.")] = 0.1,
    max_minutes: Annotated[
        float | None, typer.Option(help="Measure 20 steps, and train for as many epochs as fit, but at least six.")
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Checkpoint whose lower layers start this network (transfer).")
    ] = None,
    transfer_layers: Annotated[int, typer.Option(help="How many of its convolutions to take over.")] = 5,
    frozen: Annotated[int, typer.Option(help="How many lower convolutions stay as they are.")] = 0,
    freeze_normalization: Annotated[
        bool, typer.Option("--freeze-normalization", help="Leave batch normalisation alone, to fine-tune.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of weights, speakers set aside, and order.")] = 0,
    device: options.Device = None,
    on_error: options.OnError = "raise",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train a network with CTC to write letters or phonemes.

    The state is kept beside the output after every epoch; the same command goes on after an interruption.
    """
    from snaps.datasets import load_corpus
    from snaps.models import load_model, save_model
    from snaps.training import create_network, symbols_for, transfer
    from snaps.training import train as run

    state = state_beside(out, ".training")
    with resuming(out, state, overwrite=overwrite) as partial:
        timit = corpus.startswith("timit:")
        part, drawn = (split or "train", seed) if timit else (split, None)
        recordings = load_corpus(
            corpus, split=part, dialect_sentences=dialect_sentences, phones=phones, annotations=annotations, seed=drawn
        )
        symbols = symbols_for(recordings, labels, on_error=on_error)
        network = create_network(symbols, preset, width=width, norm=norm, seed=seed)  # type: ignore[arg-type]
        if start_from is not None:
            network = transfer(load_model(start_from), network, layers=transfer_layers)
        if overwrite:
            state.unlink(missing_ok=True)
        result = run(
            network, recordings, labels=labels, epochs=epochs, batch_size=batch_size, lr=lr,
            warm_start=warm_start, band_shift=band_shift, validation=validation,
            frozen=frozen, freeze_normalization=freeze_normalization, seed=seed, checkpoint=state,
            max_minutes=max_minutes, device=device, on_error=on_error, progress=not quiet,
        )  # fmt: skip
        described = {
            "training": result.settings,
            "best_epoch": result.best_epoch,
            "corpus": {"name": recordings.name, "fingerprint": recordings.fingerprint},
        }
        save_model(result.model, partial, metadata=described)
    print_outcome(
        f"trained {preset}",
        {
            "symbol error rate": result.error_rate,
            "share of blanks": float(result.history["blanks"].iloc[result.best_epoch - 1]),
            "checkpoint": str(out),
            "symbols": len(symbols),
            "symbols never seen": list(result.unseen),
            "recordings trained on": result.n_train,
            "recordings set aside": result.n_validation,
            "speakers set aside": list(result.validation_speakers),
            "epochs": len(result.history),
            "best epoch": result.best_epoch,
            "left out": {row.recording: row.reason for row in result.left_out.itertuples()},
        },
        as_json=as_json,
    )
