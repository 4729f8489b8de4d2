"""What workers of a cluster are told: a network, a corpus and options that mean the same wherever they run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import snaps
from snaps.datasets.corpus import CorpusLike
from snaps.datasets.files import Entry, FileCorpus
from snaps.errors import InputError
from snaps.models import Wav2Letter, save_model, weights_hash
from snaps.profiling.parts import Part
from snaps.profiling.reading import OnError
from snaps.profiling.run import Run
from snaps.profiling.workers import Plan, Shipped

#: Frames that workers respond to at once, where that is not given: of the paper's network, 0.5 and 2 GiB.
FRAMES_AT_ONCE = {"cpu": 64, "cuda": 256}


def plan_run(
    run: Run,
    corpus: CorpusLike,
    options: Mapping[str, Any],
    *,
    units: Mapping[str, Sequence[int]] | None,
    on_error: OnError,
    checkpoint: str | os.PathLike[str] | None,
) -> Plan:
    """Write down what workers need, with paths that do not depend on where they run.

    Raises
    ------
    InputError
        If the network or the corpus cannot be named to them.
    """
    model = run.session.model
    if not isinstance(model, Wav2Letter):
        raise InputError(
            f"the network is a {type(model).__name__}; on a cluster accepted is a Wav2Letter, which workers can load"
        )
    if not isinstance(corpus, FileCorpus | list | tuple):
        raise InputError(
            f"the corpus is a {type(corpus).__name__}; on a cluster accepted are corpora of load_* functions and lists "
            "of recordings"
        )
    return Plan(
        version=snaps.__version__,
        network=_file_of(model, checkpoint),
        witnesses=_witnesses(corpus),
        weights=weights_hash(model),
        padding=model.padding,
        groupings=tuple(run.groupings),
        inventory=run.inventory,
        aligners=run.aligners,
        units=dict(units or {}),
        variance=run.variance,
        on_error=on_error,
        options={**options, "batch_size": run.session.responder_options["batch_size"] or _frames_at_once(options)},
    )


def _frames_at_once(options: Mapping[str, Any]) -> int:
    """As many on every worker, whatever memory it has: sums of other batches differ in their last digits."""
    kind = str(options["device"] or "cpu").partition(":")[0]
    return FRAMES_AT_ONCE.get(kind, FRAMES_AT_ONCE["cpu"])


def _file_of(model: Wav2Letter, checkpoint: str | os.PathLike[str] | None) -> str:
    source = getattr(model, "source", None)
    if source is not None and Path(source).is_file():
        return str(Path(source).absolute())
    if checkpoint is None:
        raise InputError(
            "the network comes from no file that workers could load; save it with save_model and load it from there, "
            "or give checkpoint=, beside which it is written"
        )
    path = Path(checkpoint).absolute()
    return str(save_model(model, path.with_name(f"{path.name}.network.safetensors"), overwrite=True))


def absolute(corpus: CorpusLike) -> Shipped:
    """Corpus whose files are named from the root of the file system; itself if they are already."""
    if not isinstance(corpus, FileCorpus):
        return [corpus[index] for index in range(len(corpus))]
    if all(path.is_absolute() for entry in corpus.entries for path in _files_of(entry).values()):
        return corpus
    entries = tuple(
        replace(
            entry,
            audio=None if entry.audio is None else entry.audio.absolute(),
            annotations={kind: path.absolute() for kind, path in entry.annotations.items()},
        )
        for entry in corpus.entries
    )
    return replace(corpus, entries=entries)


def name_as_given(part: Part) -> None:
    """Name files from this folder again, as a run in this process names those of a corpus that was opened so."""
    folder = f"{Path.cwd()}{os.sep}"
    part.drops.skipped = {name: reason.replace(folder, "") for name, reason in part.drops.skipped.items()}


def _witnesses(corpus: CorpusLike) -> tuple[str, ...]:
    """The first sound file that is here, and the first file of each kind of annotation.

    Files, for where a file system is not mounted, its folder may be there all the same.
    """
    if not isinstance(corpus, FileCorpus):
        return ()
    found: dict[str, str] = {}
    for entry in corpus.entries:
        for kind, path in _files_of(entry).items():
            if kind not in found and path.is_file():
                found[kind] = str(path.absolute())
    return tuple(found.values())


def _files_of(entry: Entry) -> dict[str, Path]:
    return {**({} if entry.audio is None else {"audio": entry.audio}), **entry.annotations}
