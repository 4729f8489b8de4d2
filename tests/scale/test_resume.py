"""Runs that stop and go on give what runs give that never stopped: bit for bit."""

import functools
import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from snaps.accumulators import LayerShape, bytes_per_group
from snaps.errors import InputError, RecordingError
from snaps.profiling.compute import compute_by_aligner
from snaps.profiling.parts import count_shards, sums_held
from snaps.profiling.state import StateFile
from tests.definitions.agreement import aligner, assert_agrees
from tests.reference import reference_profiles
from tests.scale.work import GROUPINGS, Faulty, assert_identical, compute, network, recordings
from tests.scale.work import SHORT as SHARD

pytestmark = pytest.mark.usefixtures("short_shards")

SIZE = 10 * SHARD + 5


@pytest.fixture(scope="module")
def corpus() -> list:
    return recordings(SIZE)


@pytest.fixture(scope="module")
def whole(corpus: list) -> object:
    return compute(network(), Faulty(corpus, -1, KeyError()))


@pytest.mark.parametrize("at", [0, SHARD - 1, SHARD, 3 * SHARD + 2, 8 * SHARD, SIZE - 1])
def test_a_run_that_was_interrupted_goes_on(tmp_path: Path, corpus: list, whole, at: int) -> None:
    state = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        compute(network(), Faulty(corpus, at, KeyboardInterrupt()), checkpoint=state)
    assert state.exists() == (at >= SHARD)
    asked = Faulty(corpus, 0, AssertionError("computed twice"), often=None if at >= SHARD else 0)
    assert_identical(compute(network(), asked, checkpoint=state), whole)


def test_a_finished_run_is_not_computed_again(tmp_path: Path, corpus: list, whole) -> None:
    state = tmp_path / "run.checkpoint"
    assert_identical(compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=state), whole)
    written = state.stat().st_mtime_ns

    class Unread(Faulty):
        def __getitem__(self, index: int) -> object:
            raise AssertionError("read again")

    assert_identical(compute(network(), Unread(corpus, -1, KeyError()), checkpoint=state), whole)
    assert state.stat().st_mtime_ns == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.checkpoint"]


def test_sums_of_many_shards_are_those_of_the_definitions(tmp_path: Path) -> None:
    corpus, model = recordings(2 * SHARD + 3), network()
    for seed in range(1, 30):
        reference = reference_profiles(model, corpus, groupings=GROUPINGS, ignore=())
        if reference.is_decided:
            break
        corpus = recordings(2 * SHARD + 3, seed=seed)
    found = compute(model, corpus, checkpoint=tmp_path / "state", variance=False)
    assert_agrees(found, reference)


def test_stopped_again_and_again(tmp_path: Path, corpus: list, whole) -> None:
    state = tmp_path / "run.checkpoint"
    for at in range(SHARD + 1, SIZE, 2 * SHARD):
        with pytest.raises(MemoryError):
            compute(network(), Faulty(corpus, at, MemoryError()), checkpoint=state)
    assert_identical(compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=state), whole)


@pytest.mark.parametrize("options", [{"units": {"conv1": [0, 2]}}, {"layers": iter(["conv2"])}, {"context": "frame"}])
def test_options_are_those_of_the_run(tmp_path: Path, corpus: list, options: dict) -> None:
    corpus = corpus[: 3 * SHARD]
    options = {name: list(value) if name == "layers" else value for name, value in options.items()}
    with pytest.raises(KeyError):
        compute(network(), Faulty(corpus, SHARD, KeyError()), checkpoint=tmp_path / "state", **options)
    found = compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=tmp_path / "state", **options)
    assert_identical(found, compute(network(), Faulty(corpus, -1, KeyError()), **options))


