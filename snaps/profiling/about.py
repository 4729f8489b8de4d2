"""What a run is about: everything that another run has to share to go on where it stopped."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

import snaps
from snaps.datasets.corpus import CorpusLike, corpus_fingerprint, corpus_name, corpus_settings
from snaps.errors import InputError
from snaps.models import weights_hash
from snaps.profiling.parts import FAN_IN, SHARD, Counter
from snaps.profiling.run import Run
from snaps.profiling.session import ADDRESS, Session


def describe_run(run: Run, corpus: CorpusLike, options: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that decides a run's numbers, in values that JSON can hold.

    Parameters
    ----------
    run : Run
        The run, before its first recording.
    corpus : Corpus or list of Recording
        What is played.
    options : mapping
        Further options as they were given.
    """
    session = run.session
    config = getattr(session.model, "config", {})
    return {
        "version of snaps": snaps.__version__,
        "version of torch": torch.__version__.partition("+")[0],
        "network": {
            "name": type(session.model).__name__,
            "hash": weights_hash(session.model),
            "modules": _digest_of_modules(session.model),
            **{name: config[name] for name in ("norm", "padding") if name in config},
        },
        "corpus": {
            "name": corpus_name(corpus),
            "recordings": len(corpus),
            "fingerprint": corpus_fingerprint(corpus),
            "features": corpus_settings(corpus),
        },
        "groupings": {
            grouping.name: {
                "columns": list(grouping.columns),
                "mapping": None if grouping.mapping is None else dict(grouping.mapping),
            }
            for grouping in run.groupings
        },
        "aligner": {name: aligner.describe() for name, aligner in run.aligners.items()},
        "target": _target(session),
        "ignore": list(session.ignored),
        "symbols": list(session.symbols),
        "variance": run.variance,
        "device": str(options.get("device") or session.device).partition(":")[0],
        "units": {name: sorted(map(int, chosen)) for name, chosen in (options.get("units") or {}).items()},
        "layers": None if options.get("layers") is None else list(options["layers"]),
        **{name: options.get(name) for name in ("context", "frame_steps", "frame_hop", "batch_size", "precision")},
        "shards": [SHARD, FAN_IN],
    }


def _digest_of_modules(model: nn.Module) -> str:
    """Digest of what a network says of its modules, without addresses in memory."""
    return hashlib.sha256(ADDRESS.sub("", str(model)).encode()).hexdigest()[:16]


def _target(session: Session) -> str:
    """Its name; of an object its address too, for nothing else may tell it from another of its kind."""
    named = isinstance(session.target, str) or hasattr(session.target, "__qualname__")
    return session.target_name if named else repr(session.target)


def go_on(run: Run, counter: Counter, *, path: Path, on_error: str) -> None:
    """Make a run ready to go on from a state: with the same units, steps and frames at once.

    Raises
    ------
    InputError
        If the state's sums are not those of this run, or it left out recordings that this run would not.
    """
    for level, part in enumerate(counter.levels):
        if part is None:
            continue
        if part.drops.skipped and on_error == "raise":
            name, reason = next(iter(part.drops.skipped.items()))
            raise InputError(
                f"{str(path)!r} is the state of a run that left out the recording {name!r} ({reason}), and this one "
                "has on_error='raise'; go on with on_error='skip', or delete the file (--overwrite) to begin anew"
            )
        if part.like is None:
            continue
        if not run.started:
            # How many frames are responded to at once may depend on the memory that was free.
            run.session.responder_options["batch_size"] = part.batch_size
            run.start(part.like)
            run.check_memory([held for held in counter.levels if held is not None])
        found = {
            (aligner, grouping): moments.shapes
            for aligner, groupings in part.totals.items()
            for grouping, moments in groupings.items()
        }
        expected = {(aligner, grouping.name): run.shapes for aligner in run.aligners for grouping in run.groupings}
        if found != expected:
            raise InputError(f"{str(path)!r} is no state of this run: its sums at level {level} are those of another")
