"""One network's lower layers as the beginning of another (SNAP paper, section 4.2 and Table 2)."""

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from snaps.errors import InputError, check_type
from snaps.models import Wav2Letter


def create_network(
    symbols: Sequence[str],
    preset: str = "w2l",
    *,
    layers: Sequence[Sequence[int]] | None = None,
    n_inputs: int = 128,
    width: int = 256,
    norm: Literal["before", "after"] = "before",
    padding: Literal["same", "valid"] = "same",
    seed: int = 0,
) -> Wav2Letter:
    """Build an untrained network whose weights depend on `seed` alone.

    Parameters
    ----------
    symbols : sequence of str
        Output symbols, the blank ``_`` among them, e.g. `symbols_for` of the corpus.
    preset, layers, n_inputs, width, norm, padding
        As `Wav2Letter` takes them.
    seed : int
        Seed of the weights; the global random state stays as it is.

    Raises
    ------
    InputError
        If an option has no meaning.

    Examples
    --------
    >>> network = create_network(["_", "a", "b"], "w2p_shallow", width=4)
    >>> network.layers[-1]
    'logits'
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Wav2Letter(symbols, preset, layers=layers, n_inputs=n_inputs, width=width, norm=norm, padding=padding)
        for module in network.modules():
            if isinstance(module, nn.Conv1d):
                # He's initialisation: PyTorch's own is six times smaller in variance, and CTC takes up to twice as
                # many epochs to leave the plateau on which a network writes blanks alone.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return network


def transfer(source: Wav2Letter, target: Wav2Letter, *, layers: int = 5) -> Wav2Letter:
    """Start one network with the lower layers of another.

    For the paper's ``W2L_TL_frozen`` the five convolutions of a trained W2P_shallow go below the rest of an
    untrained W2L, which is then trained with ``train(…, frozen=5)``; ``W2L_TL_finetuned`` is that network
    trained again with ``freeze_normalization=True``.

    Parameters
    ----------
    source : Wav2Letter
        The trained network.
    target : Wav2Letter
        The network to start; it stays as it is.
    layers : int
        How many convolutions to take over, each with its batch normalisation.

    Returns
    -------
    Wav2Letter
        A copy of `target` with the weights and statistics of `source` in its lower layers.

    Raises
    ------
    InputError
        If a network has fewer layers, or two layers differ; the sentence names the layer and both shapes.

    Examples
    --------
    >>> w2p = create_network(["_", "iy", "sh"], "w2p_shallow", width=4)
    >>> w2l = transfer(w2p, create_network(["_", "a", "b"], "w2l", width=4), layers=5)
    >>> bool((w2l.conv5.weight == w2p.conv5.weight).all())
    True
    """
    for role, model in (("source", source), ("target", target)):
        check_type(f"the {role}", model, Wav2Letter, accepted="a Wav2Letter")
    most = min(len(source.shapes), len(target.shapes))
    if not 1 <= layers <= most:
        raise InputError(
            f"layers is {layers!r}; the source has {len(source.shapes)} and the target {len(target.shapes)} "
            f"convolutions, so that 1 to {most} can be taken over"
        )
    if source.norm != target.norm:
        raise InputError(
            f"the source normalises {source.norm} each convolution, the target {target.norm} it; "
            "accepted are two networks with the same norm"
        )
    result = copy.deepcopy(target)
    with torch.no_grad():
        for number in range(1, layers + 1):
            for below, above in zip(layer_modules(source, number), layer_modules(result, number), strict=True):
                _take_over(below, above, f"conv{number}")
    return result


def layer_modules(model: Wav2Letter, number: int) -> tuple[nn.Module, nn.Module]:
    """Batch normalisation and convolution of one layer, counted from 1."""
    return model.get_submodule(f"norm{number}"), model.get_submodule(f"conv{number}")


def _take_over(source: nn.Module, target: nn.Module, layer: str) -> None:
    ours, theirs = _described(source), _described(target)
    if ours != theirs:
        raise InputError(f"layer {layer!r} cannot be taken over: the source has {ours}, the target has {theirs}")
    target.load_state_dict(source.state_dict())


def _described(module: nn.Module) -> str:
    if isinstance(module, nn.Conv1d):
        filters, units, kernel = module.weight.shape
        return f"{filters} filters over {units} units and {kernel} steps with stride {module.stride[0]}"
    return f"a normalisation of {module.get_buffer('running_mean').numel()} units"
