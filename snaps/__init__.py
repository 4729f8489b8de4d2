"""Look at neural networks the way neuroscientists look at brains.

`snaps` plays a corpus of speech to a network, aligns every layer's responses at the moment that mattered for
the network's decision, averages them by letter, phoneme or any label, and compares the profiles layer by
layer and network by network. Names are loaded when they are first used: ``import snaps`` itself is light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: The public face: every name with the module that it comes from.
_PUBLIC = {
    "Aligner": "snaps.alignment",
    "Interval": "snaps.datasets",
    "LRP": "snaps.alignment",
    "Recording": "snaps.datasets",
    "Sensitivity": "snaps.alignment",
    "Unaligned": "snaps.alignment",
    "Wav2Letter": "snaps.models",
    "cluster": "snaps.clustering",
    "compare_clusterings": "snaps.clustering",
    "compare_models": "snaps.clustering",
    "compute_profiles": "snaps.profiling",
    "contrast": "snaps.profiles",
    "distances": "snaps.clustering",
    "evaluate_alignment": "snaps.profiling",
    "evaluate_faithfulness": "snaps.faithfulness",
    "filter_groups": "snaps.profiles",
    "frame_table": "snaps.profiling",
    "load_model": "snaps.models",
    "load_textgrids": "snaps.datasets",
    "load_timit": "snaps.datasets",
    "nap": "snaps.profiles",
    "navai": "snaps.profiles",
    "open_profiles": "snaps.profiles",
    "regroup": "snaps.profiles",
    "save_model": "snaps.models",
    "save_profiles": "snaps.profiles",
    "silhouette_sweep": "snaps.clustering",
    "snap": "snaps.profiles",
    "synthesize_corpus": "snaps.speech",
    "tap": "snaps.responses",
    "train": "snaps.training",
    "transfer": "snaps.training",
    "write_report": "snaps.report",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'snaps' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
