import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snaps.errors import InputError
from snaps.figures import Panel, plot_methods, plot_panels
from snaps.profiles import navai

GROUPS = ["s", "aa", "t"]


@pytest.fixture
def methods(speech: xr.DataTree, maps: xr.DataArray) -> dict[str, xr.DataArray]:
    return {"NAvAI": navai(speech["phoneme/input"]), "$SNAP$": maps}


def panels(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.images]


def bars(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.axison and not ax.images]


def largest(values: xr.DataArray, group: str) -> float:
    return float(abs(values.sel(group=group)).max())


def test_rows_are_groups_and_columns_methods(methods: dict[str, xr.DataArray]) -> None:
    figure = plot_methods(methods, GROUPS, title="a $title")
    figure.canvas.draw()
    shown = panels(figure)
    assert [ax.texts[0].get_text() for ax in shown] == ["s", "s", "aa", "aa", "t", "t"]
    assert [ax.get_title() for ax in shown] == ["NAvAI", "$SNAP$", "", "", "", ""]
    for ax, (group, values) in zip(shown, ((g, v) for g in GROUPS for v in methods.values()), strict=True):
        np.testing.assert_allclose(ax.images[0].get_array(), values.sel(group=group).values)
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("lag from the peak (ms)", "frequency (Hz)")
    assert figure.get_suptitle() == "a $title"


def test_colours_are_shared_by_row_unless_asked_otherwise(methods: dict[str, xr.DataArray]) -> None:
    table = np.array([[largest(values, group) for values in methods.values()] for group in GROUPS])
    expected = {
        "row": np.repeat(table.max(axis=1, keepdims=True), 2, axis=1),
        "column": np.repeat(table.max(axis=0, keepdims=True), 3, axis=0),
        "panel": table,
        "all": np.full((3, 2), table.max()),
    }
    for shared, limits in expected.items():
        figure = plot_methods(methods, GROUPS, shared=shared)
        for ax, limit in zip(panels(figure), limits.ravel(), strict=True):
            assert ax.images[0].get_clim() == pytest.approx((-limit, limit))
            named = [text.get_text() for text in ax.texts[1:]]
            assert named == ([] if shared in ("row", "all") else [f"±{limit:.3g} dB"])
        assert len(bars(figure)) == {"row": 3, "all": 1}.get(shared, 0)
        assert all(bar.get_ylabel() == "NAvAI and SNAP (dB)" for bar in bars(figure))


def test_a_row_of_bars_stands_beside_its_panels(methods: dict[str, xr.DataArray]) -> None:
    figure = plot_methods(methods, GROUPS)
    figure.canvas.draw()
    for bar, ax in zip(bars(figure), panels(figure)[1::2], strict=True):
        of_bar, of_panel = bar.get_position(), ax.get_position()
        assert of_panel.x1 < of_bar.x0 < of_bar.x1 < 1
        assert of_panel.y0 < of_bar.y0 < of_bar.y1 < of_panel.y1


def test_rows_may_differ_in_what_they_show_and_in_length(methods: dict[str, xr.DataArray]) -> None:
    first, second = methods.values()
    rows = [[Panel(first, "s"), Panel(first, "aa")], [Panel(second, "t", name="/t/")]]
    figure = plot_panels(rows, names=["one", "$two$"], within=0.2)
    figure.canvas.draw()
    assert [ax.texts[0].get_text() for ax in panels(figure)] == ["s", "aa", "/t/"]
    assert [bar.get_ylabel() for bar in bars(figure)] == ["NAvAI (dB)", "SNAP (dB)"]
    assert [ax.get_ylabel() for ax in panels(figure)] == ["one", "", "$two$"]
    below = [ax.xaxis.get_tick_params()["labelbottom"] for ax in panels(figure)]
    assert below == [False, True, True], "numbers stand below the lowest panel of each column"


def test_numbers_of_neighbours_do_not_touch(methods: dict[str, xr.DataArray]) -> None:
    for within in (0.1, 0.2, 0.25, None):
        figure = plot_methods(methods, ["s"], within=within)
        figure.canvas.draw()
        left, right = ([label for label in ax.get_xticklabels() if label.get_text()] for ax in panels(figure))
        assert len(left) >= 3
        assert left[-1].get_window_extent().x1 < right[0].get_window_extent().x0


def test_wrong_input_is_one_sentence(methods: dict[str, xr.DataArray]) -> None:
    with pytest.raises(InputError, match="there is no group 'nowhere'"):
        plot_methods(methods, ["nowhere"])
    with pytest.raises(InputError, match="every row needs a map"):
        plot_methods({}, ["s"])
    with pytest.raises(InputError, match="every row needs a map"):
        plot_methods(methods, [])
    with pytest.raises(InputError, match="shared is 'none'; accepted are 'row', 'column', 'panel', 'all'"):
        plot_methods(methods, ["s"], shared="none")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there are 2 names; accepted are 1, or none"):
        plot_panels([[Panel(methods["NAvAI"], "s")]], names=["a", "b"])
