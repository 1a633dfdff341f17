"""The language: how long a person waits for `cnn check`, and how parsing grows with a spec.

    python benchmarks/language.py [--runs 15]

Whole processes are timed in turn with `python -c "import lark"`, so that a change of the machine's
speed falls on both; medians are quoted, and their ratio says most. Compile the package first
(`python -m compileall`, as `make` does), or start-up is that of Python's own compiler.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from dotcnn.dsl.parser import parse, read
from dotcnn.dsl.printer import print_spec
from dotcnn.dsl.source import Source

_LINES = (
    "  conv 32 3x3 same, bn, relu",
    "  unit 32",
    "  residual { conv 32 3x3 same, bn }",
    "  inception { | conv 16 1x1 | conv 16 3x3 same }",
)


def spec(lines: int) -> str:
    """A valid network of about so many lines."""
    head = "block unit(width, stride=1) {\n  conv width 3x3 stride=stride same, bn, relu\n}\n\n"
    body = [_LINES[number % len(_LINES)] for number in range(lines - 9)]
    inside = "\n".join(["  input 3x64x64", *body, "  pool avg global, flatten", "  fc 10"])
    return f"{head}network Big {{\n{inside}\n}}\n"


def process(command: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def start_up(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.cnn"
        file.write_text(spec(200))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import lark": [sys.executable, "-c", "import lark"],
            "cnn check, 200 lines": [sys.executable, "-m", "dotcnn", "check", str(file)],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        peaks: dict[str, float] = {}
        for _ in range(runs):
            for name, command in commands.items():
                took, peaks[name] = process(command)
                seconds[name].append(took)
    for name, values in seconds.items():
        low, middle = min(values), statistics.median(values)
        print(f"{name:22} median {middle:.3f} s, least {low:.3f} s, peak {peaks[name]:.0f} MB")
    pairs = zip(seconds["cnn check, 200 lines"], seconds["import lark"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    print(f"ratio to `import lark`: {ratio:.2f} (at most 2.5)")


def timed(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def growth() -> None:
    each = {}
    for lines in (10_000, 100_000):
        source = Source("net.cnn", spec(lines))
        seconds = timed(lambda source=source: read(source))  # type: ignore[misc]
        each[lines] = seconds / lines
        print(f"parse {lines:7,} lines: {seconds:6.2f} s, {lines / seconds:8,.0f} lines a second")
    print(f"time a line at 100,000 over that at 10,000: {each[100_000] / each[10_000]:.2f}")
    text = spec(10_000)
    seconds = timed(lambda: print_spec(parse(text)))
    print(f"cnn fmt, 10,000 lines, parsed and printed: {seconds:.2f} s (at most 2)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, Python {platform.python_version()}", end=", ")
    print(f"lark {version('lark')}")
    start_up(runs)
    growth()


if __name__ == "__main__":
    main()
