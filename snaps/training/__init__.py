"""CTC training of Wav2Letter networks, transfer between them, transcription and error rates."""

from snaps.training.alphabet import BLANK, LETTERS, phoneme_symbols, spell, symbols_for, targets
from snaps.training.decode import Evaluation, best_path, error_rate, evaluate, transcribe
from snaps.training.fitting import TrainingResult, train
from snaps.training.transfer import create_network, transfer

__all__ = [
    "BLANK",
    "LETTERS",
    "Evaluation",
    "TrainingResult",
    "best_path",
    "create_network",
    "error_rate",
    "evaluate",
    "phoneme_symbols",
    "spell",
    "symbols_for",
    "targets",
    "train",
    "transcribe",
    "transfer",
]
