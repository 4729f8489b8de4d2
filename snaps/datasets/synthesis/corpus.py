"""A corpus of synthetic speech in TIMIT's layout."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from snaps import __version__
from snaps.datasets.files import FileCorpus
from snaps.datasets.resampling import RATE, resample
from snaps.datasets.synthesis.labels import Phone, phones_of, word_bounds
from snaps.datasets.synthesis.selection import Assignment, assign_sentences
from snaps.datasets.synthesis.sound import FULL_SCALE, add_noise, at_level, noise_floor, with_silence
from snaps.datasets.synthesis.speakers import Speaker, cast_speakers
from snaps.datasets.synthesis.speech import Engine, Speech, find_engine
from snaps.datasets.synthesis.tree import check_output
from snaps.datasets.timit import load_timit
from snaps.errors import InputError
from snaps.outputs import replacing

SILENCE = (0.10, 0.30)
"""Least and most silence at either end, in seconds."""
RATE_VARIES = 0.06
"""A speaker's rate varies by this share from recording to recording."""
STEEPEST_NOISE = 1.0
"""Noise lies between white and pink."""


@dataclass(frozen=True)
class _Task:
    """One recording to be made: the n-th of the speaker at an index."""

    speaker: Speaker
    assignment: Assignment
    seeds: tuple[int, int, int]

    @property
    def stem(self) -> Path:
        """Path below the root, without the ending."""
        speaker = self.speaker
        return Path(speaker.split, speaker.dialect, speaker.id, self.assignment.name)


@dataclass(frozen=True)
class _Conditions:
    """Options that hold for every recording."""

    levels: tuple[float, float]
    snr: tuple[float, float] | None


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

    eSpeak NG speaks sentences of a grammar of our own and says where every phoneme begins. One of four
    speakers is in the test part; women and men take turns; every other speaker is American (``DR1``), the
    rest speak five other dialects of English (``DR2`` to ``DR6``). Every speaker says the same two dialect
    sentences (SA1, SA2); of the other sentences a quarter is shared by up to four speakers of one part
    (SX), the rest is said once (SI). Sentences are chosen so that phonemes, pairs of phonemes and words are
    spread evenly.

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
    conditions = _checked(
        speakers, sentences, seed, test_speakers=test_speakers, levels=levels, snr=snr, workers=workers
    )
    check_output(root, overwrite=overwrite)
    engine = find_engine()
    cast = cast_speakers(speakers, seed=seed, test_speakers=test_speakers)
    for speaker in cast:
        if not engine.has_variant(speaker.variant):
            raise InputError(
                f"the installed eSpeak NG lacks the voice variant {speaker.variant!r} in {engine.data}; "
                "the one in the wheel espeakng-loader 0.2.4 has it"
            )
    assigned = assign_sentences(engine, cast, n_sentences=sentences, seed=seed)
    tasks = [
        _Task(speaker, assignment, (seed, index + 2, turn))
        for index, speaker in enumerate(cast)
        for turn, assignment in enumerate(assigned[speaker.id])
    ]
    with replacing(root.resolve(), flushed=False) as folder:
        for task in tasks:
            (folder / task.stem).parent.mkdir(parents=True, exist_ok=True)
        for _ in _each(tasks, lambda task: _make(task, engine, conditions, folder), workers, progress):
            pass
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
        (folder / "DOC" / "SYNTHESIS.JSON").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return load_timit(root.absolute())


def _each(tasks: list[_Task], make: Callable[[_Task], None], workers: int | None, progress: bool) -> Iterator[None]:
    """Do the tasks, several at a time: threads that wait for eSpeak NG's processes."""
    from tqdm import tqdm

    executor = ThreadPoolExecutor(max_workers=workers or _n_processors())
    try:
        done = executor.map(make, tasks)
        yield from tqdm(done, "speaking", len(tasks), unit=" recordings", file=sys.stderr, disable=not progress)
    finally:
        executor.shutdown(cancel_futures=True)


