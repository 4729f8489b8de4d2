"""Best path, transcription, error rates."""

import numpy as np
import pytest
import torch

from snaps.datasets import Interval, Recording
from snaps.errors import InputError, RecordingError
from snaps.models import Wav2Letter
from snaps.training import best_path, error_rate, evaluate, transcribe


class Parrot(Wav2Letter):
    """Says symbol k wherever input unit k is the loudest."""

    def __init__(self, symbols):
        super().__init__(symbols, layers=[(len(symbols), 1, 1)], n_inputs=len(symbols))
        with torch.no_grad():
            self.conv1.weight.copy_(torch.eye(len(symbols))[..., None])
            self.conv1.bias.zero_()


def said(path: list[int], n_symbols: int, labels: str, name: str = "a") -> Recording:
    tier = [Interval(place / 10, (place + 1) / 10, label) for place, label in enumerate(labels)]
    return Recording(name, np.eye(n_symbols)[path].T, tiers={"phoneme": tier}, attributes={"text": labels})


def edits(one: str, other: str) -> int:
    """Levenshtein distance, straight from its definition."""
    if not one or not other:
        return len(one) + len(other)
    return min(edits(one[1:], other) + 1, edits(one, other[1:]) + 1, edits(one[1:], other[1:]) + (one[0] != other[0]))


@pytest.mark.parametrize(
    ("path", "blank", "expected"),
    [
        ([0, 0, 1, 1, 0, 1, 2, 2, 0], 0, (1, 1, 2)),
        ([2, 2, 2], 2, ()),
        ([1], 0, (1,)),
        ([0, 1, 2, 1], 2, (0, 1, 1)),
    ],
)
def test_best_path_joins_repetitions_and_drops_blanks(path, blank, expected):
    logits = torch.nn.functional.one_hot(torch.tensor(path), 3).T.float()
    assert best_path(logits, blank) == expected


def test_transcription_leaves_the_network_as_it_was():
    model = Parrot("_ab").train()
    model.norm1.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    recording = said([0, 1, 1, 0, 2], 3, "ab")
    assert transcribe(model, recording) == ("a", "b")
    assert transcribe(model, recording.features) == ("a", "b")
    assert model.training
    assert not model.norm1.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_what_cannot_be_transcribed():
    with pytest.raises(InputError, match=r"\(2, 5\); accepted is \(3, steps\)"):
        transcribe(Parrot("_ab"), np.zeros((2, 5)))
    model = Wav2Letter("ab", layers=[(2, 1, 1)], n_inputs=2, blank=None)
    with pytest.raises(InputError, match="no blank"):
        transcribe(model, np.zeros((2, 5)))
    short = Wav2Letter("_a", layers=[(2, 4, 1)], n_inputs=2, padding="valid")
    assert transcribe(short, np.zeros((2, 3))) == ()


def test_error_rate_is_edits_over_symbols():
    model = Parrot("_abc")
    random = np.random.default_rng(0)
    corpus, wrong, n = [], 0, 0
    for number in range(12):
        labels = "".join(random.choice(list("abc"), random.integers(1, 6)))
        path = random.integers(0, 4, 8).tolist()
        predicted = "".join(model.symbols[place] for place in best_path(torch.eye(4)[path].T, 0))
        corpus.append(said(path, 4, labels, str(number)))
        wrong, n = wrong + edits(predicted, labels), n + len(labels)
    result = evaluate(model, corpus, progress=False)
    assert result.error_rate == pytest.approx(wrong / n)
    assert error_rate(model, corpus) == pytest.approx(wrong / n)
    assert result.transcripts["recording"].tolist() == [str(number) for number in range(12)]
    assert (result.transcripts["reference"] == [" ".join(one.attributes["text"]) for one in corpus]).all()


def test_letters_are_joined_to_text_and_spaces_count():
    model = Parrot(["_", " ", "a", "b"])
    corpus = [said([2, 1, 3], 4, "a b"), said([2, 3], 4, "a b")]
    result = evaluate(model, corpus, labels="letter", progress=False)
    assert result.transcripts["predicted"].tolist() == ["a b", "ab"]
    assert result.error_rate == pytest.approx(1 / 6)


def test_fold_is_applied_to_both_sides_and_drops_empty_labels():
    model = Parrot("_abq")
    corpus = [said([1, 2, 3], 4, "bbq")]
    assert error_rate(model, corpus) == pytest.approx(1 / 3)
    assert error_rate(model, corpus, fold={"a": "b", "q": ""}) == 0
    only_q = evaluate(model, [*corpus, said([3], 4, "q", "only q")], fold={"q": ""}, progress=False)
    assert only_q.left_out["recording"].tolist() == ["only q"]


def test_what_is_left_out_of_an_evaluation():
    model = Parrot("_ab")
    corpus = [said([1, 2], 3, "ab"), said([1], 3, "x", "bad"), said([1], 3, "", "silent")]
    with pytest.raises(RecordingError, match="'x'"):
        evaluate(model, corpus, progress=False)
    result = evaluate(model, corpus, on_error="skip", progress=False)
    assert result.error_rate == 0
    assert result.left_out[["recording", "cause"]].values.tolist() == [
        ["bad", "error"],
        ["silent", "unlabelled"],
    ]
    with pytest.raises(InputError, match="none of the 1 recordings"):
        evaluate(model, corpus[2:], progress=False)


def test_recordings_too_short_for_their_symbols_count_as_errors():
    assert error_rate(Parrot("_ab"), [said([1], 3, "ab")]) == pytest.approx(0.5)
