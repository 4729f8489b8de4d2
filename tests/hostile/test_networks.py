"""Networks that are up to something: their profiles are those of a well-behaved twin, or there is one sentence."""

import json
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import snaps
from snaps.alignment import LRP, GradientTimesActivation
from snaps.datasets import Interval, Recording
from snaps.errors import InputError
from snaps.faithfulness import evaluate_faithfulness
from tests.definitions.agreement import Case, check, compute, drop_counts
from tests.definitions.networks import STACKS, random_wav2letter, randomised
from tests.definitions.recordings import random_corpus
from tests.definitions.test_untouched_models import assert_same, state_of
from tests.hostile.networks_zoo import (
    CONTEXTS,
    REFUSED,
    TWINS,
    Around,
    Padless,
    Refused,
    Twin,
    around,
    clean,
    hooked,
    hooked_backward,
    weights,
    with_batch_norm,
)

#: Phonemes of the random recordings by a network's symbols, so that alignments can be judged.
SYMBOL_OF = {"aa": "x", "iy": "y", "s": "z", "t": "x", "": ""}


def recordings() -> list[Recording]:
    corpus = random_corpus(0, [40, 31])
    return [
        Recording(
            one.id,
            one.features,
            tiers={"phoneme": [Interval(a, b, SYMBOL_OF[label]) for a, b, label in one.tiers["phoneme"]]},
        )
        for one in corpus
    ]


def profiles_of(network: nn.Module, within: str, **options: Any) -> xr.DataTree:
    """Profiles of a network, without a warning, and the features are as they were."""
    corpus = recordings()
    before = [one.features.copy() for one in corpus]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        found = compute(network, corpus, groupings=["phoneme"], ignore=(), **{**CONTEXTS[within], **options})
    for one, features in zip(corpus, before, strict=True):
        np.testing.assert_array_equal(one.features, features)
    return found


def assert_equal_profiles(found: xr.DataTree, expected: xr.DataTree, *, tolerance: float = 0.0) -> None:
    assert drop_counts(found) == drop_counts(expected)
    for node in expected.leaves:
        other = found[node.path]
        for name, values in node.data_vars.items():
            largest = float(np.nanmax(np.abs(values.values), initial=0.0))
            np.testing.assert_allclose(
                other[name].values, values.values, rtol=0, atol=tolerance * largest, err_msg=f"{node.path} {name}"
            )


def refusal(network: nn.Module, context: str, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        profiles_of(network, context, **options)
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1, sentence
    return sentence


TWIN_CASES = [
    pytest.param(twin, context, id=f"{name}, {context}", marks=pytest.mark.campaign if name == "compiled" else ())
    for name, twin in TWINS.items()
    for context in twin.contexts
]
REFUSED_CASES = [(name, refused, context) for name, refused in REFUSED.items() for context in refused.contexts]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize(("twin", "context"), TWIN_CASES)
def test_profiles_are_those_of_the_twin(twin: Twin, context: str) -> None:
    network = twin.build()
    before = state_of(network)
    found = profiles_of(network, context)
    assert_same(before, state_of(network))
    assert_equal_profiles(found, profiles_of(twin.like(), context), tolerance=twin.tolerance)


@pytest.mark.parametrize(
    ("refused", "context"), [case[1:] for case in REFUSED_CASES], ids=[f"{c[0]}, {c[2]}" for c in REFUSED_CASES]
)
def test_one_sentence_says_what_is_wrong(refused: Refused, context: str) -> None:
    network = refused.build()
    movable = not any(parameter.is_meta for parameter in network.parameters()) and "lazy" not in refused.words
    lazy = any(isinstance(parameter, nn.parameter.UninitializedParameter) for parameter in network.parameters())
    before = state_of(network) if movable and not lazy else {}
    sentence = refusal(network, context)
    assert all(word in sentence for word in refused.words), sentence
    if before:
        after = state_of(network)
        assert_same(
            {name: value for name, value in before.items() if "attributes" not in name},
            {name: value for name, value in after.items() if "attributes" not in name},
        )


def test_the_networks_of_this_room_really_differ() -> None:
    """The comparison with the twin fails where a hook is passed over."""
    with pytest.raises(AssertionError):
        assert_equal_profiles(profiles_of(hooked(), "frame"), profiles_of(clean(), "frame"))


def test_frames_heed_hooks() -> None:
    doubled = profiles_of(hooked(None), "frame")
    expected = profiles_of(around(lambda self, x: 2 * self.inner(x))(), "frame")
    assert_equal_profiles(doubled, expected)
    gradient = profiles_of(hooked_backward(), "frame")["phoneme/input"]["saliency"]
    plain = profiles_of(clean(), "frame")["phoneme/input"]["saliency"]
    np.testing.assert_array_equal(gradient.values, 2 * plain.values)


def test_a_stack_with_a_hook_is_run_frame_by_frame() -> None:
    """``context="auto"`` takes the recording only where that heeds everything."""
    options = {**CONTEXTS["frame"], "context": "auto"}
    assert profiles_of(hooked(), "frame", **options).attrs["context"] == "frame"
    assert profiles_of(clean(), "frame", **options).attrs["context"] == "recording"


def test_relevance_does_not_pass_over_a_hook() -> None:
    with pytest.raises(InputError, match="LRP takes the network apart.*hook"):
        snaps.compute_profiles(
            hooked(), recordings(), groupings=["phoneme"], progress=False, aligner=snaps.Aligner(LRP()),
            ignore=(), **CONTEXTS["frame"],
        )  # fmt: skip


def test_a_wav2letter_with_a_hook() -> None:
    """The package's own networks are computed from their weights too."""
    network = random_wav2letter(STACKS["odd kernels"])
    network.get_submodule("conv1").register_forward_hook(lambda module, given, result: 2 * result)
    with pytest.raises(InputError, match="hook of the module 'conv1'"):
        compute(network, random_corpus(0, [40]), groupings=["predicted"])
    framed = compute(network, random_corpus(0, [40]), groupings=["predicted"], context="frame")
    plain = compute(
        random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [40]), groupings=["predicted"], context="frame"
    )
    assert framed["predicted/conv1"].attrs["context"] == "frame"
    assert drop_counts(framed) != drop_counts(plain) or not np.array_equal(
        framed["predicted/input"]["saliency"].values, plain["predicted/input"]["saliency"].values
    )


