"""Compute profiles: responses of a network to a corpus, aligned and averaged by group."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import xarray as xr
from torch import nn

import snaps
from snaps.accumulators import GroupMoments, bytes_per_group
from snaps.alignment import Aligner, Alignment
from snaps.datasets import (
    CorpusLike,
    Inventory,
    Recording,
    corpus_settings,
    parse_groupings,
    take_inventory,
)
from snaps.errors import InputError, RecordingError, check_name
from snaps.outputs import claimed
from snaps.profiling.averaging import Averaging, Sums, average, merged
from snaps.profiling.blocks import (
    BlockFolder,
    Task,
    compute_on_cluster,
    cut_into_blocks,
    remove_blocks,
    with_batch_size,
)
from snaps.profiling.listen import OnError, progress_bar
from snaps.profiling.network import ADDRESS, Playing, PreparedNetwork, prepared, without_steps
from snaps.responses import Context, LayerGeometry, Precision, Target
from snaps.schema import INPUT_LAYER, Provenance, encode_attributes

#: Assumed number of groups where labels are unknown before recordings are loaded.
UNKNOWN_GROUPS = 64
#: Sums that are held at once: the total, some merged blocks, the block at hand.
SUMS_HELD = 3

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
        Whether responses are computed once on the whole recording, or every frame is run alone; a network that is no
        stack of convolutions needs the latter. ``"auto"`` takes the recording where the network is such a stack.
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
        Frames responded to at once; None picks a number that fits in memory. Results do not depend on it, but for
        their last bits.
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
        Folder of the run's finished blocks. The same call goes on from the blocks that are there, and one that was
        finished gives its profiles at once. None for no folder.
    client : distributed.Client, optional
        A dask cluster whose workers compute the blocks. Files of the corpus must be on paths that all workers see; the
        network and a plain list of recordings are sent. `device` is that of the workers.

    Returns
    -------
    DataTree
        ``/{grouping}/{layer}``, one dataset each with ``activation``, ``saliency`` (group, unit, lag),
        ``coverage`` (group, lag), ``count`` and ``unaligned`` (group); lags in seconds.

    Raises
    ------
    InputError
        If an option does not fit the network or the corpus, the profiles would take over half of the free memory.
    RecordingError
        If a recording cannot be read and `on_error` is ``"raise"``.

    Notes
    -----
    This is the method of the SNAP paper, section 3.3, with definitions 1 to 8: frames,
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
    checkpoint: str | os.PathLike[str] | None = None,
    client: Any = None,
    **playing: Any,
) -> dict[str, xr.DataTree]:
    """Profiles for several aligners from one pass over a corpus.

    Parameters
    ----------
    model, corpus, groupings, units, variance, progress, on_error, checkpoint, client
        As `compute_profiles` has them.
    aligners : mapping of str to aligner
        Every saliency method that they need runs once. A frame that is not finite for one of them is left out for
        all.
    **playing
        The other options of `compute_profiles`.

    Returns
    -------
    dict of str to DataTree
        Profiles under the aligners' names.

    Raises
    ------
    InputError
        As `compute_profiles` does.
    """
    if not aligners:
        raise InputError("aligners is empty; accepted is a mapping from names to aligners")
    options = with_batch_size(Playing(**playing), checkpoint, on_cluster=client is not None)
    parsed = tuple(parse_groupings(groupings))
    # On a cluster the device and its arithmetic are the workers'; here sums are merged.
    here = options if client is None else replace(options, device=None, precision="float32")
    lock = nullcontext() if checkpoint is None else claimed(checkpoint)
    with prepared(model, here, aligners) as network, lock:
        first = _first_readable(corpus, on_error)
        layers = network.fit(first).layers
        inventory = take_inventory(corpus, parsed, symbols=network.symbols)
        averaging = Averaging(parsed, inventory.columns or (), dict(units or {}), variance, on_error)
        n_bytes = _checked_size(layers, averaging, inventory, n_aligners=len(aligners))
        provenance = {name: _provenance(network, corpus, aligner, first) for name, aligner in aligners.items()}
        folder = BlockFolder(
            None if checkpoint is None else Path(checkpoint),
            _identity(provenance, network, averaging, options),
            cut_into_blocks(len(corpus), n_bytes),
            on_error,
        )
        with progress_bar(corpus, "profiles", progress=progress) as bar:
            missing = folder.missing()
            computed: Iterator[Sums]
            if client is None:
                computed = (average(network, corpus, averaging, bar=bar, block=block) for block in missing)
            else:
                task = Task(options, dict(aligners), averaging, without_steps(first))
                computed = compute_on_cluster(client, model, task, corpus=corpus, blocks=missing, bar=bar)
            sums = merged(folder.sums(computed, bar, network.device))
        if checkpoint is not None and not any(moments.counts for moments in sums.moments.values()):
            remove_blocks(Path(checkpoint))  # so that the next run is not refused as another one
        kept, profiles = averaging.kept_units(layers), {}
        for name, moments in sums.moments.items():
            whole = replace(
                provenance[name],
                groupings=tuple(grouping.name for grouping in averaging.groupings),
                n_recordings=sums.log.n_recordings,
                n_frames=sums.log.n_frames,
                drop_log=sums.log.drops.to_dict(),
            )
            profiles[name] = _to_profiles(moments, layers, kept, whole, first.frequency)
        return profiles


def _first_readable(corpus: CorpusLike, on_error: OnError) -> Recording:
    """First recording that can be read; it decides layers and shapes."""
    for index in range(len(corpus)):
        try:
            return corpus[index]
        except RecordingError:
            if on_error == "raise":
                raise
    raise InputError("the corpus has no recording that can be read, so there is nothing to average")


def _checked_size(
    layers: Sequence[LayerGeometry], averaging: Averaging, inventory: Inventory, *, n_aligners: int
) -> int:
    """Size of the sums in bytes.

    Raises
    ------
    InputError
        If they would take over half of the free memory.
    """
    for geometry in layers:
        check_name(geometry.name, "the name of a layer")
    kept = averaging.kept_units(tuple(layers))
    shapes = {geometry.name: (len(kept[geometry.name]), len(geometry.lags)) for geometry in layers}
    n_groups = sum(UNKNOWN_GROUPS if labels is None else len(labels) for labels in inventory.labels.values())
    size = n_aligners * n_groups * bytes_per_group(shapes, variance=averaging.variance)
    needed, free = SUMS_HELD * size, psutil.virtual_memory().available
    if needed > free // 2:
        raise InputError(
            f"profiles of {n_groups} groups in {len(shapes)} layers would take {needed / 2**30:.1f} GiB, "
            f"over half of the free memory of {free / 2**30:.1f} GiB; name fewer layers with layers="
        )
    return size


def _provenance(network: PreparedNetwork, corpus: CorpusLike, aligner: Alignment, first: Recording) -> Provenance:
    """Provenance of a run before its first recording is played."""
    grid = network.responder.grid
    return Provenance(
        package_version=snaps.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        layers=tuple(geometry.name for geometry in network.responder.layers),
        context=network.responder.context,
        precision=network.playing.precision,
        target=network.target_name,
        ignored=network.ignored,
        aligner=aligner.describe(),
        step=first.step,
        frame={"steps": grid.steps, "hop": grid.hop, "offset": grid.offset, "seconds": grid.steps * first.step},
        features=corpus_settings(corpus),
        **network.describe(corpus),
    )


def _identity(
    provenance: Mapping[str, Provenance], network: PreparedNetwork, averaging: Averaging, options: Playing
) -> dict[str, Any]:
    """Everything that decides a run's numbers."""
    common = next(iter(provenance.values())).attributes()
    return {
        **{name: value for name, value in common.items() if name not in ("created", "aligner", "drop_log")},
        "version of torch": torch.__version__.partition("+")[0],
        "modules": hashlib.sha256(ADDRESS.sub("", str(network.model)).encode()).hexdigest()[:16],
        "aligner": {name: dict(own.aligner) for name, own in provenance.items()},
        "groupings": {
            grouping.name: [list(grouping.columns), None if grouping.mapping is None else dict(grouping.mapping)]
            for grouping in averaging.groupings
        },
        "units": {layer: [int(unit) for unit in units] for layer, units in averaging.units.items()},
        "variance": averaging.variance,
        # An object of an unknown kind is the same in its own process alone.
        "target": network.target_name if _is_named(options.target) else repr(options.target),
        "precision": options.precision,
        "device": str(options.device or network.device).partition(":")[0],
        "batch size": network.responder.batch_size,  # it decides the last bits of sums
    }


