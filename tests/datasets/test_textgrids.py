from pathlib import Path

import numpy as np
import pytest

from snaps.datasets import load_textgrids
from snaps.errors import InputError, MissingFileError, RecordingError


def test_one_recording(grid_tree) -> None:
    grid_tree.audio()
    grid_tree.grid()
    corpus = load_textgrids(grid_tree.root)
    recording = corpus[0]
    assert recording.id == "fcjf0/a" and recording.features.shape == (128, 126)
    assert recording.attributes == {"speaker": "fcjf0", "text": "she had"}
    assert recording.tiers["phoneme"][1] == (0.1, 0.3, "SH")
    assert [word.label for word in recording.tiers["word"]] == ["", "She", "had"]
    assert corpus.name == "textgrids-audio"


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_forms_and_encodings(grid_tree, short: bool, encoding: str, newline: str) -> None:
    grid_tree.audio()
    tiers = {"phones": [(0.0, 1.0, 'é "so"')], "words": [(0.0, 1.0, "Café")]}
    grid_tree.grid(tiers=tiers, short=short, encoding=encoding, newline=newline)
    recording = load_textgrids(grid_tree.root)[0]
    assert recording.tiers["phoneme"] == [(0.0, 1.0, 'é "so"')]
    assert recording.attributes["text"] == "café"


def test_overlap_by_a_rounding_error_loads(grid_tree) -> None:
    grid_tree.audio(samples=np.zeros(32000))
    tiers = {"phones": [(0.0, 1.4100000000000001, "a"), (1.41, 2.0000000000000004, "b")], "words": []}
    grid_tree.grid(tiers=tiers)
    recording = load_textgrids(grid_tree.root)[0]
    assert recording.tiers["phoneme"] == [(0.0, 1.4100000000000001, "a"), (1.41, 2.0, "b")]
    assert recording.clipped == 0


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".flac", ".ogg", ".aiff"])
def test_audio_formats(grid_tree, ending: str) -> None:
    grid_tree.audio(f"my speaker/two words{ending}", samples=np.zeros((44100, 2)), rate=44100)
    grid_tree.grid("my speaker/two words.textgrid")
    recording = load_textgrids(grid_tree.root)[0]
    assert recording.id == "my speaker/two words"
    assert recording.attributes["speaker"] == "my speaker"
    assert recording.features.shape == (128, 126)


@pytest.mark.parametrize("grids_below", ["LibriSpeech/dev-clean", "dev-clean", ".", "Libri alignments/x/dev-clean"])
def test_librispeech(grid_tree, grids_below: str) -> None:
    for name in ("84/121123/84-121123-0001", "84/121123/84-121123-0000", "1272/128104/1272-128104-0000"):
        grid_tree.audio(f"dev-clean/{name}.flac")
        grid_tree.grid(f"{grids_below}/{name}.TextGrid", apart=True)
        grid_tree.grid(f"{grids_below}/train/9/9/9-9-0000.TextGrid", apart=True)
    (grid_tree.root / "dev-clean/84/121123/84-121123.trans.txt").write_text(
        "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IN LESS\n"
    )
    for root, prefix in ((grid_tree.root, "dev-clean/"), (grid_tree.root / "dev-clean", "")):
        corpus = load_textgrids(root, annotations=grid_tree.annotations)
        assert corpus.ids == tuple(
            prefix + name
            for name in (
                "1272/128104/1272-128104-0000",
                "84/121123/84-121123-0000",
                "84/121123/84-121123-0001",
            )
        )
        assert [recording.attributes["speaker"] for recording in corpus] == ["1272", "84", "84"]
        assert [recording.attributes["text"] for recording in corpus] == [
            "she had",
            "go do you hear",
            "but in less",
        ]


def test_same_names_in_many_folders(grid_tree) -> None:
    for speaker in ("s1", "s2", "s3"):
        grid_tree.audio(f"corpus/{speaker}/001.wav")
    for speaker in ("s1", "s2", "s4"):
        grid_tree.grid(f"{speaker}/001.TextGrid", apart=True, tiers={"phones": [(0, 1, speaker)], "words": []})
    corpus = load_textgrids(grid_tree.root, annotations=grid_tree.annotations)
    assert [corpus[index].tiers["phoneme"][0].label for index in (0, 1)] == ["s1", "s2"]
    # The TextGrid of s4 is called 001 as well, and is still not that of s3.
    with pytest.raises(RecordingError, match=r"s3/001\.wav' has no TextGrid in"):
        corpus[2]


