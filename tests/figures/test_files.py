from pathlib import Path

import xarray as xr
from matplotlib import pyplot as plt
from PIL import Image

from snaps.figures import plot_snap, plot_snap_grid, save_figure


def test_axes_and_figures_become_files_and_are_let_go(maps: xr.DataArray, tmp_path: Path) -> None:
    ax = plot_snap(maps, "s")
    number = ax.figure.number
    assert plt.fignum_exists(number)
    assert save_figure(ax, tmp_path / "one.png", dpi=50) == tmp_path / "one.png"
    assert not plt.fignum_exists(number)
    save_figure(plot_snap_grid(maps, ["s", "aa"]), tmp_path / "grid.png", dpi=50)
    for name in ("one", "grid"):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert min(image.size) > 50


def test_the_ending_says_in_which_format(maps: xr.DataArray, tmp_path: Path) -> None:
    path = save_figure(plot_snap(maps, "s"), tmp_path / "one.pdf")
    assert path.read_bytes().startswith(b"%PDF")
