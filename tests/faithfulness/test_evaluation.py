"""Pixel flipping, randomisation and shuffled profiles on networks whose relevant inputs are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import spearmanr
from torch import nn

import snaps
from snaps.alignment import LRP, GradientTimesActivation, Sensitivity
from snaps.datasets import Interval, Recording
from snaps.errors import InputError
from snaps.faithfulness import (
    BASELINES,
    evaluate_faithfulness,
    open_faithfulness,
    randomised_layers,
    save_faithfulness,
)
from snaps.faithfulness.flipping import _ranks
from snaps.faithfulness.randomization import correlations, randomised
from snaps.faithfulness.shuffling import Shuffle
from snaps.models import Wav2Letter
from snaps.responses import SymbolTarget
from tests.alignment.runs import by_graph
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus

METHODS = {"lrp": LRP("epsilon"), "gradient": Sensitivity(), "product": GradientTimesActivation()}


def planted() -> Wav2Letter:
    """A network that sees two of its eight units alone: unit 2 speaks for "a", unit 5 for "b"."""
    model = Wav2Letter(["_", "a", "b"], layers=[(2, 5, 1), (3, 1, 1)], n_inputs=8, padding="valid").eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv1d):
                module.weight.zero_()
                module.bias.zero_()
        model.conv1.weight[0, 2, 2], model.conv1.weight[1, 5, 2] = 1.0, 1.0
        model.conv2.weight[1, 0, 0], model.conv2.weight[2, 1, 0] = 1.0, 1.0
    return model


def noise(*, n_units: int = 8, lengths=(40, 40, 30), seed: int = 0) -> list[Recording]:
    generator = np.random.default_rng(seed)
    return [
        Recording(
            f"r{number}",
            generator.uniform(0.5, 2.0, size=(n_units, length)).astype(np.float32),
            step=0.01,
            tiers={"phoneme": [Interval(0.0, length * 0.005, "a"), Interval(length * 0.005, length * 0.01, "b")]},
        )
        for number, length in enumerate(lengths)
    ]


def test_planted_bins_are_found_by_the_right_methods_and_not_by_a_randomised_network() -> None:
    model, corpus = planted(), noise()
    share = 100 * 2 / (8 * 5)  # the two bins that the network sees
    found = evaluate_faithfulness(
        model, corpus, METHODS, parts=["flipping"], frames=None, percentages=[share / 2, share, 50, 95],
        random_orders=5, progress=False,
    )["flipping"].to_dataset()  # fmt: skip
    accuracy = found["accuracy"]
    for name in METHODS:
        of_method = accuracy.sel(saliency=name)
        assert float(of_method.sel(order="most", percentage=0.0)) == 1
        # Without its own bin, the other symbol or blank wins.
        assert float(of_method.sel(order="most", percentage=share)) == 0
        assert float(of_method.sel(order="most", percentage=share)) < float(
            of_method.sel(order="random", percentage=share)
        )
        score = found["score"].sel(saliency=name)
        assert float(score.sel(order="most", percentage=share / 2)) == pytest.approx(0, abs=1e-6)
        assert float(found["accuracy_area"].sel(saliency=name, against="random")) > 0.3
    assert float(accuracy.sel(saliency="lrp", order="least", percentage=95.0)) == 1
    # A gradient of a network with other weights does not find them.
    other = randomised(model, ["conv2", "conv1"], seed=1)
    stranger = Stranger(other)
    lost = evaluate_faithfulness(
        model, corpus, {"stranger": stranger}, parts=["flipping"], frames=None, percentages=[share, 50], progress=False
    )["flipping"].to_dataset()
    assert float(lost["accuracy"].sel(saliency="stranger", order="most", percentage=share)) > 0.25


class Stranger(Sensitivity):
    """The gradient of another network, in the same place."""

    def __init__(self, other: Wav2Letter) -> None:
        object.__setattr__(self, "other", other)

    def through(self, passage, carried):
        same = [step for step in self.other.stack().steps if type(step) is type(passage.step)]
        return same[getattr(passage.step, "depth", 0)].gradient(carried, passage)


def test_flipping_by_hand() -> None:
    """One frame at a time, in float64, with the bins set one by one."""
    model, corpus = random_wav2letter(STACKS["strides 2 and 1"], padding="valid"), random_corpus(0, [30, 24])
    found = evaluate_faithfulness(
        model, corpus, {"lrp": LRP("epsilon"), "gradient": Sensitivity()}, parts=["flipping"], frames=None,
        percentages=[5, 20, 60], baseline="mean", ignore=(), progress=False,
    )["flipping"].to_dataset()  # fmt: skip
    double = random_wav2letter(STACKS["strides 2 and 1"], padding="valid").double()
    reach = double.receptive_field
    for name, method in (("lrp", LRP("epsilon")), ("gradient", Sensitivity())):
        hits = {(order, share): [] for order in ("most", "least") for share in (5, 20, 60)}
        for recording in corpus:
            x = torch.from_numpy(recording.features).double()
            for begin in range(0, x.shape[1] - reach + 1, double.stride):
                cone = x[:, begin : begin + reach]
                before = int(double(cone[None])[0, :, 0].argmax())
                saliency = by_graph(double, cone[None], method, target=SymbolTarget(before))["input"][0]
                value = saliency if name == "lrp" else saliency.abs()
                for order, sign in (("most", -1), ("least", 1)):
                    places = sorted(range(value.numel()), key=lambda b: (sign * float(value.flatten()[b]), b))
                    for share in (5, 20, 60):
                        changed = cone.clone()
                        for bin_ in places[: round(value.numel() * share / 100)]:
                            unit, step = divmod(bin_, reach)
                            changed[unit, step] = cone[unit].mean()
                        hits[order, share].append(int(double(changed[None])[0, :, 0].argmax()) == before)
        for (order, share), frames in hits.items():
            got = float(found["accuracy"].sel(saliency=name, order=order, percentage=share))
            # Bins of equal value, at 0, may change places between float32 and float64.
            assert got == pytest.approx(np.mean(frames), abs=0.06), (name, order, share)


def test_baselines_are_what_they_say() -> None:
    cones = torch.rand(3, 4, 5)
    assert float(BASELINES["floor"](cones).abs().max()) == 0
    assert torch.allclose(BASELINES["mean"](cones)[1, 2], cones[1, 2].mean().expand(5))
    moore = BASELINES["moore"](cones)
    around = [cones[0, i, j] for i in (1, 2, 3) for j in (0, 1, 2) if (i, j) != (2, 1)]
    assert float(moore[0, 2, 1]) == pytest.approx(float(sum(around) / 8))
    assert float(moore[0, 0, 0]) == pytest.approx(float((cones[0, 0, 1] + cones[0, 1, 0] + cones[0, 1, 1]) / 3))


def test_ranks_are_places_in_order() -> None:
    assert _ranks(torch.tensor([[3.0, 1.0, 2.0, 1.0]])).tolist() == [[3, 0, 2, 1]]


def test_correlations_are_spearmans() -> None:
    one, other = np.random.default_rng(0).integers(0, 6, size=(2, 7, 30)).astype(float)
    expected = [spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(correlations(one, other), expected, rtol=1e-9)
    other[2] = 4.0
    one[3, 0] = np.inf
    assert np.isnan(correlations(one, other)[[2, 3]]).all()


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_randomisation_goes_from_the_top_down_and_leaves_the_network(padding: str) -> None:
    model = random_wav2letter(STACKS["strides 2 and 1"], padding=padding)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    context = "frame" if padding == "same" else "recording"
    found = evaluate_faithfulness(
        model, random_corpus(0, [40, 40, 30]), METHODS, parts=["randomization"], randomization_frames=12,
        context=context, progress=False, ignore=(),
    )["randomization"].to_dataset()  # fmt: skip
    assert list(found["randomised"].values) == ["conv3", "conv2", "conv1"] == randomised_layers(model)
    assert found.attrs["n_frames"] == 12
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    assert (found["correlation"] < 0.95).all()
    top = randomised(model, ["conv3"], seed=3)
    assert torch.equal(top.conv1.weight, model.conv1.weight)
    assert not torch.equal(top.conv3.weight, model.conv3.weight)


def test_a_method_that_looks_at_the_input_alone_is_unmasked() -> None:
    class EdgeDetector(Sensitivity):
        def through(self, passage, carried):
            shape = (len(carried), *passage.x.shape[1:])
            return (passage.x.expand(shape).clone(),)

    model = random_wav2letter(STACKS["odd kernels"], padding="valid")
    found = evaluate_faithfulness(
        model, random_corpus(0, [40, 30]), {"edges": EdgeDetector(), "gradient": Sensitivity()},
        parts=["randomization"], randomization_frames=10, progress=False, ignore=(),
    )["randomization"].to_dataset()  # fmt: skip
    assert (found["correlation"].sel(saliency="edges") > 0.999).all()
    assert float(found["correlation"].sel(saliency="gradient", randomised="conv1")) < 0.7


def test_shuffling_is_a_permutation_layer_by_layer() -> None:
    counts = {"input": np.array([3, 0, 5, 2]), "logits": np.array([10])}
    shuffle = Shuffle(counts, seed=1)
    drawn = {layer: np.zeros_like(of_steps) for layer, of_steps in counts.items()}
    for number in (4, 1, 5):
        for layer in counts:
            shuffle.draw(layer, number)  # what is drawn and not taken stays
            steps = shuffle.draw(layer, number)
            shuffle.take(layer, steps)
            drawn[layer] += np.bincount(steps, minlength=len(counts[layer]))
    for layer, of_steps in counts.items():
        np.testing.assert_array_equal(drawn[layer], of_steps)
        assert not shuffle.left[layer].any()


@pytest.mark.parametrize("labelled", [True, False])
def test_peaks_of_frames_that_are_averaged_are_counted_once(labelled: bool, monkeypatch) -> None:
    """Also where a recording has values that are not finite, and where frames have no label."""
    counted = []
    monkeypatch.setattr(
        "snaps.faithfulness.shuffling.Shuffle", lambda counts, seed: counted.append(counts) or Shuffle(counts, seed)
    )
    model, corpus = random_wav2letter(STACKS["strides 2 and 1"], padding="valid"), random_corpus(0, [60, 50])
    features = corpus[0].features.copy()
    features[1, [10, 11, 40]] = np.nan
    tiers = corpus[0].tiers if labelled else {"phoneme": corpus[0].tiers["phoneme"][:1]}
    corpus = [Recording("broken", features, tiers=tiers), *corpus[1:]]
    profiles = snaps.compute_profiles(model, corpus, groupings=["phoneme"], ignore=(), progress=False)
    evaluate_faithfulness(model, corpus, parts=["profiles"], n_permutations=1, ignore=(), progress=False)
    averaged = int(profiles["phoneme/input"]["count"].sum())
    assert {layer: int(of_steps.sum()) for layer, of_steps in counted[0].items()} == dict.fromkeys(
        profiles["phoneme"].children, averaged
    )


def test_profiles_of_a_network_that_hears_a_click_depend_on_the_alignment() -> None:
    """A click at a random place of every frame: aligned, it stands at lag 0; shuffled, it is blurred."""
    generator = np.random.default_rng(0)
    model = Wav2Letter(["_", "a", "b"], layers=[(2, 12, 1), (3, 1, 1)], n_inputs=4, padding="valid").eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv1d):
                module.weight.zero_()
                module.bias.zero_()
        model.conv1.weight[0, 1, :], model.conv1.weight[1, 2, :] = 1.0, 1.0
        model.conv2.weight[1, 0, 0], model.conv2.weight[2, 1, 0] = 1.0, 1.0
    recordings = []
    for number in range(12):
        unit, features = 1 + number % 2, np.zeros((4, 60), dtype=np.float32)
        features[unit, generator.integers(0, 12) + 12 * np.arange(5)] = 5.0
        label = "ab"[number % 2]
        recordings.append(Recording(f"r{number}", features, step=0.01, tiers={"phoneme": [Interval(0.0, 0.6, label)]}))
    found = evaluate_faithfulness(
        model, recordings, {"product": GradientTimesActivation()}, parts=["profiles"], n_permutations=19, progress=False
    )["profiles"].to_dataset()  # fmt: skip
    one = found.sel(saliency="product", layer="input")
    assert float(one["energy_p"]) == pytest.approx(1 / 20)
    assert float(one["energy"].sel(alignment="aligned")) > 1.2 * float(one["energy_null"].max())


def test_everything_is_one_file(tmp_path: Path) -> None:
    model, corpus = random_wav2letter(STACKS["odd kernels"], padding="valid"), random_corpus(0, [40, 30])
    tree = evaluate_faithfulness(
        model, corpus, frames=10, randomization_frames=5, n_permutations=2, percentages=[10], ignore=(), progress=False
    )
    path = save_faithfulness(tree, tmp_path / "faith.nc")
    again = open_faithfulness(path)
    assert set(again.children) == {"flipping", "randomization", "profiles"}
    for part in again.children:
        xr.testing.assert_allclose(again[part].to_dataset(), tree[part].to_dataset())
    with pytest.raises(InputError, match="exists"):
        save_faithfulness(tree, path)
    (tmp_path / "other.nc").write_bytes(b"no")
    with pytest.raises(InputError, match="is damaged, or is not an evaluation of faithfulness: it cannot be read"):
        open_faithfulness(tmp_path / "other.nc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"methods": {}}, "methods is empty"),
        ({"methods": {"x": "lrp"}}, "the method 'x' is 'lrp'"),
        ({"parts": ["all"]}, "'all'.*'flipping'"),
        ({"frames": 0}, "frames is 0"),
        ({"percentages": [0, 5]}, "one of the percentages is 0"),
        ({"percentages": [101]}, "101"),
        ({"baseline": "zero"}, "'zero'; accepted are 'floor', 'mean', 'moore'"),
        ({"random_orders": 0}, "random_orders is 0"),
        ({"n_permutations": 0, "parts": ["profiles"]}, "n_permutations is 0"),
        ({"on_error": "pass"}, "on_error"),
    ],
)
def test_senseless_options(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_faithfulness(
            random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [30]), progress=False, **options
        )
