"""What the package promises as a whole: names, versions, rooms, and how it is set up."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sscl_geo

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sscl_geo"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_every_public_name_can_be_imported():
    for name in sscl_geo.__all__:
        assert getattr(sscl_geo, name) is not None


def test_public_names_are_listed_before_they_are_loaded():
    assert set(sscl_geo.__all__) <= set(dir(sscl_geo))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'segmnet'"):
        _ = sscl_geo.segmnet


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, sscl_geo; print(*({'torch', 'numpy', 'rasterio'} & set(sys.modules)))"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert process.stdout.strip() == ""


def test_the_version_stands_in_one_place():
    assert PROJECT["project"]["dynamic"] == ["version"]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited[1] == sscl_geo.__version__
    assert f"## {sscl_geo.__version__} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_constraints_name_versions_and_no_place():
    for line in CONSTRAINTS:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [\w. ()'<>=!]+)?", line), line


@pytest.mark.parametrize("place", ["constraints.txt", "pyproject.toml", "Makefile", "mkdocs.yml"])
def test_nothing_names_an_index(place):
    text = (ROOT / place).read_text(encoding="utf-8")
    assert not re.search(r"index-url|find-links|--index|/simple\b", text)


def test_every_dependency_is_pinned():
    groups = PROJECT["dependency-groups"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(d for g in groups for d in g)]
    pinned = {line.partition("==")[0] for line in CONSTRAINTS}
    names = {canonicalize_name(Requirement(d).name) for d in wanted if isinstance(d, str)}
    assert names <= pinned


def test_pins_satisfy_the_requirements():
    pins = {r.name: r for r in map(Requirement, CONSTRAINTS)}
    for dependency in map(Requirement, PROJECT["project"]["dependencies"]):
        version = next(iter(pins[canonicalize_name(dependency.name)].specifier)).version
        assert dependency.specifier.contains(version), dependency


def test_what_only_linux_has_is_pinned_for_linux_only():
    for line in CONSTRAINTS:
        if line.startswith(("nvidia-", "cuda-", "triton")):
            assert "sys_platform == 'linux'" in line


def rooms():
    """Rooms in their order on the architecture page, each with its place in it."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = page[page.index("| room |") : page.index("`experiments/` holds")]
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    return {
        f"sscl_geo/{name.removesuffix('.py').removesuffix('/')}".replace("/", "."): place
        for place, cell in enumerate(cells)
        for name in re.findall(r"`([\w/.]+)`", cell)
    }


def imports(path):
    """Modules of the package that a file imports, save for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sscl_geo."):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("sscl_geo."))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, id=str(p.relative_to(PACKAGE)))
        for p in sorted(PACKAGE.rglob("*.py"))
        if not p.name.startswith("__")
    ],
)
def test_a_room_imports_only_rooms_above_it(path):
    order = rooms()

    def place(module):
        return order[module] if module in order else place(module.rpartition(".")[0])

    own = place(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert not [module for module in imports(path) if place(module) > own]


def test_files_stay_under_300_lines():
    long = [p.name for p in PACKAGE.rglob("*.py") if len(p.read_text().splitlines()) > 300]
    assert not long


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").is_file()


def find_python(tmp_path, **scripts):
    """Run scripts/find-python where only the given commands exist."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in scripts.items():
        script = folder / name.replace("_", ".")
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", ROOT / "scripts/find-python"],
        env={"PATH": str(folder), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


posix = pytest.mark.skipif(os.name != "posix", reason="a shell script")
TRUE_PYTHON = f'exec {sys.executable} "$@"'


@posix
def test_no_python_is_told_in_one_sentence(tmp_path):
    process = find_python(tmp_path, python3="exit 1")
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.startswith("No Python 3.12, 3.13 or 3.14 with venv and pip was found; ")
    assert process.stderr.count("\n") == 1


@posix
def test_a_shim_that_fails_is_passed_over(tmp_path):
    process = find_python(tmp_path, python3_14="exit 127", python3=TRUE_PYTHON)
    assert process.stdout.strip() == sys.executable


@posix
def test_pythons_of_pyenv_are_found(tmp_path):
    python = tmp_path / ".pyenv/versions/3.12.1/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{TRUE_PYTHON}\n")
    python.chmod(0o755)
    assert find_python(tmp_path, python3="exit 1").stdout.strip() == sys.executable


@posix
def test_a_python_of_uv_is_found(tmp_path):
    process = find_python(tmp_path, python3="exit 1", uv=f"echo {sys.executable}")
    assert process.stdout.strip() == sys.executable
