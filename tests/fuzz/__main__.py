"""Runs targets on many inputs: `python -m fuzz [TARGET …] [--count N] [--seed S] [--begin N]`.

Every input has a number; `--seed S --begin N --count 1` runs one again. A failure is written into
build/fuzz/TARGET, once for each place in the code: shorten it, move it to tests/fuzz/cases/TARGET
under a name that says what was wrong, and mend it. One input in fifty is run twice and in a process
with other hashes as well.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from .frame import HERE, Inputs, Target, attempt, digests_elsewhere, repeated, targets

_BATCH = 5_000
_EVERY = 50


def main() -> int:
    known = targets()
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(known))
    parser.add_argument("--count", type=int, default=20_000, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--begin", type=int, default=0, help="the number of the first input")
    parser.add_argument("--out", type=Path, default=HERE.parent.parent / "build" / "fuzz")
    parser.add_argument("--digests", metavar="TARGET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.digests:
        inputs = [bytes.fromhex(text) for text in json.load(sys.stdin)]
        _tell(json.dumps([attempt(known[options.digests], data).digest for data in inputs]))
        return 0
    unknown = set(options.targets) - set(known)
    if unknown:
        parser.error(f"no target is called {', '.join(sorted(unknown))}")
    chosen = [known[name] for name in options.targets or known]
    failed = 0
    for begin in range(options.begin, options.begin + options.count, _BATCH):
        for target in chosen:
            end = min(begin + _BATCH, options.begin + options.count)
            failed += _batch(target, options.seed, begin, end, options.out / target.name)
    _tell(f"{failed} failures" if failed else "no failure")
    return 1 if failed else 0


def _batch(target: Target, seed: int, begin: int, end: int, out: Path) -> int:
    """Runs some inputs of a target; how many places in the code failed for the first time."""
    inputs = Inputs(target, seed)
    start, slowest, largest = time.monotonic(), (0.0, 0), (0.0, 0)
    sample: list[tuple[bytes, str]] = []
    failed = 0
    for number in range(begin, end):
        data = inputs[number]
        twice = number % _EVERY == 0
        outcome = (repeated if twice else attempt)(target, data)
        slowest = max(slowest, (outcome.seconds, number))
        largest = max(largest, (outcome.megabytes, number))
        if outcome.failure is not None:
            signature, text = outcome.failure.signature, outcome.failure.text
            failed += _keep(out, signature, data, f"seed {seed}, number {number}\n{text}")
        elif twice:
            sample.append((data, outcome.digest))
    elsewhere = digests_elsewhere(target, [data for data, _ in sample])
    for (data, here), there in zip(sample, elsewhere, strict=True):
        if here != there:
            failed += _keep(out, "output-other-hashes", data, "differs between processes")
    _tell(
        f"{target.name}: {begin:,} to {end:,} in {time.monotonic() - start:.0f} s; "
        f"longest {slowest[0]:.2f} s (number {slowest[1]}), "
        f"largest {largest[0]:.0f} MB (number {largest[1]}), {failed} new failures",
    )
    return failed


def _keep(out: Path, signature: str, data: bytes, text: str) -> bool:
    """Writes a failure down; False where one like it is there already."""
    out.mkdir(parents=True, exist_ok=True)
    told = out / f"{signature}.txt"
    if told.exists():
        return False
    (out / f"{signature}.input").write_bytes(data)
    told.write_text(text, encoding="utf-8", errors="backslashreplace")
    _tell(f"{out.name}: {signature}")
    return True


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
