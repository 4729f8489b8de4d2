"""Networks that are not ours: symbols, frame length, hop and layers come from the caller."""

import numpy as np
import pytest
import torch

import snaps
from snaps.datasets.recording import Interval, Recording
from snaps.errors import InputError
from tests.definitions.agreement import Case, check, compute
from tests.definitions.networks import randomised
from tests.definitions.recordings import random_corpus

SYMBOLS = ("x", "y", "z")


class Recurrent(torch.nn.Module):
    """Convolution, recurrent layer, pooled score: outputs of (batch, unit, step) and (batch, unit)."""

    def __init__(self) -> None:
        super().__init__()
        self.front = torch.nn.Conv1d(6, 5, 4, stride=2)
        self.bend = torch.nn.Tanh()
        self.reader = torch.nn.GRU(5, 4, batch_first=True)
        self.pooled = torch.nn.Linear(4, 6)
        self.out = torch.nn.Linear(6, 3)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        hidden = self.bend(self.front(features))
        read, _ = self.reader(hidden.transpose(1, 2))
        return self.out(torch.tanh(self.pooled(read.mean(dim=1))))


class Padded(torch.nn.Module):
    """Convolutions that pad, with a step dimension in the result, nested in a child."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv1d(6, 4, 5, padding=2),
            torch.nn.GELU(),
            torch.nn.Conv1d(4, 4, 3, stride=3, padding=1),
            torch.nn.Tanh(),
        )
        self.head = torch.nn.Conv1d(4, 3, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(features))


class Wide(torch.nn.Module):
    """A layer with four dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = torch.nn.Conv2d(1, 2, 3)
        self.out = torch.nn.LazyLinear(3)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.out(self.picture(features[:, None]).flatten(1))


def case(kind: type[torch.nn.Module]) -> "Case":
    def build(seed: int) -> Case:
        torch.manual_seed(seed)
        return randomised(kind(), seed=seed), random_corpus(seed, [16, 15, 19, 40])

    return build


OPTIONS = {"context": "frame", "symbols": SYMBOLS, "frame_steps": 16, "frame_hop": 3}
RULES = ("product", "signed-product", "max", "min", "mean", "unaligned")


@pytest.mark.parametrize("rule", RULES)
def test_a_recurrent_network(rule: str) -> None:
    check(case(Recurrent), **OPTIONS, layers=["input", "front", "bend", "pooled", "logits"], peak=rule)


@pytest.mark.parametrize("rule", RULES)
def test_a_network_that_pads(rule: str) -> None:
    layers = ["input", "body.0", "body.1", "body.2", "body.3", "logits"]
    check(case(Padded), **OPTIONS, layers=layers, peak=rule)


@pytest.mark.parametrize("hop", [1, 2, 7])
def test_the_hop_between_frames(hop: int) -> None:
    check(case(Padded), **{**OPTIONS, "frame_hop": hop})


def test_layers_are_the_input_and_the_result_unless_named() -> None:
    model, corpus = case(Recurrent)(0)
    profiles = compute(model, corpus, groupings=["predicted"], **OPTIONS)
    assert set(profiles["predicted"].children) == {"input", "logits"}


@pytest.mark.parametrize("target", ["y", lambda logits: logits[..., 0] - logits[..., 1]])
def test_targets(target: object) -> None:
    check(case(Recurrent), **OPTIONS, target=target, layers=["input", "front", "logits"])


