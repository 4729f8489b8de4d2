"""Shapes in annotations, looked at whenever a test calls a function of the package; see ``tests/conftest.py``."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import AbstractArray
from torch import Tensor


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that arrays that do not fit its annotations are a `TypeError`."""
    hints = {name: hint for name, hint in function.__annotations__.items() if _is_shaped(hint)}
    # A dataclass may take what its __post_init__ turns into what its fields say.
    if not hints or function.__name__ == "__init__":
        return function
    # Binding arguments to the signature, call by call, would take a tenth of all the time that tests take.
    names = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def looked_at(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            _look(name, value, hints)
        _look("return", result, hints)
        return result

    return looked_at


def _is_shaped(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def _look(name: str, value: object, hints: dict[str, Any]) -> None:
    if name in hints and isinstance(value, np.ndarray | Tensor) and not isinstance(value, hints[name]):
        raise TypeError(f"{name} is {value.dtype} of shape {tuple(value.shape)}, and not {hints[name]}")
