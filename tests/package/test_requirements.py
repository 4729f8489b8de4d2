"""Requirements: pyproject.toml, what is imported, constraints.txt and environment.yml agree."""

import ast
import importlib.metadata
import re
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.package.sources import ROOT, python_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Requirements of the package itself: the core, and the extras that its code can use.
USED = [
    Requirement(line)
    for line in (
        *PROJECT["dependencies"],
        *(line for extra in ("captum", "cluster", "synthesis") for line in EXTRAS[extra]),
    )
]

#: Names on conda-forge that differ from those on PyPI; the ``-base`` ones leave out graphical toolkits.
CONDA_NAMES = {
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
    "soundfile": "pysoundfile",
    "torch": "pytorch",
}
#: Names under which distributions are imported, where they differ; xarray imports h5netcdf by name.
MODULES = {"scikit-learn": "sklearn"}
BY_NAME = {"h5netcdf"}
#: What tests import of the requirements' own requirements: pytest's and matplotlib's.
DRAWN = {"packaging", "PIL"}


def environment() -> tuple[dict[str, SpecifierSet], dict[str, SpecifierSet]]:
    """Requirements of environment.yml: from conda-forge, and from PyPI."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    plain = [Requirement(line) for line in listed if isinstance(line, str)]
    (pip,) = (entry["pip"] for entry in listed if isinstance(entry, dict))
    from_pypi = [Requirement(line) for line in pip if not line.startswith("-")]
    return {r.name: r.specifier for r in plain}, {r.name: r.specifier for r in from_pypi}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines)


def imported(*folders: str) -> set[str]:
    modules = set()
    for path in python_files(*folders):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            modules |= {name.partition(".")[0] for name in names}
    return modules - set(sys.stdlib_module_names) - {"snaps", "tests", "fuzzing"}


def test_environment_and_pyproject_list_the_same() -> None:
    conda, pip = environment()
    assert conda.pop("python") == SpecifierSet(PROJECT["requires-python"])
    conda.pop("pip")
    expected = {requirement.name: requirement.specifier for requirement in USED}
    assert {CONDA_NAMES.get(name, name): bound for name, bound in expected.items() if name not in pip} == conda
    assert {name: bound for name, bound in expected.items() if name in pip} == pip


def test_what_is_imported_is_required_and_what_is_required_is_imported() -> None:
    required = {MODULES.get(r.name, r.name.replace("-", "_")) for r in USED if r.name not in BY_NAME}
    assert imported("snaps") == required


def test_what_tests_import_is_in_their_extra() -> None:
    listed = {Requirement(line).name for line in EXTRAS["test"]} | {requirement.name for requirement in USED}
    listed |= {Requirement(line).name for line in (ROOT / "tests" / "oracles.txt").read_text().split()}
    modules = {MODULES.get(name, {"pyyaml": "yaml"}.get(name, name.replace("-", "_"))) for name in listed}
    assert imported("tests") <= modules | DRAWN


def test_every_pin_is_a_plain_version() -> None:
    for name, version in pins().items():
        assert re.fullmatch(r"[0-9][0-9a-z.!-]*", version), f"{name}=={version}"
    assert "neuron-snaps" not in pins()


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_pins_satisfy_the_requirements(extra: str) -> None:
    pinned = {canonicalize_name(name): version for name, version in pins().items()}
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        requirement = Requirement(line)
        if requirement.name != PROJECT["name"]:
            version = pinned[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{line}, but {version} is pinned"


def test_pins_cover_what_the_requirements_draw() -> None:
    """Every distribution that ours draw in, on this machine, is pinned."""
    pinned = {canonicalize_name(name) for name in pins()}
    waiting = {canonicalize_name(requirement.name) for requirement in USED}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            drawn = canonicalize_name(requirement.name)
            if (requirement.marker is None or requirement.marker.evaluate({"extra": ""})) and drawn not in seen:
                waiting.add(drawn)
    assert seen - pinned - {"setuptools", "pip"} == set()
