import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from snaps.errors import InputError
from snaps.figures import plot_saliency_by_lag
from snaps.profiles import saliency_by_lag, used_lags


@pytest.fixture(scope="module")
def curves(speech: xr.DataTree) -> dict[str, xr.DataArray]:
    return saliency_by_lag(speech["phoneme"])


def test_every_layer_has_a_row_with_its_range(curves: dict[str, xr.DataArray]) -> None:
    ax = plot_saliency_by_lag(curves, share=0.9)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == list(curves)
    ranges = used_lags(curves, share=0.9)
    thick = [line for line in ax.lines if line.get_linewidth() > 3]
    for row, (layer, line) in enumerate(zip(curves, thick, strict=True)):
        found = ranges.sel(layer=layer)
        assert list(line.get_xdata()) == pytest.approx([1000 * float(found["first"]), 1000 * float(found["last"])])
        assert set(line.get_ydata()) == {-row}
    notes = [text.get_text() for text in ax.texts]
    first, last = (1000 * float(ranges[name].sel(layer="input")) for name in ("first", "last"))
    assert notes[0] == f"{first:.0f} … {last:.0f} ms".replace("-", "−")
    assert notes[-1] == "a single lag"
    assert ax.get_xlabel() == "lag from the peak (ms)"
    assert "90 %" in ax.get_title(loc="left")


def test_curves_are_scaled_to_their_largest_value(curves: dict[str, xr.DataArray]) -> None:
    drawn = [line for line in plot_saliency_by_lag(curves).lines if line.get_linewidth() == 1.2]
    for row, (curve, line) in enumerate(zip(curves.values(), drawn, strict=True)):
        expected = curve.values / curve.values.max()
        np.testing.assert_allclose((line.get_ydata() + row) / 0.78, expected, atol=1e-12)
        np.testing.assert_allclose(line.get_xdata(), 1000 * curve["lag"].values)


def test_layers_without_saliency_say_so(curves: dict[str, xr.DataArray]) -> None:
    dead = {"conv1": xr.zeros_like(curves["conv1"]), "$x_1$": curves["conv2"]}
    _, given = plt.subplots()
    assert plot_saliency_by_lag(dead, given, title="mine") is given
    given.figure.canvas.draw()
    assert given.texts[0].get_text() == "no saliency"
    assert given.get_title(loc="left") == "mine"
    plot_saliency_by_lag({"logits": curves["logits"]}).figure.canvas.draw()


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="there are no layers"):
        plot_saliency_by_lag({})
