from collections.abc import Iterator

import pytest
import xarray as xr
from matplotlib import pyplot as plt

from snaps.figures import draw_offscreen
from snaps.profiles import snap
from tests.profiles.speech import speech_tree

draw_offscreen()


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def speech() -> xr.DataTree:
    return speech_tree(n_units=8, n_bands=128)


@pytest.fixture(scope="session")
def maps(speech: xr.DataTree) -> xr.DataArray:
    return snap(speech["phoneme/input"])
