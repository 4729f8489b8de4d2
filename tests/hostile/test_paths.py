"""Nothing is written outside the place that was named, whatever it is called and whatever is in the names."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import xarray as xr

import snaps
from snaps import figures
from snaps.cli import main
from snaps.errors import OutputExistsError
from snaps.models import Wav2Letter, save_model
from snaps.outputs import writing
from snaps.report import write_report
from snaps.speech import synthesize_corpus
from tests.hostile.labels_pictures import tree_of

figures.draw_offscreen()

#: Where outputs are put, from the working folder: through links and up again, and under odd names.
PLACES = (
    "out",
    "here/../out",
    "here/deep/../../out",
    "a b/ out ",
    "new\nline/out",
    "./-out",
    "~/out",
    "$HOME/out",
    "link/out",
    "*?[a]/out",
    "%s {0} é 漢",
)
#: Where libraries are told to keep what they keep between runs.
CACHES = ("MPLCONFIGDIR", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR")


def listing(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file and link below a folder with what it holds and the time of its last change."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root, name)
            if path.is_symlink():
                found[str(path)] = (f"-> {path.readlink()}", 0)
            elif path.is_file():
                found[str(path)] = (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            else:
                found[str(path)] = ("folder", 0)
    return found


class World:
    """A folder with everything that a command may touch by mistake, and what was there before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work, self.elsewhere = root / "work", root / "elsewhere"
        for folder in ("work/here/deep", "elsewhere/kept", "home", "tmp", "cache"):
            (root / folder).mkdir(parents=True)
        (self.work / "link").symlink_to(self.elsewhere)
        (self.elsewhere / "kept/notes.txt").write_text("mine")
        (self.work / "notes.txt").write_text("mine too")
        self.before = listing(root)

    def new(self) -> set[str]:
        """What is new, after seeing that nothing else has changed and nothing is gone."""
        after = {name: seen for name, seen in listing(self.root).items() if not name.startswith(f"{self.root}/cache")}
        before = {name: seen for name, seen in self.before.items() if not name.startswith(f"{self.root}/cache")}
        assert {name: after.get(name) for name in before} == before
        return set(after) - set(before)

    def assert_within(self, place: str) -> None:
        """Everything new is the place, what is below it, or a folder above it."""
        named = (self.work / place).parent.resolve() / Path(place).name
        new = self.new()
        above = {str(folder) for folder in named.parents}
        strangers = [name for name in new if Path(name) != named and named not in Path(name).parents]
        assert str(named) in new
        assert set(strangers) <= above, strangers


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "world")
    monkeypatch.chdir(made.work)
    folders = {"HOME": "home", "TMPDIR": "tmp"} | dict.fromkeys(CACHES, "cache")
    for variable, folder in folders.items():
        monkeypatch.setenv(variable, str(made.root / folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return made


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Profiles of two networks, a network, and a corpus."""
    folder = tmp_path_factory.mktemp("inputs")
    snaps.save_profiles(tree_of(("a", "b", "c", "d")), folder / "one.nc")
    snaps.save_profiles(tree_of(("a", "b", "c", "d")), folder / "two.nc")
    symbols = ["_", "s", "iy", "aa"]
    torch.manual_seed(1)  # some networks hear nothing but silence
    save_model(Wav2Letter(symbols, layers=[(4, 24, 2), (4, 1, 1)]), folder / "net.safetensors")
    synthesize_corpus(folder / "speech", speakers=4, sentences=1, progress=False)
    return folder


Command = Callable[[Path, str], list[object]]
CHEAP: dict[str, Command] = {
    "cluster": lambda inputs, out: ["cluster", inputs / "one.nc", "--out", out, "--layer", "conv1", "--quiet"],
    "report": lambda inputs, out: ["report", inputs / "one.nc", "--out", out],
}
DEAR: dict[str, Command] = {
    "compare": lambda inputs, out: [
        "compare", inputs / "one.nc", inputs / "two.nc", "--out", out, "--min-count", 1, "--n-permutations", 9
    ],
    "profile": lambda inputs, out: [
        "profile", inputs / "net.safetensors", "--corpus", f"timit:{inputs / 'speech'}", "--group", "phoneme", "--out",
        out, "--quiet",
    ],
    "align": lambda inputs, out: [
        "align", inputs / "net.safetensors", "--corpus", f"timit:{inputs / 'speech'}", "--tables-only", "--out", out,
        "--quiet",
    ],
    "faithfulness": lambda inputs, out: [
        "faithfulness", inputs / "net.safetensors", "--corpus", f"timit:{inputs / 'speech'}", "--part", "flipping",
        "--frames", 8, "--percentage", 10, "--out", out, "--quiet",
    ],
    "train": lambda inputs, out: [
        "train", "w2p_shallow", "--corpus", f"timit:{inputs / 'speech'}", "--split", "train", "--width", 2, "--epochs",
        1, "--validation", 0, "--out", out, "--quiet",
    ],
    "synthesize": lambda inputs, out: ["corpus", "synthesize", out, "--speakers", 4, "--sentences", 1, "--quiet"],
}  # fmt: skip


def run(command: list[object]) -> int:
    return main([str(part) for part in command])


@pytest.mark.parametrize("place", ["new\nline/~"])
def test_a_report_is_written_where_it_was_named(place: str, world: World, inputs: Path) -> None:
    assert run(CHEAP["report"](inputs, place)) == 0
    world.assert_within(place)


@pytest.mark.parametrize("place", ["link/out"])
def test_a_folder_is_written_where_it_was_named(place: str, world: World, inputs: Path) -> None:
    assert run(CHEAP["cluster"](inputs, place)) == 0
    world.assert_within(place)


@pytest.mark.parametrize(
    "name", [name if name == "profile" else pytest.param(name, marks=pytest.mark.campaign) for name in DEAR]
)
def test_every_command_writes_where_it_was_named(name: str, world: World, inputs: Path) -> None:
    place = "link/../work/here/../a b/out"
    assert run(DEAR[name](inputs, place)) == 0
    world.assert_within("../work/a b/out")


@pytest.mark.campaign
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", {**CHEAP, **DEAR})
def test_every_command_writes_anywhere(name: str, place: str, world: World, inputs: Path) -> None:
    assert run({**CHEAP, **DEAR}[name](inputs, place)) == 0
    world.assert_within(place)


@pytest.mark.parametrize(
    ("place", "ending"),
    [("here/../a b/out", ".zarr"), ("link/-out", ".nc"), ("~\n/out", ".png"), ("here/../a b/out", ".safetensors")],
)
def test_functions_write_where_they_are_told(place: str, ending: str, world: World) -> None:
    target = Path(place + ending)
    if ending == ".png":
        target.parent.mkdir(parents=True, exist_ok=True)
        figures.save_figure(figures.plot_clustermap(snaps.cluster(tree_of()["phoneme/conv1"])), target)
    elif ending == ".html":
        write_report(tree_of(), target)
    elif ending == ".safetensors":
        save_model(Wav2Letter(["_", "b"], layers=[(2, 1, 1)], n_inputs=2), target)
    else:
        snaps.save_profiles(tree_of(), target)
    world.assert_within(place + ending)


HOSTILE_NAMES = (
    "../../evil",
    *(pytest.param(name, marks=pytest.mark.campaign) for name in ("/etc/x", "..\\x", "~", "-rf", "a b", "x\ny")),
)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_of_groups_and_networks_lead_nowhere(name: str, world: World) -> None:
    """A label is text; the name of a network becomes part of files' names, and is refused with a slash."""
    snaps.save_profiles(tree_of((name, "b", "c", "d")), "p.nc")
    world.before = listing(world.root)
    assert run(["cluster", "p.nc", "--out", "out", "--layer", "conv1", "--quiet"]) == 0
    world.assert_within("out")
    world.before = listing(world.root)
    compared = ["compare", f"{name}=p.nc", "b=p.nc", "--out", "both", "--min-count", 1, "--n-permutations", 9]
    status = run(compared if not name.startswith("-") else [*compared[:1], *compared[3:], "--", *compared[1:3]])
    if "/" in name:
        assert status == 2
        assert world.new() == set()
    else:
        assert status == 0
        world.assert_within("both")


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")
@pytest.mark.parametrize("layer", [pytest.param("evil\n", marks=pytest.mark.campaign), "x" * 240])
def test_names_of_layers_stay_in_the_folder(layer: str, world: World) -> None:
    snaps.save_profiles(tree_of(layers=("input", layer), groupings=("phoneme",)), "p.nc")
    world.before = listing(world.root)
    assert run(["cluster", "p.nc", "--out", "out", "--quiet"]) == 0
    world.assert_within("out")
    assert (world.work / "out" / f"clustermap_{layer}.png").is_file()


def test_a_file_that_names_nodes_elsewhere_is_refused(world: World) -> None:
    """Attributes of a profiles file are somebody else's text."""
    tree = tree_of()
    for attribute, text in (("layers", '["../../evil"]'), ("groupings", '["../.."]'), ("groupings", '["/"]')):
        hostile = tree.copy()
        hostile.attrs = {**tree.attrs, attribute: text}
        hostile.to_netcdf("hostile.nc", engine="h5netcdf", mode="w")
        world.before = listing(world.root)
        assert run(["cluster", "hostile.nc", "--out", "out", "--quiet"]) == 2
        assert run(["report", "hostile.nc", "--out", "out.html"]) == 2
        assert world.new() == set()


# --- links, and what is replaced ---


@pytest.fixture
def written(world: World, inputs: Path) -> Iterator[World]:
    """A folder of clusters that exists, and the world as it is with it."""
    assert run(CHEAP["cluster"](inputs, "out")) == 0
    world.before = {name: seen for name, seen in listing(world.root).items() if "/work/out" not in name}
    yield world


@pytest.mark.parametrize("place", [pytest.param("out", marks=pytest.mark.campaign), "out/../out"])
def test_a_folder_is_replaced_in_its_place(place: str, written: World, inputs: Path) -> None:
    assert run([*CHEAP["cluster"](inputs, place), "--overwrite"]) == 0
    written.assert_within("out")


def test_a_folder_is_replaced_from_within(written: World, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dots lead to the folder that is replaced itself."""
    (written.work / "out/below").mkdir()
    monkeypatch.chdir(written.work / "out")
    assert run([*CHEAP["cluster"](inputs, "below/.."), "--overwrite"]) == 0
    assert (written.work / "out/clusters.csv").is_file()
    written.assert_within("out")


@pytest.mark.parametrize("target", ["kept", "nowhere", "kept/notes.txt"])
def test_a_link_is_never_followed_to_what_it_names(target: str, world: World, inputs: Path) -> None:
    """An output that is a link counts as one that exists; it is replaced, and never what is behind it."""
    (world.work / "out").symlink_to(world.elsewhere / target)
    world.before = listing(world.root)
    assert run(CHEAP["cluster"](inputs, "out")) == 2
    assert world.new() == set()
    status = run([*CHEAP["cluster"](inputs, "out"), "--overwrite"])
    if target == "nowhere":
        assert status == 0 and not (world.work / "out").is_symlink()
        del world.before[str(world.work / "out")]
        world.assert_within("out")
    else:
        assert status == 2
        assert world.new() == set()


def test_a_file_is_not_replaced_by_a_folder(world: World, inputs: Path) -> None:
    assert run([*CHEAP["cluster"](inputs, "notes.txt"), "--overwrite"]) == 2
    assert world.new() == set()


def test_a_folder_that_fails_leaves_nothing_behind(world: World) -> None:
    with pytest.raises(ZeroDivisionError), writing(Path("out"), mark="whole.txt") as folder:
        folder.mkdir()
        (folder / "half.txt").write_text("half")
        raise ZeroDivisionError
    assert world.new() == set()


def test_the_guard_notices_what_is_written_elsewhere(world: World) -> None:
    """The listing of these tests can fail."""
    (world.work / "out").write_text("here")
    (world.elsewhere / "evil.txt").write_text("there")
    with pytest.raises(AssertionError):
        world.assert_within("out")
    (world.elsewhere / "kept/notes.txt").write_text("changed")
    with pytest.raises(AssertionError):
        world.new()


def test_folders_of_something_else_are_left_alone(world: World) -> None:
    told = "is a folder without 'clusters.csv'"
    with pytest.raises(OutputExistsError, match=told), writing(world.elsewhere, overwrite=True, mark="clusters.csv"):
        pytest.fail("nothing is to be done")
    assert isinstance(tree_of(), xr.DataTree)
