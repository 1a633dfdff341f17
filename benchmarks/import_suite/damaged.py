"""Files that are damaged or hostile: each is imported by the command line in a process of its own,
which may take 10 s and 1 GB. What is allowed is a spec, or a diagnostic that names a place in the
file.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

from dotcnn.benchmarks.import_suite.corpora import files, given
from dotcnn.benchmarks.import_suite.table import Options
from dotcnn.cli import main
from dotcnn.compiler.importing.readers import format_of
from fuzz.isolated import Outcome, command


class Case(NamedTuple):
    """A network with perhaps its weights, one of which is damaged."""

    file: Path
    weights: Path | None
    damaged: Path

    @property
    def kind(self) -> str:
        return self.damaged.suffix


def run(options: Options) -> int:
    cases = [case for case in found() if options.wants(case.damaged.name)]
    if not cases:
        print("there are no files")
        return 0
    loaded(cases)
    random = Random(options.seed)
    counts: dict[str, Counter[str]] = {}
    most: dict[str, tuple[float, float]] = {}
    faults: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.count):
            case = cases[number % len(cases)]
            outcome = damage(case, Path(scratch), random, number)
            what = judged(outcome, case.damaged.name)
            counts.setdefault(case.kind, Counter())[what] += 1
            seconds, megabytes = most.get(case.kind, (0.0, 0.0))
            most[case.kind] = max(seconds, outcome.seconds), max(megabytes, outcome.megabytes)
            if what == "refused":
                first = outcome.said.splitlines()[0].removeprefix("error")
                refusals[f"{case.kind} {re.sub('[0-9]+', 'N', first)[:120]}"] += 1
            if what not in ("spec", "refused"):
                if not faults[f"{case.kind} {what}"]:
                    keep(Path(scratch), case, number, outcome, options)
                faults[f"{case.kind} {what}"] += 1
    if options.keep is not None:
        said = [f"{times:5}  {line}" for line, times in refusals.most_common()]
        options.keep.mkdir(parents=True, exist_ok=True)
        (options.keep / "refusals.txt").write_text("\n".join(said))
    print(f"{'kind':14}{'files':>8}{'spec':>8}{'refused':>9}{'faults':>8}{'most s':>8}{'MB':>7}")
    for kind, count in sorted(counts.items()):
        total = sum(count.values())
        wrong = total - count["spec"] - count["refused"]
        seconds, megabytes = most[kind]
        print(
            f"{kind:14}{total:8,}{count['spec']:8,}{count['refused']:9,}{wrong:8,}{seconds:8.1f}"
            f"{megabytes:7.0f}"
        )
    for fault, times in faults.most_common():
        print(f"  {times:5}  {fault}")
    return sum(faults.values())


def found() -> list[Case]:
    """Every file that there is a reader for; weights beside a network are damaged, too."""
    cases = []
    for path in files():
        if format_of(path.name) is None:
            continue
        beside = given(path).weights
        weights = Path(beside) if beside else None
        cases.append(Case(path, weights, path))
        if weights is not None:
            cases.append(Case(path, weights, weights))
    return cases


def loaded(cases: list[Case]) -> None:
    """Imports once what each kind of file needs, so that no fork does it for itself."""
    first = {case.kind: case for case in cases}
    for case in first.values():
        weights = ["--weights", str(case.weights)] if case.weights else []
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main(["import", str(case.file), *weights])


def damage(case: Case, scratch: Path, random: Random, number: int) -> Outcome:
    arguments = ["import"]
    for path in filter(None, (case.file, case.weights)):
        target = scratch / path.name
        content = path.read_bytes()
        if path == case.damaged:
            content = changed(content, random, truncate=number % 3 == 0)
        target.write_bytes(content)
        arguments += ["--weights", str(target)] if path == case.weights else [str(target)]
    if number % 2:
        arguments.append("--partial")
    return command(arguments)


def changed(content: bytes, random: Random, *, truncate: bool) -> bytes:
    """Cut off at some place, or with a few bits or bytes changed; more often near the beginning,
    where formats keep what matters."""
    if not content:
        return content
    if truncate:
        return content[: random.randrange(len(content))]
    damaged = bytearray(content)
    for _ in range(random.choice([1, 1, 1, 2, 4, 16])):
        at = random.randrange(min(len(damaged), random.choice([200, 4000, len(damaged)])))
        change = random.randrange(4)
        if change == 0:
            damaged[at] ^= 1 << random.randrange(8)
        elif change == 1:
            damaged[at] = random.choice([0, 1, 127, 128, 255, 10, 32, 57, 123, 125])
        elif change == 2:
            damaged[at : at + random.choice([1, 8, 100])] = b""
        else:
            damaged[at:at] = damaged[at : at + random.choice([1, 8, 100, 1000])]
        if not damaged:
            break
    return bytes(damaged)


_PLACE = re.compile(r"--> \S")


def judged(outcome: Outcome, name: str) -> str:
    if outcome.code == 0:
        return "spec"
    if outcome.code is None:
        last = outcome.said.strip().splitlines()[-1] if outcome.said.strip() else "no answer"
        where = re.findall(r'File "[^"]*/([\w.]+)", line (\d+)', outcome.said)
        return f"{last[:90]} ({':'.join(where[-1])})" if where else last[:90]
    if _PLACE.search(outcome.said) or name in outcome.said:
        return "refused"
    return f"no place: {outcome.said.strip().splitlines()[0][:90]}"


def keep(scratch: Path, case: Case, number: int, outcome: Outcome, options: Options) -> None:
    """Prints a fault at once, and keeps its file where `--keep` says."""
    print(f"number {number}, {case.damaged.name}: {judged(outcome, case.damaged.name)}", flush=True)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        copy = options.keep / f"{number}-{case.damaged.name}"
        shutil.copy(scratch / case.damaged.name, copy)
        copy.with_name(f"{copy.name}.txt").write_text(outcome.said)
