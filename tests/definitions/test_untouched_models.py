"""`compute_profiles` leaves the model as it found it, also after an exception."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch

from snaps.datasets.recording import Recording
from snaps.errors import InputError
from tests.definitions.agreement import compute
from tests.definitions.networks import STACKS, random_wav2letter, randomised
from tests.definitions.recordings import random_corpus

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def state_of(model: torch.nn.Module) -> dict[str, Any]:
    """Everything that a run could leave behind."""
    state: dict[str, Any] = {
        "grad enabled": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
    }
    for name, module in model.named_modules():
        state[f"{name} training"] = module.training
        for hooks in HOOKS:
            state[f"{name} {hooks}"] = list(getattr(module, hooks, OrderedDict()))
        state[f"{name} attributes"] = sorted(vars(module))
    for name, parameter in model.named_parameters():
        state[f"{name} values"] = parameter.detach().numpy().copy()
        state[f"{name} object"] = id(parameter)
        state[f"{name} requires grad"] = parameter.requires_grad
        state[f"{name} grad"] = None if parameter.grad is None else parameter.grad.numpy().copy()
        state[f"{name} device"] = str(parameter.device)
        state[f"{name} dtype"] = str(parameter.dtype)
    for name, buffer in model.named_buffers():
        state[f"{name} values"] = buffer.numpy().copy()
    if hasattr(model, "padding"):
        state["padding"] = model.padding
    return state


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(after[name], value, err_msg=name)
        else:
            assert after[name] == value, name


class Breaking(list):
    """A corpus whose second recording cannot be read."""

    def __getitem__(self, index: Any) -> Any:
        if index == 1:
            raise RuntimeError("the second recording is gone")
        return super().__getitem__(index)

    def __iter__(self) -> Any:
        return (self[index] for index in range(len(self)))


def unusual(model: torch.nn.Module) -> torch.nn.Module:
    """A model in a state of its own: partly in training mode, with hooks, a frozen weight and a gradient."""
    model.train()
    children = [module for module in model.modules() if not list(module.children())]
    children[0].eval()
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    children[1].register_forward_hook(lambda *_: None)
    children[1].register_forward_pre_hook(lambda *_: None)
    return model


def foreign() -> torch.nn.Module:
    body = torch.nn.Sequential(
        torch.nn.Conv1d(6, 4, 3), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5), torch.nn.Conv1d(4, 3, 2)
    )
    return randomised(body, seed=0)


FOREIGN = {"context": "frame", "symbols": ("x", "y", "z"), "frame_steps": 12, "frame_hop": 2}
MODELS = [
    ("recording", lambda: random_wav2letter(STACKS["strides 2 and 1"]), {"context": "recording"}),
    ("frame, valid", lambda: random_wav2letter(STACKS["odd kernels"], padding="valid"), {"context": "frame"}),
    ("frame, same", lambda: random_wav2letter(STACKS["odd kernels"], padding="same"), {"context": "frame"}),
    ("foreign", foreign, FOREIGN),
]
CASES = pytest.mark.parametrize(("build", "options"), [case[1:] for case in MODELS], ids=[case[0] for case in MODELS])


@CASES
def test_after_success(build: Any, options: dict) -> None:
    model = unusual(build())
    before = state_of(model)
    compute(model, random_corpus(0, [30, 25]), groupings=["predicted"], **options)
    assert_same(before, state_of(model))


@CASES
def test_training_mode_does_not_matter(build: Any, options: dict) -> None:
    """Results are those of the evaluation mode: running statistics, no dropout."""
    model, corpus = build(), random_corpus(0, [30, 25])
    calm = compute(model, corpus, groupings=["phoneme"], **options)
    busy = compute(unusual(build()), corpus, groupings=["phoneme"], **options)
    for layer in ("input", "logits"):
        np.testing.assert_array_equal(
            calm[f"phoneme/{layer}"]["activation"].values, busy[f"phoneme/{layer}"]["activation"].values
        )


@CASES
def test_after_a_wrong_layer(build: Any, options: dict) -> None:
    model = unusual(build())
    before = state_of(model)
    with pytest.raises(InputError, match="conv99"):
        compute(model, random_corpus(0, [30]), groupings=["predicted"], layers=["input", "conv99"], **options)
    assert_same(before, state_of(model))


@CASES
def test_after_a_corpus_that_breaks(build: Any, options: dict) -> None:
    model = unusual(build())
    before = state_of(model)
    with pytest.raises(RuntimeError, match="second recording"):
        compute(model, Breaking(random_corpus(0, [30, 30, 30])), groupings=["predicted"], **options)
    assert_same(before, state_of(model))


@CASES
def test_after_a_target_that_breaks(build: Any, options: dict) -> None:
    def target(logits: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("the target broke")

    model = unusual(build())
    before = state_of(model)
    with pytest.raises(ZeroDivisionError, match="target broke"):
        compute(model, random_corpus(0, [30]), groupings=["predicted"], target=target, **options)
    assert_same(before, state_of(model))


@CASES
def test_after_an_interruption(build: Any, options: dict) -> None:
    def target(logits: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt

    model = unusual(build())
    before = state_of(model)
    with pytest.raises(KeyboardInterrupt):
        compute(model, random_corpus(0, [30]), groupings=["predicted"], target=target, **options)
    assert_same(before, state_of(model))


@CASES
def test_under_no_grad(build: Any, options: dict) -> None:
    """A caller who switched gradients off gets the same profiles, and finds them switched off."""
    model, corpus = build(), random_corpus(0, [30])
    expected = compute(model, corpus, groupings=["predicted"], **options)
    with torch.no_grad():
        found = compute(model, corpus, groupings=["predicted"], **options)
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(
        found["predicted/input"]["saliency"].values, expected["predicted/input"]["saliency"].values
    )


@CASES
def test_under_inference_mode(build: Any, options: dict) -> None:
    """What holds for `no_grad` holds for its stricter sister."""
    model, corpus = build(), random_corpus(0, [30])
    expected = compute(model, corpus, groupings=["predicted"], **options)
    with torch.inference_mode():
        found = compute(model, corpus, groupings=["predicted"], **options)
        assert torch.is_inference_mode_enabled()
    np.testing.assert_array_equal(
        found["predicted/input"]["saliency"].values, expected["predicted/input"]["saliency"].values
    )


@CASES
def test_random_numbers_are_left_alone(build: Any, options: dict) -> None:
    model = build()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    compute(model, random_corpus(0, [30]), groupings=["predicted"], **options)
    assert torch.equal(before, torch.get_rng_state())


@CASES
def test_features_are_left_alone(build: Any, options: dict) -> None:
    corpus: list[Recording] = random_corpus(0, [30])
    before = corpus[0].features.copy()
    compute(build(), corpus, groupings=["predicted"], **options)
    np.testing.assert_array_equal(corpus[0].features, before)
