import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from snaps.errors import InputError
from snaps.figures import plot_unit, plot_units
from snaps.profiles import contrast, distinctive_units, nap, snap


@pytest.fixture(scope="module")
def values(speech: xr.DataTree) -> xr.DataArray:
    return snap(speech["phoneme/conv5"])


def named(ax: plt.Axes) -> dict[str, plt.Line2D]:
    return {str(line.get_label()): line for line in ax.lines if not str(line.get_label()).startswith("_")}


def test_a_unit_has_a_line_for_every_group(values: xr.DataArray) -> None:
    ax = plot_unit(values, 3, groups=["s", "iy"])
    lines = named(ax)
    assert list(lines) == ["s", "iy", "58 others"]
    for group in ("s", "iy"):
        np.testing.assert_allclose(lines[group].get_ydata(), values.sel(group=group).isel(unit=3).values)
        np.testing.assert_allclose(lines[group].get_xdata(), 1000 * values["lag"].values)
    assert len(ax.lines) == 60 + 2, "all groups, zero and the peak"
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("unit 3 · conv5", "lag from the peak (ms)", "SNAP")
    assert list(named(plot_unit(values, 3, groups=["s"], others=False))) == ["s"]


def test_without_names_those_are_chosen_that_reach_furthest(values: xr.DataArray) -> None:
    ax = plot_unit(values, 3)
    furthest = abs(values.isel(unit=3)).max("lag").to_series().nlargest(6).index
    assert set(named(ax)) == {*furthest, "54 others"}
    assert len({line.get_color() for line in named(ax).values()}) == 7


def test_units_are_those_that_tell_groups_apart(values: xr.DataArray) -> None:
    figure = plot_units(values, number=4, within=0.2)
    figure.canvas.draw()
    cut = values.sel(lag=abs(values["lag"]) <= 0.2)
    assert [ax.get_title() for ax in figure.axes] == [
        f"unit {unit}" for unit in distinctive_units(cut, number=4)["unit"].values
    ]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert len(figure.legends[0].texts) == 7
    assert figure.get_supylabel() == "SNAP"


def test_units_keep_their_numbers(values: xr.DataArray) -> None:
    numbered = values.assign_coords(unit=[3, 5, 20, 21, 22, 40, 41, 90])
    figure = plot_units(numbered, [90, 3], groups=["s"], title="mine")
    np.testing.assert_allclose(named(figure.axes[0])["s"].get_ydata(), values.sel(group="s").isel(unit=7).values)
    assert figure.get_suptitle() == "mine"
    with pytest.raises(InputError, match="there is no unit 4; there are 3, 5, 20"):
        plot_unit(numbered, 4)


@pytest.mark.filterwarnings("ignore:NAP is defined")
def test_single_lags_ranks_and_gaps_are_drawn(speech: xr.DataTree) -> None:
    plot_units(snap(speech["phoneme/logits"]), [1, 2]).canvas.draw()
    assert plot_unit(nap(speech["phoneme/conv5"]), 1).get_xlabel() == "rank"
    values = contrast(speech["phoneme/conv5"])
    values[:, :, 0] = np.nan
    plot_units(values, number=2).canvas.draw()


def test_many_groups_are_told_apart_by_dashes_too(values: xr.DataArray) -> None:
    groups = values["group"].values[:18].tolist()
    lines = named(plot_unit(values, 0, groups=groups, others=False))
    assert len({(line.get_color(), line.get_linestyle()) for line in lines.values()}) == 18
    with pytest.raises(InputError, match="there are 19 groups to tell apart; accepted are 18 at most"):
        plot_unit(values, 0, groups=values["group"].values[:19].tolist())


def test_axes_go_in_and_wrong_input_is_one_sentence(values: xr.DataArray) -> None:
    _, given = plt.subplots()
    assert plot_unit(values, 0, given, title="$a", legend=False) is given
    given.figure.canvas.draw()
    with pytest.raises(InputError, match="there is no group 'nowhere'"):
        plot_unit(values, 0, groups=["nowhere"])
    with pytest.raises(InputError, match="there are 0 units to draw"):
        plot_units(values, [])
