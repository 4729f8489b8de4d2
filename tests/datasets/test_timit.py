import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snaps.datasets import FOLD_39, PHONES_61, load_timit
from snaps.errors import InputError, MissingFileError, RecordingError, legible


def test_one_recording(timit_tree) -> None:
    timit_tree.add()
    recording = load_timit(timit_tree.root)[0]
    assert recording.id == "train/dr1/fcjf0/sa1"
    assert recording.features.shape == (128, 126) and recording.features.dtype == np.float32
    assert recording.step == 0.008 and recording.frequency.shape == (128,)
    assert recording.attributes == {
        "speaker": "fcjf0",
        "sex": "f",
        "dialect": "dr1",
        "split": "train",
        "sentence": "sa1",
        "text": "she had your dark suit, in greasy wash water all year.",
    }
    assert recording.tiers["word"] == [(3000 / 16000, 0.5, "she"), (7000 / 16000, 9000 / 16000, "had")]
    assert [i.label for i in recording.tiers["phoneme"]] == ["h#", "sh", "iy", "q", "pau", "dcl"]
    assert recording.clipped == 0


@pytest.mark.parametrize("case", [str.upper, str.lower, str.title, str.swapcase])
@pytest.mark.parametrize("riff", [False, True])
def test_case_and_container_do_not_matter(timit_tree, case: Callable[[str], str], riff: bool) -> None:
    timit_tree.add("Train/Dr1/Fcjf0/Sa1", case=case, riff=riff)
    timit_tree.add("tEST/dR8/mABC1/sX12", case=case, riff=riff)
    corpus = load_timit(timit_tree.root)
    assert corpus.ids == ("test/dr8/mabc1/sx12", "train/dr1/fcjf0/sa1")
    assert [recording.attributes["sex"] for recording in corpus] == ["m", "f"]
    assert load_timit(timit_tree.root, split="test").ids == ("test/dr8/mabc1/sx12",)


@pytest.mark.parametrize("below", ["", "TIMIT", "data", "timit/TIMIT", "LDC93S1/timit"])
def test_root_may_lie_above(timit_tree, tmp_path: Path, below: str) -> None:
    stem = timit_tree.add("data set/TRAIN/DR1/FCJF0/SA1")
    shutil.move(stem.parents[3], tmp_path / "inner")
    target = tmp_path / "outer" / below
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(tmp_path / "inner", target)
    (tmp_path / "outer" / "README.DOC").write_text("notes")
    assert load_timit(tmp_path / "outer").ids == ("train/dr1/fcjf0/sa1",)


def test_riff_copies_beside_the_originals(timit_tree) -> None:
    timit_tree.add(samples=np.full(16000, 0.25, dtype=np.float32))
    stem = timit_tree.add(audio=".WAV.wav", riff=True, samples=np.zeros(16000, dtype=np.float32))
    corpus = load_timit(timit_tree.root)
    assert corpus.ids == ("train/dr1/fcjf0/sa1",)
    assert corpus[0].features.max() > 0
    stem.with_name("SA1.WAV").unlink()
    assert load_timit(timit_tree.root)[0].features.max() == 0


def test_litter_is_no_recording(timit_tree) -> None:
    folder = timit_tree.add().parent
    (folder / "._SA1.WAV").write_bytes(b"\0")
    (folder / "NOTES.TXT").write_text("hello")
    (folder / "SA1.PHN.bak").write_text("hello")
    (timit_tree.root / "TRAIN" / "DOC").mkdir()
    (timit_tree.root / "TRAIN" / "DR1" / "README").write_text("hello")
    (timit_tree.root / "loop").symlink_to(timit_tree.root)
    assert len(load_timit(timit_tree.root)) == 1
    assert len(load_timit(timit_tree.root.parent)) == 1


