"""Which arithmetic the network's products are computed in; float32 unless one asks for less."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

import torch

from snaps.errors import InputError, one_of

Precision = Literal["float32", "tf32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute convolutions and matrix products in one precision, and put torch's settings back afterwards.

    Parameters
    ----------
    precision : {"float32", "tf32", "bfloat16"}
        ``"float32"`` switches off TF32, which torch otherwise uses for convolutions on CUDA without a word.
        ``"tf32"`` has float32's range with 10 bits of mantissa, on CUDA alone; ``"bfloat16"`` 7 bits. Sums and
        peaks are computed in float32 whatever is chosen here, and totals in float64.
    device : device
        Where to compute.

    Raises
    ------
    InputError
        If the precision is unknown, or the device does not have it.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision is {precision!r}; accepted are {one_of(PRECISIONS)}")
    if precision == "tf32" and device.type != "cuda":
        raise InputError(f"precision is 'tf32', which only CUDA devices have; the device is {str(device)!r}")
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    reduced = torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
    try:
        products.allow_tf32 = convolutions.allow_tf32 = precision == "tf32"
        with reduced:
            yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before