@pytest.mark.parametrize("context", ["frame", "recording"])
@pytest.mark.parametrize("kind", ["half", "bfloat16"])
def test_weights_of_less_precision(kind: str, context: str) -> None:
    """Profiles are those of the rounded weights, but for the rounding on the way."""
    network = getattr(clean(), kind)()
    found = profiles_of(network, context, layers=["input", "1", "logits"])
    assert {parameter.dtype for parameter in network.parameters()} == {getattr(torch, kind)}
    assert all(
        values.dtype == np.float32 for values in (found["phoneme/1"]["activation"], found["phoneme/1"]["saliency"])
    )
    expected = profiles_of(getattr(clean(), kind)().float(), context, layers=["input", "1", "logits"])
    rounding = 2.0 ** (-8 if kind == "half" else -5)
    np.testing.assert_array_equal(found["phoneme/1"]["count"].values, expected["phoneme/1"]["count"].values)
    if context == "recording":
        assert_equal_profiles(found, expected)
        return
    # A peak may move by rounding; the mean over all lags hardly does.
    means = [float(tree["phoneme/logits"]["activation"].mean()) for tree in (found, expected)]
    assert means[0] == pytest.approx(means[1], abs=rounding)


def scaled_case(first: float, last: float) -> Any:
    def build(seed: int) -> Case:
        network = randomised(nn.Sequential(nn.Conv1d(6, 4, 5), nn.ReLU(), nn.Conv1d(4, 3, 3)), seed=seed)
        with torch.no_grad():
            for parameter in network[0].parameters():
                parameter.mul_(first)
            network[2].weight.mul_(last)
            network[2].bias.mul_(first * last)
        return network, random_corpus(seed, [16, 30])

    return build


@pytest.mark.parametrize("context", ["frame", "recording"])
@pytest.mark.parametrize("rule", ["product", pytest.param("signed-product", marks=pytest.mark.campaign), "mean"])
@pytest.mark.parametrize(("first", "last"), [(1.0, 1e30), (1e19, 1e18), (1e30, 1.0), (5e36, 1.0)])
def test_enormous_and_tiny_values(first: float, last: float, rule: str, context: str) -> None:
    """Importance is a product of values that float32 holds, and may itself be one that it does not."""
    layers = ["input", "1", "logits"]
    check(scaled_case(first, last), peak=rule, layers=layers, **CONTEXTS[context])


