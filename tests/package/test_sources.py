"""Habits that hold for every file; each with a test that it would be noticed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.sources import (
    FOLDERS,
    PACKAGE,
    ROOT,
    endless_waits,
    positional,
    python_files,
    relative_imports,
    runs_as_script,
    unpickling,
)

MOST_LINES = 400
VAGUE = frozenset({"util", "utils", "helper", "helpers", "common", "misc"})
#: Waits for a thread of the same process that is certain to end.
CERTAIN = frozenset({("snaps/profiling/listen.py", "asked.popleft().result()")})


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def vague_parts(path: Path) -> set[str]:
    words = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in part.lower().split("_")}
    return words & VAGUE


def test_there_are_files_to_look_at() -> None:
    assert len(python_files("snaps")) > 80
    assert len(python_files("tests")) > 50


def sources(*folders: str) -> Iterator[tuple[Path, str]]:
    return ((path, path.read_text(encoding="utf-8")) for path in python_files(*folders))


def test_no_file_is_long_or_vaguely_named_or_imports_relatively() -> None:
    assert not [named(path) for path, source in sources(*FOLDERS) if source.count("\n") > MOST_LINES]
    assert not [named(path) for path in python_files(*FOLDERS) if vague_parts(path)]
    assert not [named(path) for path, source in sources(*FOLDERS) if relative_imports(source)]


def test_every_wait_has_an_end() -> None:
    found = {(named(path), wait) for path, source in sources("snaps", "tests") for wait in endless_waits(source)}
    assert found <= CERTAIN


def test_the_package_unpickles_nothing_and_runs_in_one_way() -> None:
    assert not {named(path): found for path, source in sources("snaps") if (found := unpickling(source))}
    assert [path for path, source in sources("snaps") if runs_as_script(source)] == [PACKAGE / "__main__.py"]


def test_no_function_has_more_than_three_positional_arguments() -> None:
    counts = {(named(path), name): n for path, source in sources("snaps") for name, n in positional(source).items()}
    assert not {function: n for function, n in counts.items() if n > 3}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def read(path):\n    from joblib import load\n    return load(path)",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import pandas as pd\npd.read_pickle(path)",
        "from pandas import read_pickle\nread_pickle(path)",
        "from torch import load\nload(path)",
        "from torch import load as read\nread(path)",
        "import torch as t\nt.load(path)",
        "import torch\ntorch.load(path, **options)",
        "import torch\ntorch.load(path, weights_only=safe)",
        "import torch\nread = torch.load",
        "from torch.serialization import load",
        "import torch.serialization",
        "from torch.package import PackageImporter",
        "import torch\ntorch.jit.load(path)",
        "import torch\ntorch.hub.load(where, what)",
        "import torch\ntorch.serialization.add_safe_globals([Own])",
        "from somewhere import Module\nModule.load_from_checkpoint(path)",
        "import numpy\nnumpy.load(path, allow_pickle=True)",
        "from numpy import load\nload(path, None, True)",
        "import numpy as np\nnp.load(path, 'r', True)",
        "import numpy as np\nnp.lib.format.read_array(file, allow_pickle=True)",
        "import dill",
        "import cloudpickle as cp",
        "import shelve",
        "import marshal",
        "import _pickle",
        "from multiprocessing import connection",
        "import yaml\nyaml.load(text)",
        "import zarr\nzarr.create(3, object_codec=codec)",
        "from numcodecs import pickles",
        "from numcodecs.pickles import Pickle",
        "eval(text)",
        "exec(text)",
        "compile(text, '', 'exec')",
        "__import__(name)",
        "import importlib\nimportlib.import_module('pickle')",
        "import runpy",
        "import pandas as pd\npd.read_hdf(path)",
    ],
)
def test_unpickling_would_be_noticed(source: str) -> None:
    assert unpickling(source)


def test_safe_reading_is_not_taken_for_unpickling() -> None:
    assert not unpickling(
        "import torch, numpy as np\ntorch.load(p, weights_only=True)\nnp.load(p)\nnp.load(p, allow_pickle=False)"
    )
    assert not unpickling(
        "import json, re\njson.loads(text)\nre.compile(text)\nnetwork.eval()\nmodel.load_state_dict(held)"
    )


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(command, check=True)",
        "from subprocess import run\nrun(command)",
        "process.communicate()",
        "process.communicate(text)",
        "process.wait()",
        "import os\nos.wait()",
        "thread.join()",
        "future.result()",
        "queue.get()",
        "client.wait_for_workers(2)",
    ],
)
def test_an_endless_wait_would_be_noticed(source: str) -> None:
    assert endless_waits(source)


def test_other_calls_are_not_taken_for_endless_waits() -> None:
    assert not endless_waits("process.wait(60)\nthread.join(timeout=60)\n', '.join(names)\nattributes.get('unit')")
    assert not endless_waits("import subprocess\nsubprocess.run(command, timeout=60)\nmoments.result(layer)\nrun(x)")


def test_other_habits_would_be_noticed() -> None:
    assert relative_imports("from . import files") == [1]
    assert not relative_imports("from snaps import files")
    assert runs_as_script("if __name__ == '__main__':\n    main()")
    assert not runs_as_script("name = __name__")
    assert positional("class A:\n    def f(self, a, b, c, d, *, e): ...") == {"A.f": 4}
    assert vague_parts(ROOT / "snaps" / "audio_utils.py") == {"utils"}
