"""Times `cnn check`, parsing and formatting, and how parsing grows with the length of a spec.

    python benchmarks/language.py [--runs 15]

Whole processes are timed in turn with `python -c "import lark"`, so that changes of the machine's
speed affect both. Medians are printed; look at their ratio. Compile the package first (`python -m
compileall`, as `make` does), or the first start includes compiling to bytecode.
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
    """A valid network of about this many lines."""
    head = "block unit(width, stride=1) {\n  conv width 3x3 stride=stride same, bn, relu\n}\n\n"
    body = [_LINES[number % len(_LINES)] for number in range(lines - 9)]
    inside = "\n".join(["  input 3x64x64", *body, "  pool avg global, flatten", "  fc 10"])
    return f"{head}network Big {{\n{inside}\n}}\n"


def seconds_of(command: list[str]) -> float:
    """The time of a process in seconds."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def megabytes_of(code: str) -> float:
    """The peak memory of a process that runs Python code.

    It is read from /proc, because the peak that wait4() returns may be that of the parent process.
    """
    tell = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    command = [sys.executable, "-c", f"{code}\n{tell}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(output.split()[-2]) / 1024


def start_up(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.cnn"
        file.write_text(spec(200))
        check = f"from dotcnn.cli import main; main(['check', {str(file)!r}])"
        commands = {
            "python -c pass": ([sys.executable, "-c", "pass"], "pass"),
            "import lark": ([sys.executable, "-c", "import lark"], "import lark"),
            "cnn check, 200 lines": ([sys.executable, "-m", "dotcnn", "check", str(file)], check),
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, (command, _code) in commands.items():
                seconds[name].append(seconds_of(command))
        peaks = {name: megabytes_of(code) for name, (_, code) in commands.items()}
    for name, values in seconds.items():
        low, middle = min(values), statistics.median(values)
        print(f"{name:22} median {middle:.3f} s, least {low:.3f} s, peak {peaks[name]:.0f} MB")
    pairs = zip(seconds["cnn check, 200 lines"], seconds["import lark"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    print(f"ratio to `import lark`: {ratio:.2f} (at most 2.5), and at most 0.20 s")


def timed(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def growth() -> None:
    each = {}
    for lines, limit in (10_000, " (at most 1.5)"), (100_000, ""):
        text = spec(lines)
        seconds = timed(lambda text=text: read(Source("net.cnn", text)))  # type: ignore[misc]
        each[lines] = seconds / lines
        speed = f"{lines / seconds:,.0f} lines a second"
        print(f"parse {lines:7,} lines: {seconds:.2f} s{limit}, {speed}")
    ratio = each[100_000] / each[10_000]
    print(f"time a line at 100,000 over that at 10,000: {ratio:.2f} (at most 1.3)")
    code = (
        "from pathlib import Path; import sys; sys.path.insert(0, 'benchmarks');"
        "from language import spec; from dotcnn.dsl.parser import parse; parse(spec(100_000))"
    )
    os.chdir(Path(__file__).resolve().parent.parent)
    print(f"parse 100,000 lines: peak {megabytes_of(code):.0f} MB")
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
