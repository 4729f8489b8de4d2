"""What the tests of this room read: files of the repository, and what stands in Python sources."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "snaps"
#: Folders with sources of our own.
FOLDERS = ("snaps", "tests", "benchmarks", "fuzzing", "docs", "notebooks")
#: Modules that can run code which a file holds, or hand objects over as pickles.
UNPICKLERS = frozenset(
    [
        "pickle",
        "cPickle",
        "_pickle",
        "pickletools",
        "dill",
        "cloudpickle",
        "joblib",
        "shelve",
        "marshal",
        "jsonpickle",
        "pandas.io.pickle",
        "sklearn.externals",
        "numcodecs.pickles",
        "torch.package",
        "torch.serialization",
        "imp",
        "multiprocessing.connection",
        "multiprocessing.managers",
        "multiprocessing.shared_memory",
        "xmlrpc",
        "code",
        "yaml",
        "ruamel",
        "runpy",
        "hickle",
        "klepto",
        "diskcache",
        "zodb",
        "copyreg",
        "codeop",
    ]
)
#: Calls that run code from a text, or load objects as pickles, by the end of their names.
UNSAFE_CALLS = frozenset(
    [
        "read_pickle",
        "to_pickle",
        "load_from_checkpoint",
        "load_module",
        "exec_module",
        "read_hdf",
        "SourceFileLoader",
        "LoadFromCheckpoint",
        "PackageImporter",
        "hub.load",
        "jit.load",
        "load_state_dict_from_url",
        "unsafe_load",
        "full_load",
        "add_safe_globals",
        "safe_globals",
        "load_workbook",
        "fromregex",
        "spec_from_file_location",
    ]
)
#: Functions of Python itself that run a text.
RUNNERS = frozenset({"eval", "exec", "compile", "__import__"})
#: Calls that unpickle if nobody forbids it: with the keyword that forbids it, and its value.
FORBIDDEN_BY = {"torch.load": ("weights_only", "True"), "np.load": ("allow_pickle", "False")}

#: Calls that wait for a process, a thread or a machine, and take the limit as their only argument or as ``timeout=``.
WAITS = frozenset({"acquire", "get", "join", "result", "wait"})
#: Others of the kind, which take it as ``timeout=``.
WAITS_WITH_TIMEOUT = frozenset(
    [
        "communicate",
        "wait_for_workers",
        "subprocess.run",
        "subprocess.call",
        "subprocess.check_call",
        "subprocess.check_output",
    ]
)


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
    found: list[str] = []
    tree = ast.parse(source)
    full = _full_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if _unpickles(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            found += [name for name in names if _unpickles(name)]
        elif isinstance(node, ast.Call):
            found += _unpickling_call(node, full)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in called:
            found += [f"{name}, handed on" for name in {_named(node, full)} & set(FORBIDDEN_BY)]
    return found


def _unpickles(module: str) -> bool:
    parts = module.split(".")
    return any(".".join(parts[: number + 1]) in UNPICKLERS for number in range(len(parts)))


def _full_names(tree: ast.AST) -> dict[str, str]:
    """What names stand for that were imported under another: ``from torch import load as read``."""
    full = {"numpy": "np", "pandas": "pd"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            full |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            full |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return full


def _named(node: ast.expr, full: dict[str, str]) -> str:
    first, dot, rest = ast.unparse(node).partition(".")
    name = full.get(first, first) + dot + rest
    return re.sub(r"^numpy\b", "np", name)


def _unpickling_call(call: ast.Call, full: dict[str, str]) -> Iterator[str]:
    called = _named(call.func, full)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if any(called == name or called.endswith(f".{name}") for name in UNSAFE_CALLS) or called in RUNNERS:
        yield called
    for name, (keyword, value) in FORBIDDEN_BY.items():
        if called == name and given.get(keyword, value if name == "np.load" else None) != value:
            yield f"{called} without {keyword}={value}"
        if called == name and (None in given or len(call.args) > 1):
            yield f"{called} with arguments that cannot be seen"
    for keyword, value in (("allow_pickle", "False"), ("weights_only", "True"), ("object_codec", "None")):
        if given.get(keyword, value) != value:
            yield f"{called} with {keyword}={given[keyword]}"
    if called.endswith("import_module") and call.args and _unpickles(str(getattr(call.args[0], "value", ""))):
        yield f"{called} of {ast.unparse(call.args[0])}"
    if called.endswith("Unpickler"):
        yield called


def endless_waits(source: str) -> list[str]:
    """Calls in a source that may wait without end."""
    tree = ast.parse(source)
    full = _full_names(tree)
    found = []
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or {"timeout", None} & {keyword.arg for keyword in call.keywords}:
            continue
        called = _named(call.func, full)
        method = called.rpartition(".")[2] if isinstance(call.func, ast.Attribute) else ""
        if {called, method} & WAITS_WITH_TIMEOUT or (method in WAITS and not call.args and not call.keywords):
            found.append(ast.unparse(call))
    return found


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
