"""A corpus of synthetic speech: layout, formats, reproducibility, options, errors."""

import importlib.util
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snaps.datasets import PHONES_61, FileCorpus, load_timit
from snaps.errors import InputError, OutputExistsError
from snaps.speech import labels, synthesize_corpus

if importlib.util.find_spec("espeakng_loader") is None:
    pytest.skip("eSpeak NG is an extra", allow_module_level=True)

SMALL = {"speakers": 3, "sentences": 3, "progress": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FileCorpus]:
    root = tmp_path_factory.mktemp("synthesis") / "corpus"
    return root, synthesize_corpus(root, speakers=8, sentences=7, progress=False)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthesis") / "clean"
    synthesize_corpus(root, **SMALL, snr=None, levels=(-9.0, -9.0))
    return root


def table(path: Path) -> list[tuple[int, int, str]]:
    rows = (line.split(" ", 2) for line in path.read_text().splitlines())
    return [(int(start), int(end), label) for start, end, label in rows]


def recordings(root: Path) -> list[Path]:
    """Paths without their ending."""
    return sorted(path.with_suffix("") for path in root.glob("T*/DR*/*/*.WAV"))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_layout_is_timits(corpus: tuple[Path, FileCorpus]) -> None:
    root, loaded = corpus
    assert {path.name for path in root.iterdir()} == {"DOC", "TEST", "TRAIN"}
    stems = recordings(root)
    assert len(stems) == len(loaded) == 8 * 7
    for stem in stems:
        assert all(stem.with_suffix(ending).is_file() for ending in (".WAV", ".PHN", ".WRD", ".TXT"))
        assert stem.parent.name[0] in "FM"
        assert len(stem.parent.name) == 5
        assert stem.name.startswith(("SA", "SX", "SI"))


def test_returns_the_corpus_as_load_timit_loads_it(corpus: tuple[Path, FileCorpus]) -> None:
    root, loaded = corpus
    again = load_timit(root)
    assert loaded.fingerprint == again.fingerprint
    recording = loaded[0]
    assert recording.id.startswith("test/dr1/f")
    assert recording.features.shape[0] == 128
    assert recording.tiers["phoneme"][0].label == "h#"


def test_audio_is_sphere_at_16_khz(corpus: tuple[Path, FileCorpus]) -> None:
    for stem in recordings(corpus[0]):
        found = soundfile.info(stem.with_suffix(".WAV"))
        assert (found.format, found.samplerate, found.channels, found.subtype) == ("NIST", 16000, 1, "PCM_16")


def test_phones_cover_the_audio_without_gaps(corpus: tuple[Path, FileCorpus]) -> None:
    for stem in recordings(corpus[0]):
        phones = table(stem.with_suffix(".PHN"))
        starts, ends, symbols = zip(*phones, strict=True)
        assert starts[0] == 0
        assert starts[1:] == ends[:-1]
        assert ends[-1] == soundfile.info(stem.with_suffix(".WAV")).frames
        assert all(start < end for start, end, _ in phones)
        assert symbols[0] == symbols[-1] == "h#"
        assert "h#" not in symbols[1:-1]
        assert set(symbols) <= set(PHONES_61)


def test_a_closure_comes_before_its_release(corpus: tuple[Path, FileCorpus]) -> None:
    found = set()
    for stem in recordings(corpus[0]):
        symbols = [symbol for _, _, symbol in table(stem.with_suffix(".PHN"))]
        for symbol, after in pairwise(symbols):
            if symbol in labels.CLOSURES.values():
                assert labels.CLOSURES[after] == symbol
                found.add(symbol)
    assert found == set(labels.CLOSURES.values())


def test_words_lie_on_phones_and_spell_the_text(corpus: tuple[Path, FileCorpus]) -> None:
    for stem in recordings(corpus[0]):
        phones = table(stem.with_suffix(".PHN"))
        words = table(stem.with_suffix(".WRD"))
        ((start, end, text),) = table(stem.with_suffix(".TXT"))
        assert (start, end) == (0, phones[-1][1])
        assert [word for _, _, word in words] == [word.strip(".,?!").lower() for word in text.split()]
        assert 5 <= len(words) <= 10
        limits = {start for start, _, _ in phones}
        assert all(start in limits and end in limits and start < end for start, end, _ in words)
        assert all(end <= start for (_, end, _), (start, _, _) in pairwise(words))


def test_speakers_are_disjoint_and_of_all_kinds(corpus: tuple[Path, FileCorpus]) -> None:
    root, _ = corpus
    where = {part: set((root / part).glob("DR*/*")) for part in ("TRAIN", "TEST")}
    names = {part: {path.name for path in paths} for part, paths in where.items()}
    assert names["TRAIN"] & names["TEST"] == set()
    assert len(names["TEST"]) == 2
    for part in ("TRAIN", "TEST"):
        assert {name[0] for name in names[part]} == {"F", "M"}
        assert len({path.parent.name for path in where[part]}) >= 2


