import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

from snaps.clustering import ModelComparison, compare_models, mean_silhouette
from snaps.errors import InputError
from snaps.figures import (
    plot_changes,
    plot_layer_matrix,
    plot_model_silhouettes,
    plot_moved,
    plot_silhouette_panels,
)
from tests.profiles.build import random_tree

GROUPS = tuple(f"g{number:02d}" for number in range(12))


@pytest.fixture(scope="module")
def comparison() -> ModelComparison:
    networks = {
        name: random_tree(seed, groupings=("phoneme",), layers=layers, groups=GROUPS)["phoneme"]
        for name, seed, layers in (
            ("$w2l_1$", 0, ("input", "conv1", "conv2", "conv3", "logits")),
            ("tl", 30, ("input", "conv1", "conv2", "conv3", "logits")),
            ("shallow", 60, ("input", "conv1", "logits")),
        )
    }
    return compare_models(networks, n_permutations=19, min_count=1)


def lines_of(ax: plt.Axes) -> dict[str, plt.Line2D]:
    return {str(line.get_label()): line for line in ax.lines}


def test_every_network_has_a_line(comparison: ModelComparison) -> None:
    for percentile in (87, None):
        ax = plot_model_silhouettes(comparison.silhouettes, percentile=percentile)
        lines = lines_of(ax)
        of_all = comparison.silhouettes
        shown = mean_silhouette(of_all) if percentile is None else of_all.sel(percentile=percentile)
        for name in comparison.models:
            np.testing.assert_array_equal(lines[name].get_ydata(), shown.sel(model=name).values)
        assert len({lines[name].get_color() for name in comparison.models}) == 3
        assert len({lines[name].get_marker() for name in comparison.models}) == 3
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("layer", "mean silhouette")
        assert [label.get_text() for label in ax.get_xticklabels()] == ["input", "conv1", "conv2", "conv3", "logits"]
        assert {text.get_text() for text in ax.get_legend().texts} == set(lines) & {*comparison.models, *CROSS}
    assert ax.get_title() == "mean over percentiles"


CROSS = {"undefined in some network"}


def test_layers_that_a_network_lacks_are_bridged_and_not_called_undefined(comparison: ModelComparison) -> None:
    full = comparison.silhouettes.where(~comparison.silhouettes["has_layer"], 0.5).where(
        comparison.silhouettes["has_layer"]
    )
    ax = plot_model_silhouettes(full)
    assert np.isnan(lines_of(ax)["shallow"].get_ydata()).tolist() == [False, False, True, True, False]
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [0, 1, 4] in [list(line.get_xdata()) for line in dotted]
    assert not CROSS & set(lines_of(ax))
    holed = full.copy(deep=True)
    holed.loc[{"model": "tl", "layer": "conv1", "percentile": 90}] = np.nan
    assert list(lines_of(plot_model_silhouettes(holed))["undefined in some network"].get_xdata()) == [1]
    assert not CROSS & set(lines_of(plot_model_silhouettes(holed, percentile=87)))


def test_there_is_a_panel_for_every_percentile_and_one_for_the_mean(comparison: ModelComparison) -> None:
    figure = plot_silhouette_panels(comparison.silhouettes, transferred="conv2", title="a $title")
    figure.canvas.draw()
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == [
        *(f"{p}th percentile" for p in (87, 90, 93, 96)),
        "mean over percentiles",
    ]
    for ax in panels:
        assert list(lines_of(ax)["transferred up to here"].get_xdata()) == [2.5, 2.5]
        assert ax.get_ylim() == panels[0].get_ylim()
    assert figure.get_suptitle() == "a $title"
    one = plot_silhouette_panels(comparison.silhouettes.sel(percentile=[96]))
    assert [ax.get_title() for ax in one.axes] == ["96th percentile"]
    assert set(comparison.models) <= {text.get_text() for text in one.legends[0].texts}


def test_changes_have_a_line_for_every_percentile(comparison: ModelComparison) -> None:
    changed = comparison.between("$w2l_1$", "tl")["changed"]
    ax = plot_changes(changed, title="$w2l_1$ / tl")
    lines = lines_of(ax)
    for percentile in (87, 90, 93, 96):
        np.testing.assert_array_equal(
            lines[f"{percentile}th percentile"].get_ydata(), changed.sel(percentile=percentile).values
        )
    assert ax.get_ylabel() == "changed pairs of groups"
    assert plot_changes(comparison.changes["adjusted_rand"].sel(pair="tl / shallow")).get_ylabel() == (
        "adjusted Rand index"
    )
    plot_changes(xr.full_like(changed, np.nan)).figure.canvas.draw()


