"""Every notebook runs from its first cell to its last, as a reader would run it."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.package.sources import ROOT
from tests.waiting import PATIENCE

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: They train networks of their own, which `make test` has no time for.
LONG = frozenset(
    {
        "20_alignment.ipynb",
        "30_profiles_of_letters_and_phonemes.ipynb",
        "40_layers_and_transfer.ipynb",
        "50_comparing_networks.ipynb",
    }
)
#: Seconds that one cell may take, on a busy machine too. No cell takes a quiet one more than five minutes.
LIMIT = 3600


def named(path: Path) -> str:
    return path.stem


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_first_one() -> None:
    assert NOTEBOOKS[0].name == "10_first_profile.ipynb"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_it_is_stored_without_results(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.name[:2].isdecimal(), "numbers say in which order to read"
    assert notebook.cells[0].cell_type == "markdown"
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.campaign] if path.name in LONG else []) for path in NOTEBOOKS],
    ids=named,
)
def test_it_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(notebook, timeout=LIMIT, startup_timeout=PATIENCE, resources=place)
    client.execute()
    assert all(cell.execution_count for cell in code_cells(notebook))
    shown = [kind for cell in code_cells(notebook) for output in cell.outputs for kind in output.get("data", ())]
    assert shown.count("image/png") >= 3
    assert list(tmp_path.iterdir()) == [], "a notebook writes into a folder of its own"
