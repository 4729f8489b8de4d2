"""What every corpus promises, whatever it is read from."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snaps.datasets import (
    LOADERS,
    Corpus,
    FileCorpus,
    Interval,
    Recording,
    corpus_fingerprint,
    corpus_name,
    iterate_annotations,
    load_corpus,
    load_textgrids,
    load_timit,
)
from snaps.errors import InputError, RecordingError


@pytest.fixture(params=[*LOADERS])
def loader(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def root(loader: str, timit_tree, grid_tree) -> Path:
    """Three recordings in the layout of each loader; a new loader adds its own here."""
    if loader == "timit":
        for name in ("TRAIN/DR1/FAAA0/SX1", "TRAIN/DR1/FAAA0/SX10", "TEST/DR2/MBBB0/SI2"):
            timit_tree.add(name)
        return timit_tree.root
    assert loader == "textgrids"
    for name in ("s1/a", "s1/b", "s2/a"):
        grid_tree.audio(f"{name}.wav")
        grid_tree.grid(f"{name}.TextGrid")
    return grid_tree.root


@pytest.fixture
def corpus(loader: str, root: Path) -> FileCorpus:
    return load_corpus(f"{loader}:{root}")


def test_fulfils_the_protocol(corpus: FileCorpus) -> None:
    assert isinstance(corpus, Corpus)
    assert len(corpus) == 3 and corpus.name and corpus_name(corpus) == corpus.name
    assert corpus.settings["features"] == "mel spectrogram"
    assert "recordings=3" in repr(corpus)


def test_indexing(corpus: FileCorpus) -> None:
    recordings = list(corpus)
    assert tuple(recording.id for recording in recordings) == corpus.ids
    assert list(corpus.ids) == sorted(set(corpus.ids))
    for index, recording in enumerate(recordings):
        again = corpus[np.int64(index)]
        np.testing.assert_array_equal(again.features, recording.features)
        assert again.tiers == recording.tiers and again.attributes == recording.attributes
        assert recording.frequency is not None and recording.step == 0.008
        assert all(isinstance(i, Interval) for tier in recording.tiers.values() for i in tier)
    assert corpus[-1].id == corpus.ids[-1]
    with pytest.raises(IndexError):
        corpus[3]
    with pytest.raises(TypeError):
        corpus["a"]  # type: ignore[call-overload]


def test_annotation_is_the_recording_without_sound(corpus: FileCorpus) -> None:
    for index, recording in enumerate(corpus):
        silent = corpus.annotation(index)
        assert silent.features.shape == (128, 0)
        assert (silent.id, silent.tiers, silent.attributes) == (
            recording.id,
            recording.tiers,
            recording.attributes,
        )
    iterator = iterate_annotations(corpus)
    assert iterator is not None and [recording.id for recording in iterator] == list(corpus.ids)


def test_parts(corpus: FileCorpus) -> None:
    assert corpus[1:].ids == corpus.ids[1:] and isinstance(corpus[1:], FileCorpus)
    assert corpus.select([2, 0]).ids == (corpus.ids[2], corpus.ids[0])
    assert corpus[:].fingerprint == corpus.fingerprint
    prints = {part.fingerprint for part in (corpus, corpus[1:], corpus[:2], corpus.select([2, 1, 0]))}
    assert len(prints) == 4


def test_fingerprint_is_that_of_the_content(loader: str, root: Path, corpus: FileCorpus, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy" / root.name, copy_function=shutil.copyfile)
    copy = tmp_path / "copy" / root.name
    assert load_corpus(f"{loader}:{copy}").fingerprint == corpus.fingerprint
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        before = path.read_bytes()
        path.write_bytes(before[:-3] + b"7\n ")
        assert load_corpus(f"{loader}:{copy}").fingerprint != corpus.fingerprint, path
        path.write_bytes(before)
    assert load_corpus(f"{loader}:{copy}").fingerprint == corpus.fingerprint
    path.unlink()
    assert load_corpus(f"{loader}:{copy}").fingerprint != corpus.fingerprint


def test_fingerprint_holds_the_options(timit_tree, grid_tree) -> None:
    timit_tree.add()
    assert load_timit(timit_tree.root).fingerprint != load_timit(timit_tree.root, phones=39).fingerprint
    grid_tree.audio()
    grid_tree.grid()
    options = [{}, {"tiers": {"phones": "p", "words": "word"}}, {"relabel": {"SH": "sh"}}]
    assert len({load_textgrids(grid_tree.root, **o).fingerprint for o in options}) == 3


def test_one_bad_recording_leaves_the_others(loader: str, root: Path, corpus: FileCorpus) -> None:
    bad = next(entry for entry in corpus.entries if entry.id == corpus.ids[1])
    for path in bad.annotations.values():
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordingError) as caught:
        corpus[1]
    assert caught.value.recording == corpus.ids[1]
    with pytest.raises(RecordingError):
        corpus.annotation(1)
    with pytest.raises(RecordingError):
        list(iterate_annotations(corpus) or ())
    left = iterate_annotations(corpus, on_error="skip") or ()
    assert [recording.id for recording in left] == [corpus.ids[0], corpus.ids[2]]
    assert [corpus[0].id, corpus[2].id] == [corpus.ids[0], corpus.ids[2]]


def test_same_identifier_twice(corpus: FileCorpus) -> None:
    with pytest.raises(InputError, match=f"two recordings have the same identifier '{corpus.ids[0]}'"):
        corpus.select([0, 1, 0])


@pytest.mark.parametrize("source", ["timit", "timit:", ":x", "nist:x", ""])
def test_refuses_sources(source: str) -> None:
    with pytest.raises(InputError, match="accepted is NAME:PATH, where NAME is one of 'timit', 'textgrids'"):
        load_corpus(source)


def test_options_by_name(timit_tree, grid_tree) -> None:
    timit_tree.add()
    timit_tree.add("TEST/DR1/FAAA0/SX1")
    assert len(load_corpus(f"timit:{timit_tree.root}", split="train", phones=None)) == 1
    with pytest.raises(InputError, match="'textgrids' has no option 'split'; its options are 'annotations'"):
        load_corpus(f"textgrids:{grid_tree.root}", split="train")


def test_plain_list_has_a_fingerprint() -> None:
    def make(**changes: object) -> list[Recording]:
        given = {"id": "a", "features": np.zeros((2, 3)), "attributes": {"sex": "f"}, **changes}
        return [Recording(**given)]  # type: ignore[arg-type]

    changes: list[Callable[[], list[Recording]]] = [
        lambda: make(),
        lambda: make(id="b"),
        lambda: make(features=np.ones((2, 3))),
        lambda: make(attributes={"sex": "m"}),
        lambda: make(tiers={"phoneme": [Interval(0, 1, "a")]}),
        lambda: make(step=0.01),
    ]
    assert len({corpus_fingerprint(change()) for change in changes}) == len(changes)
    assert corpus_fingerprint(make()) == corpus_fingerprint(make())
