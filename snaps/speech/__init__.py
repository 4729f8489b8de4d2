"""Synthetic speech: eSpeak NG reads a text file of sentences, and a corpus in TIMIT's layout is written."""

from snaps.speech.corpus import synthesize_corpus

__all__ = ["synthesize_corpus"]
