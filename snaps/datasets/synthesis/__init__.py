"""Speech from eSpeak NG, written as a corpus in TIMIT's layout."""

from snaps.datasets.synthesis.corpus import synthesize_corpus

__all__ = ["synthesize_corpus"]
