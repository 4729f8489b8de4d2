"""Randomisation: whether saliency depends on the learned weights (Adebayo et al., 2018)."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from scipy.stats import pearsonr, rankdata
from torch import Tensor, nn
from torch.nn.utils.parametrize import remove_parametrizations

from snaps.datasets import DropLog
from snaps.errors import InputError, reason_of
from snaps.faithfulness.sample import Sample
from snaps.profiling import PreparedNetwork, fixed_target
from snaps.responses import SaliencyMethod, execution_order

#: Prepares a network.
Opener = Callable[[nn.Module], AbstractContextManager[PreparedNetwork]]


def randomised_layers(model: nn.Module, frames: Float[Tensor, "frame unit step"]) -> list[str]:
    """Names of the modules whose weights are randomised, from the output down.

    Those are convolutions, fully connected layers and whatever else has weights of two dimensions or more and can be
    initialised again; normalisations stay as they are. Their order is the reverse of the order of execution.

    Parameters
    ----------
    model : Module
        The network.
    frames : tensor of shape (frame, unit, step)
        Input that it runs on.

    Raises
    ------
    InputError
        If there is none.
    """
    found = [name for name in execution_order(model, frames) if _can_be_randomised(model.get_submodule(name))]
    if not found:
        raise InputError(f"the network {type(model).__name__} has no layer whose weights could be drawn anew")
    return found[::-1]


def randomised(model: nn.Module, layers: Sequence[str], *, seed: int) -> nn.Module:
    """A copy of a network with the weights of some modules drawn anew, as torch draws them first.

    Parameters
    ----------
    model : Module
        It is left as it is.
    layers : sequence of str
        Modules.
    seed : int
        Of the weights; each module has the same new weights whatever else is randomised.
    """
    try:
        other = copy.deepcopy(model)
    except Exception as error:
        raise InputError(
            f"the network {type(model).__name__} cannot be copied, so its weights cannot be drawn anew: "
            f"{reason_of(error)}"
        ) from error
    names = [name for name, _ in model.named_modules()]
    with torch.random.fork_rng():
        for layer in layers:
            module = other.get_submodule(layer)
            # Weights that are computed from others are made plain ones first, or they would stay what they were.
            for name in list(getattr(module, "parametrizations", ())):
                remove_parametrizations(module, name, leave_parametrized=True)
            torch.manual_seed(seed * 10_007 + names.index(layer))
            module.reset_parameters()  # type: ignore[operator]
    return other


def evaluate_randomization(
    opened: Opener, sample_of: Callable[[], Sample], model: nn.Module, *, methods: Mapping[str, SaliencyMethod]
) -> tuple[xr.Dataset, DropLog]:
    """Rank correlation of saliency with the original's, as a network is randomised from the top down.

    Parameters
    ----------
    opened : callable
        Prepares a network, with the layer ``input`` tapped.
    sample_of : callable
        Draws the frames; the same in each of the passes over the corpus, one for every layer.
    model : Module
        The network.
    methods : mapping of str to saliency method
        By their names.

    Returns
    -------
    Dataset
        ``correlation`` and ``correlation_absolute`` (saliency, randomised): Spearman's correlation over all bins of the
        input, of saliency and of its absolute value, averaged over frames; the target is the symbol that the
        original predicts. ``undefined`` (saliency, randomised): frames whose saliency is the same everywhere, and which
        have none. The coordinate names the module down to which everything is randomised, from the output on.
    DropLog
        What was left out, in each pass.

    Raises
    ------
    InputError
        If there is no layer to randomise.
    """
    with opened(model) as network:
        explained = next(sample_of().explain(network, "order of the layers"), None)
        if explained is None:
            raise InputError("no frame is left to explain: all are ignored, too short or not finite")
        layers = randomised_layers(model, explained.cones[:1])
    shape = (len(methods), len(layers))
    sums, defined = np.zeros((2, *shape)), np.zeros(shape, dtype=np.int64)
    for column, layer in enumerate(layers):
        sample = sample_of()
        partly_random = randomised(model, layers[: column + 1], seed=sample.seed)
        with opened(model) as network, opened(partly_random) as changed:
            for explained in sample.explain(network, f"randomised down to {layer}"):
                responder = changed.fit(explained.batch.recording)
                target = fixed_target(network.target, explained.batch.logits)
                (response,) = responder.explain(explained.cones, target, list(methods.values()))
                for row, (before, after) in enumerate(
                    zip(explained.saliencies.values(), response.saliencies, strict=True)
                ):
                    one, other = (values.flatten(1).cpu().numpy() for values in (before, after))
                    both = np.stack([correlations(one, other), correlations(abs(one), abs(other))])
                    there = np.isfinite(both).all(axis=0)
                    sums[:, row, column] += both[:, there].sum(axis=1)
                    defined[row, column] += there.sum()
    dims = ("saliency", "randomised")
    with np.errstate(invalid="ignore"):
        signed, absolute = sums / defined
    found = xr.Dataset(
        {
            "correlation": (dims, signed),
            "correlation_absolute": (dims, absolute),
            "undefined": (dims, sample.log.n_frames - defined),
        },
        {"saliency": np.array(list(methods), dtype=str), "randomised": np.array(layers, dtype=str)},
        {"n_frames": sample.log.n_frames},
    )
    return found, sample.log.drops


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's correlation row by row, ties with mean ranks; NaN where a row is constant or not finite."""
    ranks = [rankdata(np.where(np.isfinite(values), values, np.nan), axis=1) for values in (one, other)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rows without a correlation
        return np.asarray(pearsonr(*ranks, axis=1).statistic)


def _can_be_randomised(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.dim() > 1 and hasattr(module, "reset_parameters")