@pytest.mark.parametrize("context", ["frame", "recording"])
@pytest.mark.parametrize("rule", ["product", "signed-product"])
def test_tiny_products_are_not_zero(rule: str, context: str) -> None:
    """A frame is unaligned where there is nothing to multiply, not where a product is too small for float32."""

    def build(seed: int) -> Case:
        network = randomised(nn.Sequential(nn.Conv1d(6, 4, 5), nn.ReLU(), nn.Conv1d(4, 3, 3)), seed=seed)
        with torch.no_grad():
            for tensor in (network[0].weight, network[0].bias, network[2].weight):
                tensor.mul_(1e-25)
        return network, random_corpus(seed, [16, 30])

    check(build, peak=rule, layers=["1"], **CONTEXTS[context])


@pytest.mark.parametrize("context", ["frame", "recording"])
def test_sums_that_float32_does_not_hold(context: str) -> None:
    """Sixty-four values of 1e38 are finite, and so is their mean."""
    network = weights(lambda net: (net[2].weight.zero_(), net[2].bias.copy_(torch.tensor([1e38, 2e38, 3e38]))))()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = profiles_of(network, context, variance=True)
    node = found["phoneme/logits"]
    for unit, value in enumerate((1e38, 2e38, 3e38)):
        covered = node["coverage"].values > 0
        np.testing.assert_allclose(node["activation"].values[:, unit][covered], value, rtol=1e-6)
    assert np.isfinite(snaps.snap(node)).all()
    assert float(node["saliency"].isel(unit=2).max()) == 1


BROKEN = {
    "one weight": (lambda net: net[0].weight[1, 0, 0].fill_(torch.nan), {"0", "1", "logits"}),
    "a layer": (lambda net: net[0].weight.fill_(torch.nan), {"0", "1", "logits"}),
    "a bias": (lambda net: net[0].bias[2].fill_(torch.inf), {"0", "1", "logits"}),
    "the last layer": (lambda net: net[2].weight[1].fill_(torch.nan), {"logits"}),
    "one output": (lambda net: net[2].bias[0].fill_(-torch.inf), {"logits"}),
}


@pytest.mark.parametrize("context", ["frame", "recording"])
@pytest.mark.parametrize("name", BROKEN)
def test_weights_that_are_not_finite(name: str, context: str) -> None:
    """Every frame is left out, and the drop log says in which layers it breaks."""
    change, layers = BROKEN[name]
    found = profiles_of(weights(change)(), context, layers=["input", "0", "1", "logits"])
    whole = profiles_of(clean(), context)
    frames = int(whole.attrs["n_frames"])
    log = json.loads(found.attrs["drop_log"])
    assert frames > 0
    assert log["counts"]["non-finite"] == {"phoneme": frames}
    assert log["broken_layers"] == dict.fromkeys(sorted(layers), frames)
    assert int(found.attrs["n_frames"]) == 0
    assert found["phoneme/input"].sizes["group"] == 0


def test_outputs_that_are_not_finite_in_some_frames() -> None:
    class Roots(Around):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.inner(x) + 3).sqrt()

    def build(seed: int) -> Case:
        return randomised(Roots(clean()), seed=seed), random_corpus(seed, [16, 60])

    check(build, **CONTEXTS["frame"])
    network, corpus = build(0)
    log = json.loads(compute(network, corpus, groupings=["predicted"], **CONTEXTS["frame"]).attrs["drop_log"])
    broken = log["counts"]["non-finite"]["predicted"]
    assert 0 < broken < 16
    assert log["broken_layers"]["logits"] == broken


@pytest.mark.parametrize("context", ["frame", "recording"])
def test_dead_layers(context: str) -> None:
    """A layer that is 0 everywhere has no peak; saliency above it is what it is."""

    def dead(seed: int) -> Case:
        network = weights(lambda net: (net[0].weight.mul_(1e-3), net[0].bias.fill_(-1e3)))()
        return network, random_corpus(seed, [16, 30])

    check(dead, layers=["input", "0", "1"], **CONTEXTS[context])
    found = compute(*dead(0), groupings=["predicted"], layers=["input", "1", "logits"], **CONTEXTS[context])
    for layer in ("input", "1"):
        node = found[f"predicted/{layer}"]
        np.testing.assert_array_equal(node["unaligned"].values, node["count"].values)
    assert (found["predicted/input"]["saliency"].values == 0).all()
    assert (found["predicted/1"]["activation"].fillna(0).values == 0).all()


@pytest.mark.parametrize("context", ["frame", "recording"])
def test_a_network_that_always_says_the_same(context: str) -> None:
    network = weights(lambda net: net[2].weight.zero_())()
    found = compute(network, recordings(), groupings=["predicted"], ignore=(), **CONTEXTS[context])
    assert found["predicted/input"].sizes["group"] == 1
    assert (found["predicted/input"]["saliency"].values == 0).all()


