"""``snaps corpus``: make a corpus, or inspect one."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm

from snaps.cli import options
from snaps.cli.output import print_outcome
from snaps.datasets import FileCorpus, load_corpus
from snaps.errors import InputError, RecordingError
from snaps.speech import synthesize_corpus

app = typer.Typer(help="Make a corpus of synthetic speech, or look at one.", no_args_is_help=True)


@app.command("synthesize")
def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder to write, in TIMIT's layout.")],
    *,
    speakers: Annotated[int, typer.Option(help="Number of speakers.")] = 20,
    test_speakers: Annotated[
        int | None, typer.Option(help="How many of them are in the test part; one of four unless given.")
    ] = None,
    sentences: Annotated[int, typer.Option(help="Sentences of every speaker.")] = 10,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Write a corpus of synthetic English speech (eSpeak NG) with exact phone and word times."""
    corpus = synthesize_corpus(
        out, speakers=speakers, sentences=sentences, seed=seed, test_speakers=test_speakers, overwrite=overwrite,
        progress=not quiet,
    )  # fmt: skip
    print_outcome("synthesised corpus", {"corpus": f"timit:{out}", **_summary(corpus, quiet=quiet)}, as_json=as_json)


@app.command("inspect")
def inspect(
    corpus: Annotated[str, typer.Argument(metavar="NAME:PATH", help="Corpus, as timit:PATH or textgrids:PATH.")],
    *,
    split: options.Split = None,
    dialect_sentences: options.DialectSentences = None,
    phones: options.Phones = None,
    annotations: options.Annotations = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Read every recording of a corpus, count what it holds, and list those that cannot be read."""
    opened = load_corpus(
        corpus, split=split, dialect_sentences=dialect_sentences, phones=phones, annotations=annotations
    )
    print_outcome(f"corpus {corpus}", _summary(opened, quiet=quiet), as_json=as_json)


def _summary(corpus: FileCorpus, *, quiet: bool) -> dict[str, Any]:
    """Contents of a corpus, from reading all of it."""
    seconds, clipped = 0.0, 0
    labels: dict[str, Counter[str]] = {}
    attributes: dict[str, Counter[str]] = {}
    unreadable: dict[str, str] = {}
    for index in tqdm(range(len(corpus)), desc="reading", unit="recording", disable=quiet, dynamic_ncols=True):
        try:
            recording = corpus[index]
        except RecordingError as error:
            unreadable[error.recording] = error.reason
            continue
        seconds += recording.n_steps * recording.step
        clipped += recording.clipped
        for name, tier in recording.tiers.items():
            labels.setdefault(name, Counter()).update(interval.label for interval in tier if interval.label)
        for name, value in recording.attributes.items():
            attributes.setdefault(name, Counter())[value] += 1
    if len(unreadable) == len(corpus) and unreadable:
        raise InputError(f"no recording of the corpus can be read; the first: {next(iter(unreadable.values()))}")
    return {
        "recordings": len(corpus),
        "minutes": round(seconds / 60, 2),
        **{f"different values of {name}": len(values) for name, values in attributes.items() if name != "text"},
        **{f"labels of {name}": dict(counts.most_common()) for name, counts in labels.items()},
        "intervals cut at the end of the audio": clipped,
        "cannot be read": unreadable,
    }