def test_order_does_not_depend_on_the_file_system(timit_tree) -> None:
    names = ["TRAIN/DR2/MAAA0/SX1", "TEST/DR1/FBBB0/SI2", "TRAIN/DR1/FZZZ0/SA2", "TRAIN/DR1/FCCC0/SX9"]
    for name in names:
        timit_tree.add(name)
    assert load_timit(timit_tree.root).ids == tuple(sorted(name.lower() for name in names))


def test_fold_is_the_customary_one() -> None:
    assert len(PHONES_61) == len(set(PHONES_61)) == 61
    assert set(FOLD_39) == set(PHONES_61)
    assert len(set(FOLD_39.values()) - {""}) == 39
    assert {old for old, new in FOLD_39.items() if new == "sil"} == set(
        "h# pau epi bcl dcl gcl pcl tcl kcl".split()  # noqa: SIM905
    )
    assert [old for old, new in FOLD_39.items() if new == ""] == ["q"]
    assert {"ao": "aa", "zh": "sh", "nx": "n", "axr": "er", "ax-h": "ah"}.items() <= FOLD_39.items()
    # A folded symbol is its own fold.
    assert all(FOLD_39[new] == new for new in FOLD_39.values() if new not in ("", "sil"))


def test_39_phones(timit_tree) -> None:
    timit_tree.add()
    tier = load_timit(timit_tree.root, phones=39)[0].tiers["phoneme"]
    assert [i.label for i in tier] == ["sil", "sh", "iy", "", "sil", "sil"]


def test_intervals_after_the_audio_are_clipped_and_counted(timit_tree) -> None:
    timit_tree.add(phn="0 15000 h#\n15000 16001 sh\n", wrd="0 32000 she\n15000 16000 had\n")
    corpus = load_timit(timit_tree.root)
    recording = corpus[0]
    assert recording.clipped == 2
    assert recording.tiers["phoneme"][-1].end == 1.0 and recording.tiers["word"][0].end == 1.0
    assert corpus.annotation(0).tiers["word"][0].end == 2.0


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            {"phn": "0 16000 xx\n"},
            r"SA1\.PHN' has the phone symbol 'xx' in its interval 1; accepted are TIMIT's 61",
        ),
        ({"phn": "9000 8000 sh\n"}, r"SA1\.PHN': the interval 'sh' .* ends before it starts"),
        (
            {"wrd": "17000 18000 she\n"},
            r"SA1\.WRD': the interval 'she' .* starts after the end of the audio at 1 s",
        ),
        ({"phn": "0 16000\n"}, r"SA1\.PHN' has the line 1 '0 16000'; accepted are two sample numbers"),
        ({"wrd": "0 8000 she\nzero 9 had\n"}, r"SA1\.WRD' has the line 2 'zero 9 had'"),
        ({"phn": "\n"}, r"SA1\.PHN' holds no intervals"),
        ({"txt": "0 16000\n"}, None),
        ({"txt": " \n"}, r"SA1\.TXT' is empty"),
        ({"phn": f"0 {'9' * 400} h#\n"}, r"SA1\.PHN' has the line 1 '0 9{58}…'; accepted are two sample numbers"),
        ({"phn": "0 1_600 h#\n"}, r"SA1\.PHN' has the line 1 '0 1_600 h#'; accepted are two sample numbers"),
        ({"phn": "0 nan h#\n"}, r"SA1\.PHN' has the line 1 '0 nan h#'; accepted are two sample numbers"),
        ({"phn": f"0 80 {'h' * 999}\n"}, r"SA1\.PHN' has the phone symbol 'h{60}…' in its interval 1; accepted"),
        ({"phn": "0 80\0 h#\n"}, r"SA1\.PHN' is damaged: it has a NUL in its line 1"),
        ({"wrd": "0 80 she\n80 90 h\0d\n"}, r"SA1\.WRD' is damaged: it has a NUL in its line 2"),
        ({"phn": None}, r"SA1\.WAV' has no phone annotation \(\.PHN\) beside it"),
        ({"wrd": None}, r"SA1\.WAV' has no word annotation \(\.WRD\) beside it"),
        ({"txt": None}, r"SA1\.WAV' has no text annotation \(\.TXT\) beside it"),
    ],
)
def test_bad_annotation(timit_tree, damage: dict[str, str | None], sentence: str | None) -> None:
    timit_tree.add(**damage)
    timit_tree.add("TRAIN/DR1/FCJF0/SA2")
    corpus = load_timit(timit_tree.root)
    assert corpus[1].id == "train/dr1/fcjf0/sa2"
    if sentence is None:
        assert corpus[0].attributes["text"] == "0 16000"
        return
    with pytest.raises(RecordingError, match=sentence) as caught:
        corpus[0]
    assert caught.value.recording == "train/dr1/fcjf0/sa1"
    assert str(timit_tree.root) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["SA\n1", "two words", "a..b", "qu\"o'te", "caf\udce9", "\u2028", "SA1.wav.b"])
