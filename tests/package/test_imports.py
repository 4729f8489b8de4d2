"""What an import may draw, looked at in a fresh process; each with a test that it can fail."""

import json
import subprocess
import sys

import pytest

from tests.waiting import PATIENCE

HEAVY = frozenset(
    {
        *("torch", "captum", "rapidfuzz"),
        *("matplotlib", "seaborn", "plotly"),
        *("librosa", "sklearn", "scipy", "pandas", "xarray", "zarr", "typer"),
    }
)
LOOK = """
import json, sys
{code}
sys.stdout.write("\\n" + json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def drawn(code: str) -> set[str]:
    """Top-level modules that a process has loaded after running some code."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(code=code)], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_itself_is_light() -> None:
    assert not drawn("import snaps; dir(snaps); snaps.__version__") & HEAVY


def test_loading_corpora_draws_no_network_library() -> None:
    heavy = drawn("import snaps; snaps.load_timit, snaps.load_textgrids, snaps.Recording, snaps.Interval") & HEAVY
    assert heavy <= {"pandas"}


def test_below_the_waist_there_is_no_torch() -> None:
    rooms = "snaps.clustering, snaps.profiles, snaps.figures, snaps.report, snaps.schema"
    clustering = "snaps.cluster, snaps.silhouette_sweep, snaps.compare_models"
    names = f"{clustering}, snaps.snap, snaps.open_profiles, snaps.regroup, snaps.write_report"
    modules = drawn(f"import {rooms}; {names}")
    assert "torch" not in modules
    assert "xarray" in modules


def test_clustering_profiles_draws_no_torch_either() -> None:
    code = """
import numpy as np, xarray as xr
from snaps.clustering import cluster
values = xr.DataArray(np.arange(8.0).reshape(4, 2), dims=("group", "unit"), coords={"group": list("abcd")})
cluster(values)
"""
    assert "torch" not in drawn(code)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "train",
        "profile",
        "cluster",
        "compare",
        "report",
        "align",
        "faithfulness",
        "reproduce",
        "corpus",
        "corpus inspect",
    ],
)
def test_asking_for_help_is_fast(command: str) -> None:
    heavy = drawn(f"from snaps.cli import main\nmain({[*command.split(), '--help']!r})") & HEAVY
    assert not heavy & {"torch", "matplotlib", "librosa", "sklearn", "scipy", "zarr"}


@pytest.mark.parametrize(
    ("module", "found"),
    [("snaps.models", "torch"), ("snaps.figures", "matplotlib"), ("snaps.training.loop", "rapidfuzz")],
)
def test_these_tests_can_fail(module: str, found: str) -> None:
    assert found in drawn(f"import {module}") & HEAVY
