"""What is raised when the input or the options are wrong.

Every message is one sentence that names what was received, what is accepted, and the file, the layer or
the option that it is about. The command line turns these errors into exit status 2.
"""


class InputError(ValueError):
    """The input or an option cannot be used as it is."""


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
        self.reason = reason

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
