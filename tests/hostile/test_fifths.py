"""A corpus in which every fifth file is broken in another way: its drop log, and its frames, are the truth's."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

import snaps
from snaps.datasets import DropLog
from snaps.errors import InputError, RecordingError
from snaps.models import Wav2Letter
from tests.hostile.damages import Damage
from tests.hostile.trees import CATALOGUE, LOADERS, Planned, Tree, containers, write_tree

#: One kind of damage each; most of those that there are.
WAYS: dict[str, tuple[str, ...]] = {
    "timit": (
        *("half the samples", "audio text", "sample_count nought", "sample_rate nought", "audio empty"),
        *("phn missing", "wrd empty", "phn end 'nan'", "phn label xx", "wrd UTF-16 of odd bytes", "txt missing"),
        *("a pipe for phn", "a link to itself for wrd", "a device for audio", "a folder for txt", "phn of NULs"),
        *("phonemes behind the audio", "words that go backwards", "samples not finite", "half the RIFF samples"),
        *("FLAC more samples", "a bit of FLAC at 40%", "a terabyte of nothing for wrd", "phn start '999999999999'"),
    ),
    "textgrids": (
        *("half the samples", "audio noise", "channel_count negative", "header size 512", "no samples"),
        *("TextGrid missing", "grid empty", "50% of a grid", "a grid twice", "grid with a NUL", "no tiers"),
        *("long form, words size 'NaN'", "long form, phones size '1000000000000'", "short form, phones 7 end 'NaN'"),
        *("long form, phones 7 text '\"h#'", "grid in UTF-16 of odd bytes", "a pipe for grid", "a device for grid"),
        *("words behind the audio", "phonemes that go backwards", "a byte less of RIFF", "RIFF rate 1"),
        *("FLAC magic", "a link to nothing for audio", "grid quotes alone"),
    ),
}
#: What is odd and is read all the same, among the sound ones.
ODD = ("intervals out of order", "intervals two after the audio's end", "a sample", "rate 44100", "64 channels")


def named(name: str, layout: str) -> Damage:
    fitting = {damage.name: damage for damage in CATALOGUE if containers(damage, layout)}
    return fitting[name]


def planned(layout: str) -> list[Planned]:
    """Four recordings that can be read, then one that cannot, and so on."""
    made = []
    for number, way in enumerate(WAYS[layout]):
        odd = [named(ODD[(number + place) % len(ODD)], layout) if place == 2 else None for place in range(4)]
        for place, damage in enumerate((*odd, named(way, layout))):
            own = ("sphere", "riff", "flac")[(number + place) % 3]
            fitting = containers(damage, layout) if damage else [own]
            made.append(Planned(container=own if own in fitting else fitting[0], damage=damage))
    return made


@pytest.fixture(scope="module", params=[*LOADERS])
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return write_tree(tmp_path_factory.mktemp("fifths") / "tree", request.param, planned(request.param))


@pytest.fixture(scope="module")
def sound(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The same tree as if nobody had written the broken recordings."""
    made = Tree(tree.layout, tmp_path_factory.mktemp("sound") / "tree")
    for number, one in enumerate(planned(tree.layout)):
        if not (one.damage and one.damage.refused):
            made.add(one, name=f"sx{number}", speaker=f"f{number % 3}")
    return made


def test_every_fifth_is_broken(tree: Tree) -> None:
    assert len(tree.refused) == len(WAYS[tree.layout]) >= 20
    assert len(tree.files) == 5 * len(tree.refused)
    assert len({pattern for pattern, _ in tree.refused.values()}) >= 12


def profiles_of(network: Wav2Letter, corpus: object, **options: object):
    options = {"groupings": ["phoneme", "word"], "layers": ["conv1"], "ignore": (), "progress": False, **options}
    return snaps.compute_profiles(network, corpus, **options)


def assert_drops(tree: Tree, drops: DropLog) -> None:
    """The drop log has every recording that cannot be read, and no other."""
    assert drops.skipped.keys() == tree.refused.keys()
    for recording, reason in drops.skipped.items():
        tree.assert_reason(recording, reason)
    assert drops.clipped == tree.clipped
    for tier in ("phoneme", "word"):
        assert drops.counts["unlabelled"].get(tier, 0) == tree.labels(tier)[None]
        assert drops.counts["short"].get(tier, 0) == tree.short
        assert drops.counts.get("non-finite", {}).get(tier, 0) == 0


def assert_profiles(tree: Tree, profiles) -> None:
    for tier in ("phoneme", "word"):
        dataset = profiles[f"{tier}/conv1"]
        counts = dict(zip(dataset["group"].values.tolist(), dataset["count"].values.tolist(), strict=True))
        assert counts == {label: n for label, n in tree.labels(tier).items() if label is not None}
    assert profiles.attrs["n_frames"] == sum(tree.frames.values())
    assert profiles.attrs["n_recordings"] == len(tree.read)


def test_profiles_and_drop_log_are_the_truth(tree: Tree, sound: Tree, network: Wav2Letter) -> None:
    found = profiles_of(network, tree.load(), on_error="skip")
    assert_drops(tree, DropLog.from_dict(json.loads(found.attrs["drop_log"])))
    assert_profiles(tree, found)
    expected = profiles_of(network, sound.load())
    for tier in ("phoneme", "word"):
        for name, variable in expected[f"{tier}/conv1"].variables.items():
            np.testing.assert_array_equal(found[f"{tier}/conv1"][name].values, variable.values)


def test_frames_are_those_without_the_broken_recordings(tree: Tree, sound: Tree, network: Wav2Letter) -> None:
    corpus = tree.load()
    good = [index for index, name in enumerate(corpus.ids) if name in tree.read]
    table = snaps.frame_table(network, corpus.select(good), progress=False)
    assert table["recording"].value_counts().to_dict() == {name: n for name, n in tree.frames.items() if n}
    for name, utterance in tree.read.items():
        own = table[table["recording"] == name]
        for tier in ("phoneme", "word"):
            assert own[tier].tolist() == utterance.labels(tier)
    same = snaps.frame_table(network, sound.load(), progress=False)
    assert table.drop(columns="text").equals(same.drop(columns="text"))


@pytest.mark.parametrize("refuse", [profiles_of, lambda network, corpus: snaps.frame_table(network, corpus)])
def test_raising_tells_the_first_one(tree: Tree, network: Wav2Letter, refuse) -> None:
    corpus = tree.load()
    first = next(name for name in corpus.ids if name in tree.refused)
    with pytest.raises(RecordingError) as caught:
        refuse(network, corpus)
    assert caught.value.recording == first
    tree.assert_reason(first, caught.value.reason)


def test_nothing_but_broken_recordings(tree: Tree, network: Wav2Letter) -> None:
    corpus = tree.load()
    broken = [index for index, name in enumerate(corpus.ids) if name in tree.refused]
    for part in (broken, broken[:1]):
        with pytest.raises(InputError) as caught:
            profiles_of(network, corpus.select(part), on_error="skip")
        assert str(caught.value).isprintable()


def test_damages_are_found_by_name() -> None:
    for layout, ways in WAYS.items():
        found: Sequence[Damage] = [named(way, layout) for way in ways]
        assert len(set(found)) == len(ways)
        assert all(damage.refused for damage in found)
        assert not any(named(name, layout).refused for name in ODD)