def test_names_of_any_kind(timit_tree, name: str) -> None:
    timit_tree.add(f"TRAIN/DR1/{name}/{name}")
    (recording,) = list(load_timit(timit_tree.root)) if "\udce9" not in name else [load_timit(timit_tree.root)]
    named = recording.ids[0] if "\udce9" in name else recording.id
    expected = legible(name.lower())
    assert named == f"train/dr1/{expected}/{expected}" and named.isprintable()


def test_names_that_differ_by_case_alone(timit_tree) -> None:
    timit_tree.add("TRAIN/DR1/FCJF0/SA1")
    stem = timit_tree.add("TRAIN/DR1/FCJF0/SA2")
    sound = stem.with_name("sa2.WAV")
    sound.symlink_to(stem.with_name("SA2.WAV"))
    corpus = load_timit(timit_tree.root)
    assert [recording.id for recording in corpus] == ["train/dr1/fcjf0/sa1", "train/dr1/fcjf0/sa2"]
    sound.unlink()
    sound.write_bytes(stem.with_name("SA2.WAV").read_bytes())
    corpus = load_timit(timit_tree.root)
    assert corpus[0].id == "train/dr1/fcjf0/sa1"
    with pytest.raises(RecordingError, match=r"SA2\.WAV' and '.*sa2\.WAV' differ by the case of their names alone"):
        corpus[1]


def test_annotation_that_is_too_large(timit_tree) -> None:
    with timit_tree.add().with_name("SA1.WRD").open("r+b") as file:
        file.truncate(1 << 40)
    corpus = load_timit(timit_tree.root)
    assert corpus.fingerprint
    with pytest.raises(RecordingError, match=r"SA1\.WRD' cannot be read: it holds 1,099,511,627,776 bytes, and accep"):
        corpus[0]


def test_bad_audio(timit_tree) -> None:
    stem = timit_tree.add()
    path = stem.with_name("SA1.WAV")
    path.write_bytes(path.read_bytes()[:-100])
    corpus = load_timit(timit_tree.root)
    with pytest.raises(RecordingError, match=r"SA1\.WAV' is truncated: .* 16000 samples .* holds 15950"):
        corpus[0]
    assert corpus.annotation(0).attributes["speaker"] == "fcjf0"
    path.unlink()
    with pytest.raises(RecordingError, match=r"SA1\.WAV' cannot be read: No such file"):
        corpus[0]
    with pytest.raises(RecordingError, match="'train/dr1/fcjf0/sa1' has annotations but no audio"):
        load_timit(timit_tree.root)[0]


def test_annotation_that_cannot_be_opened(timit_tree) -> None:
    stem = timit_tree.add()
    stem.with_name("SA1.WRD").unlink()
    stem.with_name("SA1.WRD").symlink_to("nowhere")
    with pytest.raises(RecordingError, match=r"SA1\.WRD' cannot be read: No such file"):
        load_timit(timit_tree.root)[0]


