"""Which score saliency explains: the predicted symbol's, a named one's, or what a function makes of them."""

import pytest
import torch

from tests.definitions.agreement import check, wav2letter_case
from tests.definitions.networks import STACKS

CONTEXTS = pytest.mark.parametrize(
    ("context", "padding"), [("recording", "same"), ("frame", "valid"), ("frame", "same")]
)


@CONTEXTS
@pytest.mark.parametrize("symbol", ["a", "_"])
def test_a_symbol(context: str, padding: str, symbol: str) -> None:
    check(wav2letter_case(STACKS["strides 2 and 1"], padding=padding), context=context, target=symbol)


@CONTEXTS
def test_a_linear_function(context: str, padding: str) -> None:
    def difference(logits: torch.Tensor) -> torch.Tensor:
        return logits[..., 0] - logits[..., 2]

    check(wav2letter_case(STACKS["odd kernels"], padding=padding), context=context, target=difference)


@CONTEXTS
def test_a_function_that_is_not_linear(context: str, padding: str) -> None:
    def evidence(logits: torch.Tensor) -> torch.Tensor:
        return logits[..., 1] - torch.logsumexp(logits, dim=-1)

    check(wav2letter_case(STACKS["one-step layers"], padding=padding), context=context, target=evidence)
