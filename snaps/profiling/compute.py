"""Compute profiles: the one place where corpus, responses, alignment and sums meet."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import nn

from snaps.alignment import Aligner, Alignment
from snaps.datasets.corpus import CorpusLike
from snaps.datasets.groupings import parse_groupings
from snaps.datasets.inventory import take_inventory
from snaps.errors import InputError
from snaps.outputs import claimed
from snaps.profiling.about import describe_run, go_on
from snaps.profiling.parts import Counter, count_shards, sums_held
from snaps.profiling.reading import OnError, check_on_error
from snaps.profiling.result import build_tree, provenance_of
from snaps.profiling.run import Run, methods_of
from snaps.profiling.session import open_session
from snaps.profiling.shards import run_shards
from snaps.profiling.state import StateFile
from snaps.responses import Context, Precision, Target

Groupings = Sequence[str | Sequence[str]] | Mapping[str, Any]


def compute_profiles(
    model: nn.Module,
    corpus: CorpusLike,
    *,
    groupings: Groupings,
    layers: Iterable[str] | None = None,
    units: Mapping[str, Sequence[int]] | None = None,
    aligner: Alignment | None = None,
    context: Context = "recording",
    target: str | Target = "predicted",
    ignore: Iterable[str] | None = None,
    symbols: Sequence[str] | None = None,
    frame_steps: int | None = None,
    frame_hop: int | None = None,
    batch_size: int | None = None,
    variance: bool = False,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
    progress: bool = True,
    on_error: OnError = "raise",
    checkpoint: str | os.PathLike[str] | None = None,
    client: Any = None,
) -> xr.DataTree:
    """Average a network's aligned responses to a corpus, layer by layer and group by group.

    Parameters
    ----------
    model : Module
        The network; it is left as it was found, also after an exception.
    corpus : Corpus or list of Recording
        What is played.
    groupings : list or dict
        What frames are averaged by: columns of the frame table, e.g. ``["phoneme", ("phoneme", "sex")]``, or a
        dict from name to column, columns, or column with a mapping of its labels, e.g.
        ``{"manner": ("phoneme", {"s": "fricative"})}``.
    layers : iterable of str, optional
        Layers to tap. None for all of a Wav2Letter's, else ``input`` and ``logits``.
    units : mapping of str to sequence of int, optional
        Units to keep of some layers. Peaks are found over all units all the same.
    aligner : Aligner or Unaligned, optional
        How epochs are aligned; None for ``Aligner()``.
    context : {"recording", "frame", "auto"}
        Whether responses are computed once on the whole recording, or every frame is run alone; ``"auto"``
        takes the recording where the network is a stack of convolutions.
    target : str or callable
        Output score that saliency explains: ``"predicted"``, a symbol, or a function from logits
        (frame, symbol) to scores (frame,).
    ignore : iterable of str, optional
        Predicted symbols whose frames are left out. None for the model's own blank and repetition symbols,
        ``()`` for none.
    symbols : sequence of str, optional
        Names of the network's outputs, where it does not bring them itself.
    frame_steps, frame_hop : int, optional
        Length of a frame and distance between frames, in input steps. None for the network's receptive field
        and stride.
    batch_size : int, optional
        Frames responded to at once; None for as many as pay. Results do not depend on it.
    variance : bool
        Whether variances (ddof 0) are kept too.
    device : str or device, optional
        Where to compute, e.g. ``"cuda"``; None for where the model is.
    precision : {"float32", "tf32", "bfloat16"}
        Arithmetic of the network's products; less than float32 is faster on CUDA, and moves some peaks.
    progress : bool
        Whether a progress bar is shown, on standard error.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the run, or is left out and listed with its reason.
    checkpoint : path, optional
        File that keeps the state of the run. It is written at most once a minute, and when the run ends; the same
        call goes on where it stopped, and one that was finished gives its profiles at once. None for no file.
    client : distributed.Client, optional
        A dask cluster whose workers compute. The network has to come from a file and the corpus from a ``load_*``
        function, both on paths that all workers see; without a file, a Wav2Letter is written beside `checkpoint`. A
        plain list of recordings is sent. `device` is that of the workers.

    Returns
    -------
    DataTree
        ``/{grouping}/{layer}``, one dataset each with ``activation``, ``saliency`` (group, unit, lag),
        ``coverage`` (group, lag), ``count`` and ``unaligned`` (group); lags in seconds.

    Raises
    ------
    InputError
        If an option does not fit the network or the corpus, or the profiles would take over half of the free
        memory.
    RecordingError
        If a recording cannot be read and `on_error` is ``"raise"``.

    Notes
    -----
    This is the method of the SNAP paper, section 3.3, with the definitions of section 5 of the design: frames,
    importance, peaks, epochs and group means. Frames are left out whose activation or saliency is not finite
    in the cone, or whose activation is not finite anywhere in the epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from snaps.datasets import Interval, Recording
    >>> from snaps.models import Wav2Letter
    >>> model = Wav2Letter(["_", "s", "iy"], layers=[(4, 5, 2), (3, 1, 1)], n_inputs=8)
    >>> features = np.random.default_rng(0).random((8, 60))
    >>> recording = Recording("one", features, tiers={"phoneme": [Interval(0.0, 1.0, "s")]})
    >>> profiles = compute_profiles(model, [recording], groupings=["phoneme"], ignore=(), progress=False)
    >>> dict(profiles["phoneme/conv1"].sizes)
    {'group': 1, 'unit': 4, 'lag': 1}
    """
    return compute_by_aligner(
        model, corpus, {"": Aligner() if aligner is None else aligner}, groupings=groupings, layers=layers, units=units,
        context=context, target=target, ignore=ignore, symbols=symbols, frame_steps=frame_steps, frame_hop=frame_hop,
        batch_size=batch_size, variance=variance, device=device, precision=precision, progress=progress,
        on_error=on_error, checkpoint=checkpoint, client=client,
    )[""]  # fmt: skip


def compute_by_aligner(
    model: nn.Module,
    corpus: CorpusLike,
    aligners: Mapping[str, Alignment],
    *,
    groupings: Groupings,
    units: Mapping[str, Sequence[int]] | None = None,
    variance: bool = False,
    progress: bool = True,
    on_error: OnError = "raise",
    context: Context = "recording",
    target: str | Target = "predicted",
    ignore: Iterable[str] | None = None,
    symbols: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
    checkpoint: str | os.PathLike[str] | None = None,
    client: Any = None,
    **frames: Any,
) -> dict[str, xr.DataTree]:
    """Profiles for several aligners from one pass over a corpus.

    Parameters
    ----------
    model, corpus, groupings, units, variance, progress, on_error, context, target, ignore, symbols, device, precision
        As `compute_profiles` has them.
    checkpoint, client
        As `compute_profiles` has them.
    aligners : mapping of str to aligner
        Every saliency method that they need runs once. A frame that is not finite for one of them is left out for
        all.
    **frames
        ``layers``, ``frame_steps``, ``frame_hop`` and ``batch_size``, as `compute_profiles` has them.

    Returns
    -------
    dict of str to DataTree
        Profiles under the aligners' names.

    Raises
    ------
    InputError
        As `compute_profiles` does.
    """
    for aligner in aligners.values():
        check_aligner(aligner)
    check_on_error(on_error)
    parsed = parse_groupings(groupings)
    options = {
        "symbols": symbols, "ignore": ignore, "target": target, "device": device, "context": context,
        "precision": precision, **frames,
    }  # fmt: skip
    options = {name: tuple(option) if isinstance(option, Iterator) else option for name, option in options.items()}
    for name in ("ignore", "layers"):
        if isinstance(options.get(name), AbstractSet):  # its order is another in every process
            options[name] = sorted(options[name], key=str)
    # On a cluster the device and its arithmetic are the workers'; here sums are merged.
    here = options if client is None else {**options, "device": None, "precision": "float32"}
    with ExitStack() as stack:
        session = stack.enter_context(open_session(model, methods=methods_of(aligners.values()), **here))
        inventory = take_inventory(corpus, parsed, symbols=session.symbols)
        n_shards = count_shards(len(corpus))
        run = Run(
            session, parsed, inventory, aligners=aligners, units=units or {}, variance=variance,
            sums_held=sums_held(n_shards),
        )  # fmt: skip
        state, counter = None, Counter()
        if checkpoint is not None:
            stack.enter_context(claimed(checkpoint))
            about = describe_run(run, corpus, {**options, "units": units})
            state = StateFile(Path(checkpoint), about)
            counter = state.load(device=session.device, n_shards=n_shards)
            go_on(run, counter, on_error=on_error, path=state.path)
        if client is None:
            part = run_shards(run, corpus, counter, on_error=on_error, progress=progress, state=state)
        else:
            from snaps.profiling.cluster import run_on_cluster
            from snaps.profiling.planning import plan_run

            plan = plan_run(run, corpus, options, units=units, on_error=on_error, checkpoint=checkpoint)
            part = run_on_cluster(client, plan, corpus, run=run, counter=counter, progress=progress, state=state)
        if part.like is None:
            raise InputError("the corpus has no recording that can be read, so there is nothing to average")
        return {
            name: build_tree(
                part.totals[name],
                run.kept_units,
                replace(
                    provenance_of(
                        session, corpus, aligner, responder=run.responder, precision=precision, step=part.like.step
                    ),
                    groupings=tuple(part.totals[name]),
                    n_recordings=part.n_recordings,
                    n_frames=part.n_frames,
                    drop_log=part.drops.to_dict(),
                ),
                layers=run.responder.layers,
                frequency=part.like.frequency,
            )
            for name, aligner in aligners.items()
        }


def check_aligner(aligner: Any) -> None:
    """Refuse what is no aligner.

    Raises
    ------
    InputError
        Naming what was received.
    """
    if not hasattr(aligner, "peaks") or isinstance(aligner, type):
        raise InputError(f"aligner is {aligner!r}; accepted are Aligner(…) and Unaligned(…)")
