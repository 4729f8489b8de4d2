"""Damages of TextGrids: every field of the long and the short form, whole files, encodings."""

import re
from collections.abc import Callable, Iterator

from tests.hostile.damages import Damage, swap
from tests.hostile.speech import Utterance, grid_fields, grid_text

DAMAGED = "is no TextGrid that can be read: "
#: Texts in the place of a number that nothing is made of; those that are numbers do no harm there.
UNUSED = {"1e308": True, "-1": True, "1e999": True, "7": True, "NaN": False, "": False, "--": False, "1e": False}
SIZES = ("NaN", "", "-1", "1e999", "1e308", "0.5", "0", "1", "1000000000000", "9" * 400, "two", "inf", '"2"')
TIMES = ("NaN", "", "inf", "one", '"0.1"', "0,1", "1e", "<exists>", "1e999")


def form(whole: bytes, *, short: bool) -> bytes:
    """The long form, or the short one, which has the values alone."""
    if not short:
        return whole
    values = [line.partition(" = ")[2] if " = " in line else "" for line in whole.decode().splitlines()]
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"']
    found = [value for value in values[2:] if value.strip()]
    return ("\n".join([*head, "", *found[:2], "<exists>", *found[2:]]) + "\n").encode()


def put(where: str, text: str, *, short: bool) -> Callable[[bytes], bytes]:
    """Put a text in the place of a field's value."""

    def change(whole: bytes) -> bytes:
        fields = grid_fields(Utterance())
        (field,) = (field for field in fields if field.where == where)
        name = field.text.partition(" = ")[0]
        field.text = f"{name} = {text}"
        assert grid_text(fields).encode() != whole
        return form(grid_text(fields).encode(), short=short)

    return change


def fields() -> Iterator[Damage]:
    for short in (False, True):
        called = "short" if short else "long"

        def damage(where: str, text: str, refused: str | None, *, short: bool = short, called: str = called) -> Damage:
            change = put(where, text, short=short)
            return Damage(f"{called} form, {where} {text[:20]!r}", "grid", refused, change=change)

        for where in ("start", "end", "words start", "words end", "phones start", "phones end"):
            for text, harmless in UNUSED.items():
                yield damage(where, text, None if harmless else DAMAGED)
        for where in ("size", "words size", "phones size"):
            for text in SIZES:
                yield damage(where, text, DAMAGED)
        for where in ("words 2 start", "words 2 end", "phones 1 start", "phones 7 start", "phones 7 end"):
            for text in TIMES:
                yield damage(where, text, f"{DAMAGED}|has a time that is not finite")
        yield damage("phones 7 start", "1e308", "ends before it starts")
        yield damage("phones 3 end", "-1", "ends before it starts")
        yield damage("phones 3 end", "-1e308", "ends before it starts")
        for where in ("phones class", "words class"):
            for text in ('"intervaltier"', '"SpectrumTier"', '""', "IntervalTier", "", "7"):
                yield damage(where, text, DAMAGED)
        for text in ('"PHONES"', '""', '"phones "', '"' + "p" * 100_000 + '"', '"words"'):
            yield damage("phones name", text, "has (no|2) interval tiers?|has no interval tier 'phones'")
        yield damage("phones name", "phones", DAMAGED)
        for where in ("phones 1 text", "phones 7 text", "words 2 text"):
            for text in ("h#", "", "7", '"', '"""', '"h#', 'h#"'):
                yield damage(where, text, DAMAGED)


def wholes() -> Iterator[Damage]:
    for name, content in {
        "empty": b"",
        "blank": b"\n\n  \n",
        "a mark alone": b"\xef\xbb\xbf",
        "another class": b'File type = "ooTextFile"\nObject class = "PitchTier"\n0\n1\n',
        "binary": b"ooBinaryFile\x08TextGrid" + b"\x01" * 200,
        "a page": b"<html><body>404</body></html>\n" * 50,
        "quotes alone": b'"' * 100_001,
        "quotes and blanks": b'" ' * 100_001,
        "digits alone": b"1" * 300_000 + b"x",
        "exclamations": b"!" * 300_000,
        "numbers": b"1 " * 200_000,
        "a row of flags": b"<exists> " * 50_000,
        "a picture": b"\x89PNG\r\n\x1a\n" + b"\xd0\xcf\x11\xe0" * 400,
    }.items():
        yield Damage(f"grid {name}", "grid", DAMAGED, change=lambda _, content=content: content)
    yield Damage("grid of NULs", "grid", "has a NUL in its line 1", change=lambda _: bytes(400))
    yield Damage("grid with a NUL", "grid", "has a NUL in its line", change=swap(b'"sh"', b'"s\0h"'))
    yield Damage("grid in UTF-16 of odd bytes", "grid", "is no text in UTF-16", change=lambda w: utf16(w)[:-1])
    yield Damage("grid in UTF-16 of half a pair", "grid", "is no text in UTF-16", change=lambda w: utf16(w) + b"\0\xd8")
    yield Damage("grid in UTF-32", "grid", "has a NUL", change=lambda whole: whole.decode().encode("utf-32"))
    for part in (0.1, 0.25, 0.5, 0.75, 0.9, 0.97):
        yield Damage(f"{part:.0%} of a grid", "grid", DAMAGED, change=lambda whole, part=part: cut(whole, part))
    yield Damage("a grid twice", "grid", "it goes on behind its last tier", change=lambda whole: whole + whole)
    yield Damage("an interval too many", "grid", "it goes on behind", change=lambda whole: whole + b'0.4 0.5 "ae"\n')
    yield Damage("a tier twice", "grid", "has 2 interval tiers 'phones'", change=swap(b'"words"', b'"phones"'))
    yield Damage("no tiers", "grid", "has no interval tier", change=lambda _: b'"ooTextFile"\n"TextGrid"\n0 1 <absent>')
    yield Damage("a point tier", "grid", DAMAGED, change=swap(b'"IntervalTier"', b'"TextTier"'))
    yield Damage(
        "TextGrid missing", "grid", "has no TextGrid in", names="audio", place=lambda f: f.paths["grid"].unlink()
    )


def utf16(whole: bytes) -> bytes:
    return whole.decode().encode("utf-16")


def cut(whole: bytes, part: float) -> bytes:
    return whole[: int(part * len(whole))]


def harmless() -> Iterator[Damage]:
    for name, change in {
        "with a mark": lambda whole: b"\xef\xbb\xbf" + whole,
        "in UTF-16": utf16,
        "in UTF-16 without a mark": lambda whole: whole.decode().encode("utf-16-le"),
        "in UTF-16, high bytes first": lambda whole: whole.decode().encode("utf-16-be"),
        "with CRLF": lambda whole: whole.replace(b"\n", b"\r\n"),
        "with CR": lambda whole: whole.replace(b"\n", b"\r"),
        "on one line": lambda whole: whole.replace(b"\n", b" "),
        "without indentation": lambda whole: re.sub(rb"\n +", b"\n", whole),
        "in the short form": lambda whole: form(whole, short=True),
        "with a comment": lambda whole: b"! a comment\n" + whole,
        "with invalid UTF-8": swap(b"item []:", b"item \xff\xfe\xc3 []:"),
        "with wrong numbers of intervals": lambda whole: re.sub(rb"intervals \[\d+\]", b"intervals [99]", whole),
        "with a long word behind": lambda whole: whole + b"1" * 100_000 + b"x",
    }.items():
        yield Damage(f"grid {name}", "grid", change=change)


GRID_DAMAGES: tuple[Damage, ...] = (*fields(), *wholes(), *harmless())
