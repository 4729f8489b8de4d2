"""A short demonstration with networks that learn: two minutes, a fixed number of epochs, CTC alone."""

from pathlib import Path

import pytest
import torch

from snaps.figures import draw_offscreen
from snaps.papers import run_reproduction
from snaps.papers.snap2021 import wanted_rows


@pytest.mark.demonstration
def test_a_network_that_hears(tmp_path: Path) -> None:
    draw_offscreen()
    made = run_reproduction(tmp_path / "out", scale="check", progress=False)
    rows = wanted_rows(made)
    print(f"{torch.get_num_threads()} threads, {made.seconds}", *rows, sep="\n")
    assert made.facts["w2p_shallow"]["error_rate"] <= 0.35
    assert made.profiles["w2p_shallow"].attrs["n_frames"] >= 1000
    assert "describes noise" not in made.page.read_text(encoding="utf-8")