def test_roots_that_are_no_corpus(timit_tree, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere' does not exist"):
        load_timit(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file' is a file"):
        load_timit(tmp_path / "file")
    (tmp_path / "empty" / "TRAIN").mkdir(parents=True)
    with pytest.raises(InputError, match="empty' is no TIMIT corpus"):
        load_timit(tmp_path / "empty")
    (tmp_path / "hollow" / "TRAIN" / "DR1").mkdir(parents=True)
    with pytest.raises(InputError, match="hollow' is no TIMIT corpus"):
        load_timit(tmp_path / "hollow")
    timit_tree.add()
    with pytest.raises(InputError, match="has no recordings of the split 'test'; its splits are 'train'"):
        load_timit(timit_tree.root, split="test")
    (tmp_path / "both").mkdir()
    for name in ("a", "b"):
        shutil.copytree(timit_tree.root, tmp_path / "both" / name)
    with pytest.raises(InputError, match=r"both' holds several TIMIT corpora.*/a'.*/b'"):
        load_timit(tmp_path / "both")


@pytest.mark.parametrize(
    "options",
    [
        {"split": "dev"},
        {"split": "TRAIN"},
        {"phones": 48},
        {"phones": True},
        {"dialect_sentences": "thin"},
        {"dialect_sentences": -1},
        {"dialect_sentences": True},
        {"dialect_sentences": 1.5},
        {"dialect_sentences": None},
    ],
)
def test_refuses_options(timit_tree, options: dict[str, object]) -> None:
    timit_tree.add()
    (name, value), *_ = options.items()
    with pytest.raises(InputError, match=rf"^{name} is {re.escape(repr(value))}; accepted are"):
        load_timit(timit_tree.root, **options)


@pytest.fixture
def many(timit_tree):
    for split, speakers in (("TRAIN", 12), ("TEST", 3)):
        for number in range(speakers):
            for sentence in ("SA1", "SA2", "SX7"):
                timit_tree.add(f"{split}/DR1/FAA{number:02}/{sentence}", samples=np.zeros(16000, dtype=np.float32))
    return timit_tree.root


def sentences(corpus) -> list[str]:
    return [corpus.annotation(index).attributes["sentence"] for index in range(len(corpus))]


def test_dialect_sentences(many: Path) -> None:
    for kept in ("keep", 15, 99):
        assert sorted(sentences(load_timit(many, dialect_sentences=kept))) == sorted(["sa1", "sa2", "sx7"] * 15)
    for kept in ("drop", 0):
        assert sentences(load_timit(many, dialect_sentences=kept)) == ["sx7"] * 15
    thinned = load_timit(many, split="train", dialect_sentences=7)
    assert sorted(sentences(thinned)) == ["sa1"] * 7 + ["sa2"] * 7 + ["sx7"] * 12
    assert list(thinned.ids) == sorted(thinned.ids)
    assert load_timit(many, split="train", dialect_sentences=np.int64(7)).ids == thinned.ids


def test_thinning_is_drawn_with_the_seed(many: Path) -> None:
    draws = {load_timit(many, dialect_sentences=2, seed=seed).ids for seed in range(20)}
    assert len(draws) > 10
    again = load_timit(many, dialect_sentences=2, seed=3)
    assert again.ids == load_timit(many, dialect_sentences=2, seed=3).ids
    speakers = [{name.split("/")[2] for name in again.ids if name.endswith(sa)} for sa in ("sa1", "sa2")]
    assert [len(some) for some in speakers] == [2, 2]


def test_pickles_for_workers(timit_tree) -> None:
    timit_tree.add()
    corpus = load_timit(timit_tree.root, phones=39)
    other = pickle.loads(pickle.dumps(corpus))
    assert other.fingerprint == corpus.fingerprint
    np.testing.assert_array_equal(other[0].features, corpus[0].features)
