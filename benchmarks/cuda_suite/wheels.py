"""Packages for a machine without internet: fetched here as wheels, unpacked there if missing."""

from __future__ import annotations

import atexit
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NEEDED = ("lark", "networkx", "rich", "numpy", "pillow", "safetensors")
"""What the package needs beside torch; with what these need."""
COMPARED = ("kornia", "kornia-rs", "packaging")
"""What `speed` compares with. Without what they need, which is torch."""

_GLIBC = (39, 35, 34, 31, 28, 27, 24, 17)


def pack(folder: Path, python: str, machine: str) -> int:
    """Fetches the wheels with pip; returns its exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    fixed = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    for platform in [*platforms, f"manylinux2014_{machine}"]:
        fixed += ["--platform", platform]
    for names, needs in ((NEEDED, []), (COMPARED, ["--no-deps"])):
        pip = [sys.executable, "-m", "pip", "download", "-q", "-d", str(folder)]
        code = subprocess.call([*pip, *fixed, *needs, *names])
        if code:
            return code
    size = sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))
    print(f"{len(list(folder.glob('*.whl')))} wheels, {size / 2**20:.0f} MiB, in {folder}")
    return 0


def on_path(folder: Path) -> None:
    """Unpacks the wheels of packages that are not installed, and puts them on the path, also on
    that of child processes."""
    wheels = [wheel for wheel in sorted(folder.glob("*.whl")) if not _installed(wheel)]
    if not wheels:
        return
    site = tempfile.mkdtemp(prefix="dotcnn-wheels-")
    atexit.register(shutil.rmtree, site, ignore_errors=True)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    sys.path.append(site)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), site]))
    print(f"from {folder}: {', '.join(wheel.name.split('-')[0] for wheel in wheels)}")


def _installed(wheel: Path) -> bool:
    try:
        importlib.metadata.distribution(wheel.name.split("-")[0])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
