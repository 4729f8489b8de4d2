import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from snaps.errors import InputError
from snaps.figures import BURSTS, Mark, formants, plot_snap, plot_snap_grid
from snaps.figures.marks import PETERSON_BARNEY
from snaps.profiles import snap


def marked(ax: plt.Axes) -> list[plt.Line2D]:
    return [line for line in ax.lines if line.get_label() == "mark"]


def place(maps: xr.DataArray, hertz: float) -> float:
    """The number of the unit at a frequency, between two units where it lies between them."""
    return float(np.interp(hertz, maps["frequency"].values, np.arange(maps.sizes["unit"])))


def test_frequencies_are_marked_where_they_are(maps: xr.DataArray) -> None:
    ax = plot_snap(maps, "iy", marks={"iy": [270, Mark(2290, "$F_2$")], "s": [100]})
    first, second = marked(ax)
    assert list(first.get_ydata()) == pytest.approx([place(maps, 270)] * 2)
    assert list(second.get_ydata()) == pytest.approx([place(maps, 2290)] * 2)
    assert [text.get_text() for text in ax.texts] == ["270", "$F_2$"]
    assert not any(text.get_parse_math() for text in ax.texts)
    ax.figure.canvas.draw()


def test_bands_are_brackets_and_end_at_the_edge(maps: xr.DataArray) -> None:
    (bracket,) = marked(plot_snap(maps, "k", marks=BURSTS))
    assert sorted(set(bracket.get_ydata())) == pytest.approx([place(maps, 1500), place(maps, 4000)])
    (bracket,) = marked(plot_snap(maps, "k", marks={"k": [Mark(4000, upto=30_000)]}))
    assert max(bracket.get_ydata()) == 127.5


def test_groups_without_marks_and_marks_off_the_axis_are_bare(maps: xr.DataArray) -> None:
    assert not marked(plot_snap(maps, "s", marks=formants()))
    ax = plot_snap(maps, "s", marks={"s": [40_000]})
    assert not marked(ax)
    assert not ax.texts
    assert ax.get_ylim() == (-0.5, 127.5)


def test_a_grid_marks_its_groups(maps: xr.DataArray) -> None:
    figure = plot_snap_grid(maps, ["iy", "s", "t"], marks={**formants(number=3), **BURSTS})
    assert [len(marked(ax)) for ax in figure.axes[:3]] == [3, 0, 1]


def test_formants_rise_in_order_and_from_men_to_children() -> None:
    assert len(PETERSON_BARNEY) == 10
    for vowel, of_speakers in PETERSON_BARNEY.items():
        assert all(list(hertz) == sorted(hertz) for hertz in of_speakers), vowel
        men, women, children = of_speakers
        assert men[1] < women[1] < children[1]
    found = formants("women", number=3)["iy"]
    assert [(mark.label, mark.frequency) for mark in found] == [("F1", 310), ("F2", 2790), ("F3", 3310)]
    assert set(BURSTS) == set("pbtdkg")


def test_wrong_input_is_one_sentence(maps: xr.DataArray, speech: xr.DataTree) -> None:
    with pytest.raises(InputError, match="the marks of 's' are frequencies, and the units of this map have none"):
        plot_snap(snap(speech["phoneme/conv5"]), "s", marks={"s": [100]})
    for hertz in (0, -3, float("nan"), "270", True):
        with pytest.raises(InputError, match="frequency is .*; accepted are numbers above 0"):
            plot_snap(maps, "s", marks={"s": [hertz]})  # type: ignore[list-item]
    with pytest.raises(InputError, match="upto is 400; accepted are numbers above 500"):
        Mark(500, upto=400)
    with pytest.raises(InputError, match="speakers is 'dogs'; accepted are 'men', 'women', 'children'"):
        formants("dogs")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="number is 4; accepted are 1, 2, 3"):
        formants(number=4)
