"""Files and folders that are not what their names promise: they are told, and nothing waits for them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from snaps.datasets import load_textgrids, load_timit, read_audio
from snaps.datasets.paths import walk_files
from snaps.errors import InputError, MissingFileError, RecordingError

LOADERS = [load_timit, load_textgrids]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("root", "sentence"),
    [
        ("a" * 300, "cannot be opened: File name too long"),
        ("~nobody-of-this-name/corpus", "begins with the home folder of a user who is not known"),
        ("nowhere/below", "does not exist"),
        ("with\0nul", "does not exist"),
    ],
)
def test_roots_that_cannot_be(loader: Callable[..., object], root: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        loader(root)


@pytest.mark.parametrize("loader", LOADERS)
def test_root_that_is_a_link_to_itself(loader: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"loop' cannot be opened: .*[Ll]ink") as caught:
        loader(tmp_path / "loop")
    assert not isinstance(caught.value, MissingFileError)


@pytest.mark.parametrize("kind", ["PHN", "WRD", "TXT", "WAV"])
def test_pipes_are_not_waited_for(timit_tree, kind: str) -> None:
    path = timit_tree.add().with_name(f"SA1.{kind}")
    path.unlink()
    os.mkfifo(path)
    corpus = load_timit(timit_tree.root)
    assert corpus.fingerprint
    with pytest.raises(RecordingError, match=rf"SA1\.{kind}' cannot be read: it is a folder, a pipe or a device"):
        corpus[0]


def test_devices_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to("/dev/zero")
    with pytest.raises(RecordingError, match=r"a\.wav' cannot be read: it is a folder, a pipe or a device"):
        read_audio(tmp_path / "a.wav", recording="a")


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Close a folder; permissions would not do, since they say nothing to an administrator."""
    scan = os.scandir

    def close(folder: Path) -> None:
        def refuse(path: Path) -> object:
            if Path(path) == folder:
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return close


@pytest.mark.parametrize("below", ["", "TRAIN", "TRAIN/DR1", "TRAIN/DR1/FCJF0"])
def test_closed_folders_of_timit_are_told(timit_tree, closed: Callable[[Path], None], below: str) -> None:
    timit_tree.add()
    timit_tree.add("TEST/DR1/FAAA0/SX1")
    closed(timit_tree.root / below)
    with pytest.raises(InputError, match=r"the folder '.*' cannot be read: Permission denied"):
        load_timit(timit_tree.root)


def test_closed_folders_beside_timit_do_not_matter(timit_tree, closed: Callable[[Path], None]) -> None:
    timit_tree.add()
    (timit_tree.root.parent / "lost+found").mkdir()
    closed(timit_tree.root.parent / "lost+found")
    assert len(load_timit(timit_tree.root.parent)) == 1


def test_closed_folders_are_told_where_no_corpus_is_found(tmp_path: Path, closed: Callable[[Path], None]) -> None:
    (tmp_path / "timit" / "TRAIN").mkdir(parents=True)
    closed(tmp_path / "timit")
    with pytest.raises(InputError, match=r"timit' cannot be read: Permission denied"):
        load_timit(tmp_path)


def test_closed_folders_of_textgrids_are_told(grid_tree, closed: Callable[[Path], None]) -> None:
    grid_tree.audio("s1/a.wav")
    grid_tree.grid("s1/a.TextGrid")
    grid_tree.audio("s2/b.wav")
    closed(grid_tree.root / "s2")
    with pytest.raises(InputError, match=r"s2' cannot be read: Permission denied"):
        load_textgrids(grid_tree.root)


@pytest.mark.parametrize("name", ["TRAIN/DR2", "TRAIN/DR1/FZZZ0"])
@pytest.mark.parametrize("target", ["nowhere", "itself"])
def test_links_to_nothing_in_the_place_of_folders_are_told(timit_tree, name: str, target: str) -> None:
    timit_tree.add()
    link = timit_tree.root / name
    link.symlink_to(link if target == "itself" else target)
    with pytest.raises(InputError, match=rf"the folder '.*{name}' cannot be read"):
        load_timit(timit_tree.root)


def test_long_librispeech_names(grid_tree) -> None:
    name = f"{'1' * 120}-{'2' * 127}-3"
    grid_tree.audio(f"{name}.wav")
    grid_tree.grid("a.TextGrid")
    assert load_textgrids(grid_tree.root).ids == (name,)


def test_walking(tmp_path: Path) -> None:
    for name in ("b", "a.wav", "..hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    for name, target in (("aa", "b"), ("d", "nowhere"), ("e", "e"), ("up", "."), ("out", "..")):
        (tmp_path / name).symlink_to(target)
    assert list(walk_files(tmp_path)) == [tmp_path / name for name in ("d", "e", "a.wav/x", "b/x")]
    assert list(walk_files(tmp_path, depth=0)) == [tmp_path / name for name in ("d", "e")]
