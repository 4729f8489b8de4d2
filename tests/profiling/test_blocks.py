"""Runs that stop and go on give what runs give that never stopped: bit for bit."""

import errno
import functools
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from snaps.errors import InputError, RecordingError
from snaps.profiling import averaging, blocks, compute_by_aligner
from snaps.profiling.averaging import merged
from snaps.profiling.blocks import BYTES_A_RECORDING, FEW_BLOCKS, MOST_BLOCKS, cut_into_blocks
from tests.definitions.agreement import aligner, assert_agrees
from tests.profiling.runs import GROUPINGS, Faulty, assert_identical, compute, network, recordings
from tests.reference import reference_profiles

#: Recordings of a block here.
BLOCK = 4
SIZE = 10 * BLOCK + 1


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LEAST_RECORDINGS", BLOCK)
    monkeypatch.setattr(averaging, "FAN_IN", 3)


@pytest.fixture(scope="module")
def corpus() -> list:
    return recordings(SIZE)


@pytest.fixture
def whole(corpus: list) -> object:
    return compute(network(), Faulty(corpus, -1, KeyError()))


@pytest.mark.parametrize("at", [1, BLOCK - 1, BLOCK, 3 * BLOCK + 2, SIZE - 1])
def test_a_run_that_was_interrupted_goes_on(tmp_path: Path, corpus: list, whole, at: int) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        compute(network(), Faulty(corpus, at, KeyboardInterrupt()), checkpoint=folder)
    assert len(list(folder.glob("*.npz"))) == at // BLOCK
    # Nothing of a finished block is read again but the first recording, which says how large everything is.
    asked = Faulty(corpus, 1, AssertionError("computed twice"), often=None if at >= BLOCK else 0)
    assert_identical(compute(network(), asked, checkpoint=folder), whole)


def test_a_finished_run_is_not_computed_again(tmp_path: Path, corpus: list, whole, monkeypatch) -> None:
    folder = tmp_path / "run"
    assert_identical(compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=folder), whole)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(blocks, "average", None)
    assert_identical(compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=folder), whole)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_kill_while_the_run_is_described_holds_up_nobody(tmp_path: Path, corpus: list, whole) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".partial.run.json").write_text('{"ver')
    assert_identical(compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=folder), whole)


def test_a_disk_that_is_full_in_the_middle_of_the_blocks(tmp_path: Path, corpus: list, whole, monkeypatch) -> None:
    """A missing block that cannot be written does not keep those behind it from being read."""
    folder = tmp_path / "run"
    compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=folder)
    sorted(folder.glob("*.npz"))[1].unlink()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(blocks.np, "savez", full)
    with pytest.warns(UserWarning, match="block 2 of 11 cannot be written .*: No space left on device"):
        found = compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=folder)
    assert_identical(found, whole)


def test_a_run_without_a_single_frame_holds_up_nobody(tmp_path: Path, corpus: list, whole) -> None:
    folder, some = tmp_path / "run", Faulty(corpus, -1, KeyError())
    empty = compute(network(), some, checkpoint=folder, ignore=network().symbols)
    assert all(layer.sizes["group"] == 0 for layer in empty.leaves)
    assert list(tmp_path.iterdir()) == []
    assert_identical(compute(network(), some, checkpoint=folder), whole)


def test_sums_of_many_blocks_are_those_of_the_definitions(tmp_path: Path) -> None:
    model = network()
    for seed in range(30):
        corpus = recordings(2 * BLOCK + 3, seed=seed)
        reference = reference_profiles(model, corpus, groupings=GROUPINGS, ignore=())
        if reference.is_decided:
            break
    assert_agrees(compute(model, corpus, checkpoint=tmp_path / "run", variance=False), reference)


@pytest.mark.parametrize("options", [{"units": {"conv1": [0, 2]}}, {"layers": ["conv2"]}, {"context": "frame"}])
def test_options_are_those_of_the_run(tmp_path: Path, corpus: list, options: dict) -> None:
    corpus = corpus[: 3 * BLOCK]
    with pytest.raises(KeyError):
        compute(network(), Faulty(corpus, BLOCK, KeyError()), checkpoint=tmp_path / "run", **options)
    found = compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=tmp_path / "run", **options)
    assert_identical(found, compute(network(), Faulty(corpus, -1, KeyError()), **options))


def test_names_in_a_set_have_an_order_of_their_own(tmp_path: Path, corpus: list) -> None:
    """Python shuffles them from process to process."""
    for ignore in ({"a", "b", "c"}, ["a", "b", "c"], iter(["a", "b", "c"])):
        found = compute(network(), corpus[:20], checkpoint=tmp_path / "run", ignore=ignore)
        assert json.loads(found.attrs["ignored"]) == ["a", "b", "c"]
    with pytest.raises(InputError, match="symbols are .*; accepted is a sequence"):
        compute(network(), corpus[:20], symbols={"a", "b", "c", "_"})