def test_names_in_a_set_have_an_order_of_their_own(tmp_path: Path, corpus: list) -> None:
    """Python shuffles them from process to process."""
    for ignore in ({"a", "b", "c"}, ["a", "b", "c"], iter(["a", "b", "c"])):
        found = compute(network(), corpus[:20], checkpoint=tmp_path / "state", ignore=ignore)
        assert json.loads(found.attrs["ignored"]) == ["a", "b", "c"]
    with pytest.raises(InputError, match="symbols are .*; accepted is a sequence"):
        compute(network(), corpus[:20], symbols={"a", "b", "c", "_"})


def loudest(logits: torch.Tensor) -> torch.Tensor:
    return logits.amax(dim=1)


class First:
    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[:, 0]


def test_functions_are_known_by_where_they_are_defined(tmp_path: Path, corpus: list) -> None:
    """Not by where they lie in memory, which nobody can compare; objects may differ in more than their kind."""
    few = corpus[:20]
    for target, name in [
        (loudest, "tests.scale.test_resume.loudest"),
        (functools.partial(torch.amax, dim=1), "functools.partial(<built-in method amax of type object>, dim=1)"),
        (First(), "<tests.scale.test_resume.First object>"),
    ]:
        assert compute(network(), few, target=target).attrs["target"] == name
    lines = [lambda logits: logits[:, 0]]
    lines += [lambda logits: logits[:, 1]]
    one, other = (compute(network(), few, target=line).attrs["target"] for line in lines)
    assert one != other
    first, second = First(), First()
    compute(network(), few, target=first, checkpoint=tmp_path / "state")
    with pytest.raises(InputError, match="with another target: "):
        compute(network(), few, target=second, checkpoint=tmp_path / "state")


def test_what_the_state_holds_need_not_be_free_a_second_time(
    tmp_path: Path, corpus: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = Faulty(corpus, 9 * SHARD, KeyError())
    with pytest.raises(KeyError):
        compute(network(), faulty, checkpoint=tmp_path / "state")
    expected = compute(network(), Faulty(corpus, -1, KeyError()))
    shapes = {
        node.name: LayerShape(node.sizes["unit"], node.sizes["lag"]) for node in expected["phoneme"].children.values()
    }
    of_group = bytes_per_group(shapes, variance=True)
    tree = list(expected.children.values())
    n_groups = sum(grouping["input"].sizes["group"] for grouping in tree)
    # Sums of two levels are in the state; three are held at once, and the one at hand.
    needed = sums_held(count_shards(SIZE)) * n_groups * of_group
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * needed - n_groups * of_group))
    with pytest.raises(InputError, match="over half of the free memory"):
        compute(network(), Faulty(corpus, -1, KeyError()))
    assert_identical(compute(network(), Faulty(corpus, -1, KeyError()), checkpoint=tmp_path / "state"), expected)


def test_several_aligners_at_once(tmp_path: Path, corpus: list) -> None:
    aligners = {name: aligner(name) for name in ("product", "unaligned")}
    options = {"groupings": ["phoneme"], "ignore": (), "progress": False}
    expected = compute_by_aligner(network(), Faulty(corpus, -1, KeyError()), aligners, **options)
    with pytest.raises(KeyError):
        faulty = Faulty(corpus, 2 * SHARD, KeyError())
        compute_by_aligner(network(), faulty, aligners, checkpoint=tmp_path / "s", **options)
    found = compute_by_aligner(
        network(), Faulty(corpus, -1, KeyError()), aligners, checkpoint=tmp_path / "s", **options
    )
    for name in aligners:
        assert_identical(found[name], expected[name])


def test_recordings_that_cannot_be_read(tmp_path: Path, corpus: list) -> None:
    """Ended by one, a run goes on without it; what went on without it does not forget that it did."""
    state, at = tmp_path / "state", SHARD + 2
    broken = Faulty(corpus, at, RecordingError(f"r{at}", "it is broken"))
    expected = compute(network(), broken, on_error="skip")
    with pytest.raises(RecordingError, match="it is broken"):
        compute(network(), broken, checkpoint=state)
    assert_identical(compute(network(), broken, checkpoint=state, on_error="skip"), expected)
    with pytest.raises(InputError, match=r"left out the recording 'r6' \(it is broken\), and this one has on_error="):
        compute(network(), broken, checkpoint=state)


