"""What is installed is what is in the tree, and it works from where it is installed."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dotcnn
from support import ROOT, package_files

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]

ACCELERATION = ("cuda-", "nvidia-", "triton")
"""Requirements of torch itself, where it was built for a graphics card; it pins them."""


DATA_PACKAGES = [
    "dsl", "specs", "training/data/sources", "training/show/page", "training/sweep_page",
]  # fmt: skip
"""Packages with files that are not Python."""
DATA_FOLDERS = [*DATA_PACKAGES, "docs/diagnostics", "docs/lessons", "docs/lessons/pictures"]


HELP = """
import inspect, dotcnn, dotcnn.plugins, dotcnn.testing
for module in (dotcnn, dotcnn.plugins, dotcnn.testing):
    print(module.__doc__)
    for name in module.__all__:
        offered = getattr(module, name)
        print(name, inspect.getdoc(offered))
        for member in sorted(vars(offered)) if inspect.isclass(offered) else ():
            print(name, member, inspect.getdoc(getattr(offered, member)))
"""
"""Says all that `help` does of the Python interface."""


def test_the_version_is_written_once() -> None:
    """In __init__.py, from where the build takes it."""
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "dotcnn.__version__"}
    literal = re.compile(rf"""["']{re.escape(dotcnn.__version__)}["']""")
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in package_files("*.py")}
    assert [path for path in texts if literal.search(texts[path])] == [Path("__init__.py")]


def test_the_extension_has_the_version() -> None:
    """npm reads no Python."""
    for name in ("package.json", "package-lock.json"):
        found = json.loads((ROOT / "editor/vscode" / name).read_text(encoding="utf-8"))
        assert found["version"] == dotcnn.__version__, name


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*\b{re.escape(dotcnn.__version__)}\b", changelog, re.MULTILINE)


def test_every_package_is_listed() -> None:
    folders = {path.parent for path in package_files("__init__.py")}
    assert sorted(SETUPTOOLS["packages"]) == sorted(
        ".".join(["dotcnn", *folder.parts]) for folder in folders
    )


def test_every_source_file_is_in_a_package() -> None:
    """A folder without __init__.py would stay at home."""
    folders = {path.parent for path in package_files("__init__.py")}
    assert [path for path in package_files("*.py") if path.parent not in folders] == []


@pytest.mark.parametrize("package", DATA_PACKAGES)
def test_data_files_are_installed(package: str) -> None:
    globs = SETUPTOOLS["package-data"]["dotcnn." + package.replace("/", ".")]
    folder = ROOT / package
    listed = {path.relative_to(ROOT) for pattern in globs for path in folder.glob(pattern)}
    here = {path for path in package_files("*") if path.is_relative_to(package)}
    assert {path for path in here if path.suffix != ".py"} == listed


def test_every_version_is_pinned() -> None:
    """All that a set-up installs, down to what comes along, and nothing else; of what only the
    longer tests need, what is installed here."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    todo = [Requirement("dotcnn[dev,outside]")]
    needed = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        asked = {(name, extra) for extra in ["", *wanted.extras]} - needed
        needed |= asked
        todo += [
            inner
            for _, extra in asked
            for inner in map(Requirement, requirements(name))
            if inner.marker is None or inner.marker.evaluate({"extra": extra})
            if not inner.name.startswith(ACCELERATION)
        ]
    pinned = {canonicalize_name(pin.name) for pin in pins}
    names = {name for name, _ in needed} - {"dotcnn"}
    assert names - pinned == set()
    if names == {name for name in names if installed(name)}:
        assert pinned == names
    assert [str(pin) for pin in pins if not str(pin.specifier).startswith("==")] == []


def test_wheels_leave_out_docstrings_and_nothing_else() -> None:
    """All else is the same, on the same lines."""
    place = spec_from_file_location("docstrings", ROOT / "setup.py")
    assert place is not None
    assert place.loader is not None
    docstrings = module_from_spec(place)
    place.loader.exec_module(docstrings)
    shorter = 0
    for path in package_files("*.py")[::8]:
        text = (ROOT / path).read_text(encoding="utf-8")
        left = docstrings.without_docstrings(text, {"Op"})
        shorter += left != text
        assert without_strings(left) == without_strings(text), path
    assert shorter > 100

    def of(text: str, *offered: str) -> str:
        return str(docstrings.without_docstrings(text, set(offered)))

    klass = 'class A:\n    """Shown."""\n    b: int\n    """Of b,\n    in two lines."""\n'
    assert of(klass) == 'class A:\n    """Shown."""\n    b: int\n\n\n'
    assert of(klass, "A") == klass
    function = '"""Module."""\ndef f():\n    """Of f."""\n    return 1\n'
    assert of(function) == "\ndef f():\n\n    return 1\n"
    assert of(function, "f") == '\ndef f():\n    """Of f."""\n    return 1\n'
    alone = 'def f():\n    """A body needs a statement."""\n\ndef g(): "here"; return 1\n'
    assert of(alone) == alone


def without_strings(text: str) -> str:
    """The syntax of a source, with its lines, without strings that stand alone."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [each for each in node.body if not is_string(each)]  # type: ignore[attr-defined]
            node.end_lineno = node.end_col_offset = 0  # type: ignore[attr-defined]
    return ast.dump(tree, include_attributes=True)


