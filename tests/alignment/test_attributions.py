"""Methods of captum: the same values as captum itself gives, and one sentence where a method does not fit."""

import numpy as np
import pytest
import torch
from torch import nn

import snaps
from snaps.alignment import SALIENCY_METHODS, Aligner
from snaps.errors import InputError
from snaps.responses import FrameOptions, make_responder
from tests.alignment.runs import by_graph
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus

attr = pytest.importorskip("captum.attr", reason="captum is an extra")
CAPTUM = [name for name, make in SALIENCY_METHODS.items() if not make().carried]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 6, 5, padding=2), nn.ReLU(), nn.Conv1d(6, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(50, 3)
    ).eval()


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        (
            "integrated-gradients",
            lambda model: lambda x: attr.IntegratedGradients(model).attribute(x, target=0, n_steps=20),
        ),
        ("occlusion", lambda model: lambda x: attr.Occlusion(model).attribute(x, (4, 8), strides=(2, 4), target=0)),
        ("guided-backpropagation", lambda model: lambda x: attr.GuidedBackprop(model).attribute(x, target=0)),
        ("deconvolution", lambda model: lambda x: attr.Deconvolution(model).attribute(x, target=0)),
        ("grad-cam", lambda model: lambda x: attr.LayerGradCam(model, model[0]).attribute(x, target=0)),
    ],
)  # fmt: skip
def test_the_library_says_the_same(name: str, theirs) -> None:
    model, x = network(), torch.rand(3, 4, 12)
    layer = "0" if name == "grad-cam" else "input"
    found = by_graph(model, x, SALIENCY_METHODS[name](), layers=[layer])[layer]
    expected = theirs(network())(x.clone().requires_grad_()).detach()
    torch.testing.assert_close(found, expected.expand(found.shape).float(), rtol=1e-4, atol=1e-6)


def test_guided_backpropagation_is_not_the_gradient_where_relu_is_a_function() -> None:
    model, x = random_wav2letter(STACKS["odd kernels"]), torch.rand(3, 6, 20)
    gradient = by_graph(model, x, SALIENCY_METHODS["sensitivity"](), layers=["input"])["input"]
    guided = by_graph(model, x, SALIENCY_METHODS["guided-backpropagation"](), layers=["input"])["input"]
    assert not torch.allclose(guided, gradient, atol=1e-3)


@pytest.mark.filterwarnings("ignore:the saliency method")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("name", CAPTUM)
def test_profiles_of_every_method(name: str, padding: str) -> None:
    method = SALIENCY_METHODS[name]()
    model, corpus = random_wav2letter(STACKS["strides 2 and 1"], padding=padding), random_corpus(0, [40, 30])
    profiles = snaps.compute_profiles(
        model, corpus, groupings=["phoneme"], aligner=Aligner(method, mask=snaps.Sensitivity()), context="frame",
        ignore=(), progress=False,
    )  # fmt: skip
    layers = list(profiles["phoneme"].children)
    assert layers == (["input"] if method.input_alone else ["input", "conv1", "conv2", "logits"])
    assert float(abs(profiles["phoneme/input"]["saliency"]).max()) > 0


@pytest.mark.parametrize("name", ["gradient-shap", "smoothgrad"])
def test_random_numbers_are_the_same_in_every_run(name: str) -> None:
    model, x = network(), torch.rand(3, 4, 12)
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (by_graph(model, x, SALIENCY_METHODS[name](), layers=["input"])["input"] for _ in range(2))
    assert torch.equal(first, again)
    np.testing.assert_array_equal(np.random.get_state()[1], expected)  # noqa: NPY002


def test_methods_of_whole_frames_say_so() -> None:
    model, corpus = random_wav2letter(STACKS["odd kernels"]), random_corpus(0, [30])
    aligner = Aligner(SALIENCY_METHODS["occlusion"]())
    options = {"groupings": ["phoneme"], "aligner": aligner, "progress": False}
    with pytest.raises(InputError, match="Occlusion explains whole frames alone; accepted is context='frame'"):
        snaps.compute_profiles(model, corpus, **options)
    with pytest.raises(InputError, match="Occlusion explains the layer 'input' alone; layers names 'conv1'"):
        snaps.compute_profiles(model, corpus, context="frame", layers=["input", "conv1"], **options)
    with pytest.warns(UserWarning, match="'conv1', 'conv2', 'logits' are missing"):
        make_responder(model, FrameOptions("auto"), n_inputs=6, methods=aligner.methods)
