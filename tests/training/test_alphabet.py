"""Symbol tables, and what a network is taught to write."""

import numpy as np
import pytest

from snaps.datasets import Interval, Recording
from snaps.errors import InputError, RecordingError
from snaps.training import LETTERS, phoneme_symbols, spell, symbols_for, targets


def recording(text: str | None = None, labels: str = "", name: str = "a") -> Recording:
    tier = [Interval(place / 10, (place + 1) / 10, label) for place, label in enumerate(labels.split(","))]
    attributes = {} if text is None else {"text": text}
    return Recording(name, np.zeros((8, 50)), tiers={"phoneme": tier} if labels else {}, attributes=attributes)


def test_letters_are_those_of_the_paper():
    assert len(LETTERS) == 29
    assert LETTERS[:4] == ("_", " ", "'", "a")
    assert LETTERS[-1] == "z"


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Don't ask me to carry an oily rag, like that.", "don't ask me to carry an oily rag like that"),
        ('  "Well-known": yes; no -- maybe?! ', "well known yes no maybe"),
        ("it’s “so”…", "it's so"),
        ("?!", ""),
    ],
)
def test_text_becomes_letters(text, letters):
    assert spell(text) == letters
    assert "".join(LETTERS[place] for place in targets(recording(text), "letter", LETTERS)) == letters


@pytest.mark.parametrize(("text", "character"), [("room 7", "7"), ("café", "é"), ("a & b", "&")])
def test_a_character_without_a_letter_is_named(text, character):
    with pytest.raises(RecordingError, match=f"recording 'a' has the character '{character}'"):
        targets(recording(text), "letter", LETTERS)


def test_the_blank_is_no_target():
    with pytest.raises(RecordingError, match="'_'"):
        targets(recording("a_b"), "letter", LETTERS)


def test_tier_gives_its_labels_in_file_order_without_empty_ones():
    symbols = ("_", "iy", "sh")
    assert targets(recording(labels="sh,,iy,iy"), "phoneme", symbols) == (2, 1, 1)


def test_unknown_label_missing_tier_and_missing_text_are_named():
    with pytest.raises(RecordingError, match=r"tier 'phoneme' of recording 'a' has the label 'zh'.* are 'iy'"):
        targets(recording(labels="iy,zh"), "phoneme", ("_", "iy"))
    with pytest.raises(RecordingError, match="no tier 'phone'; it has 'phoneme'"):
        targets(recording(labels="iy"), "phone", ("_", "iy"))
    with pytest.raises(RecordingError, match="no attribute 'text'"):
        targets(recording(), "letter", LETTERS)


def test_symbols_of_a_tier_are_sorted_behind_the_blank():
    corpus = [recording(labels="sh,,iy"), recording(labels="aa,sh")]
    assert phoneme_symbols(corpus) == ("_", "aa", "iy", "sh")
    assert symbols_for(corpus, "phoneme") == ("_", "aa", "iy", "sh")
    assert symbols_for(corpus, "letter") == LETTERS


def test_symbols_are_found_without_audio():
    class Annotated(list):
        def __getitem__(self, index):
            raise AssertionError("audio was read")

        def annotation(self, index):
            return list.__getitem__(self, index)

    assert phoneme_symbols(Annotated([recording(labels="b,a")])) == ("_", "a", "b")


def test_no_labels_and_a_label_like_the_blank_are_refused():
    with pytest.raises(InputError, match="no recording has labels in a tier 'word'; the tiers are 'phoneme'"):
        phoneme_symbols([recording(labels="a")], "word")
    with pytest.raises(InputError, match="stands for the blank"):
        phoneme_symbols([recording(labels="a,_")])


def test_a_bad_recording_is_passed_over_only_if_asked():
    class Broken(list):
        def annotation(self, index):
            if index == 0:
                raise RecordingError("broken", "recording 'broken' cannot be read")
            return self[index]

    corpus = Broken([recording(labels="x"), recording(labels="b")])
    with pytest.raises(RecordingError, match="broken"):
        phoneme_symbols(corpus)
    assert phoneme_symbols(corpus, on_error="skip") == ("_", "b")
    with pytest.raises(InputError, match="accepted are 'raise', 'skip'"):
        phoneme_symbols(corpus, on_error="ignore")
