"""A corpus of synthetic speech in TIMIT's layout."""

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from snaps import __version__
from snaps.datasets import RATE, FileCorpus, load_timit
from snaps.errors import InputError, check_number, check_whole, one_of
from snaps.outputs import writing
from snaps.speech.casting import Speaker, assign_sentences, cast_speakers, words_of
from snaps.speech.engine import find_engine
from snaps.speech.labels import Phone, word_bounds
from snaps.speech.recording import record

PARTS = ("DOC", "TEST", "TRAIN")
"""What the root of a synthesised corpus holds."""


#: File by which a synthesised corpus is known.
MARK = "DOC/SYNTHESIS.JSON"


def synthesize_corpus(
    root: str | os.PathLike[str],
    *,
    speakers: int = 20,
    sentences: int = 10,
    seed: int = 0,
    test_speakers: int | None = None,
    levels: tuple[float, float] = (-20.0, -3.0),
    snr: tuple[float, float] | None = (20.0, 40.0),
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> FileCorpus:
    """Write a corpus of synthetic speech in TIMIT's layout, and load it.

    eSpeak NG reads sentences of a text file and says where every phoneme begins. One of four
    speakers is in the test part; women and men take turns; every other speaker is American (``DR1``), the
    rest speak five other dialects of English (``DR2`` to ``DR6``). Every speaker says the same two dialect
    sentences (SA1, SA2); of the other sentences a quarter is shared by up to four speakers of one part
    (SX), the rest is said once (SI). The file has 2,500 sentences, in an order in which phonemes, pairs of
    phonemes and words are spread evenly; where more are needed, they return within their part.

    Written are ``TRAIN|TEST/DR1…DR6/SPEAKER/SENTENCE.{WAV,PHN,WRD,TXT}`` (NIST SPHERE, 16 kHz, 16 bits,
    mono; limits in samples; the 61 symbols), and ``DOC/SYNTHESIS.JSON`` with options and speakers. The same
    options give the same bytes, whatever the number of workers. Nothing is left behind if it fails.

    Parameters
    ----------
    root : path
        Folder to write, new or empty.
    speakers : int
        Number of speakers, 2 at least.
    sentences : int
        Sentences per speaker, 1 at least, with the dialect sentences.
    seed : int
        What everything that is drawn follows from, 0 or above.
    test_speakers : int, optional
        Number of speakers in the test part; one of four unless given.
    levels : (float, float)
        Lowest and highest level of a recording: its largest absolute value in dB relative to full scale, 0
        at most.
    snr : (float, float), optional
        Lowest and highest signal-to-noise ratio of a recording in dB: the mean power between the first and
        the last sound, over that of steady noise between white and pink. None leaves the
        noise out.
    workers : int, optional
        Recordings that are made at the same time; as many as there are processors unless given.
    overwrite : bool
        Whether a corpus that exists at `root` is replaced.
    progress : bool
        Whether a progress bar is drawn on standard error.

    Returns
    -------
    FileCorpus
        The corpus, as `load_timit` loads it.

    Raises
    ------
    InputError
        If an option is out of range, eSpeak NG is not installed, or it says a phoneme for which there is no
        symbol.
    OutputExistsError
        If `root` exists, is not empty and was not to be replaced.
    """
    root = Path(root)
    for option, value, least in (("speakers", speakers, 2), ("sentences", sentences, 1), ("seed", seed, 0)):
        check_whole(option, value, least=least)
    check_whole("workers", 1 if workers is None else workers)
    if test_speakers is not None and not 1 <= test_speakers < speakers:
        raise InputError(f"test_speakers is {test_speakers!r}; accepted are whole numbers from 1 below {speakers}")
    levels = _interval("levels", levels, most=0.0)
    snr = None if snr is None else _interval("snr", snr)
    engine = find_engine()
    cast = cast_speakers(speakers, seed=seed, test_speakers=test_speakers)
    for speaker in cast:
        if not engine.has_variant(speaker.variant):
            raise InputError(
                f"the installed eSpeak NG lacks the voice variant {speaker.variant!r} in {engine.data}; "
                "the one in the wheel espeakng-loader 0.2.4 has it"
            )
    assigned = assign_sentences(cast, n_sentences=sentences, seed=seed)
    tasks = [
        (speaker, name, text, (seed, index + 2, turn))
        for index, speaker in enumerate(cast)
        for turn, (name, text) in enumerate(assigned[speaker.id].items())
    ]
    with writing(root.resolve(), overwrite=overwrite, mark=MARK, flushed=False) as folder:
        _refuse_other_files(root)

        def make(task: tuple[Speaker, str, str, tuple[int, int, int]]) -> None:
            """Make one recording; it depends on the options and on its own seeds alone."""
            speaker, name, text, seeds = task
            rng = np.random.default_rng(seeds)
            samples, phones = record(engine, speaker, text, levels=levels, snr=snr, rng=rng)
            _write(folder / speaker.split / speaker.dialect / speaker.id / name, text, samples, phones)

        for speaker in cast:
            (folder / speaker.split / speaker.dialect / speaker.id).mkdir(parents=True)
        _do_all(make, tasks, workers=workers, progress=progress)
        options = {
            "speakers": speakers, "sentences": sentences, "seed": seed, "test_speakers": test_speakers,
            "levels": levels, "snr": snr,
        }  # fmt: skip
        described = {
            "made_by": f"neuron-snaps {__version__}",
            "options": options,
            "speakers": [{**asdict(speaker), "voice": speaker.voice} for speaker in cast],
        }
        (folder / "DOC").mkdir()
        (folder / MARK).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return load_timit(root.absolute())


def _do_all(make: Callable[[Any], None], tasks: list[Any], *, workers: int | None, progress: bool) -> None:
    """Do the tasks, several at a time: threads that wait for eSpeak NG's processes."""
    from tqdm import tqdm

    # Some systems do not tell which processors this process may use.
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    executor = ThreadPoolExecutor(max_workers=workers or available)
    try:
        done = executor.map(make, tasks)
        for _ in tqdm(done, "speaking", len(tasks), unit=" recordings", file=sys.stderr, disable=not progress):
            pass
    finally:
        executor.shutdown(cancel_futures=True)


def _write(path: Path, text: str, samples: Int16[np.ndarray, " sample"], phones: Sequence[Phone]) -> None:
    """Write the four files of a recording."""
    import soundfile

    # Written to memory first: soundfile would wait for the disk after every file.
    sphere = io.BytesIO()
    soundfile.write(sphere, samples, RATE, format="NIST", subtype="PCM_16")
    path.with_suffix(".WAV").write_bytes(sphere.getbuffer())
    words = words_of(text)
    bounds = word_bounds(phones, len(words))
    written = {
        ".PHN": [f"{phone.start} {phone.end} {phone.symbol}" for phone in phones],
        ".WRD": [f"{start} {end} {word}" for (start, end), word in zip(bounds, words, strict=True)],
        ".TXT": [f"0 {len(samples)} {text}"],
    }
    for ending, lines in written.items():
        path.with_suffix(ending).write_bytes("".join(f"{line}\n" for line in lines).encode("ascii"))


def _refuse_other_files(root: Path) -> None:
    """Refuse to replace a corpus that holds other things."""
    foreign = sorted(path.name for path in root.iterdir() if path.name not in PARTS) if root.is_dir() else []
    if foreign:
        raise InputError(
            f"{root} is not replaced, because it holds more than a synthesised corpus: {one_of(foreign)}; "
            f"accepted are {one_of(PARTS)}"
        )


def _interval(option: str, value: object, *, most: float | None = None) -> tuple[float, float]:
    """Two numbers in dB, the lower one first."""
    if not isinstance(value, Sequence) or len(value) != 2 or not value[0] <= value[1]:
        raise InputError(f"{option} is {value!r}; accepted are the lowest and the highest value in dB")
    return check_number(option, value[0]), check_number(option, value[1], most=most)
