"""Figures of alignments and of the evidence for saliency: what they show is what they are given."""

from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from snaps.errors import InputError
from snaps.figures import (
    plot_aligners,
    plot_contingency,
    plot_flipping,
    plot_offset_histogram,
    plot_offsets,
    plot_profile_null,
    plot_randomization,
)
from snaps.figures.alignment import order_by_largest_share


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def table() -> xr.DataArray:
    counts = np.array([[1, 1, 2, 0], [0, 9, 1, 0], [3, 0, 4, 3]])
    return xr.DataArray(
        counts, {"symbol": ["a", "b", "$c$"], "annotated": ["a", "b", "$c$", ""]}, ("symbol", "annotated")
    )


def evaluation() -> xr.Dataset:
    offsets = np.array([[4, 10, 3, 0, 0], [0, 0, 5, 5, 0]])
    return xr.Dataset(
        {
            "offsets": (("symbol", "offset"), offsets),
            "mean_offset_by_symbol": ("symbol", [0.2, 1.5]),
            "accuracy": ("criterion", [0.1, 0.5, 0.7, 0.9]),
        },
        {
            "symbol": ["x", "y"], "offset": [-1, 0, 1, 2, 3], "offset_ms": ("offset", [np.nan, 0.0, 8.0, 16.0, 24.0]),
            "criterion": ["centre", "aligned", "window", "ceiling"],
        },
    )  # fmt: skip


def test_rows_of_a_contingency_table_are_shares_the_largest_first() -> None:
    assert order_by_largest_share(table()) == ["b", "a", "$c$"]
    ax = plot_contingency(table())
    shown = ax.images[0].get_array()
    np.testing.assert_allclose(shown.sum(axis=1), 1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a", "$c$"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["b", "a", "$c$", "(none)"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("annotated", "predicted")
    np.testing.assert_allclose(shown[0], [0.9, 0, 0.1, 0])


def test_offsets_are_scaled_by_row() -> None:
    shown = plot_offsets(evaluation()).images[0].get_array()
    assert (shown.max(axis=1) == 1).all()
    ax = plot_offset_histogram(evaluation())
    assert ax.get_xlabel() == "offset (ms)"
    assert ax.patches[0].get_height() == pytest.approx(4 / 27)
    assert "at the peak 50.0%" in ax.get_title()


def test_aligners_are_ranked() -> None:
    names = ["worse", "better"]
    accuracy = np.array([[0.1, 0.4, 0.5, 0.9], [0.1, 0.6, 0.7, 0.9]])
    both = xr.Dataset(
        {name: (("aligner", "criterion"), accuracy + shift) for name, shift in
         (("accuracy", 0), ("accuracy_low", -0.05), ("accuracy_high", 0.05))},
        {"aligner": names, "criterion": ["centre", "aligned", "window", "ceiling"]},
    )  # fmt: skip
    ax = plot_aligners(both)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["better", "worse"]


def test_evidence_is_drawn_with_its_labels() -> None:
    curve = np.linspace(1, 0, 4)
    dims = ("saliency", "order", "percentage")
    values = np.broadcast_to(curve, (2, 3, 4))
    flipping = xr.Dataset(
        {f"{name}{end}": (dims, values) for name in ("accuracy", "score") for end in ("", "_low", "_high")}
        | {"accuracy_area": ("saliency", [0.1, 0.2])},
        {"saliency": ["one", "two"], "order": ["most", "least", "random"], "percentage": [0.0, 1.0, 5.0, 20.0]},
    )
    ax = plot_flipping(flipping)
    assert ax.get_xlabel() == "bins flipped (%)"
    assert {"one", "two", "at random"} <= {text.get_text() for text in ax.get_legend().get_texts()}
    with pytest.raises(InputError, match="measure is 'loss'"):
        plot_flipping(flipping, measure="loss")
    randomization = xr.Dataset(
        {name: (("saliency", "randomised"), [[0.5, 0.1]]) for name in ("correlation", "correlation_absolute")},
        {"saliency": ["one"], "randomised": ["conv2", "conv1"]},
    )
    ax = plot_randomization(randomization)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 0.5, 0.1])
    profiles = xr.Dataset(
        {
            "energy": (("saliency", "alignment", "layer"), [[[4.0, 2.0], [2.0, 2.0]]]),
            "energy_null": (("saliency", "shuffle", "layer"), [[[1.0, 2.0], [3.0, 2.0]]]),
            "silhouette": (("saliency", "alignment", "layer"), [[[0.4, 0.2], [0.2, 0.2]]]),
            "silhouette_null": (("saliency", "shuffle", "layer"), [[[0.1, 0.2], [0.3, 0.2]]]),
        },
        {"saliency": ["one"], "alignment": ["aligned", "unaligned"], "layer": ["input", "conv1"]},
    )
    ax = plot_profile_null(profiles)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [2.0, 1.0])  # relative to the mean of the shuffled ones
    with pytest.raises(InputError, match="method is 'two'; accepted are 'one'"):
        plot_profile_null(profiles, method="two")