def test_a_shard_of_which_nothing_can_be_read(tmp_path: Path, corpus: list) -> None:
    class Broken(Faulty):
        def __getitem__(self, index: int) -> object:
            if index < SHARD or index >= 2 * SHARD:
                raise RecordingError(f"r{index}", "it is broken")
            return self.corpus[index]

    found = compute(network(), Broken(corpus, 0, KeyError()), on_error="skip", checkpoint=tmp_path / "state")
    assert found.attrs["n_recordings"] == SHARD
    with pytest.raises(InputError, match="no recording that can be read"):
        compute(network(), Broken(corpus[:SHARD], 0, KeyError()), on_error="skip", checkpoint=tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"groupings": ["phoneme"]}, "groupings"),
        ({"groupings": {**GROUPINGS, "phoneme": ("phoneme", {"s": "t"})}}, "groupings"),
        ({"aligner": aligner("max")}, "aligner"),
        ({"variance": False}, "variance"),
        ({"ignore": ("a",)}, "ignore"),
        ({"target": "b"}, "target"),
        ({"layers": ["conv1"]}, "layers"),
        ({"units": {"conv1": [0]}}, "units"),
        ({"context": "frame"}, "context"),
        ({"batch_size": 3}, "batch_size"),
        ({"frame_steps": 20}, "frame_steps"),
        ({"precision": "bfloat16"}, "precision"),
    ],
)
def test_the_state_of_another_run_is_refused(tmp_path: Path, corpus: list, options: dict, told: str) -> None:
    state = tmp_path / "state"
    compute(network(), corpus[:20], checkpoint=state)
    content = state.read_bytes()
    with pytest.raises(InputError, match=rf"state' is the state of a run with another {told}: .*--overwrite") as raised:
        compute(network(), corpus[:20], checkpoint=state, **options)
    assert "\n" not in str(raised.value)
    assert state.read_bytes() == content


def test_another_network_corpus_or_version_is_refused(
    tmp_path: Path, corpus: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    compute(network(), corpus[:20], checkpoint=state)
    with pytest.raises(InputError, match="with another network: "):
        compute(network(seed=1), corpus[:20], checkpoint=state)
    padded = network()
    padded.padding = "same"
    with pytest.raises(InputError, match="with another network: "):
        compute(padded, corpus[:20], checkpoint=state)
    with pytest.raises(InputError, match="with another corpus: "):
        compute(network(), corpus[:21], checkpoint=state)
    with pytest.raises(InputError, match="with another corpus: "):
        compute(network(), corpus[1:21], checkpoint=state)
    other = network()
    other.add_module("more", torch.nn.Dropout(0.25))  # no weights, and yet another network
    with pytest.raises(InputError, match="with another network: "):
        compute(other, corpus[:20], checkpoint=state)
    monkeypatch.setattr("snaps.__version__", "9.9")
    with pytest.raises(InputError, match='with another version of snaps: ".*", and this one has "9.9"'):
        compute(network(), corpus[:20], checkpoint=state)


def test_states_are_written_once_a_minute_and_at_the_end(
    tmp_path: Path, corpus: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, written = [0.0], []
    monkeypatch.setattr("snaps.profiling.state.time.monotonic", lambda: seconds[0])
    write = StateFile.write
    monkeypatch.setattr(StateFile, "write", lambda self, counter: (written.append(seconds[0]), write(self, counter))[1])

    class Slow(Faulty):
        def __getitem__(self, index: int) -> object:
            seconds[0] += 8.0
            return super().__getitem__(index)

    compute(network(), Slow(corpus, -1, KeyError()), checkpoint=tmp_path / "state")
    assert len(written) > 3
    assert all(later - earlier >= 60 for earlier, later in pairwise(written[:-1]))
