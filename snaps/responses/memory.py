"""Keep memory that a batch has freed for the next one."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = 2**31 - 1
LARGEST_DYNAMIC_THRESHOLD = 32 * 2**20


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let the C library keep freed memory for as long as this is open, and give it back afterwards.

    Every batch allocates and frees the same tensors. By default glibc returns those that are large to the system
    at once, and each batch waits for the pages to be given and cleared again: up to a third of the run's time. On
    leaving, the thresholds are what a process with large arrays arrives at by itself. Elsewhere than on glibc this
    does nothing.
    """
    mallopt = _mallopt() if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(M_MMAP_THRESHOLD, KEPT)
    mallopt(M_TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        mallopt(M_MMAP_THRESHOLD, LARGEST_DYNAMIC_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_DYNAMIC_THRESHOLD)
        ctypes.CDLL(None).malloc_trim(0)


def _mallopt() -> "ctypes._FuncPointer | None":
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return None
    mallopt = library.mallopt
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return mallopt