def test_only_dialect_sentences_are_in_both_parts(corpus: tuple[Path, FileCorpus]) -> None:
    texts: dict[str, set[str]] = defaultdict(set)
    said_by: dict[str, set[str]] = defaultdict(set)
    for stem in recordings(corpus[0]):
        text = table(stem.with_suffix(".TXT"))[0][2]
        texts[stem.parts[-4]].add(text)
        said_by[f"{stem.name} {text}"].add(stem.parent.name)
    shared = texts["TRAIN"] & texts["TEST"]
    assert len(shared) == 2
    counts = {kind: {len(who) for name, who in said_by.items() if name.startswith(kind)} for kind in ("SA", "SX", "SI")}
    assert counts["SA"] == {8}
    assert counts["SI"] == {1}
    assert min(counts["SX"]) > 1
    assert len({name.split()[0] for name in said_by}) == len(said_by)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    # Eight speakers, so that voices with breath are among them: their noise follows a seed of its own.
    options = {"speakers": 8, "sentences": 1, "seed": 3, "progress": False}
    synthesize_corpus(tmp_path / "one", **options, workers=1)
    synthesize_corpus(tmp_path / "three", **options, workers=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_another_seed_gives_another_corpus(clean: Path, tmp_path: Path) -> None:
    synthesize_corpus(tmp_path / "other", **SMALL, seed=1, snr=None, levels=(-9.0, -9.0))
    one, other = contents(clean), contents(tmp_path / "other")
    assert {name for name in one if name in other and one[name] == other[name]} == set()


def test_labels_sit_on_their_sounds(clean: Path) -> None:
    """Closures are quiet, vowels are loud, and fricatives change sign more often than vowels do."""
    power: dict[str, list[float]] = defaultdict(list)
    crossings: dict[str, list[float]] = defaultdict(list)
    for stem in recordings(clean):
        samples, _ = soundfile.read(stem.with_suffix(".WAV"))
        for start, end, symbol in table(stem.with_suffix(".PHN")):
            power[symbol].append(float(np.mean(samples[start:end] ** 2)))
            crossings[symbol].append(float(np.mean(np.diff(np.signbit(samples[start:end])))))
    vowel = np.mean(power["ae"] + power["iy"] + power["aa"])
    for quiet in ("h#", "pcl", "tcl", "kcl"):
        assert np.max(power[quiet]) < 0.003 * vowel
    assert np.mean(power["n"]) < vowel
    assert np.min(crossings["s"]) > 2 * np.max(crossings["aa"])


def test_without_noise_silence_is_digital(clean: Path) -> None:
    for stem in recordings(clean):
        samples, _ = soundfile.read(stem.with_suffix(".WAV"), dtype="int16")
        assert not samples[:1000].any()


def test_level_and_noise_vary_within_their_limits(tmp_path: Path) -> None:
    synthesize_corpus(tmp_path / "noisy", **SMALL, levels=(-18.0, -6.0), snr=(12.0, 18.0))
    levels, ratios = [], []
    for stem in recordings(tmp_path / "noisy"):
        samples, _ = soundfile.read(stem.with_suffix(".WAV"))
        phones = table(stem.with_suffix(".PHN"))
        spoken = slice(phones[0][1], phones[-1][0])
        noise = np.concatenate([samples[: spoken.start], samples[spoken.stop :]])
        levels.append(20 * np.log10(np.max(np.abs(samples))))
        noise_power = np.mean(noise**2)
        ratios.append(10 * np.log10((np.mean(samples[spoken] ** 2) - noise_power) / noise_power))
    assert -18.01 < min(levels) < max(levels) < -5.99
    # The noise floor fluctuates: its power in the short silences is known to about a dB.
    assert 10.5 < min(ratios) < max(ratios) < 19.5
    assert np.ptp(levels) > 3
    assert np.ptp(ratios) > 1.5


def test_options_and_speakers_are_written_down(corpus: tuple[Path, FileCorpus]) -> None:
    described = json.loads((corpus[0] / "DOC" / "SYNTHESIS.JSON").read_text())
    assert described["options"] == {
        "speakers": 8,
        "sentences": 7,
        "seed": 0,
        "test_speakers": None,
        "levels": [-20.0, -3.0],
        "snr": [20.0, 40.0],
    }
    assert len({(speaker["voice"], speaker["pitch"], speaker["rate"]) for speaker in described["speakers"]}) == 8


def test_an_output_that_exists_is_refused(clean: Path, tmp_path: Path) -> None:
    before = contents(clean)
    with pytest.raises(OutputExistsError, match=r"clean' exists; give another name, or --overwrite / overwrite=True"):
        synthesize_corpus(clean, **SMALL)
    assert contents(clean) == before
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="file' is a file; give the name of a folder"):
        synthesize_corpus(tmp_path / "file", **SMALL, overwrite=True)


def test_overwrite_replaces_a_corpus_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    root.mkdir()  # an empty folder is no output yet
    synthesize_corpus(root, speakers=2, sentences=1, progress=False)
    old = contents(root)
    synthesize_corpus(root, speakers=2, sentences=1, seed=1, overwrite=True, progress=False)
    assert contents(root).keys() != old.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "thesis.tex").touch()
    with pytest.raises(OutputExistsError, match=r"thesis' is a folder without 'DOC/SYNTHESIS.JSON', so it is of some"):
        synthesize_corpus(thesis, speakers=2, sentences=1, overwrite=True, progress=False)
    assert [path.name for path in thesis.iterdir()] == ["thesis.tex"]


def test_a_mnemonic_outside_the_table_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(labels.TABLE, "OI")
    with pytest.raises(InputError, match=r"'OI', met in 'Both boys .*' with the voice en.*has no entry"):
        synthesize_corpus(tmp_path / "corpus", speakers=2, sentences=2, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speakers": 1}, "speakers is 1; accepted are whole numbers from 2"),
        ({"sentences": 0}, "sentences is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"workers": 0}, "workers is 0"),
        ({"levels": (-3.0, -20.0)}, "levels is"),
        ({"levels": (-3.0, 3.0)}, "levels is"),
        ({"snr": (np.nan, 3.0)}, "snr is"),
        ({"snr": 20.0}, "snr is 20.0"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesize_corpus(tmp_path / "corpus", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_without_espeak_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install \"neuron-snaps\[synthesis\]\""):
        synthesize_corpus(tmp_path / "corpus")


def test_progress_goes_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    synthesize_corpus(tmp_path / "corpus", speakers=2, sentences=1)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "2/2" in shown.err
