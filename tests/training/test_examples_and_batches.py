"""What is used of a corpus, who is set aside, and how batches are made."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snaps.datasets import Interval, Recording
from snaps.errors import InputError, RecordingError
from snaps.training import create_network
from snaps.training import examples as examples_module
from snaps.training.examples import (
    NO_TARGET,
    Example,
    batches,
    frame_targets,
    length_batches,
    padded,
    read_examples,
    set_aside,
    shift_bands,
)


def recording(name: str, steps: int, labels: str, **attributes: str) -> Recording:
    tier = [Interval(place / 10, (place + 1) / 10, label) for place, label in enumerate(labels)]
    return Recording(name, np.ones((8, steps)), tiers={"phoneme": tier}, attributes=attributes)


def read(network, corpus, **options):
    return read_examples(network, corpus, labels="phoneme", progress=False, **options)


def test_too_short_recordings_are_left_out_and_counted(network):
    # The network halves the number of steps; two equal symbols need a blank between them.
    corpus = [
        recording("fits", 6, "abc"),
        recording("no room for a symbol", 4, "abc"),
        recording("no room for the blank", 6, "aab"),
        recording("room for the blank", 8, "aab"),
        recording("nothing said", 50, ""),
    ]
    found = read(network, corpus)
    assert [example.recording for example in found.all] == ["fits", "room for the blank"]
    assert found.left_out[["recording", "cause"]].values.tolist() == [
        ["no room for a symbol", "short"],
        ["no room for the blank", "short"],
        ["nothing said", "unlabelled"],
    ]
    assert "gives 3 output steps, and its symbols need 4" in found.left_out["reason"][1]


def test_lengths_follow_the_padding(network):
    network.padding = "valid"  # receptive field 8, stride 2
    assert [one.n_steps for one in read(network, [recording("a", n, "ab") for n in (9, 10)]).all] == [10]


def test_bad_recordings_raise_or_are_listed(network):
    strange = recording("strange", 50, "xyz")
    holes = Recording("holes", np.full((8, 50), np.nan), tiers=strange.tiers)
    narrow = Recording("narrow", np.ones((3, 50)), tiers=strange.tiers)
    for bad, sentence in ((strange, "'x'"), (holes, "not finite"), (narrow, "3 units; the network takes 8")):
        with pytest.raises(RecordingError, match=sentence):
            read(network, [bad])
        found = read(network, [bad, recording("good", 50, "ab")], on_error="skip")
        assert found.left_out[["recording", "cause"]].values.tolist() == [[bad.id, "error"]]
        assert [example.recording for example in found.all] == ["good"]
        with pytest.raises(InputError, match=f"none of the 1 recordings can be used; the first.*{sentence}"):
            read(network, [bad], on_error="skip")
    with pytest.raises(InputError, match="none of the 0 recordings"):
        read(network, [])


def test_features_beyond_the_memory_are_read_anew(network, tones, monkeypatch):
    class Counted(list):
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            return list.__getitem__(self, index)

    kept = Counted(tones)
    found = read(network, kept)
    assert len(found.kept) == len(tones)
    once = list(batches(found, found.all, batch_size=4, epoch=0))
    assert kept.reads == len(tones)
    monkeypatch.setattr(examples_module, "MEMORY_SHARE", 0.0)
    loose = Counted(tones)
    found = read(network, loose)
    again = list(batches(found, found.all, batch_size=4, epoch=0))
    assert not found.kept
    assert loose.reads == 2 * len(tones)
    assert all(torch.equal(a.features, b.features) for a, b in zip(once, again, strict=True))


def test_no_speaker_is_on_both_sides(network, tones):
    examples = read(network, tones).all
    for seed in range(4):
        training, aside = set_aside(examples, share=0.4, seed=seed)
        ours, theirs = ({example.speaker for example in part} for part in (training, aside))
        assert not ours & theirs
        assert len(theirs) == 2  # of six
        assert sorted(training + aside, key=examples.index) == list(examples)
    assert set_aside(examples, share=0.4, seed=3) == (training, aside)
    assert len({example.speaker for example in set_aside(examples, share=0.01, seed=0)[1]}) == 1
    assert len({example.speaker for example in set_aside(examples, share=0.99, seed=0)[1]}) == 5
    assert set_aside(examples, share=0, seed=0) == (examples, ())


def test_recordings_without_a_speaker_count_alone(network):
    examples = read(network, [recording(str(n), 50, "ab") for n in range(10)]).all
    assert len(set_aside(examples, share=0.2, seed=0)[1]) == 2


def test_setting_aside_needs_two_speakers(network):
    examples = read(network, [recording(str(n), 50, "ab", speaker="one") for n in range(3)]).all
    with pytest.raises(InputError, match="all recordings are of 'one'; give validation=0"):
        set_aside(examples, share=0.1, seed=0)
    for share in (-0.1, 1, float("nan")):
        with pytest.raises(InputError, match="share of the speakers"):
            set_aside(examples, share=share, seed=0)


@given(
    lengths=st.lists(st.integers(1, 900), min_size=1, max_size=200),
    batch_size=st.integers(1, 9),
    epoch=st.none() | st.integers(0, 5),
)
def test_every_recording_is_in_one_batch(lengths, batch_size, epoch):
    cut = length_batches(lengths, batch_size, seed=1, epoch=epoch)
    assert len(cut) == len(length_batches(lengths, batch_size, seed=2, epoch=9))  # the same in every epoch
    assert sorted(place for batch in cut for place in batch) == list(range(len(lengths)))
    assert max(map(len, cut)) <= batch_size
    assert cut == length_batches(lengths, batch_size, seed=1, epoch=epoch)


def test_batches_hold_like_lengths_and_change_with_the_epoch():
    lengths = np.random.default_rng(0).integers(100, 900, size=256)
    spread = [np.ptp(lengths[batch]) for batch in length_batches(lengths, 8, seed=0, epoch=0)]
    assert np.mean(spread) < 150  # of 800
    assert length_batches(lengths, 8, seed=0, epoch=0) != length_batches(lengths, 8, seed=0, epoch=1)


def test_padding():
    timed = np.array([1, NO_TARGET, 2])
    batch = padded([
        (np.ones((8, 5), np.float32), Example(0, "a", "x", 5, (1, 2), timed)),
        (np.ones((8, 3), np.float32), Example(1, "b", "x", 3, (3,), timed[:2])),
    ])  # fmt: skip
    assert batch.features.shape == (2, 8, 5)
    assert batch.features[1].sum() == 24
    assert batch.lengths.tolist() == [5, 3]
    assert batch.targets.tolist() == [[1, 2], [3, 0]]
    assert batch.target_lengths.tolist() == [2, 1]
    assert batch.frame_targets.tolist() == [[1, NO_TARGET, 2], [1, NO_TARGET, NO_TARGET]]


def test_bands_are_shifted_anew_in_every_epoch_but_never_for_the_validation(network, tones):
    found = read(network, tones)

    def sums(**options):
        return torch.cat([batch.features.sum(2) for batch in batches(found, found.all, batch_size=4, **options)])

    plain = sums(epoch=0)
    assert torch.equal(plain, sums(epoch=0, band_shift=0))
    shifted = sums(epoch=0, band_shift=2)
    assert not torch.equal(plain, shifted)
    assert torch.equal(shifted, sums(epoch=0, band_shift=2))
    assert not torch.equal(shifted, sums(epoch=1, band_shift=2))
    assert torch.equal(sums(), sums(band_shift=2))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("layers", [None, [(4, 8, 2), (4, 5, 2), (3, 2, 1)]])
def test_the_label_at_the_centre_of_every_output_step(padding, layers):
    """Against the windows of the definitions: one input value at a time, and the output steps that it reaches."""
    network = create_network(["_", "a", "b"], "w2p_shallow", layers=layers, n_inputs=8, width=2, padding=padding)
    network = network.double().eval()
    n, half = 160, network.receptive_field // 2
    tier = [Interval(0.0, 0.3, "a"), Interval(0.4, 0.7, "b"), Interval(0.7, 0.9, "")]
    found = frame_targets(network, Recording("r", np.zeros((8, n)), step=0.008, tiers={"phoneme": tier}), "phoneme")
    x = torch.rand(1, 8, n, dtype=torch.float64, requires_grad=True)
    logits = network(x)[0]
    assert len(found) == logits.shape[1]
    for step in range(len(found)):
        (gradient,) = torch.autograd.grad(logits[:, step].sum(), x, retain_graph=True)
        reached = torch.nonzero(gradient[0].abs().sum(0))[:, 0]
        whole = len(reached) > 0 and int(reached[-1] - reached[0]) + 1 == network.receptive_field
        if whole:  # no border in between
            time = (int(reached[0]) + half) * 0.008
            wanted = next((i.label for i in tier if i.start <= time < i.end), "") or None
            assert found[step] == (NO_TARGET if wanted is None else network.symbols.index(wanted))


@pytest.mark.parametrize(("bands", "expected"), [(0, [1, 2, 3]), (1, [1, 1, 2]), (-2, [3, 3, 3]), (7, [1, 1, 1])])
def test_shifted_bands(bands, expected):
    features = np.array([[1], [2], [3]], dtype=np.float32)
    shifted = shift_bands(features, bands)
    assert shifted.ravel().tolist() == expected
    assert not np.shares_memory(shifted, features)
