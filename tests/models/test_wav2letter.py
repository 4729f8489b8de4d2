"""The Wav2Letter family: Table 1, padding, and what its options refuse."""

import pytest
import torch
from torch import nn

from snaps.errors import InputError
from snaps.models import Wav2Letter

SYMBOLS = ["_", "a", "b"]


def shapes(model: Wav2Letter) -> list[tuple[int, int, int, int]]:
    return [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in model.modules()
        if isinstance(m, nn.Conv1d)
    ]


def test_table_1() -> None:
    w2l = [(128, 256, 48, 2), *[(256, 256, 7, 1)] * 8, (256, 2048, 32, 1), (2048, 2048, 1, 1), (2048, 3, 1, 1)]
    assert shapes(Wav2Letter(SYMBOLS)) == w2l
    assert shapes(Wav2Letter(SYMBOLS, "w2p_shallow")) == [(128, 256, 48, 2), *[(256, 256, 7, 1)] * 4, (256, 3, 1, 1)]
    assert shapes(Wav2Letter(SYMBOLS, width=4))[-2] == (32, 32, 1, 1)


@pytest.mark.parametrize(
    ("norm", "pair"), [("before", ["BatchNorm1d", "Conv1d"]), ("after", ["Conv1d", "BatchNorm1d"])]
)
def test_modules_come_in_the_order_of_execution(norm: str, pair: list[str]) -> None:
    model = Wav2Letter(SYMBOLS, layers=[(4, 3, 1), (5, 3, 1), (3, 1, 1)], norm=norm)
    assert [type(module).__name__ for module in model.modules() if module is not model] == pair * 3


@pytest.mark.parametrize("kernel", [1, 2, 5, 6, 48])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 7, 50, 51])
def test_same_padding_is_that_of_the_papers_framework(kernel: int, stride: int, steps: int) -> None:
    """``ceil(T / stride)`` outputs; of an odd number of zeros the odd one is behind."""
    model = Wav2Letter(SYMBOLS, layers=[(3, kernel, stride)], n_inputs=2).eval()
    x = torch.randn(1, 2, steps)
    y = model(x)
    outputs = -(-steps // stride)
    assert y.shape[-1] == outputs == int(model.output_lengths(torch.tensor([steps])))
    total = max((outputs - 1) * stride + kernel - steps, 0)
    before = total // 2
    normed = model.norm1(x)
    for step in range(outputs):
        window = torch.zeros(1, 2, kernel)
        for k in range(kernel):
            place = step * stride + k - before
            if 0 <= place < steps:
                window[..., k] = normed[..., place]
        expected = (window[:, None] * model.conv1.weight[None]).sum((2, 3)) + model.conv1.bias
        torch.testing.assert_close(y[..., step], expected, rtol=1e-4, atol=1e-5)


def test_padding_uses_the_same_weights() -> None:
    model = Wav2Letter(SYMBOLS, layers=[(4, 6, 2), (3, 4, 1)], n_inputs=2).eval()
    x = torch.randn(1, 2, 60)
    padded = model(x)
    model.padding = "valid"
    valid = model(x)
    assert model.config["padding"] == "valid"
    assert valid.shape[-1] == int(model.output_lengths(torch.tensor([60])))
    # The first valid output step is the padded one whose window begins at the recording's beginning.
    assert any(torch.allclose(padded[..., step], valid[..., 0], atol=1e-5) for step in range(padded.shape[-1]))


def test_the_configuration_builds_the_same_network() -> None:
    for options in ({"width": 4, "norm": "after"}, {"layers": [(4, 5, 2), (3, 4, 1)], "padding": "valid"}):
        model = Wav2Letter(SYMBOLS, n_inputs=5, **options)
        again = Wav2Letter(**model.config)
        again.load_state_dict(model.state_dict())
        assert again.config == model.config
        assert again.layers == model.layers


@pytest.mark.parametrize(
    ("symbols", "options", "words"),
    [
        (["a", "b"], {}, "'_'.*'a', 'b'"),
        ([], {}, "symbols"),
        (["_", "a", "a"], {}, "'a'.*more than once"),
        (SYMBOLS, {"preset": "w2x"}, "'w2x'.*'w2l'.*'w2p_shallow'"),
        (SYMBOLS, {"norm": "between"}, "'before', 'after'"),
        (SYMBOLS, {"padding": "full"}, "'same', 'valid'"),
        (SYMBOLS, {"width": 0}, "width"),
        (SYMBOLS, {"layers": [(4, 5)]}, "layer 1"),
        (SYMBOLS, {"layers": [(4, 5, 1)]}, "4 filters.*3"),
        (SYMBOLS, {"layers": []}, "0 convolutions"),
        (SYMBOLS, {"repetitions": ["2"]}, "'2'"),
    ],
)
def test_what_makes_no_network(symbols: list[str], options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Wav2Letter(symbols, **options)


def test_repetitions_are_ignored_like_the_blank() -> None:
    assert Wav2Letter([*SYMBOLS, "2"], layers=[(4, 1, 1)], repetitions=["2"]).ignored_symbols == ("_", "2")
