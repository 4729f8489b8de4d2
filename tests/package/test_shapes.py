"""Shapes in annotations are looked at while tests run."""

import jaxtyping
import numpy as np
import pytest
import torch
from jaxtyping import Float, jaxtyped
from torch import Tensor

from snaps.responses import cut_windows
from tests.shapes import checked


@jaxtyped(typechecker=checked)
def outer(a: Float[Tensor, " row"], b: Float[Tensor, " column"]) -> Float[Tensor, "row column"]:
    return b[:, None] * a if len(b) == 3 else a[:, None] * b


def test_a_wrong_shape_would_be_noticed() -> None:
    assert outer(torch.zeros(2), torch.zeros(4)).shape == (2, 4)
    with pytest.raises(jaxtyping.TypeCheckError):
        outer(torch.zeros(2, 1), torch.zeros(4))
    with pytest.raises(jaxtyping.TypeCheckError):
        outer(torch.zeros(2), torch.zeros(3))
    with pytest.raises(jaxtyping.TypeCheckError):
        outer(torch.zeros(2, dtype=torch.int64), torch.zeros(4))


def test_the_package_is_looked_at() -> None:
    source = start = torch.zeros(1, dtype=torch.int64)
    assert cut_windows(torch.ones(1, 2, 5), source=source, start=start, width=3).shape == (1, 2, 3)
    with pytest.raises(jaxtyping.TypeCheckError):
        cut_windows(torch.ones(2, 5), source=source, start=start, width=3)


def test_functions_without_shapes_are_left_as_they_are() -> None:
    assert checked(np.sum) is np.sum
