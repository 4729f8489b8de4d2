"""A whole training, its history, and what it leaves behind: nothing but the result."""

import math
import random
import signal
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch

from snaps.datasets import Interval, Recording
from snaps.errors import InputError, RecordingError
from snaps.models import Wav2Letter, weights_hash
from snaps.training import create_network, error_rate, evaluate, fitting, loop, train
from snaps.training import examples as examples_module
from snaps.training.examples import NO_TARGET, frame_targets
from snaps.training.loop import ends_masked, wide_kernels_as_products


@pytest.fixture(scope="module")
def learned(tones, networks, quickly):
    return train(networks(), tones, **quickly)


def test_tones_are_learned(learned, tones):
    assert learned.error_rate < 0.1
    assert not learned.model.training
    aside = [one for one in tones if one.attributes["speaker"] in learned.validation_speakers]
    assert error_rate(learned.model, aside) == pytest.approx(learned.error_rate)
    assert (learned.n_train, learned.n_validation) == (len(tones) - len(aside), len(aside))
    assert len(learned.validation_speakers) == 1
    assert learned.left_out.empty


def test_letters_are_learned_from_the_text(tones, networks, quickly):
    result = train(networks(), tones, labels="letter", **quickly)
    assert evaluate(result.model, tones, labels="letter", progress=False).error_rate < 0.1


def test_history_has_a_row_an_epoch(learned):
    history = learned.history
    assert list(history) == ["epoch", "train_loss", "val_loss", "error_rate", "blanks", "lr", "seconds"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0] / 3
    best = history.iloc[learned.best_epoch - 1]
    assert best["error_rate"] == history["error_rate"].min() == learned.error_rate
    assert history["lr"].max() <= 3e-2
    assert history["lr"].iloc[-1] < 3e-4  # the schedule is laid over all epochs
    assert learned.settings["epochs"] == 6


def test_the_same_seed_gives_the_same_network(learned, tones, networks, quickly):
    network = networks()
    again = train(network, tones, **quickly)
    assert weights_hash(again.model) == weights_hash(learned.model)
    pd.testing.assert_frame_equal(again.history.drop(columns="seconds"), learned.history.drop(columns="seconds"))
    assert weights_hash(network) == weights_hash(networks())  # the caller's network is left alone
    other = train(network, tones, seed=1, **{**quickly, "epochs": 1})
    assert other.history["train_loss"][0] != learned.history["train_loss"][0]


def test_without_validation_the_last_epoch_counts(network, tones, quickly):
    result = train(network, tones, validation=0, **{**quickly, "epochs": 2})
    assert result.best_epoch == 2
    assert math.isnan(result.error_rate)
    assert result.validation_speakers == ()
    assert result.n_train == len(tones)


def test_a_time_limit_lowers_the_number_of_epochs_and_the_cycle_is_played_to_its_end(
    network, tones, quickly, monkeypatch
):
    """The clock is not asked: a step takes what it is said to take."""
    options = {**quickly, "epochs": 15, "max_minutes": 1.0}
    n_batches = 8  # of 30 recordings; and two batches of 6 are validated
    for seconds, epochs in ((0.5, 13), (0.01, 15), (0.9, 7)):
        monkeypatch.setattr(fitting, "measure_step", lambda _, seconds=seconds: seconds)
        assert seconds * (n_batches + 2 * fitting.VALIDATION_COST) * epochs < 60 + 1e-9
        result = train(network, tones, **options)
        assert len(result.history) == epochs == result.settings["epochs"]
        assert result.history["lr"].iloc[-1] < result.history["lr"].max() / 300
    monkeypatch.setattr(fitting, "measure_step", lambda _: 60.0)
    with pytest.warns(
        UserWarning, match=r"max_minutes=1 does not suffice: an epoch takes some 8.8 minutes here, and no"
    ):
        assert len(train(network, tones, **options).history) == fitting.FEWEST_EPOCHS


def test_measuring_leaves_the_training_alone(network, tones, quickly):
    unlimited = train(network, tones, **quickly)
    limited = train(network, tones, max_minutes=1e6, **quickly)
    assert weights_hash(limited.model) == weights_hash(unlimited.model)


def test_a_start_with_frames_learns_where_symbols_are(networks, tones, quickly):
    warm = train(networks(), tones, warm_start="frames", **{**quickly, "epochs": 3})
    for recording in tones[:5]:
        with torch.inference_mode():
            said = warm.model(torch.from_numpy(recording.features)[None])[0].argmax(0).numpy()
        wanted = frame_targets(warm.model, recording, "phoneme")
        assert (said == wanted)[(wanted != NO_TARGET) & (said != 0)].mean() > 0.8


def test_symbols_that_never_occur_are_named(tones, quickly):
    network = create_network(("_", *"abcdxy"), layers=[(16, 4, 2), (7, 3, 1)], n_inputs=8)
    with pytest.warns(UserWarning, match="no recording trained on has the phonemes 'x', 'y'; the network cannot learn"):
        result = train(network, tones, **{**quickly, "epochs": 1})
    assert result.unseen == ("x", "y")


def test_valid_padding_is_trained_without(networks, tones, quickly):
    result = train(networks(padding="valid"), tones, **quickly)
    assert result.model.padding == "valid"
    assert result.error_rate < 0.2


def test_nothing_is_left_behind(network, tones, quickly, capfd, tmp_path, monkeypatch, recwarn):
    monkeypatch.chdir(tmp_path)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train(network, tones, **{**quickly, "epochs": 1})
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    assert not list(recwarn)
    assert states[:2] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    assert torch.equal(states[2], torch.get_rng_state())
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    assert torch.is_grad_enabled()


