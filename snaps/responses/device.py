"""Devices by name, precision of products, and memory kept between batches."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

import torch

from snaps.errors import InputError, check_choice

Precision = Literal["float32", "tf32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")
#: Sums are in double precision, which other kinds of devices lack.
KINDS = ("cpu", "cuda")
# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = 2**31 - 1
LARGEST_DYNAMIC_THRESHOLD = 32 * 2**20


def device_of(device: str | torch.device) -> torch.device:
    """Find a device of this machine by its name.

    Parameters
    ----------
    device : str or device
        ``"cpu"``, ``"cuda"``, or one of several, e.g. ``"cuda:1"``.

    Raises
    ------
    InputError
        If the device is of another kind, or this machine has none.

    Examples
    --------
    >>> device_of("cpu")
    device(type='cpu')
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise InputError(f"device is {device!r}; accepted are 'cpu' and 'cuda'") from None
    if found.type not in KINDS:
        raise InputError(f"device is {str(found)!r}; accepted are 'cpu' and 'cuda'")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device is {str(found)!r}; this machine has {torch.cuda.device_count()} CUDA devices")
    return found


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute convolutions and matrix products in one precision, and restore torch's settings afterwards.

    Parameters
    ----------
    precision : {"float32", "tf32", "bfloat16"}
        ``"float32"`` switches off TF32, which torch uses by default for convolutions on CUDA. ``"tf32"`` has
        float32's range with 10 bits of mantissa, on CUDA alone; ``"bfloat16"`` 7 bits. Sums and peaks are always
        computed in float32, and totals in float64.
    device : device
        Where to compute.

    Raises
    ------
    InputError
        If the precision is unknown, or the device does not have it.
    """
    check_choice("precision", precision, PRECISIONS)
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


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let the C library keep freed memory while this is open, and return it to the system afterwards.

    Every batch allocates and frees the same tensors. By default glibc returns large ones to the system at once, and
    each batch waits until the system has cleared new pages: up to a third of the run's time. Afterwards the thresholds
    are those that glibc itself reaches in a process with large arrays. Without glibc this does nothing.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        yield
        return
    library.mallopt(M_MMAP_THRESHOLD, KEPT)
    library.mallopt(M_TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_DYNAMIC_THRESHOLD)
        library.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_DYNAMIC_THRESHOLD)
        library.malloc_trim(0)
