"""Losses of a network that writes a sequence, and how padded batches are computed as recordings alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from snaps.models import Wav2Letter
from snaps.training.decode import blank_position
from snaps.training.examples import NO_TARGET, Batch

#: Kernels from which on a product is faster.
WIDE_KERNEL = 16


def ctc_loss(model: Wav2Letter, logits: Float[Tensor, "batch symbol step"], batch: Batch) -> Float[Tensor, ""]:
    """Connectionist temporal classification: mean over the batch of the loss a symbol (SNAP, section 4.2)."""
    return nn.functional.ctc_loss(
        logits.log_softmax(dim=1).permute(2, 0, 1),  # (step, batch, symbol)
        batch.targets,
        model.output_lengths(batch.lengths),
        batch.target_lengths,
        blank=blank_position(model),
        zero_infinity=True,
    )


def frame_loss(logits: Float[Tensor, "batch symbol step"], batch: Batch) -> Float[Tensor, ""]:
    """Cross-entropy at every output step at which a symbol is annotated."""
    assert batch.frame_targets is not None
    return nn.functional.cross_entropy(logits, batch.frame_targets, ignore_index=NO_TARGET)


@contextmanager
def wide_kernels_as_products(model: Wav2Letter) -> Iterator[None]:
    """Compute convolutions with a wide kernel as one matrix product each, where that is faster.

    On CPUs the gradients of the 32 steps wide convolution of a ``w2l`` take 2.5 times as long in PyTorch's own way,
    and it is three quarters of the network.
    """
    wide = [
        module
        for module in model.modules()
        if isinstance(module, nn.Conv1d)
        and module.kernel_size[0] >= WIDE_KERNEL
        and module.stride[0] == 1
        and module.weight.device.type == "cpu"
    ]
    for module in wide:
        module.forward = partial(_product, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in wide:
            del module.forward


def _product(module: nn.Conv1d, x: Float[Tensor, "batch unit step"]) -> Float[Tensor, "batch filter out"]:
    windows = x.unfold(2, module.kernel_size[0], 1).permute(0, 2, 1, 3)  # (batch, out, unit, kernel)
    product = nn.functional.linear(windows.flatten(2), module.weight.flatten(1), module.bias)
    return product.transpose(1, 2)


@contextmanager
def ends_masked(model: Wav2Letter, lengths: Int[Tensor, " batch"]) -> Iterator[None]:
    """Let a padded network see the end of each recording of a batch as it would see it alone.

    Behind its end a recording alone meets the zeros that a convolution pads with. In a batch it would meet
    what normalisation makes of the silence that it was filled up with; so that is set to zero. Without
    padding nothing is to be done: no output step that counts reaches beyond the end.
    """
    handles = []
    if model.pads and int(lengths.min()) < int(lengths.max()):
        steps = lengths
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                handles.append(module.register_forward_hook(_mask_behind(steps)))
            elif isinstance(module, nn.Conv1d):
                steps = (steps + module.stride[0] - 1) // module.stride[0]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _mask_behind(lengths: Int[Tensor, " batch"]) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        inside: Bool[Tensor, "batch step"] = torch.arange(output.shape[-1], device=output.device) < lengths[:, None]
        return output * inside[:, None]

    return hook
