"""A network made ready to be played to, and left as it was found."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from snaps.datasets.recording import Recording
from snaps.errors import InputError, check_text, one_of
from snaps.responses import (
    Context,
    FrameOptions,
    Precision,
    Responder,
    SaliencyMethod,
    SymbolTarget,
    Target,
    UnitsError,
    arithmetic,
    check_weights,
    device_of,
    evaluating,
    keeping_freed_memory,
    make_responder,
)

#: Where something lies in memory, as Python writes it.
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass
class Session:
    """Everything that is decided about a network before the first recording is played.

    Attributes
    ----------
    model : Module
        The network, in evaluation mode, on `device`.
    symbols : tuple of str
        Names of the network's outputs.
    ignored : tuple of str
        Predicted symbols whose frames are left out.
    target : str or callable
        ``"predicted"``, a symbol, or a function from logits to scores.
    device : device
        Where to compute.
    responder_options : dict
        Passed to `snaps.responses.make_responder` with the first recording.
    """

    model: nn.Module
    symbols: tuple[str, ...]
    ignored: tuple[str, ...]
    target: str | Target
    device: torch.device
    responder_options: dict[str, Any]
    _responder: Responder | None = None
    _n_inputs: int = 0

    @property
    def target_name(self) -> str:
        """What saliency explains, as text: of a function where it is defined, never where it lies in memory."""
        if isinstance(self.target, str):
            return self.target
        named = getattr(self.target, "__qualname__", None)
        if named is None:
            return ADDRESS.sub("", repr(self.target))
        line = getattr(getattr(self.target, "__code__", None), "co_firstlineno", None)
        return f"{self.target.__module__}.{named}" + (f" in line {line}" if "<lambda>" in named else "")

    def responder(self, recording: Recording) -> Responder:
        """Responder for recordings like this one, the same for all of a corpus.

        Raises
        ------
        InputError
            If the recording does not fit the network or those before it.
        """
        n_inputs = len(recording.features)
        if self._responder is None:
            try:
                options = dict(self.responder_options)
                methods = options.pop("methods")
                self._responder = make_responder(
                    self.model, FrameOptions(**options), n_inputs=n_inputs, device=self.device, methods=methods
                )
            except UnitsError as error:
                raise InputError(f"recording {recording.id!r} does not fit the network: {error}") from error
            self._n_inputs = n_inputs
        if n_inputs != self._n_inputs:
            raise InputError(
                f"recording {recording.id!r} has features of {n_inputs} units; those before it have {self._n_inputs}"
            )
        return self._responder

    def features(self, array: Any) -> Float[Tensor, "unit step"]:
        """Features on the device, in the network's precision."""
        return torch.as_tensor(array, dtype=torch.float32).to(self.device)

    def predicted(self, logits: Float[Tensor, "frame symbol"]) -> np.ndarray:
        """Symbol with the highest score of every frame; None where a score is not finite.

        Raises
        ------
        InputError
            If there are more or fewer scores than symbols.
        """
        if logits.shape[1] != len(self.symbols):
            raise InputError(
                f"the network gives {logits.shape[1]} scores; symbols name {len(self.symbols)}: {one_of(self.symbols)}"
            )
        predicted = np.array(self.symbols, dtype=object)[logits.argmax(dim=1).cpu().numpy()]
        predicted[~torch.isfinite(logits).all(dim=1).cpu().numpy()] = None
        return predicted

    def scores(self) -> Target:
        """Function from logits to the scores that saliency explains."""
        if callable(self.target):
            return self.target
        return SymbolTarget(None if self.target == "predicted" else self.symbols.index(self.target))


@contextmanager
def open_session(
    model: nn.Module,
    *,
    symbols: Sequence[str] | None,
    ignore: Iterable[str] | None,
    target: str | Callable[..., Any],
    device: str | torch.device | None,
    context: Context,
    layers: Iterable[str] | None = None,
    frame_steps: int | None = None,
    frame_hop: int | None = None,
    batch_size: int | None = None,
    precision: Precision = "float32",
    methods: Sequence[SaliencyMethod] = (),
) -> Iterator[Session]:
    """Make a network ready; on leaving, its mode, gradients, hooks and device are what they were.

    Raises
    ------
    InputError
        If an option does not fit the network.
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"the network is a {type(model).__name__}; accepted is a torch.nn.Module")
    names = tuple(getattr(model, "symbols", ()) if symbols is None else symbols)
    if not names:
        raise InputError(
            f"the network {type(model).__name__} does not name its outputs: give symbols, one name an output"
        )
    strange = [symbol for symbol in names if not isinstance(symbol, str) or not symbol or names.count(symbol) > 1]
    if strange or isinstance(symbols, str | AbstractSet):
        raise InputError(f"symbols are {one_of(names)}; accepted is a sequence of texts that differ and are not empty")
    for symbol in names:
        check_text(symbol, "one of the symbols")
    ignored = tuple(getattr(model, "ignored_symbols", ()) if ignore is None else ignore)
    for option, chosen in (("ignore", ignored), ("target", () if callable(target) else (target,))):
        unknown = [symbol for symbol in chosen if symbol not in names and (option, symbol) != ("target", "predicted")]
        if unknown:
            also = "'predicted', a callable, or one of " if option == "target" else ""
            raise InputError(f"{option} names {unknown[0]!r}; accepted are {also}the symbols {one_of(names)}")
    check_weights(model)
    home = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    away = home if device is None else device_of(device)
    with ExitStack() as settings:
        settings.enter_context(evaluating(model))
        settings.enter_context(arithmetic(precision, away))
        settings.enter_context(keeping_freed_memory())
        # The caller may have switched gradients off, or be in inference mode, where there are none at all.
        settings.enter_context(torch.inference_mode(mode=False))
        settings.enter_context(torch.enable_grad())
        try:
            if away != home:
                model.to(away)
            yield Session(
                model, names, ignored, target, away,
                {
                    "context": context, "layers": layers, "frame_steps": frame_steps, "frame_hop": frame_hop,
                    "batch_size": batch_size, "methods": methods,
                },
            )  # fmt: skip
        finally:
            if away != home:
                model.to(home)