def test_layers_stand_against_layers(comparison: ModelComparison) -> None:
    found = comparison.between("tl", "shallow")
    for name in ("rsa", "cka"):
        ax = plot_layer_matrix(found[name], p_values=found[f"{name}_p_value"], title="t")
        ax.figure.canvas.draw()
        (image,) = ax.images
        np.testing.assert_allclose(image.get_array().filled(np.nan), found[name].values)
        assert image.get_clim() == ((-1, 1) if name == "rsa" else (0, 1))
        assert [label.get_text() for label in ax.get_yticklabels()] == ["input", "conv1", "conv2", "conv3", "logits"]
        assert [label.get_text() for label in ax.get_xticklabels()] == ["input", "conv1", "logits"]
        assert (ax.get_ylabel(), ax.get_xlabel()) == ("layer of tl", "layer of shallow")
        frames = {(round(p.get_x() + 0.5), round(p.get_y() + 0.5)) for p in ax.patches if isinstance(p, Rectangle)}
        values = found[name].values
        expected = {(int(np.nanargmax(row)), at) for at, row in enumerate(values) if np.isfinite(row).any()}
        assert frames == expected
        crosses = {(int(x), int(y)) for line in ax.lines for x, y in zip(*line.get_data(), strict=True)}
        above = np.argwhere(found[f"{name}_p_value"].values > 0.05)
        assert crosses == {(int(column), int(row)) for row, column in above}
    undefined = plot_layer_matrix(xr.full_like(found["rsa"], np.nan), colorbar=False)
    assert not undefined.patches
    assert len(undefined.figure.axes) == 1


def test_the_groups_that_moved_most_come_first(comparison: ModelComparison) -> None:
    moved = comparison.between("$w2l_1$", "tl")["moved"]
    ax = plot_moved(moved, most=5)
    means = moved.mean("layer")
    order = means["group"].values[np.argsort(-means.values, kind="stable")][:5].tolist()
    assert [label.get_text() for label in ax.get_yticklabels()] == order
    np.testing.assert_allclose(ax.images[0].get_array(), moved.sel(group=order).T.values)
    assert ax.get_xlabel() == "layer"
    plot_moved(xr.full_like(moved, np.nan)).figure.canvas.draw()


def test_axes_go_in_and_come_out(comparison: ModelComparison) -> None:
    found = comparison.between("$w2l_1$", "tl")
    for draw, values in (
        (plot_model_silhouettes, comparison.silhouettes),
        (plot_changes, found["changed"]),
        (plot_layer_matrix, found["cka"]),
        (plot_moved, found["moved"]),
    ):
        _, given = plt.subplots()
        assert draw(values.transpose(), given) is given
        given.figure.canvas.draw()


def test_wrong_input_is_one_sentence(comparison: ModelComparison) -> None:
    silhouettes = comparison.silhouettes
    found = comparison.between("$w2l_1$", "tl")
    with pytest.raises(InputError, match="accepted are 'layer', 'model', 'percentile'"):
        plot_model_silhouettes(silhouettes.isel(model=0))
    with pytest.raises(InputError, match="there is no percentile 50; there are 87, 90, 93, 96"):
        plot_model_silhouettes(silhouettes, percentile=50)
    with pytest.raises(InputError, match="there is no layer 'conv99'; there are 'input', 'conv1'"):
        plot_silhouette_panels(silhouettes, transferred="conv99")
    with pytest.raises(InputError, match="accepted are 'layer', 'percentile'"):
        plot_changes(comparison.changes["changed"])
    with pytest.raises(InputError, match="accepted are 'layer', 'layer_'"):
        plot_layer_matrix(comparison.correspondence["rsa"])
    with pytest.raises(InputError, match="accepted are 'group', 'layer'"):
        plot_moved(found["changed"])
    with pytest.raises(InputError, match="most is 0; accepted are whole numbers from 1"):
        plot_moved(found["moved"], most=0)
