"""What is raised when the input or the options are wrong.

Every message is one sentence that names what was received, what is accepted, and the file, the layer or
the option that it is about. The command line turns these errors into exit status 2.
"""


def one_line(text: str) -> str:
    r"""Write what would break a line, a terminal or a file in UTF-8 as escapes.

    File names may hold line breaks and bytes that are no text; a sentence about them is one line all the same.

    Examples
    --------
    >>> print(one_line("two\nlines.wav"))
    two\nlines.wav
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


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

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


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
        self.reason = one_line(reason)

    def __reduce__(self) -> tuple[type["RecordingError"], tuple[str, str]]:
        """So that the error travels between processes."""
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
    """What a file holds or a library says, as one line of an error's sentence.

    Examples
    --------
    >>> shortened(" two    words "), shortened("x" * 1000, limit=5)
    ('two words', 'xxxxx…')
    """
    line = " ".join((str(found).strip() or type(found).__name__).split())
    printable = "".join(character if character.isprintable() else "�" for character in line[: limit + 1])
    return printable if len(printable) <= limit else f"{printable[:limit]}…"
