"""Faithfulness in one call: pixel flipping, randomisation, and the profiles' null distributions."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import nn

from snaps.alignment import Aligner, Sensitivity, Unaligned, check_method, described
from snaps.clustering import PERCENTILES
from snaps.datasets import CorpusLike
from snaps.errors import InputError, check_choice, one_of, shortened
from snaps.faithfulness.flipping import PERCENTAGES, Flipping, evaluate_flipping
from snaps.faithfulness.randomization import evaluate_randomization
from snaps.faithfulness.sample import Sample
from snaps.faithfulness.shuffling import ProfileNull, evaluate_profiles
from snaps.profiles import read_tree, write_netcdf
from snaps.profiling import OnError, Playing, prepared
from snaps.responses import Context, SaliencyMethod, Target
from snaps.schema import INPUT_LAYER, encode_attributes

#: What can be evaluated, and what it says.
PARTS: Mapping[str, str] = {
    "flipping": "whether the bins that matter most are those that the prediction needs",
    "randomization": "whether saliency depends on what the network has learned",
    "profiles": "whether profiles depend on where frames are aligned",
}
SCHEMA = "neuron-snaps faithfulness"


def evaluate_faithfulness(
    model: nn.Module,
    corpus: CorpusLike,
    methods: Mapping[str, SaliencyMethod] | None = None,
    *,
    parts: Sequence[str] = tuple(PARTS),
    frames: int | None = 1000,
    percentages: Sequence[float] = PERCENTAGES,
    baseline: str = "floor",
    random_orders: int = 3,
    randomization_frames: int | None = 200,
    grouping: str = "phoneme",
    n_permutations: int = 19,
    percentiles: Sequence[float] = PERCENTILES,
    min_count: int = 1,
    context: Context = "recording",
    target: str | Target = "predicted",
    ignore: Iterable[str] | None = None,
    symbols: Sequence[str] | None = None,
    frame_steps: int | None = None,
    frame_hop: int | None = None,
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    progress: bool = True,
    on_error: OnError = "raise",
) -> xr.DataTree:
    """Measure the faithfulness of saliency methods on a network.

    Parameters
    ----------
    model : Module
        The network; it is left as it was found.
    corpus : Corpus or list of Recording
        What is played.
    methods : mapping of str to saliency method, optional
        By the names that the result shall have; None for sensitivity alone.
    parts : sequence of str
        Some of ``"flipping"``, ``"randomization"`` and ``"profiles"``.
    frames : int or None
        Frames that are drawn for pixel flipping, spread evenly over the recordings; None for all. Profiles take the
        whole corpus.
    percentages, baseline, random_orders
        Of the pixel flipping: shares of bins in percent; what they are set to, ``"floor"``, ``"mean"`` or ``"moore"``;
        how many random orders.
    randomization_frames : int or None
        Frames that are drawn for the randomisation; None for all.
    grouping, n_permutations, percentiles, min_count
        Of the profiles: what frames are averaged by; how many shuffled alignments; thresholds of the clusterings;
        smallest number of frames of a group.
    context, target, ignore, symbols, frame_steps, frame_hop, batch_size, device
        As `snaps.compute_profiles` has them.
    n_resamples : int
        Of the bootstrap over recordings.
    seed : int
        Of all that is drawn at random.
    progress : bool
        Whether progress bars are shown, on standard error.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends the evaluation, or is left out and listed with its reason.

    Returns
    -------
    DataTree
        ``/flipping``: see `snaps.faithfulness.evaluate_flipping`; ``/randomization``: see `evaluate_randomization`;
        ``/profiles``: see `evaluate_profiles`, with the methods along ``saliency``.

    Raises
    ------
    InputError
        If an option makes no sense or does not fit the network.

    Notes
    -----
    Thesis, section 6.1; Becker et al., 2018; Adebayo et al., 2018.
    """
    chosen = {"sensitivity": Sensitivity()} if methods is None else dict(methods)
    if not chosen:
        raise InputError("methods is empty; accepted is a mapping from names to saliency methods")
    for name, method in chosen.items():
        check_method(f"the method {name!r}", method)
    if isinstance(parts, str) or not parts or not set(parts) <= set(PARTS):
        raise InputError(f"parts are {parts!r}; accepted are some of {one_of(PARTS)}")
    check_choice("on_error", on_error, ("raise", "skip"))
    playing: dict[str, Any] = {
        "context": context, "target": target, "ignore": ignore, "symbols": symbols, "frame_steps": frame_steps,
        "frame_hop": frame_hop, "batch_size": batch_size, "device": device,
    }  # fmt: skip
    unaligned = {name: Unaligned(method) for name, method in chosen.items()}
    opened = partial(prepared, playing=Playing(**playing, layers=(INPUT_LAYER,)), aligners=unaligned)
    sample_of = partial(Sample, corpus, seed=seed, on_error=on_error, progress=progress)
    flipping = Flipping(percentages, baseline, random_orders)
    null = ProfileNull(grouping, n_permutations, percentiles, min_count, seed)
    found: dict[str, xr.Dataset] = {}
    attributes: dict[str, Any] = {
        "schema": SCHEMA, "seed": seed, "methods": {name: described(method) for name, method in chosen.items()},
    }  # fmt: skip
    with opened(model) as network:
        attributes |= network.describe(corpus)
        if "flipping" in parts:
            sample = sample_of(frames=frames)
            found["flipping"] = evaluate_flipping(network, sample, chosen, flipping=flipping, n_resamples=n_resamples)
            found["flipping"].attrs["drop_log"] = sample.log.drops.to_dict()
    if "randomization" in parts:
        found["randomization"], drops = evaluate_randomization(
            opened, partial(sample_of, frames=randomization_frames), model, methods=chosen
        )
        found["randomization"].attrs["drop_log"] = drops.to_dict()
    if "profiles" in parts:
        options = {"null": null, "progress": progress, "on_error": on_error, **playing}
        by_method = [evaluate_profiles(model, corpus, Aligner(method), **options) for method in chosen.values()]
        found["profiles"] = xr.concat(by_method, xr.Variable("saliency", list(chosen)))
    for dataset in found.values():
        dataset.attrs = encode_attributes(dataset.attrs)
    tree = xr.DataTree.from_dict({f"/{part}": dataset for part, dataset in found.items()})
    tree.attrs = encode_attributes(attributes)
    return tree


def save_faithfulness(tree: xr.DataTree, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write what `evaluate_faithfulness` gives to a netCDF4 file, which appears whole or not at all.

    Parameters
    ----------
    tree : DataTree
        What to write.
    path : path
        Where; missing folders above it are made.
    overwrite : bool
        Whether to replace a file that exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputExistsError
        If it exists and may not be replaced.
    """
    write_netcdf(tree, Path(path), overwrite=overwrite)
    return Path(path)


def open_faithfulness(path: str | os.PathLike[str]) -> xr.DataTree:
    """Read what `save_faithfulness` wrote.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    MissingFileError
        If there is none.
    InputError
        If it is something else.
    """
    source = Path(path)
    where, kind = f"the file {str(source)!r}", "an evaluation of faithfulness"

    def check(tree: xr.DataTree) -> None:
        schema, parts = tree.attrs.get("schema"), list(tree.children)
        if schema != SCHEMA:
            raise InputError(f"{where} is not {kind}: its schema is {shortened(repr(schema))}")
        if not parts or not set(parts) <= set(PARTS):
            raise InputError(f"{where} is not {kind}: its parts are {shortened(parts)}")
        for name, part in tree.children.items():
            if not part.data_vars or part.children:
                raise InputError(f"{where} is damaged: its part {name!r} holds no values")

    return read_tree(source, kind, check=check, stores=False)
