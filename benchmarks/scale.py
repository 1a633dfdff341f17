"""Data larger than memory, and more machines than one: how fast, how well shuffled, how it grows.

    python benchmarks/scale.py speed          images a second from folders and packs, beside others
    python benchmarks/scale.py first-batch    time to the first batch, and after a resume
    python benchmarks/scale.py shuffle        the quality of the shuffle beside that of others
    python benchmarks/scale.py simulate       the order for up to 1,024 processes and 1 B images
    python benchmarks/scale.py faults         kills, full disks, damaged shards, lost connections
    python benchmarks/scale.py hosts          two computers, one is killed, and training goes on
    python benchmarks/scale.py all            one after the other
    python benchmarks/scale.py PART --help    what can be chosen

Each part is a module of scaling/, with `add_arguments` and `run`. Results are printed as tables in
Markdown, with the machine and the versions.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

PARTS = {
    "speed": "speed",
    "first-batch": "first_batch",
    "shuffle": "shuffle",
    "simulate": "simulate",
    "faults": "faults",
    "hosts": "two_hosts",
}
"""The module in scaling/ of each part, imported when it is needed: some need others' packages. Its
docstring is the help; `add_arguments(parser)` adds what can be chosen, and `run(options)` returns
how many results may not be."""


def main(arguments: list[str]) -> int:
    chosen = arguments[0] if arguments else ""
    if chosen not in (*PARTS, "all"):
        print(__doc__)
        return 0 if chosen in ("", "-h", "--help") else 2
    bad = 0
    for name in PARTS if chosen == "all" else [chosen]:
        part = import_module(f"dotcnn.benchmarks.scaling.{PARTS[name]}")
        parser = argparse.ArgumentParser(
            f"scale.py {name}",
            description=part.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        part.add_arguments(parser)
        options = parser.parse_args(arguments[1:] if chosen != "all" else [])
        print(f"\n== {name}", flush=True)
        bad += part.run(options)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
