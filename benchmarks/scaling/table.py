"""Tables in Markdown, the machine, and small measurements that the parts share."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows as they come."""
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join("---" for _ in columns) + " |", flush=True)
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def print_machine(*packages: str) -> None:
    """The processor, the memory, and the versions of Python and of packages."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [f"{name} {known}" for name in packages if (known := version_of(name))]
    about = [platform.machine(), f"{cores} cores", f"{memory:.0f} GiB"]
    print(", ".join([*about, f"Python {platform.python_version()}", *found]), flush=True)


def version_of(package: str) -> str:
    """The version of an installed package, or an empty text."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def seconds(action: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def resident(kind: str = "Anon") -> int:
    """The bytes of memory that this process has now, without pages of files; or those (`File`)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"Rss{kind}:"):
            return int(line.split()[1]) * 1024
    return peak()


def peak() -> int:
    """The most bytes that this process has had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def in_units(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"
