"""Generated trees: whatever is broken, a run counts every recording, and tells what is wrong in one line."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import snaps
from snaps.datasets import DropLog
from snaps.errors import RecordingError, legible
from snaps.models import Wav2Letter
from tests.hostile.place_damages import NAMES
from tests.hostile.speech import Utterance
from tests.hostile.test_fifths import assert_drops, assert_profiles, profiles_of
from tests.hostile.trees import CATALOGUE, LOADERS, Planned, Tree, write_tree

BY_LAYOUT = {
    layout: {
        container: [damage for damage in CATALOGUE if damage.fits(layout, container)]
        for container in ("sphere", "riff", "flac")
    }
    for layout in LOADERS
}
SHORT = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
LONG = settings(SHORT, max_examples=2500)


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hostile"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def spans(samples: int) -> st.SearchStrategy[tuple[tuple[int, int, str], ...]]:
    """Intervals that are all accepted: they may overlap, be empty, and reach out of the audio on both sides."""
    times = st.tuples(st.integers(-2000, samples), st.integers(0, 2 * samples), st.sampled_from(["sh", "iy", "h#"]))
    accepted = times.map(lambda span: (span[0], max(span[:2]), span[2])).filter(lambda span: span[1] >= 0)
    return st.lists(accepted, min_size=1, max_size=6).map(tuple)


@st.composite
def utterances(draw: st.DrawFn) -> Utterance:
    samples = draw(st.sampled_from([1, 127, 1023, 1024, 3000]) | st.integers(1, 9000))
    return Utterance(
        samples=samples, channels=draw(st.sampled_from([1, 1, 2, 5])), seed=draw(st.integers(0, 9)),
        phonemes=draw(spans(samples)), words=draw(spans(samples)),
    )  # fmt: skip


@st.composite
def plans(draw: st.DrawFn, layout: str) -> Planned:
    container = draw(st.sampled_from(["sphere", "riff", "flac"]))
    damage = draw(st.none() | st.sampled_from(BY_LAYOUT[layout][container]))
    # Damages are made for the utterance that they know.
    return Planned(draw(utterances()) if damage is None else Utterance(), container, damage)


@st.composite
def trees(draw: st.DrawFn) -> tuple[str, list[tuple[Planned, str]]]:
    layout = draw(st.sampled_from([*LOADERS]))
    made = draw(st.lists(plans(layout), max_size=5))
    names = draw(st.lists(st.sampled_from(NAMES) | st.just(""), min_size=len(made), max_size=len(made)))
    # One that can be read: a corpus without any is refused as a whole.
    return layout, [(Planned(), ""), *zip(made, names, strict=True)]


def write_named(root: Path, layout: str, planned: list[tuple[Planned, str]]) -> Tree:
    tree = Tree(layout, root)
    for number, (one, name) in enumerate(planned):
        tree.add(one, name=f"{number}{name}" if name else "")
    return tree


def check_tree(layout: str, planned: list[tuple[Planned, str]], network: Wav2Letter) -> None:
    with folder() as root:
        tree = write_named(root / "tree", layout, planned)
        corpus = tree.load()
        assert sorted(corpus.ids) == sorted(tree.files)
        found = profiles_of(network, corpus, on_error="skip")
        assert_drops(tree, DropLog.from_dict(json.loads(found.attrs["drop_log"])))
        assert_profiles(tree, found)
        if tree.refused:
            with pytest.raises(RecordingError) as caught:
                snaps.frame_table(network, corpus, progress=False)
            tree.assert_reason(caught.value.recording, caught.value.reason)
        good = corpus.select(index for index, name in enumerate(corpus.ids) if name in tree.read)
        table = snaps.frame_table(network, good, progress=False)
        assert table["recording"].value_counts().to_dict() == {name: n for name, n in tree.frames.items() if n}


@SHORT
@given(trees())
def test_trees_from_the_catalogue(network: Wav2Letter, made: tuple[str, list[tuple[Planned, str]]]) -> None:
    check_tree(*made, network)


@pytest.mark.campaign
@LONG
@given(trees())
def test_many_trees_from_the_catalogue(network: Wav2Letter, made: tuple[str, list[tuple[Planned, str]]]) -> None:
    check_tree(*made, network)


#: Bytes that headers and annotations are likely to stumble over.
SPICE = st.sampled_from(
    [
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b'"',
        b'""',
        b"\n",
        b"\r",
        b"-1",
        b"nan",
        b"1e999",
        b"9" * 30,
        b"\x80",
        b"<exists>",
    ]
) | st.binary(max_size=12)


@st.composite
def splices(draw: st.DrawFn) -> tuple[str, str, str, list[tuple[float, int, bytes]]]:
    """A file of a recording, and what is put where into it, in the place of how many bytes."""
    layout = draw(st.sampled_from([*LOADERS]))
    kind = draw(st.sampled_from({"timit": ["phn", "wrd", "txt", "audio"], "textgrids": ["grid", "audio"]}[layout]))
    container = draw(st.sampled_from(["sphere", "riff", "flac"]))
    cuts = st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 2, 9, 10**6]), SPICE)
    return layout, kind, container, draw(st.lists(cuts, min_size=1, max_size=3))


def check_splice(made: tuple[str, str, str, list[tuple[float, int, bytes]]], network: Wav2Letter) -> None:
    """Frames depend on the audio alone: where that is whole, there are as many, or the recording is dropped."""
    layout, kind, container, cuts = made
    with folder() as root:
        tree = write_tree(root / "tree", layout, [Planned(), Planned(container=container)])
        name, files = [*tree.files.items()][1]
        path = files.paths[kind]
        whole = path.read_bytes()
        for part, length, spice in cuts:
            # Of audio, what is behind the header; headers are the catalogue's.
            first = 1024 if kind == "audio" and container == "sphere" else 44 if kind == "audio" else 0
            at = first + int(part * (len(whole) - first))
            whole = whole[:at] + spice + whole[at + length :]
        path.write_bytes(whole)
        found = profiles_of(network, tree.load(), on_error="skip")
        log = json.loads(found.attrs["drop_log"])
        assert all(set(skipped) == {"recording", "reason"} for skipped in log["skipped"])
        if log["skipped"]:
            (skipped,) = log["skipped"]
            assert skipped["recording"] == name and skipped["reason"].isprintable()
            assert legible(str(path)) in skipped["reason"] or legible(str(files.paths["audio"])) in skipped["reason"]
            del tree.read[name]
        elif kind != "audio":
            recording = tree.load()[list(tree.load().ids).index(name)]
            intervals = [interval for tier in recording.tiers.values() for interval in tier]
            assert all(interval.end <= 0.5 for interval in intervals)
        assert found.attrs["n_frames"] == sum(tree.frames.values())
        assert found.attrs["n_recordings"] == len(tree.read)


@SHORT
@given(splices())
def test_bytes_put_anywhere(network: Wav2Letter, made: tuple[str, str, str, list[tuple[float, int, bytes]]]) -> None:
    check_splice(made, network)


@pytest.mark.campaign
@LONG
@given(splices())
def test_many_bytes_put_anywhere(
    network: Wav2Letter, made: tuple[str, str, str, list[tuple[float, int, bytes]]]
) -> None:
    check_splice(made, network)


@settings(SHORT, max_examples=60)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), st.sampled_from([*LOADERS]))
def test_any_bytes_for_any_annotation(content: bytes, layout: str) -> None:
    with folder() as root:
        tree = write_tree(root / "tree", layout, [Planned(), Planned()])
        files = [*tree.files.values()][1]
        for kind in files.paths.keys() - {"audio"}:
            files.paths[kind].write_bytes(content)
        corpus = tree.load()
        with pytest.raises(RecordingError) as caught:
            corpus.annotation(1)
        assert caught.value.reason.isprintable() and str(files.folder) in caught.value.reason


def test_trees_draw_from_the_whole_catalogue() -> None:
    drawn = {damage for by_container in BY_LAYOUT.values() for damages in by_container.values() for damage in damages}
    assert drawn == set(CATALOGUE)
