"""Settings of arithmetic and memory are restored."""

import pytest
import torch

from snaps.errors import InputError
from snaps.responses import arithmetic, keeping_freed_memory


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("before", [True, False])
def test_settings_are_restored(precision: str, before: bool) -> None:
    kept = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = before
        with pytest.raises(ZeroDivisionError), arithmetic(precision, torch.device("cpu")):
            assert not torch.backends.cudnn.allow_tf32
            assert torch.is_autocast_enabled("cpu") == (precision == "bfloat16")
            raise ZeroDivisionError
        assert torch.backends.cudnn.allow_tf32 is before
        assert torch.backends.cuda.matmul.allow_tf32 is before
        assert not torch.is_autocast_enabled("cpu")
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = kept


def test_tf32_needs_cuda() -> None:
    with pytest.raises(InputError, match="CUDA"), arithmetic("tf32", torch.device("cpu")):
        pass


def test_memory_can_be_used_and_freed_while_it_is_kept() -> None:
    with keeping_freed_memory():
        sums = [float(torch.ones(2**20).sum()) for _ in range(3)]
    assert sums == [2.0**20] * 3
