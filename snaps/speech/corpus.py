"""A corpus of synthetic speech in TIMIT's layout: its speakers, the sentences that each of them reads, its files."""

import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from snaps import __version__
from snaps.datasets import RATE, FileCorpus, load_timit
from snaps.errors import InputError, check_whole
from snaps.outputs import writing
from snaps.speech.labels import Phone
from snaps.speech.recording import Speaker, find_engine, record

#: File by which a synthesised corpus is known.
MARK = "DOC/SYNTHESIS.JSON"

#: eSpeak NG's voice variants that sound like women and like men. Whispers, robots and other effects are left out.
VARIANTS = {
    "F": ("f1", "f2", "f3", "f4", "f5", "Annie", "linda", "belinda"),
    "M": ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Gene", "max"),
}
#: Dialects in the order in which speakers get them: every other one speaks American English, as TIMIT's do.
DIALECTS = ("DR1", "DR2", "DR1", "DR3", "DR1", "DR4", "DR1", "DR5", "DR1", "DR6")
#: From, up to and including: pitch and its range from 0 to 100, 50 being the variant's own; words a minute.
PITCH, PITCH_RANGE, SPEAKING_RATE = (38, 62), (40, 65), (138, 182)

#: SA1 and SA2: every speaker says them. They hold sounds by which dialects differ.
DIALECT_SENTENCES = (
    "Four merry farmers carried warm water past the garage.",
    "Both boys thought the music on Tuesday was rather good.",
)
#: All other sentences, one a line: 5 to 10 words each, in an order in which any 130 in a row have all phonemes.
SENTENCES = Path(__file__).with_name("sentences.txt")
#: Of these, one of so many is shared (SX), by so many speakers of the same part; the others are a speaker's own (SI).
SHARED_PART, SHARED_BY = 4, 4


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

    eSpeak NG reads sentences of a text file and reports where every phoneme begins. One of four speakers is in the
    test part; women and men take turns; every other speaker is American (``DR1``), the rest speak five other dialects
    of English (``DR2`` to ``DR6``). Every speaker says the same two dialect sentences (SA1, SA2); of the other
    sentences a quarter is shared by up to four speakers of one part (SX), the rest is said once (SI). The file has
    2,500 sentences, in an order in which phonemes, pairs of phonemes and words are spread evenly; where more are
    needed, they return within their part.

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
        Seed of everything that is drawn, 0 or above.
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
        Number of recordings that are made at the same time; that of the processors unless given.
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
        If an option is out of range, eSpeak NG is not installed, or it reports a phoneme for which there is no symbol.
    OutputExistsError
        If `root` exists and was not to be replaced, or is no empty folder and no synthesised corpus.
    """
    from tqdm.contrib.concurrent import thread_map

    for option, value, least in (("speakers", speakers, 2), ("sentences", sentences, 1), ("seed", seed, 0)):
        check_whole(option, value, least=least)
    check_whole("workers", 1 if workers is None else workers)
    if test_speakers is not None and not 1 <= test_speakers < speakers:
        raise InputError(f"test_speakers is {test_speakers!r}; accepted are whole numbers from 1 below {speakers}")
    for option, bounds, most in (("levels", levels, 0), ("snr", (0, 0) if snr is None else snr, math.inf)):
        if not isinstance(bounds, Sequence) or len(bounds) != 2 or not bounds[0] <= bounds[1] <= most:
            raise InputError(f"{option} is {bounds!r}; accepted are the lowest and the highest value, up to {most} dB")
    engine = find_engine()
    cast = cast_speakers(speakers, seed=seed, test_speakers=test_speakers)
    assigned = assign_sentences(cast, n_sentences=sentences, seed=seed)
    tasks = [
        (speaker, name, text, (seed, index + 2, turn))
        for index, speaker in enumerate(cast)
        for turn, (name, text) in enumerate(assigned[speaker.id].items())
    ]
    with writing(Path(root).resolve(), overwrite=overwrite, mark=MARK, flushed=False) as folder:
        for speaker in cast:
            (folder / speaker.split / speaker.dialect / speaker.id).mkdir(parents=True)

        def write_recording(task: tuple[Speaker, str, str, tuple[int, int, int]]) -> None:
            """Write one recording, which depends on the options and its own seeds alone."""
            speaker, name, text, seeds = task
            rng = np.random.default_rng(seeds)
            samples, phones = record(engine, speaker, text, levels=levels, snr=snr, rng=rng)
            write_files(folder / speaker.split / speaker.dialect / speaker.id / name, text, samples, phones=phones)

        # Threads, which wait for eSpeak NG's processes.
        thread_map(
            write_recording, tasks, max_workers=workers or os.cpu_count(), desc="speaking", unit=" recordings",
            disable=not progress,
        )  # fmt: skip
        options = {
            "speakers": speakers, "sentences": sentences, "seed": seed, "test_speakers": test_speakers,
            "levels": levels, "snr": snr,
        }  # fmt: skip
        described = {
            "made_by": f"neuron-snaps {__version__}",
            "options": options,
            "speakers": [{**asdict(speaker), "voice": speaker.voice} for speaker in cast],
        }
        (folder / MARK).parent.mkdir()
        (folder / MARK).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return load_timit(Path(root).absolute())


def cast_speakers(n_speakers: int, *, seed: int, test_speakers: int | None = None) -> tuple[Speaker, ...]:
    """Choose the speakers of a corpus.

    One of every four is in the test part, unless their number is given; sexes and dialects go round in both parts.

    Parameters
    ----------
    n_speakers : int
        Number of speakers, 2 at least.
    seed : int
        Seed of pitches, rates, variants and initials.
    test_speakers : int, optional
        How many of them, the last ones, are in the test part.
    """
    rng = np.random.default_rng([seed, 0])
    variants = {sex: list(rng.permutation(names)) for sex, names in VARIANTS.items()}
    speakers: dict[str, Speaker] = {}
    for index in range(n_speakers):
        sex = "FM"[index // 2 % 2]
        name = None
        while name is None or name in speakers:
            name = sex + "".join(chr(ord("A") + letter) for letter in rng.integers(26, size=3)) + "0"
        variant = str(variants[sex].pop())
        if not variants[sex]:
            variants[sex] = list(rng.permutation(VARIANTS[sex]))
        # The place of the test speaker among four moves on, so that it meets every dialect and both sexes.
        is_test = index % 4 == -(index // 4) % 4 if test_speakers is None else index >= n_speakers - test_speakers
        pitch, pitch_range, rate = (
            int(rng.integers(*bounds, endpoint=True)) for bounds in (PITCH, PITCH_RANGE, SPEAKING_RATE)
        )
        split, dialect = "TEST" if is_test else "TRAIN", DIALECTS[index % len(DIALECTS)]
        speakers[name] = Speaker(name, sex, split, dialect, variant, pitch, pitch_range, rate)
    return tuple(speakers.values())


def assign_sentences(speakers: Sequence[Speaker], *, n_sentences: int, seed: int) -> dict[str, dict[str, str]]:
    """Choose every speaker's sentences.

    They are read from the text file in its order, from a line that the seed chooses. No sentence but the dialect
    sentences is in both the train and the test part; where more are needed than the file has, sentences return within
    their part.

    Parameters
    ----------
    speakers : sequence of Speaker
        The speakers.
    n_sentences : int
        Sentences per speaker, the dialect sentences among them.
    seed : int
        Seed of the first line.

    Returns
    -------
    dict of str to dict of str to str
        Text of each sentence by its name in TIMIT's way (``SA1``, ``SX12``, ``SI345``), by the speaker's identifier.
    """
    n_shared, n_other = max(n_sentences - 2, 0) // SHARED_PART, max(n_sentences - 2, 0)
    n_own = n_other - n_shared
    parts = {split: [speaker for speaker in speakers if speaker.split == split] for split in ("TRAIN", "TEST")}
    groups = [part[start : start + SHARED_BY] for part in parts.values() for start in range(0, len(part), SHARED_BY)]
    needed = {
        split: n_shared * sum(group[0].split == split for group in groups) + n_own * len(part)
        for split, part in parts.items()
    }
    lines = SENTENCES.read_text(encoding="ascii").splitlines()
    first = int(np.random.default_rng([seed, 1]).integers(len(lines)))
    lines = lines[first:] + lines[:first]
    # Each part has its share of the lines, one at least, so that only what it needs beyond them returns.
    share = needed["TRAIN"] / max(sum(needed.values()), 1)
    cut = min(max(round(len(lines) * share), 1), len(lines) - 1)
    texts = {"TRAIN": cycle(lines[:cut]), "TEST": cycle(lines[cut:])}
    dialect = {f"SA{number}": text for number, text in enumerate(DIALECT_SENTENCES[:n_sentences], start=1)}
    chosen = {speaker.id: dict(dialect) for speaker in speakers}
    readers = [("SX", group) for group in groups] * n_shared + [("SI", [speaker]) for speaker in speakers] * n_own
    for number, (kind, group) in enumerate(readers, start=1):
        text = next(texts[group[0].split])
        for speaker in group:
            chosen[speaker.id][f"{kind}{number}"] = text
    return chosen


def words_of(text: str) -> list[str]:
    """Words of a sentence as an annotation writes them: in lower case, without punctuation; apostrophes stay.

    Examples
    --------
    >>> words_of("Yes, Julia's boy didn't.")
    ['yes', "julia's", 'boy', "didn't"]
    """
    return [word.strip(".,?!").lower() for word in text.split()]


def write_files(path: Path, text: str, samples: Int16[np.ndarray, " sample"], *, phones: Sequence[Phone]) -> None:
    """Write the four files of a recording; `path` is without their endings."""
    import soundfile

    # Written to memory first: soundfile would wait for the disk after every file.
    sphere = io.BytesIO()
    soundfile.write(sphere, samples, RATE, format="NIST", subtype="PCM_16")
    path.with_suffix(".WAV").write_bytes(sphere.getbuffer())
    words = []
    for index, word in enumerate(words_of(text)):
        own = [phone for phone in phones if phone.word == index]
        words.append(f"{own[0].start} {own[-1].end} {word}")
    written = {
        ".PHN": [f"{phone.start} {phone.end} {phone.symbol}" for phone in phones],
        ".WRD": words,
        ".TXT": [f"0 {len(samples)} {text}"],
    }
    for ending, lines in written.items():
        path.with_suffix(ending).write_bytes("".join(f"{line}\n" for line in lines).encode("ascii"))
