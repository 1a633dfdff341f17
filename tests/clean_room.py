"""The package as users install it, each time in an environment of its own.

    python tests/clean_room.py wheel [PYTHON ...]    the wheel alone, with what works without torch
    python tests/clean_room.py oldest [PYTEST ...]   the oldest packages that pyproject.toml allows

`wheel` asks every Python that is named, or all that are found. `oldest` runs the tests; the torch
that is oldest is a build for CUDA, of gigabytes, so `--torch 2.13.0+cpu` takes another. The extra
`onnx` needs a later torch than the others: `--without onnx` is for the oldest of all.
Needs `uv`, which is installed into an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
MOST_BYTES = 3_000_000
"""Of the wheel."""
COMMANDS = (
    "--version",
    "new first.cnn",
    "check first.cnn resnet18",
    "report resnet50 --depth 1",
    "report lenet5 --format json",
    "explain lenet5 conv1",
    "diff resnet18 resnet34",
    "draw googlenet -o googlenet.svg",
    "emit lenet5 -o lenet5.py",
    "fmt --check first.cnn",
    "help conv",
    "lesson 3",
    "gallery",
    "runs",
)
"""What works without torch."""
EXTRAS_LEFT_OUT = {"dev", "docs", "outside", "mlflow", "wandb", "hf"}

OF_CONSTRAINTS = "tests/test_packaging.py::test_every_version_is_pinned"
"""It asks whether the environment is the one of constraints.txt, which the oldest is not."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    wheel = kinds.add_parser("wheel")
    wheel.add_argument("pythons", nargs="*", metavar="PYTHON")
    oldest = kinds.add_parser("oldest")
    oldest.add_argument("--torch", help="this version of torch instead of the oldest")
    oldest.add_argument(
        "--without", action="append", default=[], metavar="EXTRA", help="leave this extra out"
    )
    oldest.add_argument("--find-links", help="a folder of wheels, as of pip")
    oldest.add_argument("pytest", nargs="*", metavar="PYTEST", help="arguments of pytest")
    for kind in (wheel, oldest):
        kind.add_argument("--room", type=Path, help="keep the environments in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dotcnn-") as folder:
        room = (options.room or Path(folder)).absolute()
        _run([sys.executable, "-m", "venv", room / "tools"])
        _run(
            [room / "tools/bin/pip", "install", "-q", "--disable-pip-version-check", "uv", "build"]
        )
        if options.kind == "wheel":
            return _wheel(room, options.pythons or _found())
        return _oldest(room, options)


def _wheel(room: Path, pythons: Sequence[str]) -> int:
    shutil.rmtree(room / "dist", ignore_errors=True)
    _run([room / "tools/bin/python", "-m", "build", "--wheel", "-o", room / "dist", ROOT], True)
    (file,) = (room / "dist").glob("*.whl")
    size = file.stat().st_size
    print(f"{file.name}: {size:,} bytes")
    failed = int(size > MOST_BYTES)
    for python in pythons:
        place = room / "bare"
        shutil.rmtree(place, ignore_errors=True)
        _uv(room, "venv", "-q", "--python", python, place)
        _uv(room, "pip", "install", "-q", "--python", place / "bin/python", file)
        version = _said([place / "bin/python", "--version"])
        tried = place / "tried"
        tried.mkdir()
        for command in COMMANDS:
            run = subprocess.run(
                [place / "bin/cnn", *command.split()], cwd=tried, capture_output=True, text=True
            )
            if run.returncode:
                failed += 1
                print(f"{version}: cnn {command}: {run.returncode}\n{run.stdout}{run.stderr}")
        _uv(room, "tool", "run", "-q", "--python", python, "--from", file, "cnn", "--version")
        print(f"{version}: {len(COMMANDS)} commands, and uvx")
    return int(failed > 0)


def _oldest(room: Path, options: argparse.Namespace) -> int:
    """The tests with the lower bounds of all direct requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    wanted = set(project["dependencies"]) | set(_of_development(extras["dev"]))
    for extra, requirements in extras.items():
        if extra not in EXTRAS_LEFT_OUT.union(options.without):
            wanted |= {each for each in requirements if not each.startswith("dotcnn[")}
    if options.torch:
        wanted = {each for each in wanted if not each.startswith(("torch>", "torchvision>"))}
        wanted |= {f"torch=={options.torch}", "torchvision"}
    listed = room / "direct.txt"
    listed.write_text("\n".join(sorted(wanted)) + "\n")
    place = room / "oldest"
    links = ["--find-links", options.find_links] if options.find_links else []
    _uv(room, "venv", "-q", "--seed", "--allow-existing", "--python", sys.executable, place)
    install = ["pip", "install", "-q", "--python", place / "bin/python"]
    _uv(room, *install, "--resolution", "lowest-direct", *links, "-r", listed)
    _uv(room, *install, "--no-deps", "--no-build-isolation", "-e", ROOT)
    arguments = options.pytest or ["-q", "-n", "2", "-m", "not slow"]
    # Not `python -m pytest`, which would put the root of the repository first among the modules.
    command = [place / "bin/pytest", f"--deselect={OF_CONSTRAINTS}", *arguments]
    return subprocess.run(command, cwd=ROOT).returncode


def _of_development(requirements: Sequence[str]) -> Iterator[str]:
    """What only the tests need, as it is in constraints.txt: users do not install it."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0]: line for line in pins if "==" in line}
    for each in requirements:
        if not each.startswith("dotcnn["):
            yield pinned[re.split(r"[^\w-]", each)[0]]


def _found() -> list[str]:
    return [f"python{version}" for version in VERSIONS if _works(f"python{version}")]


def _works(python: str) -> bool:
    """A name may be there for a Python that is not, as those of pyenv are."""
    place = shutil.which(python)
    return (
        place is not None and not subprocess.run([place, "-c", ""], capture_output=True).returncode
    )


def _uv(room: Path, *arguments: str | Path) -> None:
    _run([room / "tools/bin/uv", *arguments])


def _run(command: Sequence[str | Path], quiet: bool = False) -> None:
    output = subprocess.DEVNULL if quiet else None
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([str(each) for each in command], check=True, stdout=output, env=environment)


def _said(command: Sequence[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
