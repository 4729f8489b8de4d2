"""The Wav2Letter family and its checkpoints."""

from snaps.models.checkpoints import load_model, read_metadata, save_model, weights_hash
from snaps.models.wav2letter import PRESETS, LayerShape, Wav2Letter

__all__ = ["PRESETS", "LayerShape", "Wav2Letter", "load_model", "read_metadata", "save_model", "weights_hash"]
