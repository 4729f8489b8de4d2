"""Alignment accuracy, against counts frame by frame from the definitions."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch.nn import functional as F

import snaps
from snaps.alignment import Aligner, Sensitivity, Unaligned, bootstrap_interval
from snaps.datasets import Interval, Recording
from snaps.errors import InputError
from snaps.profiling import compare_aligners, evaluate_alignment
from tests.definitions.networks import STACKS, random_wav2letter

STEP = 0.01


def speech(*, seed: int = 0, lengths=(70, 55, 41), labels=("a", "b", "c", "")) -> list[Recording]:
    generator = np.random.default_rng(seed)
    recordings = []
    for number, length in enumerate(lengths):
        ends = np.cumsum(generator.integers(2, 9, size=length)) * STEP
        tier = [
            Interval(float(start), float(end), str(generator.choice(labels)))
            for start, end in zip([0.0, *ends[:-1]], ends, strict=True)
            if end < length * STEP
        ]
        features = generator.normal(size=(6, length)).astype(np.float32)
        recordings.append(Recording(f"r{number}", features, step=STEP, tiers={"phoneme": tier}))
    return recordings


def label_at(tier, time: float) -> str | None:
    for interval in tier:
        if interval.start <= time < interval.end:
            return interval.label or None
    return None


def frame_by_frame(model, corpus, *, frame_steps: int, offset: int, window: int, aligned: bool):
    """Rows of (recording, predicted, at centre, at peak, within, in the frame, offset)."""
    double = random_wav2letter(STACKS["strides 2 and 1"], padding="valid").double()
    double.load_state_dict({name: value.double() for name, value in model.state_dict().items()})
    reach, stride = double.receptive_field, double.stride
    for recording in corpus:
        x = torch.from_numpy(recording.features).double()
        tier = recording.tiers["phoneme"]
        for begin in range(0, x.shape[1] - frame_steps + 1, stride):
            cone = x[None, :, begin + offset : begin + offset + reach].clone().requires_grad_()
            scores = double(cone)[0, :, 0]
            symbol = double.symbols[int(scores.argmax())]
            if symbol == "_":
                continue
            (gradient,) = torch.autograd.grad(scores.max(), cone)
            smoothed = F.avg_pool2d(F.pad(gradient[None], (0, 1, 0, 1)), 2, 1, divisor_override=4)[0]
            by_step = (smoothed * cone.detach()).abs()[0].amax(0)
            found = aligned and float(by_step.max()) > 0  # else the frame has no peak
            peak = begin + offset + (int(by_step.argmax()) if found else reach // 2)
            at = [label_at(tier, STEP * step) for step in range(x.shape[1])]
            near = [step for step in range(peak - window, peak + window + 1) if 0 <= step < len(at)]
            bearing = [abs(step - peak) for step in range(begin, begin + frame_steps) if at[step] == symbol]
            yield (
                recording.id, symbol, at[begin + frame_steps // 2], at[peak], symbol in [at[step] for step in near],
                bool(bearing), min(bearing) if bearing else -1,
            )  # fmt: skip


@pytest.mark.parametrize("context", ["recording", "frame"])
@pytest.mark.parametrize("frame_steps", [None, 30])
@pytest.mark.parametrize("aligned", [True, False])
def test_every_number_is_that_of_a_count_frame_by_frame(aligned: bool, frame_steps: int | None, context: str) -> None:
    model = random_wav2letter(STACKS["strides 2 and 1"], padding="valid")
    corpus = speech()
    reach = model.receptive_field
    steps = frame_steps or reach
    rows = list(
        frame_by_frame(
            model, corpus, frame_steps=steps, offset=(steps - reach) // 2 // 2 * 2, window=2, aligned=aligned
        )
    )
    aligner = Aligner() if aligned else Unaligned()
    found = evaluate_alignment(
        model, corpus, aligner, frame_steps=frame_steps, context=context, progress=False
    )  # fmt: skip
    assert found.attrs["n_frames"] == len(rows) > 20
    expected = {
        "centre": np.mean([row[2] == row[1] for row in rows]),
        "aligned": np.mean([row[3] == row[1] for row in rows]),
        "window": np.mean([row[4] for row in rows]),
        "ceiling": np.mean([row[5] for row in rows]),
    }
    for criterion, share in expected.items():
        assert float(found["accuracy"].sel(criterion=criterion)) == pytest.approx(share, abs=1e-12)
    present = [row[6] for row in rows if row[6] >= 0]
    assert float(found["mean_offset"]) == pytest.approx(np.mean(present))
    assert float(found["mean_offset_ms"]) == pytest.approx(np.mean(present) * STEP * 1e3)
    for symbol in "abc":
        of_symbol = [row for row in rows if row[1] == symbol]
        if not of_symbol:
            assert symbol not in found["symbol"].values
            continue
        one = found.sel(symbol=symbol)
        assert int(one["count"]) == len(of_symbol)
        for offset in (-1, 0, 1, 5):
            assert int(one["offsets"].sel(offset=offset)) == sum(row[6] == offset for row in of_symbol)
        for moment, column in (("before", 2), ("after", 3)):
            for label in ("a", "b", "c", ""):
                number = sum((row[column] or "") == label for row in of_symbol)
                assert int(one["table"].sel(moment=moment, annotated=label)) == number
        share = np.mean([row[3] == row[1] for row in of_symbol])
        assert float(one["accuracy_by_symbol"].sel(criterion="aligned")) == pytest.approx(share)
    for name in ("r0", "r1", "r2"):
        assert int(found["frames"].sel(recording=name)) == sum(row[0] == name for row in rows)
    assert found["table"].sum() == 2 * len(rows)


def test_several_aligners_in_one_pass_are_what_each_is_alone() -> None:
    model, corpus = random_wav2letter(STACKS["strides 2 and 1"]), speech()
    aligners = {"one": Aligner(), "two": Aligner(peak="min"), "three": Aligner(snaps.LRP("epsilon"))}
    together = compare_aligners(model, corpus, aligners, progress=False)
    for name, aligner in aligners.items():
        alone = evaluate_alignment(model, corpus, aligner, progress=False)
        xr.testing.assert_equal(together.sel(aligner=name).drop_vars("aligner"), alone)


def test_letters_against_phonemes_have_tables_alone() -> None:
    model, corpus = random_wav2letter(STACKS["odd kernels"]), speech(labels=("sh", "iy"))
    found = evaluate_alignment(model, corpus, matched=False, progress=False)
    assert "accuracy" not in found
    assert set(found["annotated"].values) == {"sh", "iy", ""}
    with pytest.raises(InputError, match=r"the tier 'phoneme' has 'iy', 'sh'.*symbols are 'a', 'b', 'c'"):
        evaluate_alignment(model, corpus, progress=False)


def test_bootstrap_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    held = []
    for seed in range(200):
        frames = generator.integers(5, 40, size=30)
        hits = generator.binomial(frames, 0.6)
        low, high = bootstrap_interval(hits[:, None], frames, n_resamples=400, seed=seed)
        held.append(low[0] <= 0.6 <= high[0])
    assert 0.88 <= np.mean(held) <= 0.99
    assert np.isnan(bootstrap_interval(np.array([[3]]), np.array([5]), n_resamples=9, seed=0)[0]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": -1}, "window is -1"),
        ({"tier": "words"}, "'words'"),
        ({"aligner": Sensitivity()}, r"Sensitivity\(\); accepted are Aligner"),
        ({"on_error": "pass"}, "on_error is 'pass'"),
    ],
)
def test_senseless_options(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_alignment(random_wav2letter(STACKS["odd kernels"]), speech(), progress=False, **options)


def test_short_and_broken_recordings_are_counted() -> None:
    model, corpus = random_wav2letter(STACKS["odd kernels"]), speech(lengths=(70, 4))
    corpus[0].features[:, 30] = np.nan
    found = evaluate_alignment(model, corpus, progress=False)
    drops = snaps.schema.Provenance.of(found).left_out
    assert drops["short"] == {"phoneme": 1}
    assert drops["non-finite"]["phoneme"] > 0
