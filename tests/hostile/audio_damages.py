"""Damages of audio: SPHERE, RIFF and FLAC headers field by field, and sound that no corpus should hold."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from tests.hostile.damages import Damage
from tests.hostile.speech import SPHERE_FIELDS, Files, Utterance, sphere_header

HEADER = r"wrong header|is truncated|cannot be read|samples a second"
#: Texts in the place of a SPHERE header's value; None leaves the field out.
TEXTS: dict[str, str | None] = {
    "missing": None,
    "empty": "",
    "of a type alone": "-i",
    "a word": "-i abc",
    "NaN": "-i nan",
    "negative": "-i -5",
    "nought": "-i 0",
    "huge": "-i 2147483647",
    "of 30 digits": "-i " + "9" * 30,
    "of 300 digits": "-i " + "9" * 300,
    "a float": "-r 16000.5",
    "another text": "-s2 10",
    "three": "-i 3",
    "one": "-i 1",
}
#: Fields of a SPHERE header that are needed, and the texts in their place that do no harm.
NEEDED: dict[str, set[str]] = {
    "channel_count": {"one"},
    "sample_count": {"missing", "empty", "of a type alone", "a word", "NaN", "negative", "a float", "another text"},
    "sample_rate": set(),
    "sample_n_bytes": {"missing", "empty", "of a type alone", "a word", "NaN", "nought", "a float", "another text"},
}


def sphere_fields() -> Iterator[Damage]:
    def with_field(name: str, value: str | None) -> Callable[[bytes], bytes]:
        return lambda whole: sphere_header({**SPHERE_FIELDS, name: value}) + whole[1024:]

    for name, harmless in NEEDED.items():
        for called, value in TEXTS.items():
            refused = None if called in harmless else HEADER
            yield Damage(f"{name} {called}", "sphere", refused=refused, change=with_field(name, value))
    for name in ("sample_min", "sample_sig_bits", "database_id"):
        for called, value in TEXTS.items():
            yield Damage(f"{name} {called}", "sphere", change=with_field(name, value))
    for value in (None, "", "-s2 10", "-s1 1", "-i 7"):
        yield Damage(f"sample_byte_format {value}", "sphere", change=with_field("sample_byte_format", value))
    for value in ("-s3 pcm", "-s2 zz"):
        yield Damage(f"sample_byte_format {value}", "sphere", HEADER, change=with_field("sample_byte_format", value))
    for value in (None, "-s3 pcm"):
        yield Damage(f"sample_coding {value}", "sphere", change=with_field("sample_coding", value))
    for value in ("-s4 ulaw", "-s4 alaw", "-s7 nothing"):
        yield Damage(f"sample_coding {value}", "sphere", HEADER, change=with_field("sample_coding", value))

    shorten = with_field("sample_coding", "-s26 pcm,embedded-shorten-v2.00")
    yield Damage("shorten", "sphere", "is compressed with shorten", change=shorten)


def sphere_wholes() -> Iterator[Damage]:
    def header(**given: object) -> Callable[[bytes], bytes]:
        return lambda whole: sphere_header(SPHERE_FIELDS, **given) + whole[1024:]  # type: ignore[arg-type]

    for size in (0, -1, 512, 1025, 2048, 10**6, 10**30):
        yield Damage(f"header size {size}", "sphere", HEADER, change=header(size=size))
    yield Damage("magic of another kind", "sphere", HEADER, change=header(magic="NIST_9Z"))
    yield Damage("magic in lower case", "sphere", HEADER, change=header(magic="nist_1a"))
    yield Damage("no end_head", "sphere", change=header(end=""))
    yield Damage("end_head before all fields", "sphere", HEADER, change=swap_end)
    yield Damage("header alone", "sphere", HEADER, change=lambda whole: whole[:1024])
    yield Damage("half a header", "sphere", HEADER, change=lambda whole: whole[:512])
    yield Damage("magic alone", "sphere", HEADER, change=lambda whole: whole[:8])
    yield Damage("half the samples", "sphere", "is truncated", change=lambda whole: whole[: len(whole) // 2])
    yield Damage("a byte less", "sphere", HEADER, change=lambda whole: whole[:-1])
    yield Damage("a sample more", "sphere", "wrong header", change=lambda whole: whole + b"\0\0")
    yield Damage("blanks before it", "sphere", HEADER, change=lambda whole: b"  " + whole)
    yield Damage("lines end in CRLF", "sphere", HEADER, change=lambda w: w[:1024].replace(b"\n", b"\r\n") + w[1024:])


def swap_end(whole: bytes) -> bytes:
    return whole[:16] + b"end_head\n" + whole[16:1015] + whole[1024:]


#: Fields of the smallest RIFF header, their format, and values that do no harm.
RIFF_FIELDS: tuple[tuple[str, int, str, set[int]], ...] = (
    ("file size", 4, "<I", {0, 1, 3, 7, 255, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF}),
    ("fmt size", 16, "<I", set()),
    ("format tag", 20, "<H", {1}),
    ("channels", 22, "<H", {1}),
    ("sample rate", 24, "<I", set()),
    ("byte rate", 28, "<I", {0, 1, 3, 7, 255, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF}),
    ("block align", 32, "<H", {0, 1, 3, 7, 255, 0xFFFF}),
    ("bits", 34, "<H", set()),
    ("data size", 40, "<I", {0x7FFF_FFFF, 0xFFFF_FFFF}),
)
#: Values that libsndfile believes: such a file is read as another sound.
BELIEVED: dict[str, set[int]] = {
    "format tag": {7},
    "channels": {3, 7, 255},
    "bits": {1, 3, 7},
    "data size": {1, 3, 7, 255, 0xFFFF},
    "sample rate": {0xFFFF},
}


def riff_fields() -> Iterator[Damage]:
    def put(at: int, field: bytes) -> Callable[[bytes], bytes]:
        return lambda whole: whole[:at] + field + whole[at + len(field) :]

    for name, at, form, harmless in RIFF_FIELDS:
        for value in (0, 1, 3, 7, 255, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF):
            if value < 1 << 8 * struct.calcsize(form) and value not in BELIEVED.get(name, ()):
                refused = None if value in harmless else HEADER + "|no samples"
                change = put(at, struct.pack(form, value))
                yield Damage(f"RIFF {name} {value}", "riff", refused, change=change)
    for name, at in (("RIFF", 0), ("WAVE", 8), ("fmt", 12), ("data", 36)):
        for word in (b"junk", bytes(4), b"\xff\xfe\xfd\xfc"):
            yield Damage(f"{name} replaced by {word!r}", "riff", HEADER, change=put(at, word))
    yield Damage("RIFF header alone", "riff", "truncated|no samples", change=lambda whole: whole[:44])
    yield Damage("half a RIFF header", "riff", HEADER, change=lambda whole: whole[:20])
    yield Damage("half the RIFF samples", "riff", "is truncated", change=lambda whole: whole[: len(whole) // 2])
    yield Damage("a byte less of RIFF", "riff", "is truncated", change=lambda whole: whole[:-1])
    yield Damage("zeros behind RIFF", "riff", change=lambda whole: whole + bytes(5000))
    yield Damage("a chunk behind RIFF", "riff", change=lambda whole: whole + b"LIST\4\0\0\0INFO")


def flac() -> Iterator[Damage]:
    def put(at: int, field: bytes) -> Callable[[bytes], bytes]:
        return lambda whole: whole[:at] + field + whole[at + len(field) :]

    broken = HEADER + "|is damaged"
    for name, at, field in (
        *(("magic", 0, b"fLaX"), ("first block", 4, b"\x01"), ("first block's size", 5, b"\0\0\0")),
        *(("rate 0", 18, b"\0\0\x00"), ("more samples", 23, b"\xff"), ("bits", 20, b"\x0f")),
    ):
        yield Damage(f"FLAC {name}", "flac", broken, change=put(at, field))
    yield Damage("FLAC without a checksum", "flac", change=put(26, bytes(16)))
    for part in (0.01, 0.3, 0.99):
        yield Damage(f"{part:.0%} of FLAC", "flac", broken, change=lambda w, p=part: w[: int(p * len(w))])
    for part in (0.4, 0.7, 0.95):
        yield Damage(f"a bit of FLAC at {part:.0%}", "flac", broken, change=lambda w, p=part: flipped(w, p))


def flipped(whole: bytes, part: float) -> bytes:
    at = int(part * len(whole))
    return whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]


def any_audio() -> Iterator[Damage]:
    """Whatever the container: other files in its place, and sound that is special."""
    for name, content in (
        *(("empty", b""), ("one byte", b"R"), ("zeros", bytes(5000)), ("text", b"She had your dark suit. " * 300)),
        *(("a page", b"<html><body>404</body></html>\n" * 50), ("noise", np.random.default_rng(7).bytes(20000))),
    ):
        yield Damage(f"audio {name}", "audio", "is empty|cannot be read", change=lambda _, content=content: content)
    yield Damage("samples not finite", "audio", "has 3 samples that are NaN or infinite", place=floats(np.nan))
    yield Damage("samples infinite", "audio", "has 3 samples that are NaN or infinite", place=floats(-np.inf))
    yield Damage("samples of 3e38", "audio", "has samples of up to 3e[+]38", place=floats(3e38))
    yield Damage("samples of 1e9", "audio", place=floats(1e9))
    yield Damage("no samples", "audio", "holds no samples", place=written(lambda u: u.noise()[:0]))
    yield Damage("64 channels", "audio", place=written(lambda u: np.repeat(u.noise(), 64, axis=1)))
    yield Damage("a sample", "audio", utter=short(1))
    yield Damage("a sample less than a frame", "audio", utter=short(1023))
    yield Damage("just a frame", "audio", utter=short(1024))
    for rate in (8000, 11025, 44100, 48000):
        yield Damage(f"rate {rate}", "audio", utter=lambda u, rate=rate: replace(u, rate=rate, samples=rate // 2))
    yield Damage("2 channels", "audio", utter=lambda u: replace(u, channels=2))
    for rate in (1, 999, 800_000, 2**31 - 1):
        yield Damage(f"RIFF rate {rate}", "audio", "samples a second; accepted are", place=rated(rate))


def short(samples: int) -> Callable[[Utterance], Utterance]:
    span = ((0, samples, "h#"),)
    return lambda utterance: replace(utterance, samples=samples, phonemes=span, words=span)


def written(make: Callable[[Utterance], np.ndarray]) -> Callable[[Files], None]:
    return lambda files: soundfile.write(files.paths["audio"], make(Utterance()), 16000, format="WAV")


def floats(value: float) -> Callable[[Files], None]:
    def place(files: Files) -> None:
        samples = (Utterance().noise()[:, 0] / 32768).astype("<f4")
        samples[[5, 50, 500]] = value
        soundfile.write(files.paths["audio"], samples, 16000, format="WAV", subtype="FLOAT")

    return place


def rated(rate: int) -> Callable[[Files], None]:
    def place(files: Files) -> None:
        path: Path = files.paths["audio"]
        soundfile.write(path, Utterance().noise(), 16000, format="WAV")
        whole = path.read_bytes()
        path.write_bytes(whole[:24] + struct.pack("<I", rate) + whole[28:])

    return place


AUDIO_DAMAGES: tuple[Damage, ...] = (*sphere_fields(), *sphere_wholes(), *riff_fields(), *flac(), *any_audio())