def test_lags_are_shares_of_the_frame() -> None:
    """A layer of ``w`` steps has ``S = frame_steps / w``, which need not be whole, and ``F = w``."""
    model, corpus = case(Padded)(0)
    profiles = compute(model, corpus, groupings=["predicted"], layers=["body.2"], **OPTIONS)
    lag = profiles["predicted/body.2"]["lag"].values
    np.testing.assert_allclose(lag, 0.008 * 16 / 6 * np.arange(-3, 3), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("missing", ["symbols", "frame_steps", "frame_hop"])
def test_what_the_caller_has_to_say(missing: str) -> None:
    model, corpus = case(Padded)(0)
    options = {name: value for name, value in OPTIONS.items() if name != missing}
    with pytest.raises(InputError, match=missing):
        compute(model, corpus, groupings=["predicted"], **options)


def test_symbols_that_do_not_fit() -> None:
    model, corpus = case(Padded)(0)
    with pytest.raises(InputError, match="3") as caught:
        compute(model, corpus, groupings=["predicted"], **{**OPTIONS, "symbols": ("x", "y")})
    assert "2" in str(caught.value)


def test_a_layer_of_four_dimensions_is_one_sentence() -> None:
    model = Wide()
    model(torch.zeros(1, 6, 16))
    with pytest.raises(InputError, match="picture") as caught:
        compute(model, random_corpus(0, [20]), groupings=["predicted"], layers=["input", "picture"], **OPTIONS)
    assert "unit" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_that_gives_a_tuple_is_one_sentence() -> None:
    model, corpus = case(Recurrent)(0)
    with pytest.raises(InputError, match="reader"):
        compute(model, corpus, groupings=["predicted"], layers=["reader"], **OPTIONS)


def test_the_recording_context_names_the_frame_context() -> None:
    model, corpus = case(Recurrent)(0)
    with pytest.raises(InputError, match="frame"):
        compute(model, corpus, groupings=["predicted"], **{**OPTIONS, "context": "recording"})


def test_what_follows_in_place_does_not_change_a_layer() -> None:
    """A convolution's output is its own, though the next module overwrites it."""

    def build(seed: int) -> Case:
        body = torch.nn.Sequential(
            torch.nn.Conv1d(6, 4, 3),
            torch.nn.ReLU(inplace=True),
            torch.nn.Conv1d(4, 3, 2),
            torch.nn.ELU(inplace=True),
        )
        return randomised(body, seed=seed), random_corpus(seed, [16, 30])

    check(build, **OPTIONS, layers=["input", "0", "1", "2", "logits"])


@pytest.mark.parametrize("context", ["recording", "frame"])
def test_a_module_that_runs_twice_has_no_single_output(context: str) -> None:
    class Shared(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Conv1d(6, 4, 3), torch.nn.Conv1d(4, 3, 3)
            self.bend = torch.nn.ReLU()

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return self.bend(self.second(self.bend(self.first(features))))

    with pytest.raises(InputError, match="bend"):
        compute(
            Shared(),
            random_corpus(0, [30]),
            groupings=["predicted"],
            layers=["bend"],
            **{**OPTIONS, "context": context},
        )


def test_a_layer_that_does_not_run_is_one_sentence() -> None:
    class Idle(Padded):
        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Linear(2, 2)

    with pytest.raises(InputError, match="unused"):
        compute(Idle(), random_corpus(0, [20]), groupings=["predicted"], layers=["unused"], **OPTIONS)


def test_every_unit_keeps_its_place() -> None:
    """A network that passes one unit through: its profile alone is not 0."""

    class Pick(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.stack([features[:, 4].sum(dim=-1), features[:, 0].sum(dim=-1) * 0], dim=-1)

    features = np.tile(np.arange(1.0, 7.0)[:, None], (1, 12))
    recording = Recording("r", features, tiers={"phoneme": [Interval(0, 1, "aa")]})
    options = {"symbols": ("x", "y"), "frame_steps": 8, "frame_hop": 1, "context": "frame"}
    profiles = snaps.compute_profiles(Pick(), [recording], groupings=["phoneme"], progress=False, **options)
    node = profiles["phoneme/input"]
    saliency = node["saliency"].values[0]
    assert (saliency[[0, 1, 2, 3, 5]] == 0).all()
    assert (saliency[4] > 0).any()
    # Smoothing reaches one unit back, never the activation: unit u holds u + 1 at every covered lag.
    covered = node["coverage"].values[0] > 0
    np.testing.assert_array_equal(
        node["activation"].values[0][:, covered], np.tile(np.arange(1.0, 7.0)[:, None], (1, covered.sum()))
    )
