"""Sentences stay one line, whatever stands in a file's name, and travel between processes as they are."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from snaps.datasets import load_timit, read_audio
from snaps.errors import InputError, MissingFileError, OutputExistsError, RecordingError
from tests.waiting import PATIENCE

NAMES = ["two\nlines", "a\r\nb", "tab\tstop", "caf\udce9", "\x1b[31mred", "line\u2028separator", "nul\0"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [InputError, MissingFileError, OutputExistsError])
def test_message_is_one_line(name: str, kind: type[InputError]) -> None:
    error = kind(f"'{name}' is bad")
    assert str(error).isprintable() and str(error).encode("utf-8")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (kind, str(error))


@pytest.mark.parametrize("made", ["MissingFileError('a')", "OutputExistsError('a')", "RecordingError('id', 'a')"])
def test_errors_travel_from_workers_of_a_cluster(made: str) -> None:
    # dask has exceptions pickled in a way of its own.
    code = f"import distributed, pickle; from snaps.errors import *; print(pickle.loads(pickle.dumps({made})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "a\n"


@pytest.mark.parametrize("name", NAMES)
def test_reason_is_one_line(name: str) -> None:
    error = RecordingError(name, f"'{name}' is bad")
    assert error.recording == name
    assert error.reason == str(error) and error.reason.isprintable()
    again = pickle.loads(pickle.dumps(error))
    assert (again.recording, again.reason) == (name, error.reason)


def test_ordinary_names_stay_as_they_are() -> None:
    assert str(InputError("'café 東京/it's \"a b\".wav' …")) == "'café 東京/it's \"a b\".wav' …"


def test_files_with_line_breaks_in_their_names(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"two\\nlines' does not exist"):
        load_timit(tmp_path / "two\nlines")
    (tmp_path / "two\nlines.wav").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"two\\nlines\.wav' is empty"):
        read_audio(tmp_path / "two\nlines.wav", recording="a")
