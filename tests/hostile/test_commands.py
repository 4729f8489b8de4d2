"""``snaps profile`` and ``snaps corpus inspect`` on broken corpora: status 0 or 2, and never a traceback."""

import json
from pathlib import Path

import pytest

from snaps.cli import main
from snaps.datasets import DropLog
from snaps.errors import legible
from snaps.models import Wav2Letter, save_model
from snaps.profiles import open_profiles
from tests.cli.commands import process, sentence
from tests.hostile.place_damages import NAMES
from tests.hostile.test_fifths import assert_drops, planned
from tests.hostile.trees import LOADERS, Planned, Tree, write_tree


@pytest.fixture(scope="module")
def model(network: Wav2Letter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(network, tmp_path_factory.mktemp("model") / "w.safetensors")


def command(model: Path, tree: Tree, out: Path, **options: object) -> list[str]:
    given = {"corpus": f"{tree.layout}:{tree.root}", "group": "phoneme", "ignore": "", "out": out, **options}
    flags = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    return ["profile", str(model), *flags, "--group", "word", "--layer", "conv1", "--json", "--quiet"]


def assert_told(tree: Tree, told: dict[str, object], out: Path) -> None:
    assert told["recordings"] == len(tree.read)
    assert told["frames"] == sum(tree.frames.values())
    assert told["intervals_cut_at_the_end_of_the_audio"] == tree.clipped
    assert told["recordings_shorter_than_a_frame"] == tree.short
    left_out = told["recordings_left_out"]
    assert isinstance(left_out, dict) and left_out.keys() == tree.refused.keys()
    for recording, reason in left_out.items():
        tree.assert_reason(recording, reason)
    assert_drops(tree, DropLog.from_dict(json.loads(open_profiles(out).attrs["drop_log"])))


@pytest.mark.parametrize(
    ("layout", "ending"), [("timit", "zarr"), pytest.param("textgrids", "nc", marks=pytest.mark.campaign)]
)
def test_every_fifth_is_skipped(model: Path, tmp_path: Path, layout: str, ending: str) -> None:
    tree = write_tree(tmp_path / "tree", layout, planned(layout)[4::5] + planned(layout)[:5])
    out = tmp_path / f"p.{ending}"
    done = process(*command(model, tree, out, on_error="skip"))
    assert done.status == 0 and "Traceback" not in done.err, done
    assert_told(tree, json.loads(done.out), out)


@pytest.mark.parametrize(("layout", "ending"), [("timit", "nc"), ("textgrids", "zarr")])
def test_names_of_every_kind(
    model: Path, tmp_path: Path, layout: str, ending: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Speakers' names become labels of groups, and identifiers go into the drop log: both are written to a file."""
    tree = Tree(layout, tmp_path / "two\nlines" / "tree\x1b[1m")
    tree.add(Planned())
    names = [*NAMES, "caf\udce9"]
    for number, name in enumerate(names):
        tree.add(Planned(), name=f"sx{number}", speaker=name)
        broken = tree.add(Planned(), name=f"{name}{number}", speaker="broken")
        for path in broken.paths.values():
            path.write_bytes(bytes(4))
        del tree.read[broken.id]
        tree.refused[broken.id] = ("NUL", str(broken.paths["phn" if layout == "timit" else "grid"]))
    # libsndfile opens no file whose path is not in UTF-8.
    (no_text,) = [files for files in tree.files.values() if files.folder.name == names[-1]]
    del tree.read[no_text.id]
    tree.refused[no_text.id] = ("its name is not in UTF-8", str(no_text.paths["audio"]))
    out = tmp_path / f"p.{ending}"
    assert main(command(model, tree, out, on_error="skip", group="speaker")) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["recordings"] == len(tree.read) and told["recordings_left_out"].keys() == tree.refused.keys()
    for recording, reason in told["recordings_left_out"].items():
        tree.assert_reason(recording, reason)
    speakers = open_profiles(out)["speaker/conv1"]["group"].values.tolist()
    spoken = [name.lower() if layout == "timit" else name for name in NAMES]
    assert sorted(speakers) == sorted({"f0", *map(legible, spoken)})


def test_a_root_that_is_no_text(model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tree = write_tree(tmp_path / "caf\udce9", "timit", [Planned()])
    assert main(command(model, tree, tmp_path / "p.zarr", on_error="skip")) == 2
    told = capfd.readouterr()
    assert told.out == "" and told.err.startswith("snaps: ") and told.err.count("\n") == 1


@pytest.mark.parametrize("layout", [*LOADERS])
def test_inspecting(tmp_path: Path, layout: str, capfd: pytest.CaptureFixture[str]) -> None:
    tree = write_tree(tmp_path / "tree", layout, planned(layout)[4::5] + planned(layout)[:5])
    assert main(["corpus", "inspect", f"{layout}:{tree.root}", "--json", "--quiet"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["recordings"] == len(tree.files)
    assert told["cannot_be_read"].keys() == tree.refused.keys()
    for recording, reason in told["cannot_be_read"].items():
        tree.assert_reason(recording, reason)
    assert main(["corpus", "inspect", f"{layout}:{tree.root}", "--quiet"]) == 0
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("layout", [*LOADERS])
def test_raising_is_one_sentence(model: Path, tmp_path: Path, layout: str, capfd: pytest.CaptureFixture[str]) -> None:
    for number, one in enumerate(planned(layout)[4::20]):
        tree = write_tree(tmp_path / f"{number}", layout, [Planned(), one])
        assert main(command(model, tree, tmp_path / "p.zarr")) == 2
        told = capfd.readouterr()
        assert told.out == "" and told.err.startswith("snaps: ") and told.err.count("\n") == 1
        ((recording, _),) = tree.refused.items()
        tree.assert_reason(recording, told.err.removeprefix("snaps: ").rstrip())


@pytest.mark.campaign
def test_a_process_that_refuses(model: Path, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "two\nlines", "timit", [Planned(), planned("timit")[4]])
    done = process(*command(model, tree, tmp_path / "p.zarr"))
    assert str(tree.root).replace("\n", r"\n") in sentence(done)
