import itertools

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError
from snaps.figures import plot_snap, plot_snap_grid, reach
from snaps.figures.axes import frequency_ticks
from snaps.profiles import contrast, nap, snap


def texts(labels: list[plt.Text]) -> list[str]:
    return [label.get_text() for label in labels]


def drawn(ax: Axes) -> Axes:
    ax.figure.canvas.draw()
    return ax


def overlap(labels: list[plt.Text], *, vertical: bool) -> bool:
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    spans = sorted((box.y0, box.y1) if vertical else (box.x0, box.x1) for box in boxes)
    return any(first[1] > second[0] for first, second in itertools.pairwise(spans))


def test_an_input_snap_has_hertz_milliseconds_and_decibels(maps: xr.DataArray) -> None:
    ax = drawn(plot_snap(maps, "s"))
    assert ax.get_ylabel() == "frequency (Hz)"
    assert texts(ax.get_yticklabels()) == ["100", "500", "1k", "2k", "4k", "8k"]
    assert ax.get_xlabel() == "lag from the peak (ms)"
    assert 0 in ax.get_xticks()
    assert ax.get_title() == "s · input"
    bar = ax.images[0].colorbar
    assert bar.ax.get_ylabel() == "SNAP (dB)"
    assert not overlap(ax.get_yticklabels(), vertical=True)
    assert not overlap(ax.get_xticklabels(), vertical=False)


def test_the_picture_lies_where_the_values_are(maps: xr.DataArray) -> None:
    ax = plot_snap(maps, "s")
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), maps.sel(group="s").values)
    assert image.origin == "lower"
    left, right, bottom, top = image.get_extent()
    lags = 1000 * maps["lag"].values
    assert (left, right) == pytest.approx((lags[0] - 4, lags[-1] + 4))
    assert (bottom, top) == (-0.5, 127.5)


def test_the_ticks_lie_at_their_bands(maps: xr.DataArray) -> None:
    frequency = maps["frequency"].values
    ticks = frequency_ticks(frequency)
    for hertz, position in ticks.items():
        below = int(np.floor(position))
        if 0 <= below < len(frequency) - 1:
            assert frequency[below] <= hertz <= frequency[below + 1]
    assert ticks[8000] == 127.5, "the upper edge of the last band"
    assert frequency_ticks(np.array([990.0, 1000.0, 1010.0])) == {1000: 1.0}
    assert frequency_ticks(np.array([3.0, 2.0, 1.0])) == {}
    assert len(frequency_ticks(frequency[::16])) >= 3


def test_colours_are_symmetric_around_white(maps: xr.DataArray) -> None:
    image = plot_snap(maps, "iy").images[0]
    low, high = image.get_clim()
    assert low == -high
    assert high == pytest.approx(float(abs(maps.sel(group="iy")).max()))
    red, green, blue, _ = image.cmap(image.norm(0.0))
    assert min(red, green, blue) > 0.95
    above, below = image.cmap(image.norm(0.8 * high)), image.cmap(image.norm(-0.8 * high))
    assert above[0] > above[2] and below[2] > below[0], "red above, blue below"
    assert plot_snap(maps, "iy", vmax=3).images[0].get_clim() == (-3, 3)


def test_the_peak_is_marked(maps: xr.DataArray) -> None:
    (line,) = [line for line in plot_snap(maps, "s").lines if line.get_label() == "peak"]
    assert list(line.get_xdata()) == [0, 0]


def test_hidden_layers_count_units(speech: xr.DataTree) -> None:
    ax = drawn(plot_snap(snap(speech["phoneme/conv5"]), "s"))
    assert ax.get_ylabel() == "unit"
    assert ax.get_title() == "s · conv5"
    assert ax.images[0].colorbar.ax.get_ylabel() == "SNAP"
    ticks = [tick for tick in ax.get_yticks() if 0 <= tick < 8]
    assert all(float(tick).is_integer() for tick in ticks)


def test_selected_units_keep_their_numbers(speech: xr.DataTree) -> None:
    values = snap(speech["phoneme/conv5"]).assign_coords(unit=[3, 5, 20, 21, 22, 40, 41, 90])
    ax = drawn(plot_snap(values, "s"))
    labels = {round(tick): label.get_text() for tick, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)}
    assert labels[0] == "3"
    assert labels[6] == "41"


def test_layers_of_one_step_are_a_column(speech: xr.DataTree) -> None:
    ax = drawn(plot_snap(snap(speech["phoneme/logits"]), "s"))
    assert ax.images[0].get_array().shape == (62, 1)
    assert texts(ax.get_xticklabels()) == ["0"]


@pytest.mark.filterwarnings("ignore:NAP is defined")
def test_naps_are_drawn_over_ranks_and_gaps_in_grey(speech: xr.DataTree) -> None:
    dataset = speech["phoneme/conv5"].to_dataset()
    ax = plot_snap(nap(dataset), "s")
    assert ax.get_xlabel() == "rank"
    values = contrast(dataset)
    values[:, :, 0] = np.nan
    image = plot_snap(values, "s").images[0]
    assert image.get_array().mask[:, 0].all()
    assert image.cmap.get_bad()[:3] == pytest.approx((0.85, 0.85, 0.85))