def loudest(logits: torch.Tensor) -> torch.Tensor:
    return logits.amax(dim=1)


class First:
    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[:, 0]


def test_functions_are_known_by_where_they_are_defined(tmp_path: Path, corpus: list) -> None:
    """Not by their address in memory, which nobody can compare; objects may differ in more than their kind."""
    few = corpus[:8]
    for target, name in [
        (loudest, f"{__name__}.loudest"),
        (functools.partial(torch.amax, dim=1), "functools.partial(<built-in method amax of type object>, dim=1)"),
        (First(), f"<{__name__}.First object>"),
    ]:
        assert compute(network(), few, target=target).attrs["target"] == name
    lines = [lambda logits: logits[:, 0]]
    lines += [lambda logits: logits[:, 1]]
    one, other = (compute(network(), few, target=line).attrs["target"] for line in lines)
    assert one != other
    first, second = First(), First()
    compute(network(), few, target=first, checkpoint=tmp_path / "run")
    with pytest.raises(InputError, match="with another target: "):
        compute(network(), few, target=second, checkpoint=tmp_path / "run")


def test_several_aligners_at_once(tmp_path: Path, corpus: list) -> None:
    aligners = {name: aligner(name) for name in ("product", "unaligned")}
    options = {"groupings": ["phoneme"], "ignore": (), "progress": False}
    expected = compute_by_aligner(network(), Faulty(corpus, -1, KeyError()), aligners, **options)
    with pytest.raises(KeyError):
        faulty = Faulty(corpus, 2 * BLOCK, KeyError())
        compute_by_aligner(network(), faulty, aligners, checkpoint=tmp_path / "run", **options)
    found = compute_by_aligner(
        network(), Faulty(corpus, -1, KeyError()), aligners, checkpoint=tmp_path / "run", **options
    )
    for name in aligners:
        assert_identical(found[name], expected[name])


def test_recordings_that_cannot_be_read(tmp_path: Path, corpus: list) -> None:
    """Ended by one, a run goes on without it; what went on without it does not forget that it did."""
    folder, at = tmp_path / "run", BLOCK + 2
    broken = Faulty(corpus, at, RecordingError(f"r{at}", "it is broken"))
    expected = compute(network(), broken, on_error="skip")
    with pytest.raises(RecordingError, match="it is broken"):
        compute(network(), broken, checkpoint=folder)
    assert_identical(compute(network(), broken, checkpoint=folder, on_error="skip"), expected)
    with pytest.raises(InputError, match=r"left out the recording 'r6' \(it is broken\), and this one has on_error="):
        compute(network(), broken, checkpoint=folder)


def test_blocks_of_which_nothing_can_be_read(tmp_path: Path, corpus: list) -> None:
    class Broken(Faulty):
        def __getitem__(self, index: int) -> object:
            if index < BLOCK or index >= 2 * BLOCK:
                raise RecordingError(f"r{index}", "it is broken")
            return self.corpus[index]

    found = compute(network(), Broken(corpus, 0, KeyError()), on_error="skip", checkpoint=tmp_path / "run")
    assert found.attrs["n_recordings"] == BLOCK
    with pytest.raises(InputError, match="no recording that can be read"):
        compute(network(), Broken(corpus[:BLOCK], 0, KeyError()), on_error="skip", checkpoint=tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"groupings": ["phoneme"]}, "groupings"),
        ({"groupings": {**GROUPINGS, "phoneme": ("phoneme", {"s": "t"})}}, "groupings"),
        ({"aligner": aligner("max")}, "aligner"),
        ({"variance": False}, "variance"),
        ({"ignore": ("a",)}, "ignored"),
        ({"target": "b"}, "target"),
        ({"layers": ["conv1"]}, "layers"),
        ({"units": {"conv1": [0]}}, "units"),
        ({"context": "frame"}, "context"),
        ({"frame_steps": 20}, "frame"),
        ({"precision": "bfloat16"}, "precision"),
    ],
)
def test_blocks_of_another_run_are_refused(tmp_path: Path, corpus: list, options: dict, told: str) -> None:
    folder = tmp_path / "run"
    compute(network(), corpus[:8], checkpoint=folder)
    content = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=rf"run' holds blocks of a run with another {told}: .*--overwrite") as raised:
        compute(network(), corpus[:8], checkpoint=folder, **options)
    assert "\n" not in str(raised.value)
    assert {path: path.read_bytes() for path in folder.iterdir()} == content


