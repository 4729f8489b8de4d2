"""LRP against its formulas, its conservation laws, zennit and captum."""

import sys
import types
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from snaps.alignment import (
    COMPOSITES,
    LRP,
    LRP_RULES,
    AlphaBeta,
    ByDepth,
    Epsilon,
    Gamma,
    GradientTimesActivation,
    TopLayers,
)
from snaps.errors import InputError
from tests.alignment import twin
from tests.alignment.runs import by_graph, by_stack, windows
from tests.definitions.networks import STACKS, random_wav2letter, randomised


def agree(found: torch.Tensor, expected: np.ndarray | torch.Tensor, *, to: float = 1e-3) -> None:
    expected = torch.as_tensor(expected)
    assert float(expected.abs().max()) > 0
    torch.testing.assert_close(found.double(), expected.double(), rtol=0, atol=to * float(expected.abs().max()))


def linear_layers(model, *, normalised=True):
    """Linear layers of a Wav2Letter as functions, with padding and normalisation."""
    layers = []
    for number, shape in enumerate(model.shapes, start=1):
        norm, conv = getattr(model, f"norm{number}"), getattr(model, f"conv{number}")

        def layer(x, norm=norm, conv=conv, shape=shape):
            if model.norm == "before":
                x = norm(x)
            if model.padding == "same":
                missing = max((-(-x.shape[-1] // shape.stride) - 1) * shape.stride + shape.kernel - x.shape[-1], 0)
                x = F.pad(x, (missing // 2, missing - missing // 2))
            x = conv(x)
            return norm(x) if model.norm == "after" and normalised else x

        layers.append(layer)
    return layers


def one_hot_score(logits, shape):
    scores = logits.reshape(shape)
    start = np.zeros_like(scores)
    start[0, shape[1] // 2] = scores[0, shape[1] // 2]
    return start.ravel()


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("norm", ["before", "after"])
@pytest.mark.parametrize("rule", LRP_RULES)
def test_every_rule_is_its_formula(rule: str, norm: str, padding: str) -> None:
    model = random_wav2letter(STACKS["even kernels"], norm=norm, padding=padding).double()
    x = torch.rand(1, 6, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    found = by_graph(model, x, LRP(rule))
    steps = 14 if padding == "same" else 5
    krug = rule == "krug2018"

    def start(logits):
        begun = one_hot_score(logits, (4, steps))
        return (begun != 0).astype(float) if krug else begun

    plain = linear_layers(model, normalised=False) if krug and norm == "after" else None
    expected = twin.relevances(linear_layers(model), x[0].numpy(), [twin.RULES[rule]] * 3, start=start, plain=plain)
    for layer, values in zip(("input", "conv1", "conv2", "logits"), expected, strict=True):
        agree(found[layer][0], values, to=1e-6)


def test_the_thesis_composite_is_its_formulas() -> None:
    model = random_wav2letter([(5, 4, 2), (4, 3, 1), (4, 3, 1), (4, 1, 1), (4, 2, 1), (4, 1, 1)], padding="valid")
    x = torch.rand(1, 6, 30, dtype=torch.float64)
    found = by_graph(model.double(), x, LRP("thesis"))
    rules = [
        *[partial(twin.gamma, gamma=5.0)] * 2, *[partial(twin.epsilon, epsilon=0.5)] * 2, *[twin.zero] * 2
    ]  # fmt: skip
    out = found["logits"].shape[1:]
    expected = twin.relevances(linear_layers(model), x[0].numpy(), rules, start=lambda z: one_hot_score(z, tuple(out)))
    agree(found["input"][0], expected[0], to=1e-6)


CASES = [*LRP_RULES, *COMPOSITES]


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("norm", ["before", "after"])
@pytest.mark.parametrize("stack", ["strides 2 and 3", "one-step layers"])
@pytest.mark.parametrize("rule", [case for case in CASES if case != "zero"])
def test_the_fast_path_gives_what_the_steps_give(rule: str, stack: str, norm: str, alone: bool) -> None:
    model = random_wav2letter(STACKS[stack], norm=norm, padding="valid")
    features = torch.rand(6, 60)
    if alone:
        features = features - 0.3  # negative inputs too
    # LRP-0 divides by sums that may be anywhere near 0; small differences of float32 then grow without bound.
    method = LRP(rule) if "thesis" not in rule else LRP([Gamma(5.0), Epsilon(0.5), Epsilon(0.01)])
    fast, slow = by_stack(model, features, method, alone=alone), by_graph(model, windows(model, features), method)
    assert list(fast) == list(slow)[::-1]
    for layer, found in fast.items():
        frames = slow[layer].abs().amax(dim=(1, 2), keepdim=True)
        torch.testing.assert_close(found / frames, slow[layer] / frames, rtol=0, atol=5e-3)


@given(seed=st.integers(0, 10**6), norm=st.sampled_from(["before", "after"]))
@settings(max_examples=25, deadline=None)
def test_nothing_is_lost_without_biases(seed: int, norm: str) -> None:
    model = random_wav2letter(STACKS["odd kernels"], seed=seed, norm=norm, padding="valid").double()
    without_biases(model)
    x = torch.rand(3, 6, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    for rule in ("zero", "gamma", "zplus", AlphaBeta(2.0, 1.0), "flat"):
        found = by_graph(model, x, LRP(rule))
        score = found["logits"].sum(dim=(1, 2))
        for layer, relevance in found.items():
            total = relevance.sum(dim=(1, 2))
            if rule in ("zero", "flat"):
                torch.testing.assert_close(total, score, rtol=1e-6, atol=1e-9, msg=f"{rule} {layer}")
        gradient = by_graph(model, x, GradientTimesActivation())
        if rule == "zero":
            for layer, relevance in found.items():
                torch.testing.assert_close(relevance, gradient[layer], rtol=1e-6, atol=1e-9)


def without_biases(model: nn.Module) -> None:
    with torch.no_grad():
        for module in model.modules():
            if getattr(module, "bias", None) is not None:
                module.bias.zero_()
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.zero_()


def test_what_biases_and_epsilon_take_is_what_is_lost() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(7, 4).double()
    model = nn.Sequential(nn.Flatten(), layer)
    x = torch.rand(5, 7, 1, dtype=torch.float64)
    z = layer(x[..., 0])[:, 0]
    for rule, kept in (
        ("zero", (z - layer.bias[0])),
        (Epsilon(0.5), (z - layer.bias[0]) / (z + 0.5 * z.sign()) * z),
    ):
        found = by_graph(model, x, LRP(rule))["input"].sum(dim=(1, 2))
        torch.testing.assert_close(found, kept.detach())


class Images(nn.Module):
    """Two dimensions, both poolings, normalisation on both sides, a function and a fully connected layer."""

    def __init__(self, *, adaptive: bool = False) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.second = nn.Conv2d(4, 5, (3, 2), stride=(1, 2), padding=(1, 0))
        self.norm = nn.BatchNorm2d(5)
        self.pool = nn.AdaptiveAvgPool2d((2, 2)) if adaptive else nn.AvgPool2d(2)
        self.out = nn.Linear(20 if adaptive else 15, 3)

    def forward(self, x):
        x = self.first(x.unsqueeze(1))
        x = F.leaky_relu(self.norm(self.second(x)), 0.1)
        return self.out(torch.flatten(self.pool(x), 1))


@pytest.mark.parametrize("adaptive", [False, True])
def test_images_conserve_relevance_and_give_gradient_times_input(adaptive: bool) -> None:
    torch.manual_seed(1)
    model = randomised(Images(adaptive=adaptive), seed=1).double()
    without_biases(model)
    x = torch.rand(4, 12, 10 if adaptive else 8, dtype=torch.float64)
    found = by_graph(model, x, LRP("zero"), layers=["input", "logits"])
    score = found["logits"].sum(dim=(1, 2))
    gradient = by_graph(model, x, GradientTimesActivation(), layers=["input"])
    torch.testing.assert_close(found["input"].sum(dim=(1, 2)), score, rtol=1e-6, atol=1e-9)
    agree(found["input"], gradient["input"], to=1e-6)


def zennit():
    """Import zennit's rules, with stand-ins for torchvision, which is not needed here."""
    for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
        sys.modules.setdefault(name, types.ModuleType(name))
    resnet = sys.modules["torchvision.models.resnet"]
    for name in ("Bottleneck", "BasicBlock"):
        setattr(resnet, name, getattr(resnet, name, type(name, (nn.Module,), {})))
    pytest.importorskip("zennit", reason="zennit is installed by `make test`")
    import zennit.rules

    return zennit.rules


@pytest.mark.parametrize(
    ("rule", "theirs", "options"),
    [
        (Epsilon(0.5), "Epsilon", {"epsilon": 0.5}),
        (Gamma(0.7), "Gamma", {"gamma": 0.7}),
        ("zplus", "ZPlus", {}),
        (AlphaBeta(2.0, 1.0), "AlphaBeta", {"alpha": 2.0, "beta": 1.0}),
        ("flat", "Flat", {}),
    ],
)
def test_zennit_agrees(rule, theirs: str, options: dict) -> None:
    rules = zennit()
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(4, 6, 5, stride=2, padding=2), nn.ReLU(), nn.Conv1d(6, 5, 3, dilation=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(5 * 4, 3),
    ).double().eval()  # fmt: skip
    with torch.no_grad():
        model[-1].bias[0] += 1
    x = torch.rand(6, 4, 16, dtype=torch.float64)
    # Where the score is negative, zennit's γ favours negative contributions, and the formula does not.
    x = x[model(x)[:, 0] > 0]
    assert len(x)
    found = by_graph(model, x, LRP(rule))["input"]
    with torch.enable_grad():
        hooks = [getattr(rules, theirs)(**options) for module in model if isinstance(module, nn.Conv1d | nn.Linear)]
        passing = [rules.Pass() for module in model if isinstance(module, nn.ReLU)]
        linear = [module for module in model if isinstance(module, nn.Conv1d | nn.Linear)]
        handles = [hook.register(module) for hook, module in zip(hooks, linear, strict=True)]
        handles += [
            hook.register(module)
            for hook, module in zip(passing, [m for m in model if isinstance(m, nn.ReLU)], strict=True)
        ]
        leaf = x.clone().requires_grad_()
        logits = model(leaf)
        start = torch.zeros_like(logits)
        start[:, 0] = logits[:, 0].detach()
        (expected,) = torch.autograd.grad(logits, leaf, start)
        for handle in handles:
            handle.remove()
    agree(found, expected, to=1e-4)


@pytest.mark.parametrize("rule", [Epsilon(1e-2), Gamma(0.7)])
def test_captum_agrees(rule) -> None:
    attr = pytest.importorskip("captum.attr", reason="captum is an extra")
    from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(4, 6, 5, stride=2, padding=2), nn.ReLU(), nn.Conv1d(6, 5, 3), nn.ReLU(), nn.Conv1d(5, 3, 6)
    ).double().eval()  # fmt: skip
    with torch.no_grad():
        for module in model:
            if isinstance(module, nn.Conv1d):
                module.bias.neg_().clamp_(max=0)  # captum's γ leaves biases as they are; the thesis' maps them too
    x = torch.rand(6, 4, 16, dtype=torch.float64)
    found = by_graph(model, x, LRP(rule))["input"]
    for module in model:
        if isinstance(module, nn.Conv1d):
            module.rule = EpsilonRule(rule.epsilon) if isinstance(rule, Epsilon) else GammaRule(rule.gamma)
    expected = attr.LRP(model).attribute(x, target=(0, 0)).detach()
    agree(found, expected, to=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LRP("delta"), r"'delta'.*'zero'.*'epsilon'.*'thesis'"),
        (lambda: LRP(3), r"rule is 3"),
        (lambda: LRP([]), r"rules are \[\]"),
        (lambda: LRP(["zero", "what"]), r"'what'"),
        (lambda: Epsilon(0), "epsilon is 0; accepted are numbers above 0"),
        (lambda: Epsilon(float("nan")), "epsilon is nan"),
        (lambda: Gamma(-1.0), "gamma is -1.0"),
        (lambda: AlphaBeta(2.0, 2.0), r"alpha is 2.0 and beta 2.0.*alpha − beta = 1"),
        (lambda: AlphaBeta(0.5, -0.5), "beta"),
    ],
)
def test_senseless_rules(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Conv1d(4, 3, 2), nn.InstanceNorm1d(3)), r"'1' \(InstanceNorm1d\).*Conv1d.*pooling"),
        (nn.Sequential(nn.Softmax(1)), r"'0' \(Softmax\)"),
        (nn.Sequential(nn.Conv1d(4, 3, 2), nn.ConvTranspose1d(3, 2, 2)), "ConvTranspose1d"),
    ],
)
def test_modules_without_a_rule(module: nn.Module, words: str) -> None:
    with pytest.raises(InputError, match=words):
        by_graph(module.eval(), torch.rand(2, 4, 9), LRP("epsilon"))


def test_more_rules_than_layers() -> None:
    with pytest.raises(InputError, match="3 rules.*2 convolutions"):
        by_graph(random_wav2letter(STACKS["kernels of one"]), torch.rand(1, 6, 5), LRP(["zero", "epsilon", "zero"]))


def test_branches_share_in_proportion() -> None:
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Conv1d(3, 4, 3, padding=1, bias=False), nn.Conv1d(3, 4, 1, bias=False)
            self.out = nn.Conv1d(4, 2, 1, bias=False)

        def forward(self, x):
            return self.out(torch.relu(self.one(x) + self.other(x))).mean(-1)

    torch.manual_seed(0)
    model, x = Branches().double().eval(), torch.rand(5, 3, 8, dtype=torch.float64)
    found, gradient = by_graph(model, x, LRP("zero")), by_graph(model, x, GradientTimesActivation())
    agree(found["input"], gradient["input"], to=1e-6)


def test_a_composite_of_ones_own() -> None:
    composite = TopLayers(Gamma(2.0), Epsilon(0.1), number=2)
    model, x = random_wav2letter(STACKS["odd kernels"], padding="valid"), torch.rand(2, 6, 20)
    by_hand = LRP(ByDepth([Epsilon(0.1), Gamma(2.0), Gamma(2.0)]))
    agree(by_graph(model, x, LRP(composite))["input"], by_graph(model, x, by_hand)["input"], to=1e-5)