def test_audio_and_textgrids_in_sister_folders(grid_tree) -> None:
    grid_tree.audio("wav/s1/a.wav")
    grid_tree.grid("TextGrid/s1/A.TextGrid")
    assert load_textgrids(grid_tree.root)[0].attributes["speaker"] == "s1"


def test_ambiguity_names_both(grid_tree) -> None:
    grid_tree.audio("x/a.wav")
    grid_tree.grid("p/x/a.TextGrid", apart=True)
    grid_tree.grid("q/x/a.TextGrid", apart=True)
    corpus = load_textgrids(grid_tree.root, annotations=grid_tree.annotations)
    with pytest.raises(RecordingError, match=r"a\.wav' has several TextGrids that fit: .*p/x/a.*q/x/a"):
        corpus[0]
    grid_tree.audio("p/x/a.wav")
    grid_tree.audio("m/b/c.wav")
    grid_tree.audio("n/b/c.wav")
    grid_tree.grid("b/c.TextGrid", apart=True)
    corpus = load_textgrids(grid_tree.root, annotations=grid_tree.annotations)
    assert corpus.ids == ("m/b/c", "n/b/c", "p/x/a", "x/a")
    for index in (0, 1):
        with pytest.raises(
            RecordingError, match=r"b/c\.TextGrid' fits several recordings: .*m/b/c.*n/b/c|n/b/c.*m/b/c"
        ):
            corpus[index]
    assert corpus[2].id == "p/x/a"
    assert corpus[3].id == "x/a"


def test_paths_are_matched_from_their_ends_longest_first(grid_tree) -> None:
    for name in ("m/b/c", "n/b/c", "o/b/c"):
        grid_tree.audio(f"{name}.wav")
    for name in ("z/N/b/c", "b/c", "o/b/c"):
        tiers = {"phones": [(0.0, 1.0, name)], "words": []}
        grid_tree.grid(f"{name}.TextGrid", tiers=tiers, apart=True)
    corpus = load_textgrids(grid_tree.root, annotations=grid_tree.annotations)
    assert [r.tiers["phoneme"][0].label for r in corpus] == ["b/c", "z/N/b/c", "o/b/c"]


def test_name_that_is_not_in_utf8(grid_tree) -> None:
    path = grid_tree.audio("s/a.wav")
    path.rename(path.with_name("caf\udce9.wav"))
    grid_tree.grid("s/caf\udce9.TextGrid")
    corpus = load_textgrids(grid_tree.root)
    assert corpus.ids == ("s/caf\\udce9",) and corpus.fingerprint
    with pytest.raises(RecordingError, match=r"caf\\udce9\.wav' cannot be read: its name is not in UTF-8"):
        corpus[0]


def test_two_files_of_one_name(grid_tree) -> None:
    grid_tree.audio("x/a.wav")
    grid_tree.audio("x/a.flac")
    grid_tree.grid("x/a.TextGrid")
    with pytest.raises(InputError, match=r"same name but for the ending: .*a\.(wav|flac)' and .*a\.(wav|flac)'"):
        load_textgrids(grid_tree.root)


def test_links_that_loop_end(grid_tree, tmp_path: Path) -> None:
    grid_tree.audio("s/a.wav")
    grid_tree.grid("s/a.TextGrid")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (grid_tree.root / "s/a.wav").rename(elsewhere / "b.wav")
    (grid_tree.root / "s/a.TextGrid").rename(elsewhere / "b.TextGrid")
    (elsewhere / "back").symlink_to(grid_tree.root)
    (elsewhere / "up").symlink_to(tmp_path)
    (grid_tree.root / "s/self").symlink_to(grid_tree.root / "s")
    (grid_tree.root / "link").symlink_to(elsewhere)
    (grid_tree.root / "again").symlink_to(elsewhere)
    (grid_tree.root / "broken.wav").symlink_to(tmp_path / "nowhere.wav")
    corpus = load_textgrids(grid_tree.root)
    assert corpus.ids == ("again/b", "broken")
    with pytest.raises(RecordingError, match=r"broken\.wav' has no TextGrid"):
        corpus[1]


