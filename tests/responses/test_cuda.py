"""Profiles computed on CUDA equal those computed on the CPU."""

import numpy as np
import pytest
import torch

import snaps
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("context", ["recording", "frame"])
@pytest.mark.parametrize("stack", sorted(STACKS))
def test_profiles_are_the_cpus(stack: str, context: str) -> None:
    model, corpus = random_wav2letter(STACKS[stack]), random_corpus(0, [40, 90, 200])
    options = {"groupings": ["phoneme", "predicted"], "context": context, "variance": True, "progress": False}
    expected = snaps.compute_profiles(model, corpus, **options)
    found = snaps.compute_profiles(model, corpus, device="cuda", **options)
    assert next(model.parameters()).device.type == "cpu"
    for node in expected.leaves:
        for name, values in node.to_dataset().data_vars.items():
            other = found[node.path][name].values
            if values.dtype.kind == "i":
                np.testing.assert_array_equal(other, values.values, err_msg=f"{node.path} {name}")
            else:
                largest = np.nanmax(np.abs(values.values), initial=0.0)
                np.testing.assert_allclose(other, values.values, rtol=0, atol=1e-4 * largest, err_msg=node.path)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_less_precision_is_close_and_is_restored(precision: str) -> None:
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    model, corpus = random_wav2letter(STACKS["strides 2 and 1"]), random_corpus(0, [200])
    options = {"groupings": ["phoneme"], "ignore": (), "progress": False, "device": "cuda"}
    exact = snaps.compute_profiles(model, corpus, **options)["phoneme/conv1"]["activation"].values
    reduced = snaps.compute_profiles(model, corpus, precision=precision, **options)["phoneme/conv1"][
        "activation"
    ].values
    finite = np.isfinite(exact)
    assert np.corrcoef(exact[finite], reduced[finite])[0, 1] > 0.9
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before
