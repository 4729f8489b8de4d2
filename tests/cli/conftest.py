from pathlib import Path

import pytest

from snaps.cli import main
from snaps.models import Wav2Letter, save_model
from snaps.profiles import save_profiles
from snaps.speech import synthesize_corpus
from tests.cli.commands import Invoke, Outcome
from tests.profiles.speech import speech_tree


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Run a command within this process, where its libraries are loaded already."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight recordings of four speakers; they must stay as they are."""
    root = tmp_path_factory.mktemp("corpora") / "speech"
    synthesize_corpus(root, speakers=4, sentences=2, progress=False)
    return root


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network."""
    path = tmp_path_factory.mktemp("networks") / "untrained.safetensors"
    return save_model(Wav2Letter(["_", "s", "iy"], layers=[(6, 24, 2), (3, 1, 1)]), path)


@pytest.fixture(scope="session")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Profiles of thirteen layers, made up."""
    return save_profiles(speech_tree(n_units=6, n_bands=16), tmp_path_factory.mktemp("profiles") / "speech.zarr")