def is_string(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def installed(name: str) -> bool:
    try:
        return bool(metadata.distribution(name))
    except metadata.PackageNotFoundError:
        return False


def requirements(name: str) -> list[str]:
    return metadata.requires(name) or [] if installed(name) else []


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of a copy of the tree, and the wheel that is built from it alone."""
    source = tmp_path_factory.mktemp("source") / "dotcnn"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "node_modules")

    def ignored(folder: str, names: list[str]) -> set[str]:
        built = {"build", "dist", "runs"} if Path(folder) == ROOT else set()
        if Path(folder) == ROOT / "editor":  # `make playground` may have run, or not
            built = {"page"}
        return left_out(folder, names) | built

    shutil.copytree(ROOT, source, ignore=ignored)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return out


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    # The page of `cnn play` is to come, 0.2 MB; tests/clean_room.py looks at the whole.
    assert wheel.stat().st_size < 2_800_000
    assert wheel.name == f"dotcnn-{dotcnn.__version__}-py3-none-any.whl"
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licenses = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
        (described,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        description = archive.read(described).decode()
    listed = [*package_files("*.py"), *package_files("*.lark")]
    for package in DATA_FOLDERS:
        listed += [path for path in package_files("*") if path.is_relative_to(package)]
    assert names == {f"dotcnn/{path.as_posix()}" for path in listed} | {"dotcnn/py.typed"}
    assert len(licenses) == 1
    # Links to files lead nowhere on the page of an index.
    assert re.search(r"\]\((?!https?:|#)", description) is None
    assert "cnn draw net.cnn -o net.svg" in description
    assert "a first network · reading errors" in description


@pytest.mark.slow
def test_an_installed_copy_works_where_nothing_can_be_written(dist: Path, tmp_path: Path) -> None:
    """A spec of the gallery by its name, from an empty folder; it writes nothing, there or here."""
    environment = tmp_path / "environment"
    run_ok([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    python = environment / "bin" / "python"
    (wheel,) = dist.glob("*.whl")
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    run_ok([sys.executable, "-m", "pip", "--python", str(python), *install])
    (site,) = environment.glob("lib/python*/site-packages")
    # The libraries are borrowed from here. A .pth file found along a .pth file is not followed, so
    # the tree that is installed in place stays out of sight.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    before = contents(site)
    for path in [*site.rglob("*"), site]:
        path.chmod(path.stat().st_mode & ~0o222)

    empty = tmp_path / "empty"
    empty.mkdir()
    where = run_ok([str(python), "-c", "import dotcnn; print(dotcnn.__file__)"], empty)
    assert where.stdout.strip() == str(site / "dotcnn" / "__init__.py")
    cnn = str(environment / "bin" / "cnn")
    assert dotcnn.__version__ in run_ok([cnn, "--version"], empty).stdout
    name = min(path.stem for path in (ROOT / "specs").glob("*.cnn"))
    assert run_ok([cnn, "check", name], empty).stdout == ""
    assert (
        run_ok([str(python), "-c", HELP], empty).stdout
        == run_ok([sys.executable, "-c", HELP], empty).stdout
    )

    # Whoever runs this as root can write all the same, hence the comparison.
    assert contents(site) == before
    assert list(empty.iterdir()) == []


def run_ok(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: os.environ[key] for key in ("HOME", "PATH") if key in os.environ}
    run = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
    return run


def contents(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_citation_is_of_this_version() -> None:
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    values = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != " ")
    assert values["version"] == dotcnn.__version__
    assert (
        values["license"]
        == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
    )
