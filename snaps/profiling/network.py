"""A network prepared for playing, and restored afterwards."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from snaps.alignment import Alignment
from snaps.datasets import CorpusLike, Recording, corpus_fingerprint, corpus_name
from snaps.errors import InputError, check_text, check_type, one_of
from snaps.models import weights_hash
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
from snaps.schema import storable

#: An address in memory, as Python writes it.
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class Playing:
    """Options of playing a corpus to a network; `snaps.compute_profiles` describes each."""

    context: Context = "recording"
    target: str | Target = "predicted"
    ignore: Iterable[str] | None = None
    symbols: Sequence[str] | None = None
    frame_steps: int | None = None
    frame_hop: int | None = None
    batch_size: int | None = None
    device: str | torch.device | None = None
    precision: Precision = "float32"
    layers: Iterable[str] | None = None

    def __post_init__(self) -> None:
        for name in ("ignore", "layers"):
            given = getattr(self, name)
            if isinstance(given, AbstractSet):  # its order is another in every process
                object.__setattr__(self, name, tuple(sorted(given, key=str)))
            elif given is not None and not isinstance(given, str):
                object.__setattr__(self, name, tuple(given))

    @property
    def frames(self) -> FrameOptions:
        """Options of frames and layers."""
        return FrameOptions(self.context, self.frame_steps, self.frame_hop, self.batch_size, self.layers)


@dataclass(eq=False)
class PreparedNetwork:
    """A network in evaluation mode on its device, with everything that is decided before the first recording.

    Attributes
    ----------
    model : Module
        The network.
    playing : Playing
        How it is played to.
    aligners : mapping of str to aligner
        How its responses are aligned.
    symbols, ignored : tuple of str
        Names of its outputs, and those whose frames are left out.
    device : device
        Where it computes.
    """

    model: nn.Module
    playing: Playing
    aligners: Mapping[str, Alignment]
    symbols: tuple[str, ...]
    ignored: tuple[str, ...]
    device: torch.device
    _responder: Responder | None = None
    _like: Recording | None = None

    @property
    def methods(self) -> list[SaliencyMethod]:
        """Saliency methods of all aligners, each once."""
        methods: list[SaliencyMethod] = []
        for aligner in self.aligners.values():
            methods += [method for method in aligner.methods if method not in methods]
        return methods

    @property
    def responder(self) -> Responder:
        """Responder for recordings like the first."""
        assert self._responder is not None, "fit comes first"
        return self._responder

    def fit(self, recording: Recording) -> Responder:
        """Responder for recordings like this one, the same for all of a corpus.

        Raises
        ------
        InputError
            If the recording does not fit the network or those before it.
        """
        if self._like is None or self._responder is None:
            try:
                self._responder = make_responder(
                    self.model, self.playing.frames, n_inputs=len(recording.features), device=self.device,
                    methods=self.methods,
                )  # fmt: skip
            except UnitsError as error:
                raise InputError(f"recording {recording.id!r} does not fit the network: {error}") from error
            self._like = without_steps(recording)
        check_alike(self._like, recording)
        return self._responder

    def features(self, recording: Recording) -> Float[Tensor, "unit step"]:
        """Features on the device, in the network's precision."""
        return torch.as_tensor(recording.features, dtype=torch.float32).to(self.device)

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

    @property
    def target(self) -> Target:
        """Function from logits to the scores that saliency explains."""
        target = self.playing.target
        if callable(target):
            return target
        return SymbolTarget(None if target == "predicted" else self.symbols.index(target))

    @property
    def target_name(self) -> str:
        """Text that names the target; functions are named by module and name, never by address."""
        target = self.playing.target
        if isinstance(target, str):
            return target
        named = getattr(target, "__qualname__", None)
        if named is None:
            return ADDRESS.sub("", repr(target))
        line = getattr(getattr(target, "__code__", None), "co_firstlineno", None)
        return f"{target.__module__}.{named}" + (f" in line {line}" if "<lambda>" in named else "")

    def describe(self, corpus: CorpusLike) -> dict[str, Any]:
        """Attributes ``model`` and ``corpus`` of a result."""
        rate = getattr(self.model, "error_rate", None)
        own = {
            "name": type(self.model).__name__,
            "hash": weights_hash(self.model),
            "symbols": list(self.symbols),
            "error_rate": float(rate) if isinstance(rate, Real) and math.isfinite(rate) else None,
        }
        return {
            "model": {**storable(getattr(self.model, "config", {})), **own},
            "corpus": {
                "name": corpus_name(corpus),
                "fingerprint": corpus_fingerprint(corpus),
                "n_recordings": len(corpus),
            },
        }