def _is_named(target: str | Target) -> bool:
    return isinstance(target, str) or hasattr(target, "__qualname__")


def _to_profiles(
    moments: GroupMoments,
    layers: Sequence[LayerGeometry],
    kept: Mapping[str, np.ndarray],
    provenance: Provenance,
    frequency: np.ndarray | None,
) -> xr.DataTree:
    """Labelled arrays of the profiles file (see `snaps.schema`)."""
    assert provenance.step is not None
    datasets: dict[str, xr.Dataset | xr.DataTree] = {}
    for grouping in provenance.groupings:
        for geometry in layers:
            seconds, units = float(geometry.stride) * provenance.step, kept[geometry.name]
            lag = np.array(geometry.lags) * seconds
            dataset = moments.to_dataset(grouping, geometry.name).assign_coords(
                unit=units, lag=("lag", lag, {"units": "s", "long_name": "lag from the peak"})
            )
            if geometry.name == INPUT_LAYER and frequency is not None:
                described = {"units": "Hz", "long_name": "frequency"}
                dataset = dataset.assign_coords(frequency=("unit", frequency[units], described))
            dataset.attrs = encode_attributes(
                {
                    "layer": geometry.name,
                    "grouping": grouping,
                    "aligner": dict(provenance.aligner),
                    "context": provenance.context,
                    "stride": float(geometry.stride),
                    "step": seconds,
                }
            )
            datasets[f"/{grouping}/{geometry.name}"] = dataset
    tree = xr.DataTree.from_dict(datasets)
    tree.attrs = provenance.attributes()
    return tree
