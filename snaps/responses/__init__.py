"""How activation and saliency of named layers are had: receptive fields, cones, taps, and the fast path."""

from snaps.responses.geometry import FrameGrid, LayerGeometry, Window, cone_widths, frame_grid
from snaps.responses.graph import UnitsError
from snaps.responses.memory import keeping_freed_memory
from snaps.responses.precision import PRECISIONS, Precision, arithmetic
from snaps.responses.responder import CONTEXTS, Context, make_responder
from snaps.responses.responses import LayerResponse, Piece, Responder, SaliencyMethod, Target, cut_windows
from snaps.responses.stack import Passage, Stack
from snaps.responses.taps import Taps, evaluating, layer_names, tap
from snaps.responses.tracing import NotAStackError, stack_of

__all__ = [
    "CONTEXTS",
    "PRECISIONS",
    "Context",
    "FrameGrid",
    "LayerGeometry",
    "LayerResponse",
    "NotAStackError",
    "Passage",
    "Piece",
    "Precision",
    "Responder",
    "SaliencyMethod",
    "Stack",
    "Taps",
    "Target",
    "UnitsError",
    "Window",
    "arithmetic",
    "cone_widths",
    "cut_windows",
    "evaluating",
    "frame_grid",
    "keeping_freed_memory",
    "layer_names",
    "make_responder",
    "stack_of",
    "tap",
]
