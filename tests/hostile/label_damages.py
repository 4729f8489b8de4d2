"""Damages of TIMIT's .PHN, .WRD and .TXT: every field of a line, whole files, encodings."""

from collections.abc import Callable, Iterator

from tests.hostile.damages import Damage, spans
from tests.hostile.speech import Span, Utterance

LINE = r"has the line \d+ '.*'; accepted are two sample numbers and a label"
BAD_NUMBERS = ("nan", "inf", "1e308", "12.5", "0x10", "1_0", "٣", "--3", "9" * 400, "9" * 5000, "", "first")


def line_fields(kind: str) -> Iterator[Damage]:
    """Start, end and label of the second line, each replaced by what it may not be."""

    def field(place: int, text: str) -> Callable[[bytes], bytes]:
        def change(whole: bytes) -> bytes:
            lines = whole.decode().splitlines()
            parts = lines[1].split()
            parts[place] = text
            lines[1] = " ".join(parts)
            return ("\n".join(lines) + "\n").encode()

        return change

    for number in BAD_NUMBERS:
        shown = number[:12]
        yield Damage(f"{kind} start {shown!r}", kind, LINE, change=field(0, number))
        yield Damage(f"{kind} end {shown!r}", kind, LINE, change=field(1, number))
    yield Damage(f"{kind} end -5", kind, "ends before it starts", change=field(1, "-5"))
    yield Damage(f"{kind} start behind its end", kind, "ends before it starts", change=field(0, "7999"))
    yield Damage(f"{kind} start of 15 digits", kind, "ends before it starts", change=field(0, "9" * 15))
    yield Damage(f"{kind} label missing", kind, LINE, change=field(2, ""))
    yield Damage(f"{kind} label with a NUL", kind, "has a NUL in its line 2", change=field(2, "a\0b"))
    if kind == "phn":
        for label in ("xx", "SH1", "ʃ", "a" * 100_000, "sh iy", "#"):
            yield Damage(f"phn label {label[:8]}", kind, "has the phone symbol '.*' in its int", change=field(2, label))


def files(kind: str) -> Iterator[Damage]:
    """The file as a whole."""
    hollow = "is empty" if kind == "txt" else "holds no intervals"
    broken = f"{hollow}|{LINE}|is damaged"
    for name, content in (("empty", b""), ("blank", b" \n\n"), ("mark alone", b"\xef\xbb\xbf"), ("BOM", b"\xff\xfe")):
        yield Damage(f"{kind} {name}", kind, hollow, change=lambda _, content=content: content)
    yield Damage(f"{kind} of NULs", kind, "has a NUL in its line 1", change=lambda _: bytes(100))
    yield Damage(f"{kind} UTF-16 of odd bytes", kind, broken, change=lambda whole: as_utf16(whole)[:-1])
    yield Damage(f"{kind} UTF-16 of half a pair", kind, "is damaged", change=lambda _: b"\xff\xfe\x00\xd8")
    missing = "annotation .* beside it"
    yield Damage(f"{kind} missing", kind, missing, place=lambda found: found.paths[kind].unlink(), names="audio")
    for name, change in READS_THE_SAME.items():
        yield Damage(f"{kind} {name}", kind, change=change)
    if kind != "txt":
        yield Damage(f"{kind} cut", kind, LINE, change=lambda whole: whole[: whole.index(b"\n") + 4])
        noise = b"\x89PNG\r\n\x1a\n" + b"\xd0\xcf\x11\xe0" * 40
        yield Damage(f"{kind} a picture", kind, LINE, change=lambda _: noise)


def as_utf16(whole: bytes) -> bytes:
    return whole.decode().encode("utf-16")


READS_THE_SAME: dict[str, Callable[[bytes], bytes]] = {
    "with a mark": lambda whole: b"\xef\xbb\xbf" + whole,
    "in UTF-16": as_utf16,
    "in UTF-16 without a mark": lambda whole: whole.decode().encode("utf-16-le"),
    "in UTF-16, high bytes first": lambda whole: whole.decode().encode("utf-16-be"),
    "with CRLF": lambda whole: whole.replace(b"\n", b"\r\n"),
    "with CR": lambda whole: whole.replace(b"\n", b"\r"),
    "with blank lines": lambda whole: b"\n" + whole.replace(b"\n", b"  \n\n"),
    "with tabs": lambda whole: whole.replace(b" ", b"\t"),
    "without a last line break": lambda whole: whole.rstrip(b"\n"),
}


def odd_intervals() -> Iterator[Damage]:
    """Intervals that overlap, repeat, lie outside: for both layouts, since both write an utterance's."""

    def every(change: Callable[[tuple[Span, ...]], object]) -> Callable[[Utterance], Utterance]:
        return spans(phonemes=lambda tier: change(tier), words=lambda tier: change(tier))

    last = "ae"
    for name, utter in {
        "out of order": every(lambda tier: tier[::-1]),
        "all twice": every(lambda tier: (*tier, *tier)),
        "overlapping": every(lambda tier: [(start, end + 700, label) for start, end, label in tier]),
        "all of them everywhere": every(lambda tier: [(0, 8000, label) for _, _, label in tier]),
        "of length zero": every(lambda tier: [(start, start, label) for start, _, label in tier]),
        "with gaps": every(lambda tier: tier[::2]),
        "one after the audio's end": every(lambda tier: (*tier[:-1], (tier[-1][0], 8100, last))),
        "two after the audio's end": every(lambda tier: (*tier, (7000, 10**9, last), (8000, 9000, last))),
        "all up to the far end": every(lambda tier: [(start, 10**14, label) for start, _, label in tier]),
        "a rounding error after the end": every(lambda tier: (*tier, (7900, 8000, last))),
        "from before the audio": every(lambda tier: ((-5000, 300, last), *tier)),
        "from long before the audio": every(lambda tier: ((-(10**14), 300, last), *tier)),
        "five thousand": every(lambda tier: [(n, n + 1, last) for n in range(5000)]),
    }.items():
        yield Damage(f"intervals {name}", "labels", utter=utter)
    for name, span, refused in (
        ("behind the audio", (8001, 9000, last), "starts after the end of the audio at 0.5 s"),
        ("far behind the audio", (10**14, 10**14, last), "starts after the end of the audio"),
        ("before the audio", (-500, -400, last), "ends before the audio begins"),
        ("that go backwards", (4000, 3000, last), "ends before it starts"),
    ):
        for tier in ("phonemes", "words"):
            utter = spans(**{tier: lambda found, span=span: (*found, span)})
            yield Damage(f"{tier} {name}", "labels", refused, utter=utter, names=tier)


def texts() -> Iterator[Damage]:
    for name, content in {
        "of numbers alone": b"0 8000\n",
        "without numbers": b"She had.\n",
        "of Latin-1": "0 8000 Café\n".encode("latin-1"),
        "of invalid UTF-8": b"0 8000 \xc3\x28 \xff\xfe She.\n",
        "of a million words": b"0 8000 " + b"she " * 1_000_000,
    }.items():
        yield Damage(f"txt {name}", "txt", change=lambda _, content=content: content)


LABEL_DAMAGES: tuple[Damage, ...] = (
    *line_fields("phn"), *line_fields("wrd"), *files("phn"), *files("wrd"), *files("txt"), *texts(), *odd_intervals(),
)  # fmt: skip