def test_another_network_corpus_or_version_is_refused(tmp_path: Path, corpus: list, monkeypatch) -> None:
    folder, few = tmp_path / "run", corpus[:8]
    compute(network(), few, checkpoint=folder)
    padded, other = network(), network()
    padded.padding = "same"
    other.add_module("more", torch.nn.Dropout(0.25))  # no weights, and yet another network
    for model, played, told in [
        (network(seed=1), few, "model"),
        (padded, few, "model"),
        (other, few, "modules"),
        (network(), corpus[:9], "corpus"),
        (network(), corpus[1:9], "corpus"),
    ]:
        with pytest.raises(InputError, match=f"with another {told}: "):
            compute(model, played, checkpoint=folder)
    monkeypatch.setattr("snaps.__version__", "9.9")
    with pytest.raises(InputError, match='with another package_version: ".*", and this one has "9.9"'):
        compute(network(), few, checkpoint=folder)


def test_a_folder_of_something_else_is_refused(tmp_path: Path, corpus: list) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("something")
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    for path in (file, folder):
        with pytest.raises(InputError, match="is no folder of a run's blocks"):
            compute(network(), corpus[:8], checkpoint=path)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_every_flipped_byte_of_a_block_is_noticed(tmp_path: Path, corpus: list) -> None:
    """Or it is one that does not matter, such as the date of an archive's member."""
    few, folder = corpus[:8], tmp_path / "run"
    whole = compute(network(), few, checkpoint=folder)
    block = folder / "0002-of-0002.npz"
    content, noticed = block.read_bytes(), 0
    generator = np.random.default_rng(0)
    for place in [*generator.integers(0, len(content), 60), len(content) - 10]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(generator.integers(8))
        block.write_bytes(damaged)
        try:
            found = compute(network(), few, checkpoint=folder)
        except InputError as error:
            noticed += 1
            assert "delete it, and the same call computes it again" in str(error)
        else:
            assert_identical(found, whole)
    for length in (0, 10, len(content) // 2, len(content) - 1):
        block.write_bytes(content[:length])
        with pytest.raises(InputError, match="is damaged, or no block of a run"):
            compute(network(), few, checkpoint=folder)
    assert noticed > 40
    block.unlink()
    assert_identical(compute(network(), few, checkpoint=folder), whole)


def test_a_disk_without_room_for_a_block_does_not_end_the_run(tmp_path: Path, corpus: list, monkeypatch) -> None:
    few, calls, savez = corpus[:12], [], np.savez

    def full(*args: object, **arrays: np.ndarray) -> None:
        calls.append(args)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        savez(*args, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="block 2 of 3 cannot be written .*No space left on device; the run goes on"):
        found = compute(network(), few, checkpoint=tmp_path / "run")
    assert len(calls) == 2
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["0001-of-0003.npz", "run.json"]
    monkeypatch.undo()
    monkeypatch.setattr(blocks, "LEAST_RECORDINGS", BLOCK)
    monkeypatch.setattr(averaging, "FAN_IN", 3)
    assert_identical(compute(network(), few, checkpoint=tmp_path / "run"), found)


def test_sums_must_fit_into_half_of_the_free_memory(tmp_path: Path, corpus: list, monkeypatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**10))
    with pytest.raises(InputError, match="would take .* GiB, over half of the free memory of 0.0 GiB"):
        compute(network(), corpus[:8], checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_blocks_cover_a_corpus_once_and_are_few_where_sums_are_large() -> None:
    for n_recordings in (1, 16, 17, 40, 1344, 6300, 10**6):
        for n_bytes in (0, 10**6, 10**8, 10**10):
            cut = cut_into_blocks(n_recordings, n_bytes)
            numbers = [number for block in cut for number in range(block.start, block.stop)]
            assert numbers == list(range(n_recordings)) or n_recordings == 10**6
            assert len(cut) <= MOST_BLOCKS
            sizes = [block.stop - block.start for block in cut]
            assert len(cut) <= FEW_BLOCKS or n_bytes < (sizes[0] + 1) * BYTES_A_RECORDING


class Part:
    """Names of blocks instead of their sums; knows how many are held."""

    held = most = 0

    def __init__(self, text: str) -> None:
        self.text = text
        Part.held += 1
        Part.most = max(Part.most, Part.held)

    def __del__(self) -> None:
        Part.held -= 1

    def merge(self, other: "Part") -> None:
        self.text = f"({self.text} {other.text})"


def test_sums_are_merged_in_a_tree_of_fixed_shape_and_few_are_held() -> None:
    assert merged(Part(str(number)) for number in range(7)).text == "((((0 1) 2) ((3 4) 5)) 6)"
    assert Part.most == 3
