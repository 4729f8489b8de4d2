"""The Wav2Letter family: convolutions along time from a spectrogram to symbols (SNAP paper, Table 1)."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from snaps.errors import InputError, check_choice, check_text, check_whole, one_of
from snaps.responses import Padding, Sequenced, Stack, stack_of


class LayerShape(NamedTuple):
    """One convolution: number of filters, kernel size and stride in steps."""

    filters: int
    kernel: int
    stride: int


def _w2p_shallow(width: int) -> list[LayerShape]:
    return [LayerShape(width, 48, 2), *[LayerShape(width, 7, 1)] * 4]


def _w2l(width: int) -> list[LayerShape]:
    return [
        LayerShape(width, 48, 2),
        *[LayerShape(width, 7, 1)] * 8,
        LayerShape(8 * width, 32, 1),
        LayerShape(8 * width, 1, 1),
    ]


#: Hidden convolutions of Table 1's architectures for a width; ``w2l`` with phonemes as symbols is the paper's W2P.
PRESETS: Mapping[str, Callable[[int], list[LayerShape]]] = {"w2l": _w2l, "w2p_shallow": _w2p_shallow}

#: Added to variances in batch normalisation, as in the papers' framework. With torch's 1e-5, a unit that hardly ever
#: fires in training is multiplied by over 300 where it does later, and outshines its whole layer.
NORM_EPS = 1e-3

#: Convolutions of a network.
MOST_LAYERS = 1000

Tap = Callable[[str, Tensor], Tensor]


class Wav2Letter(Sequenced):
    """Fully convolutional network from features to the scores of symbols.

    Parameters
    ----------
    symbols : sequence of str
        Output symbols, the blank among them.
    preset : str
        Architecture of Table 1: ``"w2l"`` (12 convolutions) or ``"w2p_shallow"`` (6).
    layers : sequence of (filters, kernel, stride), optional
        The convolutions themselves, instead of a preset; the last one has as many filters as there are symbols.
    blank : str or None
        The CTC blank, one of the symbols; None for a network without one.
    repetitions : sequence of str
        Symbols that stand for a repeated letter (NAvAI, section 3.1); profiles leave them out, like the blank.
    n_inputs : int
        Units of the input, e.g. mel bands.
    width : int
        Filters of the narrow convolutions of a preset (256 in the paper); the wide ones have eight times as many.
    norm : {"before", "after"}
        Batch normalisation before each convolution (SNAP) or behind it (NAvAI).
    padding : {"same", "valid"}
        ``"same"`` pads with zeros to ``ceil(T / stride)`` steps, of an odd number of zeros the odd one behind;
        ``"valid"`` never pads. Weights do not depend on it, and it may be assigned later.

    Attributes
    ----------
    layers : tuple of str
        ``input``, ``conv1``, …, ``logits``: all layers that can be tapped.
    source : path or None
        File from which the network was loaded, if it was.

    Raises
    ------
    InputError
        If an option has no meaning; the sentence says what is accepted.

    Examples
    --------
    >>> model = Wav2Letter(["_", "a", "b"], "w2p_shallow", width=4)
    >>> model.layers
    ('input', 'conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'logits')
    >>> model.receptive_field, model.stride
    (96, 2)
    """

    def __init__(
        self,
        symbols: Sequence[str],
        preset: str = "w2l",
        *,
        layers: Sequence[Sequence[int]] | None = None,
        blank: str | None = "_",
        repetitions: Sequence[str] = (),
        n_inputs: int = 128,
        width: int = 256,
        norm: Literal["before", "after"] = "before",
        padding: Literal["same", "valid"] = "same",
    ) -> None:
        super().__init__()
        #: File from which the network was loaded.
        self.source: str | os.PathLike[str] | None = None
        #: Symbol error rate on speech that the network was not trained on, once that is known.
        self.error_rate: float | None = None
        self.symbols = _checked_symbols(symbols, blank, repetitions)
        self.blank = blank
        self.repetitions = tuple(repetitions)
        check_choice("norm", norm, ("before", "after"))
        self.norm = norm
        self.padding = padding
        self.n_inputs = check_whole("n_inputs", n_inputs)
        if layers is not None:
            self.shapes = _checked_shapes(layers, len(self.symbols))
        else:
            check_choice("preset", preset, PRESETS)
            self.shapes = [*PRESETS[preset](check_whole("width", width)), LayerShape(len(self.symbols), 1, 1)]
        #: Everything that builds the same network again: ``Wav2Letter(**model.config)``.
        self.config: dict[str, Any] = {
            "symbols": list(self.symbols),
            "blank": blank,
            "repetitions": list(self.repetitions),
            "n_inputs": n_inputs,
            "norm": norm,
            "padding": padding,
        }
        self.config |= (
            {"preset": preset, "width": width} if layers is None else {"layers": list(map(list, self.shapes))}
        )
        units = n_inputs
        for number, shape in enumerate(self.shapes, start=1):
            norm_layer = nn.BatchNorm1d(units if norm == "before" else shape.filters, eps=NORM_EPS)
            convolution = nn.Conv1d(units, shape.filters, shape.kernel, shape.stride)
            pair = [(f"norm{number}", norm_layer), (f"conv{number}", convolution)]
            for name, module in pair if norm == "before" else reversed(pair):
                self.add_module(name, module)
            units = shape.filters
        hidden_layers = [f"conv{number}" for number in range(1, len(self.shapes))]
        self.layers = ("input", *hidden_layers, "logits")

    @property
    def padding(self) -> Literal["same", "valid"]:
        """``"same"`` or ``"valid"``."""
        return self._padding

    @padding.setter
    def padding(self, padding: Literal["same", "valid"]) -> None:
        check_choice("padding", padding, ("same", "valid"))
        self._padding = padding
        if hasattr(self, "config"):
            self.config["padding"] = padding

    @property
    def pads(self) -> bool:
        """Whether the network pads as it is set now."""
        return self.padding == "same"

    @property
    def ignored_symbols(self) -> tuple[str, ...]:
        """Symbols that stand for no sound: blank and repetitions."""
        return (*((self.blank,) if self.blank is not None else ()), *self.repetitions)

    @property
    def receptive_field(self) -> int:
        """Input steps on which one output step depends, R."""
        return self.stack().receptive_field

    @property
    def stride(self) -> int:
        """Input steps from one output step to the next, s."""
        return self.stack().stride

    def stack(self) -> Stack:
        """The network as a sequence of operations without padding."""
        return stack_of(self)

    def sequence(self) -> Iterator[tuple[str | None, nn.Module | Callable[[Tensor], Tensor]]]:
        """Modules and functions in the order of execution, each with the layer that comes out, if it has a name."""
        last = len(self.shapes)
        for number in range(1, last + 1):
            norm, convolution = self.get_submodule(f"norm{number}"), self.get_submodule(f"conv{number}")
            first, second = (norm, convolution) if self.norm == "before" else (convolution, norm)
            shape = self.shapes[number - 1]
            for link, name in ((first, None), (second, None if number < last else "logits")):
                if link is convolution and self.pads:
                    yield None, Padding(shape.kernel, shape.stride)
                yield name, link
            if number < last:
                yield f"conv{number}", F.relu

    def forward(self, x: Float[Tensor, "batch unit step"], tap: Tap | None = None) -> Float[Tensor, "batch symbol out"]:
        """Scores of every symbol (logits, never softmax).

        Parameters
        ----------
        x : tensor of shape (batch, unit, step)
            Features.
        tap : callable, optional
            Is given the name and the activation of every layer, and gives the activation to go on with.

        Returns
        -------
        tensor of shape (batch, symbol, step)
            ``ceil(T / stride)`` steps if padded, one a whole receptive field otherwise.
        """
        if tap is not None:
            x = tap("input", x)
        for name, link in self.sequence():
            x = link(x)
            if tap is not None and name is not None:
                x = tap(name, x)
        return x

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Output steps of recordings of `lengths` input steps, for the padding as it is set now."""
        for shape in self.shapes:
            if self.pads:
                lengths = (lengths + shape.stride - 1) // shape.stride
            else:
                lengths = ((lengths - shape.kernel) // shape.stride + 1).clamp(min=0)
        return lengths


def _checked_symbols(symbols: Sequence[str], blank: str | None, repetitions: Sequence[str]) -> tuple[str, ...]:
    table = tuple(symbols)
    if not table or any(not isinstance(symbol, str) or not symbol for symbol in table):
        raise InputError(f"symbols are {list(table)!r}; accepted is a sequence of non-empty texts")
    for symbol in table:
        check_text(symbol, "one of the symbols")
    twice = sorted(symbol for symbol, number in Counter(table).items() if number > 1)
    if twice:
        raise InputError(f"symbols name {one_of(twice)} more than once; accepted is a sequence of different texts")
    for special in (*(() if blank is None else (blank,)), *repetitions):
        check_choice("the blank or a repetition", special, table)
    return table


def _checked_shapes(layers: Sequence[Sequence[int]], n_symbols: int) -> list[LayerShape]:
    if not 0 < len(layers) <= MOST_LAYERS:
        raise InputError(f"layers are {len(layers):,} convolutions; accepted are 1 to {MOST_LAYERS:,}")
    shapes = []
    for number, layer in enumerate(layers, start=1):
        if len(layer) != len(LayerShape._fields):
            raise InputError(f"layer {number} is {layer!r}; accepted are (filters, kernel, stride)")
        named = zip(LayerShape._fields, layer, strict=True)
        shapes.append(LayerShape(*(check_whole(f"{name} of layer {number}", value) for name, value in named)))
    if shapes[-1].filters != n_symbols:
        raise InputError(
            f"the last of the layers has {shapes[-1].filters} filters; it must have {n_symbols}, one a symbol"
        )
    return shapes
