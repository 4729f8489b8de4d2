import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from snaps.errors import InputError
from snaps.figures import plot_frame
from snaps.figures.maps import LOWERS, RAISES


@pytest.fixture
def activation() -> xr.DataArray:
    time = 1.6 + 0.008 * np.arange(30)
    values = np.random.default_rng(0).uniform(0, 60, size=(12, 30))
    return xr.DataArray(
        values,
        dims=("unit", "time"),
        coords={"time": time, "frequency": ("unit", np.geomspace(80, 7000, 12))},
    )


@pytest.fixture
def saliency(activation: xr.DataArray) -> xr.DataArray:
    values = xr.zeros_like(activation)
    values[3, 10], values[5, 20], values[6, 20] = 4.0, -1.0, -4.0
    return values


def test_the_spectrogram_is_grey_and_has_units(activation: xr.DataArray, saliency: xr.DataArray) -> None:
    ax = plot_frame(activation, saliency, title="predicted: $a")
    grey = ax.images[0]
    np.testing.assert_array_equal(grey.get_array(), activation.values)
    assert len(set(grey.cmap(0.7)[:3])) == 1
    assert grey.cmap(grey.norm(60.0))[0] < grey.cmap(grey.norm(0.0))[0], "loud is dark"
    assert grey.colorbar.ax.get_ylabel() == "activation (dB)"
    assert ax.get_ylabel() == "frequency (Hz)"
    assert ax.get_xlabel() == "time (ms)"
    assert ax.get_title(loc="left") == "predicted: $a"
    assert ax.get_xlim() == pytest.approx((1596, 1836))


def test_saliency_is_red_above_zero_blue_below_and_opaque_by_its_magnitude(
    activation: xr.DataArray, saliency: xr.DataArray
) -> None:
    overlay = plot_frame(activation, saliency).images[1].get_array()
    assert tuple(overlay[3, 10, :3]) == pytest.approx(to_rgb(RAISES))
    assert tuple(overlay[6, 20, :3]) == pytest.approx(to_rgb(LOWERS))
    assert overlay[0, 0, 3] == 0
    assert overlay[3, 10, 3] == overlay[6, 20, 3] == pytest.approx(0.9)
    assert 0 < overlay[5, 20, 3] < overlay[6, 20, 3]


def test_the_peak_is_marked(activation: xr.DataArray, saliency: xr.DataArray) -> None:
    ax = plot_frame(activation, saliency, peak=1.68, unit=3)
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["peak"].get_xdata()) == pytest.approx([1680, 1680])
    assert [tuple(mark.get_offsets()[0]) for mark in ax.collections] == [(pytest.approx(1680), 3)] * 2
    assert [text.get_text() for text in ax.get_legend().texts] == ["saliency above 0", "below 0", "peak"]
    without = plot_frame(activation, saliency)
    assert [text.get_text() for text in without.get_legend().texts] == ["saliency above 0", "below 0"]


def test_saliency_of_a_part_lies_over_that_part(activation: xr.DataArray, saliency: xr.DataArray) -> None:
    ax = plot_frame(activation, saliency.isel(time=slice(5, 25)))
    left, right, *_ = ax.images[1].get_extent()
    assert (left, right) == pytest.approx((1636, 1796))
    assert ax.get_xlim() == pytest.approx((1596, 1836))


def test_a_frame_without_saliency_is_drawn(activation: xr.DataArray, saliency: xr.DataArray) -> None:
    assert (plot_frame(activation, 0 * saliency).images[1].get_array()[..., 3] == 0).all()


def test_lags_will_do_for_times_and_axes_go_in_and_come_out(activation: xr.DataArray, saliency: xr.DataArray) -> None:
    _, given = plt.subplots()
    lags = {"time": "lag"}
    ax = plot_frame(activation.rename(lags).drop_vars("frequency"), saliency.rename(lags), given, colorbar=False)
    assert ax is given
    assert ax.get_xlabel() == "lag from the peak (ms)"
    assert ax.get_ylabel() == "unit"


def test_wrong_input_is_one_sentence(activation: xr.DataArray, saliency: xr.DataArray) -> None:
    with pytest.raises(InputError, match="the activation has 12 units and the saliency 11"):
        plot_frame(activation, saliency.isel(unit=slice(11)))
    with pytest.raises(InputError, match="a map has the dimension 'unit' and one other; received"):
        plot_frame(activation.isel(unit=0), saliency)
