"""Stored files that are damaged or something else: what was written is read, or one sentence says what is wrong.

Whether a damage can be seen depends on the format. Networks, states of trainings and of runs hold a SHA-256 of the
file; profiles, evidence and evaluations of alignments one of what they say. Networks of version 1, profiles from
before the digest or written by xarray, mappings, learning curves and texts hold none: there, a flipped bit of a value
may give another value.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.hostile.stored_damages import IMPOSTORS, changed, damaged, remove
from tests.hostile.stored_kinds import KINDS
from tests.hostile.stored_reader import Answer, Reader, shared_reader, whole_files

#: Examples of one damage to one kind of file in the campaign.
MANY = int(os.environ.get("SNAPS_STORED_EXAMPLES", "400"))
SHORT = settings(
    max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
LONG = settings(SHORT, max_examples=MANY, derandomize=False, phases=[Phase.generate, Phase.shrink], print_blob=True)


@pytest.fixture
def reader() -> Reader:
    return shared_reader()


@pytest.fixture
def whole() -> dict[str, Path]:
    return whole_files()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def accepted(kind: str, answer: Answer) -> None:
    """Refuse every answer but the same content, a sentence, or other content where there is no digest."""
    allowed = {"same", "sentence"} if KINDS[kind].sealed else {"same", "sentence", "other"}
    assert answer.outcome in allowed, (kind, answer)


@pytest.fixture
def tried(reader: Reader, whole: dict[str, Path], place: Path) -> Callable[[str, dict[str, bytes]], Answer]:
    """Read a copy of a file with other bytes in some places, named from its root."""

    def read(kind: str, content: dict[str, bytes]) -> Answer:
        copy = place / KINDS[kind].ending
        remove(copy)
        if whole[kind].is_dir():
            shutil.copytree(whole[kind], copy)
        for name, part in content.items():
            (copy / name if name else copy).write_bytes(part)
        return reader.read(kind, copy, whole[kind])

    return read


def parts(path: Path) -> dict[str, bytes]:
    """Content of a file, or of all files of a folder, by their names from there."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def bytes_damaged(kind: str, whole: dict[str, Path], tried: Callable[..., Answer], how: settings) -> None:
    content = parts(whole[kind])

    @how
    @given(st.data())
    def run(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(content)))
        accepted(kind, tried(kind, {name: data.draw(damaged(content[name]))}))

    run()


def json_changed(kind: str, whole: dict[str, Path], tried: Callable[..., Answer], how: settings) -> None:
    content = parts(whole[kind])
    names = [name for name, part in content.items() if part[:1] in (b"{", b"[")]

    @how
    @given(st.data())
    def run(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(names))
        found = json.dumps(data.draw(changed(json.loads(content[name]))))
        accepted(kind, tried(kind, {name: found.encode("utf-8", "surrogatepass")}))

    run()


PROFILES = {name for name in KINDS if name.startswith(("Zarr", "netCDF"))}
WITH_JSON = ["Zarr", "Zarr without digest", "Zarr 3", "mapping", "settings"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_undamaged_is_read(kind: str, whole: dict[str, Path], reader: Reader) -> None:
    assert reader.read(kind, whole[kind], whole[kind]).outcome == "same"


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes(kind: str, whole: dict[str, Path], tried: Callable[..., Answer]) -> None:
    bytes_damaged(kind, whole, tried, SHORT)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes_at_length(kind: str, whole: dict[str, Path], tried: Callable[..., Answer]) -> None:
    bytes_damaged(kind, whole, tried, LONG)


@pytest.mark.parametrize("kind", WITH_JSON)
def test_changed_json(kind: str, whole: dict[str, Path], tried: Callable[..., Answer]) -> None:
    json_changed(kind, whole, tried, SHORT)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", WITH_JSON)
def test_changed_json_at_length(kind: str, whole: dict[str, Path], tried: Callable[..., Answer]) -> None:
    json_changed(kind, whole, tried, LONG)


@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_something_else_in_its_place(impostor: str, reader: Reader, whole: dict[str, Path], place: Path) -> None:
    for kind in KINDS:
        path = place / KINDS[kind].ending
        IMPOSTORS[impostor](path)
        answer = reader.read(kind, path, whole[kind])
        # A text is a text, and settings that cannot be made out are none.
        if kind in ("fingerprint", "settings"):
            assert answer.outcome in ("other", "sentence"), (kind, answer)
        else:
            assert answer.outcome == "sentence", (kind, answer)
        remove(path)
    assert not (place / "unpickled").exists()
    assert not Path("unpickled").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_given_to_every_reader(kind: str, reader: Reader, whole: dict[str, Path], place: Path) -> None:
    for other, path in whole.items():
        alike = ({"mapping", "settings"}, {"network", "network of version 1"}, PROFILES)
        if kind == other or any({kind, other} <= kinds for kinds in alike):
            continue
        answer = reader.read(kind, path, whole[kind])
        assert answer.outcome == "sentence" or kind in ("fingerprint", "settings"), (kind, other, answer)
        assert answer.outcome in ("sentence", "other")


def test_a_name_that_is_too_long(reader: Reader, whole: dict[str, Path], place: Path) -> None:
    for kind in KINDS:
        answer = reader.read(kind, place / ("n" * 3000), whole[kind])
        assert answer.outcome == "sentence", (kind, answer)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_what_may_not_be_read(reader: Reader, whole: dict[str, Path], place: Path) -> None:
    for kind, path in whole.items():
        copy = place / path.name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, copy)
        copy.chmod(0)
        answer = reader.read(kind, copy, path)
        copy.chmod(0o700)
        assert answer.outcome == "sentence", (kind, answer)


@pytest.mark.parametrize("kind", ["Zarr", "Zarr without digest", "Zarr 3"])
def test_other_things_in_place_of_parts_of_a_store(
    kind: str, reader: Reader, whole: dict[str, Path], place: Path
) -> None:
    names = [name for name in parts(whole[kind]) if "conv1/count" in name or name.count("/") == 0]
    for number, name in enumerate(names):
        copy = shutil.copytree(whole[kind], place / f"{number}.zarr")
        for impostor in ("nothing", "pipe", "folder", "circle", "broken link"):
            remove(copy / name)
            IMPOSTORS[impostor](copy / name)
            accepted(kind, reader.read(kind, copy, whole[kind]))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("phoneme/conv1/group/.zattrs", {"_ARRAY_DIMENSIONS": ["froup"]}),
        ("phoneme/conv1/group/.zattrs", {"_ARRAY_DIMENSIONS": [None]}),
        ("phoneme/conv1/group/.zattrs", {}),
        ("phoneme/conv1/count/.zattrs", {"_ARRAY_DIMENSIONS": ["x" * 10**6]}),
        ("phoneme/conv1/lag/.zattrs", {"_ARRAY_DIMENSIONS": ["group"]}),
        ("phoneme/conv1/count/.zarray", {"shape": [], "chunks": [3]}),
        ("phoneme/conv1/count/.zarray", {"fill_value": [1]}),
        ("phoneme/conv1/.zgroup", {"zarr_format": 3}),
        (".zattrs", []),
    ],
)
def test_what_the_campaign_found(
    name: str, changed: object, whole: dict[str, Path], tried: Callable[..., Answer]
) -> None:
    for kind in ("Zarr", "Zarr without digest"):
        before = json.loads((whole[kind] / name).read_bytes())
        found = {**before, **changed} if isinstance(changed, dict) and changed else changed
        answer = tried(kind, {name: json.dumps(found).encode()})
        assert answer.outcome == "sentence", answer