def test_relabel(grid_tree) -> None:
    grid_tree.audio()
    grid_tree.grid()
    for relabel in (
        {"SH": "sh", "IY1": "iy", "sil": None},
        {"phoneme": {"SH": "sh", "IY1": "iy", "sil": ""}},
    ):
        recording = load_textgrids(grid_tree.root, relabel=relabel)[0]
        assert [phone.label for phone in recording.tiers["phoneme"]] == ["", "sh", "iy", "HH"]
        assert [word.label for word in recording.tiers["word"]] == ["", "She", "had"]
    recording = load_textgrids(grid_tree.root, relabel={"word": {"She": None}})[0]
    assert recording.attributes["text"] == "had"
    recording = load_textgrids(grid_tree.root, tiers={"phones": "p"}, relabel={"SH": "sh"})[0]
    assert list(recording.tiers) == ["p"] and "text" not in recording.attributes


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tiers": {}}, r"tiers is \{\}"),
        ({"tiers": ["phones"]}, "tiers is"),
        ({"tiers": {"phones": ""}}, "tiers is"),
        ({"tiers": {"phones": "a", "words": "a"}}, "the names 'a', 'a'; accepted are names that differ"),
        ({"tiers": {"phones": "speaker"}}, "the names 'speaker'; accepted are .* none of .*'speaker'"),
        ({"tiers": {"phones": "time"}}, "the names 'time'; accepted are .* none of .*'time'"),
        ({"relabel": ["a"]}, "relabel is a list"),
        (
            {"relabel": {"phones": {"a": "b"}}},
            "relabel names the tier 'phones'; the tiers are 'phoneme', 'word'",
        ),
        ({"relabel": {"phoneme": {"a": "b"}, "word": "c"}}, "relabel of the tier 'word'"),
        ({"relabel": {"a": 3}}, r"relabel of the tier 'phoneme' is \{'a': 3\}"),
    ],
)
def test_refuses_options(grid_tree, options: dict[str, object], sentence: str) -> None:
    grid_tree.audio()
    grid_tree.grid()
    with pytest.raises(InputError, match=sentence):
        load_textgrids(grid_tree.root, **options)


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        (
            {"tiers": {"phone": []}},
            r"a\.TextGrid' has no interval tier 'phones'; its interval tiers are 'phone'",
        ),
        (
            {"tiers": {"phones": [(0.5, 0.4, "a")], "words": []}},
            r"a\.TextGrid': the interval 'a' .* ends before",
        ),
        (
            {"tiers": {"phones": [(1.5, 1.6, "a")], "words": []}},
            r"a\.TextGrid': the interval 'a' .* starts after",
        ),
        ({"text": ""}, r"a\.TextGrid' is no TextGrid that can be read: it ends where the file type is due"),
        ({"text": "no TextGrid"}, "is no TextGrid that can be read"),
        (
            {"text": 'File type = "ooTextFile"\n"TextGrid"\n0 1 <exists> 2'},
            "it ends where the class of a tier is due",
        ),
    ],
)
def test_bad_textgrid(grid_tree, grid: dict[str, object], sentence: str) -> None:
    grid_tree.audio()
    grid_tree.grid(**grid)
    with pytest.raises(RecordingError, match=sentence) as caught:
        load_textgrids(grid_tree.root)[0]
    assert caught.value.recording == "fcjf0/a"
    assert str(grid_tree.root) in str(caught.value)


def test_tiers_that_are_points_or_double(grid_tree) -> None:
    grid_tree.audio()
    text = '"ooTextFile"\n"TextGrid"\n0 1 <exists> 3 "TextTier" "phones" 0 1 1 0.5 "x"'
    interval = ' "IntervalTier" "words" 0 1 0'
    grid_tree.grid(text=text + 2 * interval)
    corpus = load_textgrids(grid_tree.root)
    with pytest.raises(RecordingError, match=r"no interval tier 'phones'; .*, its point tiers 'phones'"):
        corpus[0]
    with pytest.raises(RecordingError, match="2 interval tiers 'words'"):
        load_textgrids(grid_tree.root, tiers={"words": "word"})[0]


def test_damaged_utf16(grid_tree) -> None:
    grid_tree.audio()
    path = grid_tree.grid(encoding="utf-16")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordingError, match="damaged: it is no text in UTF-16"):
        load_textgrids(grid_tree.root)[0]


def test_roots_that_are_no_corpus(grid_tree, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="the corpus '.*nowhere' does not exist"):
        load_textgrids(tmp_path / "nowhere")
    grid_tree.grid()
    with pytest.raises(InputError, match=r"audio' holds no audio; accepted endings are '\.wav'"):
        load_textgrids(grid_tree.root)
    path = grid_tree.audio()
    with pytest.raises(InputError, match="is a file; accepted is a folder"):
        load_textgrids(path)
    with pytest.raises(MissingFileError, match="the folder of the annotations '.*grids' does not exist"):
        load_textgrids(grid_tree.root, annotations=grid_tree.annotations)
    grid_tree.annotations.mkdir()
    with pytest.raises(InputError, match="grids' holds no TextGrids"):
        load_textgrids(grid_tree.root, annotations=grid_tree.annotations)
