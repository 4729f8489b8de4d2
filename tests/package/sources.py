"""What the tests of this room read: files of the repository, and what stands in Python sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "snaps"
#: Folders with sources of our own.
FOLDERS = ("snaps", "tests", "benchmarks", "fuzzing", "docs", "notebooks")
#: Modules that can run code which a file holds.
UNPICKLERS = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"})


def python_files(*folders: str) -> list[Path]:
    """All Python files below some folders of the repository, without what builds leave there."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if not any(part.startswith(("_build", ".", "__pycache__")) for part in path.relative_to(ROOT).parts)
    )


def unpickling(source: str) -> list[str]:
    """Everything in a source that could run code from a file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPICKLERS:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            found += _unpickling_call(node)
    return found


def _unpickling_call(call: ast.Call) -> Iterator[str]:
    called = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if called.endswith("read_pickle"):
        yield called
    elif called in ("torch.load", "torch.package.PackageImporter") and given.get("weights_only") != "True":
        yield f"{called} without weights_only=True"
    elif given.get("allow_pickle", "False") != "False":
        yield f"{called} with allow_pickle={given['allow_pickle']}"


def relative_imports(source: str) -> list[int]:
    """Lines with a relative import."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.level]


def runs_as_script(source: str) -> bool:
    """Whether a source asks if it is the program itself."""
    return any(
        isinstance(node, ast.If) and "__name__" in {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
        for node in ast.walk(ast.parse(source))
    )


def positional(source: str) -> dict[str, int]:
    """Number of positional parameters of every public function and method, without self and cls."""
    return dict(_positional(ast.parse(source).body, ""))


def _positional(body: list[ast.stmt], within: str) -> Iterator[tuple[str, int]]:
    for node in body:
        public = getattr(node, "name", "_") == "__init__" or not getattr(node, "name", "_").startswith("_")
        if isinstance(node, ast.ClassDef) and public:
            yield from _positional(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and public:
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            yield within + node.name, len(names) - (names[:1] in (["self"], ["cls"]))
