"""Names, links and folders that a tree may have: nothing is lost by them, and nothing waits or loops."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from snaps.errors import InputError, legible
from tests.hostile.place_damages import HIDDEN, NAMES
from tests.hostile.test_catalogue import assert_truth
from tests.hostile.trees import LOADERS, Planned, Tree

LAYOUTS = [*LOADERS]


@pytest.fixture(params=LAYOUTS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """A tree with one sound recording."""
    made = Tree(request.param, tmp_path / "tree")
    made.add(Planned())
    return made


def test_names_of_every_kind_are_read(tree: Tree) -> None:
    for number, name in enumerate(NAMES):
        tree.add(Planned(), name=name)
        tree.add(Planned(), name=f"sx{number}", speaker=name)
    assert len(tree.read) == 1 + 2 * len(NAMES)
    assert_truth(tree)


@pytest.mark.parametrize("name", NAMES[:12])
def test_names_of_every_kind_are_told_in_one_line(tree: Tree, name: str) -> None:
    for file in tree.add(Planned(), name=name).paths.values():
        file.write_bytes(b"")
    corpus = tree.load()
    with pytest.raises(InputError, match="holds no intervals|is no TextGrid") as caught:
        list(corpus)
    assert str(caught.value).isprintable() and legible(name) in str(caught.value)


def test_a_root_of_any_name(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        for number, name in enumerate(NAMES):
            tree = Tree(layout, tmp_path / layout / f"{number}" / name)
            tree.add(Planned())
            assert_truth(tree)
            assert tree.load().name.isprintable()


def test_names_that_are_no_text(tree: Tree) -> None:
    """A file whose name is not in UTF-8 cannot be opened by libsndfile; it is told, and the others are read."""
    name = "caf\udce9"
    files = tree.add(Planned(), name=name)
    del tree.read[files.id]
    tree.refused[files.id] = ("its name is not in UTF-8", str(files.paths["audio"]))
    assert_truth(tree)
    assert all(recording.encode() for recording in tree.load().ids)


def test_hidden_names_are_no_recordings(tree: Tree) -> None:
    before = tree.load().ids
    for name in HIDDEN:
        tree.add(Planned(), name=name)
    tree.add(Planned(), speaker=".Trashes")
    assert tree.load().ids == before


@pytest.mark.parametrize("where", ["", "TRAIN", "TRAIN/DR1/f0", "f0"])
def test_loops_of_links_end(tree: Tree, where: str) -> None:
    folder = tree.root / where
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "up").symlink_to(tree.root)
    (folder / "self").symlink_to(folder)
    (folder / "out").symlink_to(tree.root.parent)
    (folder / "nowhere").symlink_to(folder / "gone")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "ping").symlink_to(folder / "pong")
    (folder / "pong").symlink_to(folder / "ping")
    os.mkfifo(folder / "pipe")
    assert_truth(tree)


def test_a_linked_folder_is_read_once(tree: Tree, tmp_path: Path) -> None:
    (speaker,) = {files.folder for files in tree.files.values()}
    away = tmp_path / "away"
    speaker.rename(away)
    speaker.symlink_to(away)
    assert_truth(tree)


def test_a_folder_with_the_name_of_a_file(tmp_path: Path) -> None:
    """It is a folder like others; in TIMIT's layout the recording is without audio, and told."""
    tree = Tree("timit", tmp_path / "timit")
    tree.add(Planned())
    audio = tree.add(Planned(), name="sa1").paths["audio"]
    audio.unlink()
    audio.mkdir()
    del tree.read["train/dr1/f1/sa1"]
    tree.refused["train/dr1/f1/sa1"] = ("has annotations but no audio file", "train/dr1/f1/sa1")
    assert_truth(tree)
    tree = Tree("textgrids", tmp_path / "grids")
    tree.add(Planned(), speaker="speaker.wav")
    tree.add(Planned(), speaker="speaker.TextGrid")
    assert_truth(tree)


def test_names_that_differ_by_case_are_both_told(tmp_path: Path) -> None:
    tree = Tree("timit", tmp_path / "timit")
    tree.add(Planned())
    tree.add(Planned(), name="sa1", speaker="f9")
    other = tree.add(Planned(), name="SA1", speaker="f9")
    del tree.read[other.id]
    tree.refused[other.id] = ("differ by the case of their names alone", str(other.paths["phn"]))
    assert_truth(tree)
    for speakers in (("FAAA0", "faaa0"), ("mBBB0", "Mbbb0")):
        tree = Tree("timit", tmp_path / speakers[0])
        for speaker in speakers:
            tree.add(Planned(), name="sx1", speaker=speaker)
        with pytest.raises(InputError, match="two recordings have the same identifier") as caught:
            tree.load()
        assert all(speaker in str(caught.value) for speaker in speakers)


def test_names_that_differ_by_case_are_two_in_textgrids(tmp_path: Path) -> None:
    tree = Tree("textgrids", tmp_path / "grids")
    for name in ("a", "A", "b"):
        tree.add(Planned(), name=name, speaker="f0")
    assert_truth(tree)


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, lambda path: path.symlink_to(path), Path.mkdir])
def test_roots_that_hold_nothing(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "root\n1")
    for load in LOADERS.values():
        with pytest.raises(InputError) as caught:
            load(tmp_path / "root\n1")
        assert str(caught.value).isprintable() and r"root\n1" in str(caught.value)
