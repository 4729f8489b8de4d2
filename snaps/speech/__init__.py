"""Synthetic speech: a corpus in TIMIT's layout, spoken by eSpeak NG."""

from snaps.speech.corpus import synthesize_corpus

__all__ = ["synthesize_corpus"]
