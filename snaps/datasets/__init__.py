"""Corpora, their labels, mel spectrograms, and the frame table."""

from snaps.datasets.audio import Audio, read_audio
from snaps.datasets.corpus import (
    LOADERS,
    Corpus,
    CorpusLike,
    OnError,
    corpus_fingerprint,
    corpus_name,
    corpus_settings,
    iterate_annotations,
    load_corpus,
)
from snaps.datasets.drops import REASONS, DropLog
from snaps.datasets.files import Annotation, AnnotationReader, Entry, FileCorpus
from snaps.datasets.frames import FRAME_COLUMNS, frame_rows, interval_labels
from snaps.datasets.groupings import Grouping, Inventory, parse_groupings, take_inventory
from snaps.datasets.paths import exists, require_file
from snaps.datasets.recording import Interval, Recording
from snaps.datasets.spectrogram import RATE, SETTINGS, STEP, mel_frequencies, mel_spectrogram, resample
from snaps.datasets.textgrids import load_textgrids
from snaps.datasets.timit import FOLD_39, PHONES_61, load_timit

__all__ = [
    "FOLD_39",
    "FRAME_COLUMNS",
    "LOADERS",
    "PHONES_61",
    "RATE",
    "REASONS",
    "SETTINGS",
    "STEP",
    "Annotation",
    "AnnotationReader",
    "Audio",
    "Corpus",
    "CorpusLike",
    "DropLog",
    "Entry",
    "FileCorpus",
    "Grouping",
    "Interval",
    "Inventory",
    "OnError",
    "Recording",
    "corpus_fingerprint",
    "corpus_name",
    "corpus_settings",
    "exists",
    "frame_rows",
    "interval_labels",
    "iterate_annotations",
    "load_corpus",
    "load_textgrids",
    "load_timit",
    "mel_frequencies",
    "mel_spectrogram",
    "parse_groupings",
    "read_audio",
    "require_file",
    "resample",
    "take_inventory",
]