def test_a_network_without_parameters() -> None:
    check(lambda seed: (Padless(), random_corpus(seed, [16, 40])), **CONTEXTS["frame"])


def test_a_layer_that_does_not_exist() -> None:
    for context in CONTEXTS:
        sentence = refusal(clean(), context, layers=["input", "9"])
        assert "'9'" in sentence and "logits" in sentence


@pytest.mark.parametrize("symbols", [("x", "x", "y"), ("x", "", "y"), ("x", 3, "y"), "xyz"])
def test_symbols_are_texts_that_differ(symbols: Any) -> None:
    with pytest.raises(InputError, match="symbols"):
        compute(clean(), recordings(), groupings=["phoneme"], **{**CONTEXTS["recording"], "symbols": symbols})


METHODS = {"epsilon": LRP("epsilon"), "gamma": LRP("gamma"), "product": GradientTimesActivation()}


@pytest.mark.parametrize(
    "method", ["epsilon", *(pytest.param(name, marks=pytest.mark.campaign) for name in ("gamma", "product"))]
)
@pytest.mark.parametrize(
    "name", ["a ReLU in place", "training mode", "one ReLU used twice", "one convolution used twice", "counters"]
)
@pytest.mark.parametrize("context", ["frame", "recording"])
def test_relevance_of_twins(name: str, method: str, context: str) -> None:
    aligner = snaps.Aligner(METHODS[method])
    options = {"groupings": ["phoneme"], "aligner": aligner, "ignore": (), "progress": False, **CONTEXTS[context]}
    network = TWINS[name].build()
    before = state_of(network)
    found = snaps.compute_profiles(network, recordings(), **options)
    assert_same(before, state_of(network))
    assert_equal_profiles(found, snaps.compute_profiles(TWINS[name].like(), recordings(), **options), tolerance=1e-6)


@pytest.mark.parametrize("context", ["frame", "recording"])
@pytest.mark.parametrize(
    "name",
    [
        "double precision",
        *(pytest.param(name, marks=pytest.mark.campaign) for name in ("a ReLU in place", "training mode")),
    ],
)
def test_evaluations_of_twins(name: str, context: str) -> None:
    twin = TWINS[name]
    options = {"ignore": (), "progress": False, "n_resamples": 10, **CONTEXTS[context]}
    measure = {
        "parts": ("flipping", "randomization"), "frames": 8, "randomization_frames": 8, "percentages": [10.0],
        "random_orders": 1,
    }  # fmt: skip
    network = twin.build()
    before = state_of(network)
    judged = [snaps.evaluate_alignment(one, recordings(), **options) for one in (network, twin.like())]
    believed = [
        evaluate_faithfulness(one, recordings(), {"s": snaps.Sensitivity()}, **measure, **options)
        for one in (network, twin.like())
    ]
    assert_same(before, state_of(network))
    np.testing.assert_array_equal(judged[0]["accuracy"].values, judged[1]["accuracy"].values)
    np.testing.assert_allclose(
        believed[0]["flipping/score"].values, believed[1]["flipping/score"].values, rtol=1e-5
    )  # fmt: skip
    if name in ("a ReLU in place", "training mode"):  # where the same weights are drawn anew
        np.testing.assert_allclose(
            believed[0]["randomization/correlation"].values, believed[1]["randomization/correlation"].values, atol=1e-6
        )


@pytest.mark.parametrize("context", ["frame", "recording"])
@pytest.mark.parametrize("name", ["one weight", "the last layer"])
def test_evaluations_of_broken_weights_are_one_sentence(name: str, context: str) -> None:
    network = weights(BROKEN[name][0])()
    options = {"ignore": (), "progress": False, **CONTEXTS[context]}
    with pytest.raises(InputError, match="no frame is left to judge"):
        snaps.evaluate_alignment(network, recordings(), **options)
    with pytest.raises(InputError, match="no frame is left to flip"):
        evaluate_faithfulness(network, recordings(), {"s": snaps.Sensitivity()}, **options)
    found = profiles_of(network, context)
    with pytest.raises(InputError, match="at least two groups"):
        snaps.cluster(found["phoneme/input"])


def test_batch_normalisation_keeps_its_statistics() -> None:
    """A network in training mode is evaluated, and trains on where it was."""
    network = with_batch_norm().train()
    statistics = {name: values.clone() for name, values in network.state_dict().items()}
    profiles_of(network, "frame")
    assert all(module.training for module in network.modules())
    for name, values in network.state_dict().items():
        assert torch.equal(values, statistics[name]), name
    assert all(parameter.grad is None for parameter in network.parameters())
