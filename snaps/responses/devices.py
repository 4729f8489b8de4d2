"""Devices by name."""

import torch

from snaps.errors import InputError

#: Sums are in double precision, which other kinds of devices lack.
KINDS = ("cpu", "cuda")


def device_of(device: str | torch.device) -> torch.device:
    """Device of this machine.

    Parameters
    ----------
    device : str or device
        ``"cpu"``, ``"cuda"``, or one of several, e.g. ``"cuda:1"``.

    Raises
    ------
    InputError
        If it is of another kind, or this machine has none.

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