def test_a_group_without_values_is_white_not_an_error(maps: xr.DataArray) -> None:
    assert plot_snap(xr.zeros_like(maps), "s").images[0].get_clim() == (-1, 1)


def test_axes_go_in_and_come_out(maps: xr.DataArray) -> None:
    figure, axes = plt.subplots(1, 2)
    assert plot_snap(maps, "s", axes[1], colorbar=False, title="mine") is axes[1]
    assert len(figure.axes) == 2, "no colour bar"
    assert not axes[0].images
    assert axes[1].get_title() == "mine"


def test_labels_are_shown_as_they_are(maps: xr.DataArray) -> None:
    labels = ["$x_1$", "a$b", r"\frac", *maps["group"].values[3:]]
    renamed = maps.assign_coords(group=labels)
    ax = drawn(plot_snap(renamed, "$x_1$"))
    assert not ax.title.get_parse_math()
    plot_snap_grid(renamed, ["$x_1$", "a$b", r"\frac"]).canvas.draw()


def test_the_unit_can_be_told(maps: xr.DataArray) -> None:
    assert plot_snap(maps, "s", units="Pa").images[0].colorbar.ax.get_ylabel() == "SNAP (Pa)"
    told = maps.assign_attrs(units="mV")
    assert plot_snap(told, "s").images[0].colorbar.ax.get_ylabel() == "SNAP (mV)"


def panels(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.images and ax.get_label() != "<colorbar>"]


def test_a_grid_has_a_panel_for_every_group(maps: xr.DataArray) -> None:
    figure = plot_snap_grid(maps)
    assert len(panels(figure)) == 60
    assert [ax.texts[0].get_text() for ax in panels(figure)] == maps["group"].values.tolist()
    chosen = plot_snap_grid(maps, ["s", "aa"], title="two groups")
    assert [ax.texts[0].get_text() for ax in panels(chosen)] == ["s", "aa"]
    assert chosen.get_suptitle() == "two groups"
    assert chosen.get_supxlabel() == "lag from the peak (ms)"
    assert chosen.get_supylabel() == "frequency (Hz)"


def test_colours_of_a_grid_mean_the_same_everywhere_or_say_what_they_mean(maps: xr.DataArray) -> None:
    groups = ["s", "aa", "pau"]
    figure = plot_snap_grid(maps, groups)
    limit = float(abs(maps.sel(group=groups)).max())
    assert {ax.images[0].get_clim() for ax in panels(figure)} == {(-limit, limit)}
    assert [ax.get_ylabel() for ax in figure.axes if not ax.images or ax.get_ylabel()] == ["SNAP (dB)"]
    alone = plot_snap_grid(maps, groups, shared=False)
    for group, ax in zip(groups, panels(alone), strict=True):
        own = float(abs(maps.sel(group=group)).max())
        assert ax.images[0].get_clim() == (-own, own)
        assert ax.texts[1].get_text() == f"±{own:.3g} dB"
    assert len(alone.axes) == 3, "no bar that would fit none"


def test_labels_of_a_grid_do_not_overlap(maps: xr.DataArray) -> None:
    figure = plot_snap_grid(maps)
    figure.canvas.draw()
    for ax in panels(figure):
        assert not overlap(ax.get_yticklabels(), vertical=True)
        assert not overlap(ax.get_xticklabels(), vertical=False)


def test_a_picture_can_be_cut_to_what_matters(maps: xr.DataArray) -> None:
    furthest = reach(maps)
    inside = abs(maps).where(abs(maps["lag"]) > furthest, 0)
    assert float(inside.max()) < 0.01 * float(abs(maps).max())
    assert furthest < 0.8
    left, right, *_ = plot_snap(maps, "s", within=0.1).images[0].get_extent()
    assert (left, right) == pytest.approx((-100, 100))
    assert reach(xr.zeros_like(maps)) == float(abs(maps["lag"]).max())
    with pytest.raises(InputError, match=r"no lag lies within -1 s of the peak; there are -0\.824 to 0\.816 s"):
        plot_snap(maps, "s", within=-1)


def test_wrong_input_is_one_sentence(maps: xr.DataArray) -> None:
    with pytest.raises(InputError, match="there is no group 'nowhere'; there are 'aa', 'ae'"):
        plot_snap(maps, "nowhere")
    with pytest.raises(InputError, match="vmax is 0; accepted are numbers above 0"):
        plot_snap(maps, "s", vmax=0)
    with pytest.raises(InputError, match="there is nothing to draw"):
        plot_snap_grid(maps, [])
    with pytest.raises(InputError, match="no labelled dimension 'group'"):
        plot_snap(maps.isel(group=0), "aa")
