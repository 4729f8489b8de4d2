"""Every damage of the catalogue, one tree each: refused with its reason, or read with the same frames."""

from pathlib import Path

import pytest

from snaps.errors import RecordingError
from tests.hostile.damages import Damage
from tests.hostile.speech import STEP, Utterance
from tests.hostile.trees import CATALOGUE, Planned, Tree, containers, write_tree

CASES = [
    (damage, layout, container)
    for damage in CATALOGUE
    for layout in ("timit", "textgrids")
    for container in containers(damage, layout)[:1]
    # Audio is read by the same function in both layouts.
    if damage.kind != "audio" or len(damage.name) % 2 == (layout == "timit")
]


def named(value: object) -> str:
    return value.name.encode("unicode_escape").decode()[:60] if isinstance(value, Damage) else str(value)


def test_the_catalogue_is_whole() -> None:
    assert len(CATALOGUE) > 500
    for layout in ("timit", "textgrids"):
        refused = [damage for damage, own, _ in CASES if own == layout and damage.refused]
        assert len(refused) > 100
    assert {damage.part for damage in CATALOGUE} == {
        *("audio", "sphere", "riff", "flac", "phn", "wrd", "txt", "grid", "labels"),
    }


@pytest.mark.parametrize(("damage", "layout", "container"), CASES[::3], ids=named)
def test_every_third_damage(tmp_path: Path, damage: Damage, layout: str, container: str) -> None:
    check_damage(tmp_path, damage, layout, container)


@pytest.mark.campaign
@pytest.mark.parametrize(("damage", "layout", "container"), [case for n, case in enumerate(CASES) if n % 3], ids=named)
def test_every_other_damage(tmp_path: Path, damage: Damage, layout: str, container: str) -> None:
    check_damage(tmp_path, damage, layout, container)


def check_damage(tmp_path: Path, damage: Damage, layout: str, container: str) -> None:
    planned = [Planned(container=container, damage=damage)]
    # Without any TextGrid, the corpus would be refused as a whole.
    tree = write_tree(tmp_path / "tree", layout, [*planned, *[Planned()] * (damage.name == "TextGrid missing")])
    assert_truth(tree)


def assert_truth(tree: Tree) -> None:
    """Read every recording, and hold it against what was written."""
    corpus = tree.load()
    assert sorted(corpus.ids) == sorted(tree.files)
    assert len(corpus.fingerprint) == 64
    for index, recording_id in enumerate(corpus.ids):
        if recording_id in tree.refused:
            with pytest.raises(RecordingError) as caught:
                corpus[index]
            assert caught.value.recording == recording_id
            tree.assert_reason(recording_id, caught.value.reason)
        else:
            utterance: Utterance = tree.read[recording_id]
            recording = corpus[index]
            assert recording.features.shape == (128, 1 + -(-utterance.samples * 16000 // utterance.rate) // STEP)
            assert recording.clipped == utterance.clipped
            for name, tier in utterance.tiers.items():
                expected = [(start / 16000, min(end / 16000, utterance.seconds), label) for start, end, label in tier]
                assert recording.tiers[name] == expected