@contextmanager
def prepared(
    model: nn.Module, playing: Playing, aligners: Mapping[str, Alignment] = MappingProxyType({})
) -> Iterator[PreparedNetwork]:
    """Prepare a network; mode, gradients, hooks and device are restored on leaving.

    Parameters
    ----------
    model : Module
        The network.
    playing : Playing
        How it is played to.
    aligners : mapping of str to aligner
        How its responses are aligned.

    Raises
    ------
    InputError
        If an option does not fit the network.
    """
    check_type("the network", model, nn.Module, accepted="a torch.nn.Module")
    for aligner in aligners.values():
        if not hasattr(aligner, "peaks") or isinstance(aligner, type):
            raise InputError(f"aligner is {aligner!r}; accepted are Aligner(…) and Unaligned(…)")
    symbols, ignored = _checked_symbols(model, playing)
    check_weights(model)
    home = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    away = home if playing.device is None else device_of(playing.device)
    with ExitStack() as settings:
        settings.enter_context(evaluating(model))
        settings.enter_context(arithmetic(playing.precision, away))
        settings.enter_context(keeping_freed_memory())
        # The caller may have switched gradients off, or be in inference mode, where there are none at all.
        settings.enter_context(torch.inference_mode(mode=False))
        settings.enter_context(torch.enable_grad())
        try:
            if away != home:
                model.to(away)
            yield PreparedNetwork(model, playing, aligners, symbols, ignored, away)
        finally:
            if away != home:
                model.to(home)


def without_steps(recording: Recording) -> Recording:
    """Copy of a recording without its steps, labels and attributes."""
    return Recording(recording.id, recording.features[:, :0].copy(), step=recording.step, frequency=recording.frequency)


def check_alike(before: Recording, recording: Recording) -> None:
    """Refuse a recording whose number of units or step differs from those before it.

    Raises
    ------
    InputError
        Naming the recording.
    """
    if len(recording.features) != len(before.features):
        raise InputError(
            f"recording {recording.id!r} has features of {len(recording.features)} units; those before it have "
            f"{len(before.features)}"
        )
    if recording.step != before.step:
        raise InputError(
            f"recording {recording.id!r} has a step of {recording.step} s; those before it have {before.step} s"
        )


def fixed_target(target: Target, logits: Float[Tensor, "frame symbol"]) -> Target:
    """Target that keeps each frame's symbol when the logits change."""
    if not isinstance(target, SymbolTarget):
        return target
    symbols: Int[Tensor, " frame"] = target.of(logits)
    return lambda changed: changed.gather(1, symbols[:, None])[:, 0]


def _texts_of(model: nn.Module, name: str) -> tuple[Any, ...]:
    """Names that an attribute of a network lists; none if the attribute is no list."""
    found = getattr(model, name, ())
    return tuple(found) if isinstance(found, list | tuple) else ()


def _checked_symbols(model: nn.Module, playing: Playing) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the outputs, and those whose frames are left out."""
    names = _texts_of(model, "symbols") if playing.symbols is None else tuple(playing.symbols)
    if not names:
        raise InputError(
            f"the network {type(model).__name__} does not name its outputs: give symbols, one name an output"
        )
    strange = [symbol for symbol in names if not isinstance(symbol, str) or not symbol or names.count(symbol) > 1]
    if strange or isinstance(playing.symbols, str | AbstractSet):
        raise InputError(f"symbols are {one_of(names)}; accepted is a sequence of texts that differ and are not empty")
    for symbol in names:
        check_text(symbol, "one of the symbols")
    ignored = _texts_of(model, "ignored_symbols") if playing.ignore is None else tuple(playing.ignore)
    target = playing.target
    for option, chosen in (("ignore", ignored), ("target", () if callable(target) else (target,))):
        unknown = [symbol for symbol in chosen if symbol not in names and (option, symbol) != ("target", "predicted")]
        if unknown:
            also = "'predicted', a callable, or one of " if option == "target" else ""
            raise InputError(f"{option} names {unknown[0]!r}; accepted are {also}the symbols {one_of(names)}")
    return names, ignored
