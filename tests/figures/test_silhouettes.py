import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from snaps.clustering import mean_silhouette, silhouette_sweep
from snaps.errors import InputError
from snaps.figures import plot_silhouettes


@pytest.fixture(scope="module")
def sweep(speech: xr.DataTree) -> xr.DataArray:
    return silhouette_sweep(speech["phoneme"])


def lines_of(ax: plt.Axes) -> dict[str, plt.Line2D]:
    return {line.get_label(): line for line in ax.lines}


def test_there_is_a_line_for_every_percentile_and_a_bold_mean(sweep: xr.DataArray) -> None:
    ax = plot_silhouettes(sweep)
    lines = lines_of(ax)
    for percentile in (87, 90, 93, 96):
        line = lines[f"{percentile}th percentile"]
        np.testing.assert_array_equal(line.get_ydata(), sweep.sel(percentile=percentile).values)
        assert line.get_linewidth() < lines["mean"].get_linewidth()
    np.testing.assert_array_equal(lines["mean"].get_ydata(), mean_silhouette(sweep).values)
    assert len({line.get_marker() for name, line in lines.items() if "percentile" in name}) == 4
    assert [text.get_text() for text in ax.get_legend().texts][-1] == "mean"


def test_axes_are_labelled_and_layers_do_not_overlap(sweep: xr.DataArray) -> None:
    ax = plot_silhouettes(sweep, title="by $phoneme")
    ax.figure.canvas.draw()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("layer", "mean silhouette")
    assert [label.get_text() for label in ax.get_xticklabels()] == sweep["layer"].values.tolist()
    right = [label.get_window_extent().x1 for label in ax.get_xticklabels()]
    height = max(label.get_window_extent().height for label in ax.get_xticklabels())
    # Slanted labels keep clear of each other if they end a line's height apart.
    assert min(np.diff(right)) > 0.25 * height
    assert ax.get_title() == "by $phoneme"


def test_gaps_are_honoured_and_marked(sweep: xr.DataArray) -> None:
    holed = sweep.copy(deep=True)
    holed.loc[{"layer": "conv3", "percentile": 96}] = np.nan
    lines = lines_of(plot_silhouettes(holed))
    assert np.isnan(lines["96th percentile"].get_ydata()[3])
    assert np.isnan(lines["mean"].get_ydata()[3])
    assert np.isfinite(lines["90th percentile"].get_ydata()).all()
    assert list(lines["undefined at some percentile"].get_xdata()) == [3]
    assert "undefined at some percentile" not in lines_of(plot_silhouettes(sweep))


def test_the_transfer_depth_is_a_dashed_line_behind_its_layer(sweep: xr.DataArray) -> None:
    line = lines_of(plot_silhouettes(sweep, transferred="conv5"))["transferred up to here"]
    assert list(line.get_xdata()) == [5.5, 5.5]
    assert line.get_linestyle() == "--"


def test_one_layer_one_percentile_and_nothing_defined_are_drawn(sweep: xr.DataArray) -> None:
    ax = plot_silhouettes(sweep.isel(layer=[0], percentile=[1]))
    assert "mean" not in lines_of(ax), "the mean of one line would hide it"
    ax.figure.canvas.draw()
    plot_silhouettes(xr.full_like(sweep, np.nan)).figure.canvas.draw()


def test_axes_go_in_and_come_out(sweep: xr.DataArray) -> None:
    _, given = plt.subplots()
    assert plot_silhouettes(sweep.transpose("percentile", "layer"), given, legend=False) is given
    assert given.get_legend() is None
    assert len(given.get_xticks()) == 13


def test_wrong_input_is_one_sentence(sweep: xr.DataArray) -> None:
    with pytest.raises(InputError, match="accepted are 'layer', 'percentile'"):
        plot_silhouettes(sweep.isel(layer=0))
    with pytest.raises(InputError, match="there is no layer 'conv99'; there are 'input', 'conv1'"):
        plot_silhouettes(sweep, transferred="conv99")
