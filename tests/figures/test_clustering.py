import itertools

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from snaps.clustering import cluster
from snaps.figures import plot_clustermap
from snaps.figures.clustering import CLUSTER_COLORS, SINGLETON, cluster_colors


def heat_axes(figure: plt.Figure) -> plt.Axes:
    return max(figure.axes, key=lambda ax: ax.get_position().width * ax.get_position().height)


def assert_inside(figure: plt.Figure, labels: list[plt.Text]) -> None:
    width, height = figure.canvas.get_width_height()
    for label in labels:
        box = label.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, label.get_text()


def test_sixty_groups_are_readable(speech: xr.DataTree) -> None:
    result = cluster(speech["phoneme/conv5"])
    figure = plot_clustermap(result)
    figure.canvas.draw()
    ax = heat_axes(figure)
    for axis in (ax.xaxis, ax.yaxis):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        assert labels == list(result.order), "every group, in the order of the dendrogram"
        assert min(label.get_fontsize() for label in axis.get_ticklabels()) >= 7
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(a.y0 >= b.y1 - 1 for a, b in itertools.pairwise(boxes))
    assert_inside(figure, [*ax.get_xticklabels(), *ax.get_yticklabels(), figure._suptitle])


def test_the_map_shows_the_distances_in_the_order_of_the_dendrogram(speech: xr.DataTree) -> None:
    result = cluster(speech["phoneme/conv5"])
    mesh = heat_axes(plot_clustermap(result)).collections[0]
    ordered = result.distances.sel(group=list(result.order), group_=list(result.order)).values
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(60, 60), ordered)
    assert mesh.get_clim()[0] == 0


def test_clusters_have_colours_and_frames_and_singletons_are_grey() -> None:
    values = xr.DataArray(
        [[0.0], [0.1], [100.0], [50.0], [50.1], [50.3]],
        dims=("group", "unit"),
        coords={"group": list("abzcde")},
    )
    result = cluster(values, percentile=25)
    colors = cluster_colors(result)
    members = result.clusters
    assert {members[number] for number, color in colors.items() if color == SINGLETON} == {("z",)}
    framed = [color for color in colors.values() if color != SINGLETON]
    assert framed == list(CLUSTER_COLORS[:2])
    ax = heat_axes(plot_clustermap(result))
    frames = {
        (patch.get_x(), patch.get_width()): to_hex(patch.get_edgecolor())
        for patch in ax.patches
        if isinstance(patch, Rectangle)
    }
    expected, start = {}, 0
    for number, group in members.items():
        if len(group) > 1:
            expected[start, len(group)] = colors[number]
        start += len(group)
    assert frames == expected


def test_the_cut_is_drawn_and_the_heading_says_how_good_it_is(speech: xr.DataTree) -> None:
    result = cluster(speech["phoneme/conv5"], percentile=87)
    figure = plot_clustermap(result)
    cuts = [list(line.get_ydata()) for ax in figure.axes for line in ax.lines if line.get_linestyle() == "--"]
    assert [result.threshold] * 2 in cuts
    heading = figure.get_suptitle()
    assert heading.startswith("conv5, percentile 87, ")
    assert heading.endswith(f"silhouette {result.silhouette:.2f}")
    assert any(ax.get_ylabel() == "euclidean distance" for ax in figure.axes)
    assert plot_clustermap(result, title="a $title").get_suptitle() == "a $title"


@pytest.mark.parametrize("count", [2, 3, 130])
def test_few_and_many_groups_are_drawn(count: int) -> None:
    values = np.random.default_rng(0).normal(size=(count, 3))
    labels = [f"label {number} $" for number in range(count)]
    result = cluster(xr.DataArray(values, dims=("group", "unit"), coords={"group": labels}), percentile=100)
    figure = plot_clustermap(result)
    figure.canvas.draw()
    assert "1 cluster, silhouette undefined: there is one cluster" in figure.get_suptitle()
    ax = heat_axes(figure)
    assert len(ax.get_yticklabels()) == count
    assert_inside(figure, [*ax.get_xticklabels(), *ax.get_yticklabels(), figure._suptitle])


def test_a_layer_without_distances_is_drawn() -> None:
    zeros = xr.DataArray(np.zeros((4, 2)), dims=("group", "unit"), coords={"group": list("abcd")})
    figure = plot_clustermap(cluster(zeros))
    figure.canvas.draw()
    assert figure.get_suptitle().endswith(
        "1 cluster, silhouette undefined: there is one cluster, for the groups do not differ"
    )
    assert not np.asarray(heat_axes(figure).collections[0].get_array()).any()