def test_progress_is_one_bar_on_standard_error(network, tones, quickly, capfd):
    train(network, tones, **{**quickly, "epochs": 2, "progress": True})
    out, err = capfd.readouterr()
    assert out == ""
    assert "training on phonemes: 100%" in err
    assert "error_rate=" in err
    assert "GPU" not in err


def test_an_interrupt_reaches_the_caller(network, tones, quickly, monkeypatch):
    class Interrupted(list):
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            if self.reads > 1.5 * len(self):
                raise KeyboardInterrupt
            return list.__getitem__(self, index)

    monkeypatch.setattr(examples_module, "MEMORY_SHARE", 0.0)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(network, Interrupted(tones), **quickly)
    assert signal.getsignal(signal.SIGINT) is handler


def test_bad_recordings(network, tones, quickly):
    bad = Recording("bad", np.ones((8, 50)), tiers={"phoneme": [Interval(0.0, 0.1, "x")]})
    with pytest.raises(RecordingError, match=r"recording 'bad' has the label 'x'.* are 'a', 'b', 'c', 'd'"):
        train(network, [*tones, bad], **quickly)
    result = train(network, [*tones, bad], on_error="skip", **{**quickly, "epochs": 1})
    assert result.left_out["recording"].tolist() == ["bad"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epochs": 0}, "epochs is 0; accepted are whole numbers from 1"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"band_shift": -1}, "band_shift is -1"),
        ({"band_shift": 8}, "band_shift is 8; the network has 8 input units"),
        ({"lr": -1.0}, "lr is -1.0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"validation": 1.0}, "validation is 1.0"),
        ({"warm_start": "letters"}, "warm_start is 'letters'; accepted are 'frames', None"),
        (
            {"warm_start": "frames", "labels": "letter"},
            "needs a tier with times, such as labels='phoneme'; the letters",
        ),
        ({"warm_start": "frames", "epochs": 2}, "epochs is 2; warm_start='frames' takes the first 2"),
        ({"max_minutes": 0}, "max_minutes is 0"),
        ({"on_error": "ignore"}, "on_error is 'ignore'"),
        ({"device": "tpu"}, "accepted are 'cpu' and 'cuda'"),
        ({"device": "mps"}, "device is 'mps'; accepted are 'cpu' and 'cuda'"),
        ({"device": "cuda:99"}, "CUDA devices"),
        ({"labels": "word"}, "no tier 'word'; it has 'phoneme'"),
    ],
)
def test_options_without_a_meaning(network, tones, options, sentence):
    with pytest.raises(InputError, match=sentence):
        train(network, tones, **{"progress": False, **options})


def test_other_networks_are_refused(tones):
    with pytest.raises(InputError, match="the model is a Linear; accepted is a Wav2Letter"):
        train(torch.nn.Linear(1, 1), tones)
    with pytest.raises(InputError, match="no blank"):
        train(Wav2Letter("abcd", layers=[(4, 1, 1)], n_inputs=8, blank=None), tones)


def test_a_tier_without_times(network, tones, quickly):
    untimed = [
        Recording(one.id, one.features, tiers={"phoneme": [Interval(0, 0, i.label) for i in one.tiers["phoneme"]]})
        for one in tones
    ]
    with pytest.raises(InputError, match=r"warm_start='frames' needs a tier with times, and no output step of the 36"):
        train(network, untimed, warm_start="frames", **quickly)
    train(network, untimed, **{**quickly, "epochs": 1})  # CTC needs none


def test_a_loss_that_is_not_finite_says_what_to_try_and_keeps_the_last_good_state(
    networks, tones, quickly, tmp_path, monkeypatch
):
    said = r"the loss or its gradient is not finite in epoch 1; try an lr below 1e\+30, such as 1e\+29$"
    with pytest.raises(InputError, match=said):
        train(networks(), tones, **{**quickly, "lr": 1e30})
    real, path = loop.ctc_loss, tmp_path / "a.ckpt"

    def bursts(model, logits, batch):
        return real(model, logits, batch) * (math.nan if path.exists() and model.training else 1)

    monkeypatch.setattr(loop, "ctc_loss", bursts)
    with pytest.raises(InputError, match=r"epoch 2; .* the state after epoch 1 is kept in '.*a\.ckpt'$"):
        train(networks(), tones, checkpoint=path, **quickly)
    monkeypatch.setattr(loop, "ctc_loss", real)
    gone_on = train(networks(), tones, checkpoint=path, **quickly)
    assert weights_hash(gone_on.model) == weights_hash(train(networks(), tones, **quickly).model)


@pytest.mark.parametrize("norm", ["before", "after"])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_company_in_a_batch_changes_nothing(networks, norm, padding):
    model = networks(norm=norm, padding=padding).eval()
    for number in (1, 2, 3):
        torch.nn.init.normal_(model.get_submodule(f"norm{number}").bias)
    for n in (20, 21):
        alone = torch.randn(1, 8, n)
        together = torch.zeros(2, 8, 30)
        together[0, :, :n], together[1] = alone[0], torch.randn(8, 30)
        with ends_masked(model, torch.tensor([n, 30])):
            batch = model(together)
        expected = model(alone)[0]
        torch.testing.assert_close(batch[0, :, : expected.shape[1]], expected)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_wide_kernels_as_products_are_the_same_convolutions(padding):
    model = create_network(["_", "a"], layers=[(6, 20, 1), (4, 3, 1), (2, 17, 1)], n_inputs=5, padding=padding).double()
    x = torch.rand(3, 5, 60, dtype=torch.float64)
    found = []
    for way in (nullcontext, lambda: wide_kernels_as_products(model)):
        model.zero_grad()
        with way():
            logits = model(x)
            logits.square().sum().backward()
        found.append([logits, *(parameter.grad for parameter in model.parameters())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert not any("forward" in vars(module) for module in model.modules())
