"""Long runs: random networks, recordings and options against the reference."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.definitions.agreement import GROUPINGS, assert_agrees, compute
from tests.definitions.networks import SYMBOLS, random_wav2letter
from tests.definitions.recordings import random_corpus
from tests.reference import ReferenceNetwork, reference_profiles

layer = st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 3))
last_layer = st.tuples(st.just(len(SYMBOLS)), st.integers(1, 9), st.integers(1, 2))
rules = st.sampled_from(["product", "signed-product", "max", "min", "mean", "unaligned"])


@st.composite
def cases(draw: st.DrawFn) -> tuple:
    """A network, a corpus and the options of a run."""
    seed, n_inputs = draw(st.integers(0, 10_000)), draw(st.integers(1, 8))
    model = random_wav2letter(
        [*draw(st.lists(layer, min_size=1, max_size=4)), draw(last_layer)],
        seed=seed,
        n_inputs=n_inputs,
        norm=draw(st.sampled_from(["before", "after"])),
        padding=draw(st.sampled_from(["same", "valid"])),
    )
    geometry = ReferenceNetwork(model).geometry
    extra = draw(st.sampled_from([0, 0, 1, 2, 5, 17]))
    frame = geometry.receptive_field + extra
    assume(frame >= geometry.stride)  # else some layer has no lag at all, see test_longer_frames
    reach = draw(st.lists(st.integers(-1, 30), min_size=1, max_size=3))
    lengths = [max(1, frame + more * geometry.stride) for more in (*reach, 6)]
    corpus = random_corpus(seed, lengths, n_units=n_inputs)
    options = {
        "context": draw(st.sampled_from(["recording", "frame"])),
        "peak": draw(rules),
        "ignore": draw(st.sampled_from([None, (), ("a",)])),
        "target": draw(st.sampled_from(["predicted", "b"])),
        "frame_steps": None if extra == 0 else frame,
    }
    return model, corpus, options, draw(st.sampled_from([None, 1, 7, 512]))


def agree(case: tuple) -> None:
    model, corpus, options, batch_size = case
    reference = reference_profiles(model, corpus, groupings=GROUPINGS, **options)
    assume(reference.is_decided and reference.nodes)
    found = compute(model, corpus, groupings=GROUPINGS, batch_size=batch_size, variance=True, **options)
    assert_agrees(found, reference, variance=True)
    for grouping, name in reference.nodes:
        assert np.isfinite(found[f"{grouping}/{name}"]["saliency"].values).all()


SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(cases())
def test_random_cases(case: tuple) -> None:
    agree(case)


@pytest.mark.campaign
@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
@given(cases())
def test_many_random_cases(case: tuple) -> None:
    agree(case)


@pytest.mark.campaign
@pytest.mark.parametrize("context", ["recording", "frame"])
def test_long_recordings(context: str) -> None:
    """Hundreds and thousands of steps, many frames of one group in a row."""
    model = random_wav2letter([(6, 8, 2), (6, 5, 1), (4, 3, 1)], padding="valid")
    corpus = random_corpus(0, [1500, 18, 700])
    reference = reference_profiles(model, corpus, groupings=GROUPINGS, context=context)
    assert reference.margins["peak"] > 1e-6
    assert_agrees(compute(model, corpus, groupings=GROUPINGS, context=context), reference)
