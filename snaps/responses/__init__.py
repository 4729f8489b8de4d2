"""Activation and saliency of named layers: steps of a network, cones, taps, and the fast path."""

from snaps.responses.device import Precision, arithmetic, device_of, keeping_freed_memory
from snaps.responses.frames import make_responder
from snaps.responses.geometry import Context, FrameOptions, LayerGeometry
from snaps.responses.linear import Linear, Part, divided
from snaps.responses.responses import (
    LayerResponse,
    Piece,
    Responder,
    Run,
    SaliencyMethod,
    SymbolTarget,
    Target,
    cut_windows,
    middle_step,
)
from snaps.responses.steps import Padding, Passage
from snaps.responses.taps import UnitsError, check_weights, evaluating, execution_order, tap
from snaps.responses.tracing import NotAStackError, Sequenced, Stack, stack_of

__all__ = [
    "Context",
    "FrameOptions",
    "LayerGeometry",
    "LayerResponse",
    "Linear",
    "NotAStackError",
    "Padding",
    "Part",
    "Passage",
    "Piece",
    "Precision",
    "Responder",
    "Run",
    "SaliencyMethod",
    "Sequenced",
    "Stack",
    "SymbolTarget",
    "Target",
    "UnitsError",
    "arithmetic",
    "check_weights",
    "cut_windows",
    "device_of",
    "divided",
    "evaluating",
    "execution_order",
    "keeping_freed_memory",
    "make_responder",
    "middle_step",
    "stack_of",
    "tap",
]
