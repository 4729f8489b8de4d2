"""Errors, the parts of their sentences, and the checks of arguments that all rooms share.

Every message is one sentence that names what was received, what is accepted, and the file, the layer or
the option that it is about. The command line turns these errors into exit status 2. Texts from files and libraries
are quoted here so that a sentence stays one line; names and labels are checked here for what a profiles file can hold.
"""

import math
import re
from collections.abc import Collection, Hashable
from numbers import Integral, Real

#: What is not seen, ends a line, turns the direction of what follows, or is no character at all.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)

#: Characters that no store can hold: HDF5 ends a text at the first of them, and UTF-8 has no halves of pairs.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: Longest name of a node in bytes: a folder of that name is made of it.
LONGEST_NAME = 240


def legible(text: str, *, keep: str = "") -> str:
    r"""Text of one line, with control characters escaped.

    Parameters
    ----------
    text : str
        Any text, such as a label or the name of a file.
    keep : str
        Characters that stay as they are.

    Examples
    --------
    >>> print(legible("iy" + chr(10) + "<b>"))
    iy\n<b>
    """
    return UNSEEN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


def shown(text: str, *, limit: int = 60) -> str:
    """Quote a text from a file for an error's sentence, cut if it is long.

    Examples
    --------
    >>> shown("she")
    "'she'"
    >>> shown("a" * 100, limit=5)
    "'aaaaa…'"
    """
    return repr(text if len(text) <= limit else text[:limit] + "…")


class InputError(ValueError):
    """The input or an option cannot be used as it is; the message is one line.

    Parameters
    ----------
    message : str
        The sentence; what would break its line is written as an escape.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(legible(str(message)))

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, ...]]:
        """Pickle support: errors travel between processes."""
        return type(self), (str(self),)


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that was named does not exist."""

    __str__ = ValueError.__str__


class OutputExistsError(InputError, FileExistsError):
    """An output exists already and was not to be replaced."""

    __str__ = ValueError.__str__


class RecordingError(InputError):
    """One recording of a corpus cannot be read.

    Attributes
    ----------
    recording : str
        The recording's identifier.
    reason : str
        What is wrong with it, naming the file.
    """

    def __init__(self, recording: str, reason: str) -> None:
        super().__init__(reason)
        self.recording = recording
        self.reason = str(self)

    def __reduce__(self) -> tuple[type["RecordingError"], tuple[str, str]]:
        """Pickle support: errors travel between processes."""
        return type(self), (self.recording, self.reason)


def one_of(names: object, *, limit: int = 20) -> str:
    """List accepted names for an error's sentence.

    Examples
    --------
    >>> one_of(["input", "conv1"])
    "'input', 'conv1'"
    """
    listed = [repr(name) for name in names]  # type: ignore[attr-defined]
    more = f", … ({len(listed)} in all)" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more if listed else "none"


def shortened(found: object, *, limit: int = 200) -> str:
    """Text from a file or a library as one short line.

    Examples
    --------
    >>> shortened(" two    words "), shortened("x" * 1000, limit=5)
    ('two words', 'xxxxx…')
    """
    line = " ".join((str(found).strip() or type(found).__name__).split())
    return legible(line if len(line) <= limit else f"{line[:limit]}…")


def reason_of(error: BaseException) -> str:
    r"""Message of a library's error as one line; its type where there is no message.

    Examples
    --------
    >>> reason_of(ValueError("sizes do not match:\n 3 and 4")), reason_of(KeyError())
    ('sizes do not match: 3 and 4', 'KeyError')
    """
    return shortened(error, limit=1000)


def check_text(text: str, what: str) -> None:
    """Refuse a text that stores cannot hold.

    Raises
    ------
    InputError
        Naming the text.
    """
    if UNSTORABLE.search(text):
        raise InputError(
            f"{what} is {text!r}; accepted are texts without the character NUL and without halves of surrogate pairs"
        )


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be that of a grouping or a layer in a profiles file.

    Raises
    ------
    InputError
        Naming the name.
    """
    check_text(name, what)
    if not name or "/" in name or "\\" in name or name in (".", "..") or name.startswith((".z", "__")):
        raise InputError(
            f"{what} is {name!r}; accepted are texts that are not empty, without slashes, and that do not begin with "
            "'.z' or '__', for each is the name of a node in a profiles file"
        )
    if len(name.encode()) > LONGEST_NAME:
        raise InputError(f"{what} has {len(name.encode())} bytes: {name[:40]!r}…; accepted are {LONGEST_NAME} at most")


def check_whole(option: str, value: object, *, least: int = 1) -> int:
    """Refuse what is no whole number, or a smaller one.

    Raises
    ------
    InputError
        Naming the option, what was received and what is accepted.

    Examples
    --------
    >>> check_whole("folds", 10)
    10
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{option} is {value!r}; accepted are whole numbers from {least}")
    return int(value)


def check_number(
    option: str, value: object, *, above: float | None = None, least: float | None = None, most: float | None = None
) -> float:
    """Refuse what is no finite number, or lies outside the bounds.

    Raises
    ------
    InputError
        Naming the option, what was received and what is accepted.

    Examples
    --------
    >>> check_number("share", 0.5, above=0, most=1)
    0.5
    """
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    bounds = [(above, "above {:g}"), (least, "from {:g}"), (most, "up to {:g}")]
    if (
        not math.isfinite(number)
        or (above is not None and number <= above)
        or (least is not None and number < least)
        or (most is not None and number > most)
    ):
        accepted = " ".join(text.format(bound) for bound, text in bounds if bound is not None)
        raise InputError(f"{option} is {value!r}; accepted are numbers {accepted}".rstrip())
    return number


def check_choice(option: str, value: object, accepted: Collection[object]) -> None:
    """Refuse what is not among the accepted values.

    Raises
    ------
    InputError
        Naming the option, what was received and what is accepted.
    """
    if not isinstance(value, Hashable) or value not in accepted:
        raise InputError(f"{option} is {value!r}; accepted are {one_of(accepted)}")


def check_type(option: str, value: object, kinds: type | tuple[type, ...], *, accepted: str) -> None:
    """Refuse what is of another type.

    Raises
    ------
    InputError
        Naming the option, the type that was received and what is accepted.
    """
    if not isinstance(value, kinds):
        raise InputError(f"{option} is a {type(value).__name__}; accepted is {accepted}")