def _n_processors() -> int:
    """Processors that this process may use, which some systems do not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _make(task: _Task, engine: Engine, conditions: _Conditions, folder: Path) -> None:
    """Make one recording; it depends on the options and on its own seeds alone."""
    import soundfile

    rng = np.random.default_rng(task.seeds)
    speaker, sentence = task.speaker, task.assignment.sentence
    speech = engine.speak(
        sentence.text.split(),
        voice=speaker.voice,
        rate=round(speaker.rate * rng.uniform(1 - RATE_VARIES, 1 + RATE_VARIES)),
        pitch=speaker.pitch,
        pitch_range=speaker.pitch_range,
        seed=int(rng.integers(2**31)),
    )
    before, after = (round(speech.rate * rng.uniform(*SILENCE)) for _ in range(2))
    speech = with_silence(speech, before=before, after=after)
    phones = phones_of(speech, voice=speaker.language, text=sentence.text)
    samples, phones = _at_16_khz(speech, phones)

    # Drawn whether it is needed or not, so that a level does not depend on there being noise.
    level, ratio, slope = (
        rng.uniform(*conditions.levels),
        rng.uniform(*(conditions.snr or (0.0, 0.0))),
        rng.uniform(0.0, STEEPEST_NOISE),
    )
    noisy: np.ndarray = samples
    if conditions.snr is not None:
        noise = noise_floor(len(samples), rate=RATE, slope=slope, rng=rng)
        noisy = add_noise(samples, noise, snr=ratio, spoken=slice(phones[0].end, phones[-1].start))

    # Written to memory first: soundfile would wait for the disk after every file.
    sphere = io.BytesIO()
    soundfile.write(sphere, at_level(noisy, level), RATE, format="NIST", subtype="PCM_16")
    path = folder / task.stem
    path.with_suffix(".WAV").write_bytes(sphere.getbuffer())
    bounds = word_bounds(phones, len(sentence.words))
    written = {
        ".PHN": [f"{phone.start} {phone.end} {phone.symbol}" for phone in phones],
        ".WRD": [f"{start} {end} {word}" for (start, end), word in zip(bounds, sentence.words, strict=True)],
        ".TXT": [f"0 {len(samples)} {sentence.text}"],
    }
    for ending, lines in written.items():
        path.with_suffix(ending).write_bytes("".join(f"{line}\n" for line in lines).encode("ascii"))


def _at_16_khz(speech: Speech, phones: tuple[Phone, ...]) -> tuple[np.ndarray, tuple[Phone, ...]]:
    """Audio in [-1, 1] and phones at the corpus's rate."""
    samples = resample(speech.samples.astype(np.float32) / FULL_SCALE, speech.rate)
    limits = [round(phone.end * RATE / speech.rate) for phone in phones[:-1]] + [len(samples)]
    return samples, tuple(
        Phone(start, end, phone.symbol, phone.word)
        for phone, start, end in zip(phones, [0, *limits[:-1]], limits, strict=True)
    )


def _checked(
    speakers: int,
    sentences: int,
    seed: int,
    *,
    test_speakers: int | None,
    levels: tuple[float, float],
    snr: tuple[float, float] | None,
    workers: int | None,
) -> _Conditions:
    """Check the options."""
    for name, value, least in (
        ("speakers", speakers, 2),
        ("sentences", sentences, 1),
        ("seed", seed, 0),
        ("workers", 1 if workers is None else workers, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name} is {value!r}; accepted are whole numbers from {least} on")
    if test_speakers is not None and not 1 <= test_speakers < speakers:
        raise InputError(f"test_speakers is {test_speakers!r}; accepted are whole numbers from 1 below {speakers}")
    return _Conditions(
        levels=_interval("levels", levels, "dB relative to full scale, 0 at most", most=0.0),
        snr=None if snr is None else _interval("snr", snr, "dB, or None for no noise", most=np.inf),
    )


def _interval(name: str, value: tuple[float, float], unit: str, *, most: float) -> tuple[float, float]:
    try:
        low, high = (float(limit) for limit in value)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low <= high <= most):
        raise InputError(f"{name} is {value!r}; accepted are the lowest and the highest value in {unit}")
    return low, high
