"""How activation and saliency of named layers are had: receptive fields, cones, taps, and the fast path."""

from snaps.responses.devices import device_of
from snaps.responses.geometry import FrameGrid, LayerGeometry, Window, cone_widths, frame_grid
from snaps.responses.graph import UnitsError
from snaps.responses.memory import keeping_freed_memory
from snaps.responses.precision import PRECISIONS, Precision, arithmetic
from snaps.responses.readiness import check_weights
from snaps.responses.responder import CONTEXTS, Context, make_responder
from snaps.responses.responses import (
    CarriedMethod,
    LayerResponse,
    Piece,
    Responder,
    Run,
    SaliencyMethod,
    SymbolTarget,
    Target,
    cut_windows,
    target_gradient,
)
from snaps.responses.stack import Convolution, Passage, Scaling, Stack
from snaps.responses.steps import Step, StepByStep, layer_results, play, steps_of
from snaps.responses.taps import Taps, evaluating, layer_names, tap
from snaps.responses.tracing import NotAStackError, Padding, Sequenced, scaling_of, stack_of

__all__ = [
    "CONTEXTS",
    "PRECISIONS",
    "CarriedMethod",
    "Context",
    "Convolution",
    "FrameGrid",
    "LayerGeometry",
    "LayerResponse",
    "NotAStackError",
    "Padding",
    "Passage",
    "Piece",
    "Precision",
    "Responder",
    "Run",
    "SaliencyMethod",
    "Scaling",
    "Sequenced",
    "Stack",
    "Step",
    "StepByStep",
    "SymbolTarget",
    "Taps",
    "Target",
    "UnitsError",
    "Window",
    "arithmetic",
    "check_weights",
    "cone_widths",
    "cut_windows",
    "device_of",
    "evaluating",
    "frame_grid",
    "keeping_freed_memory",
    "layer_names",
    "layer_results",
    "make_responder",
    "play",
    "scaling_of",
    "stack_of",
    "steps_of",
    "tap",
    "target_gradient",
]
