"""`cnn sweep --best`: the best trial of a sweep, or any other, as a spec with its values in it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ...compiler.commands.options import whole
from ...compiler.commands.output_file import writing
from ...compiler.commands.terminal import OK, UsageError, say, style
from ..sweep.sweep_facts import SweepFacts, TrialFacts, read_sweep

RUNS = "runs"


def add_best(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--best",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="write the best trial of the sweep in this folder as a spec, to -o or standard output;"
        " without FOLDER, of the last sweep of the spec",
    )
    parser.add_argument(
        "--trial", type=whole, metavar="N", help="with --best: another trial than the best one"
    )
    parser.add_argument(
        "--keep-sweep",
        action="store_true",
        help="with --best: keep the section `sweep` in the spec",
    )


def run_best(options: argparse.Namespace) -> int:
    from ..sweep.best_spec import chosen_trial, must_find_imports, relative_data, spec_of_trial

    given = {
        "--join": options.join,
        "--trials": options.trials,
        "--data": options.data,
        "--set": options.set,
        "--network": options.network,
        "--input": options.input,
    }
    extra = [name for name, value in given.items() if value]
    if extra:
        raise UsageError(f"--best writes a trial as it was trained; leave {extra[0]} out")
    output = None if options.output in (None, "-") else Path(options.output)
    if output is not None and os.path.lexists(output):
        raise UsageError(f"{output} exists already and was not changed")
    facts = read_sweep(_folder(options.best or options.file))
    if options.trial is None and output is None and len(facts.objectives) > 1 and facts.front:
        return _list_front(facts, options)
    trial = chosen_trial(facts, options.trial)
    text = spec_of_trial(facts, trial, keep_sweep=options.keep_sweep)
    if output is None:
        print(text, end="")
    else:
        must_find_imports(text, output)
        with writing(output):
            output.write_text(text, encoding="utf-8", newline="")
    _tell(facts, trial, output)
    moved = output is not None and output.resolve().parent != facts.base.resolve()
    paths = relative_data(text, facts) if moved else []
    if paths:
        say(f"its data, {paths[0]}, is looked for beside it; it was in {facts.base}")
    return OK


def _tell(facts: SweepFacts, trial: TrialFacts, output: Path | None) -> None:
    from ..sweep.trial_text import reached, values_text

    values = values_text(facts.searches, trial.values)
    into = "" if output is None else f"wrote {output}: "
    say(f"{into}trial {trial.number}, {values}: {reached(trial, facts)}")


def _list_front(facts: SweepFacts, options: argparse.Namespace) -> int:
    """Of two objectives, none is the best: the trials that no other is better than in both."""
    from ..sweep.trial_table import table

    print("\n".join(table(facts, style(options), facts.front)))
    say("none of these is better than another in both; choose one with --trial N")
    return OK


def _folder(target: str | None) -> Path:
    """The folder of the sweep that is meant: a folder, the last sweep of a spec, or the only one
    here."""
    if target and os.path.isdir(target):
        return Path(target)
    stem = Path(target).stem if target else ""
    found = [
        path
        for path in sorted(Path(RUNS).glob("*"))
        if (path / "sweep.json").is_file()
        and (not stem or path.name == f"{stem}-sweep" or path.name.startswith(f"{stem}-sweep-"))
    ]
    if not found:
        what = f"of {target} " if target else ""
        raise UsageError(f"there is no sweep {what}in {RUNS}: name its folder, `--best FOLDER`")
    if not stem and len(found) > 1:
        listed = ", ".join(map(str, found[:6]))
        raise UsageError(f"which sweep? there are {listed}: `--best FOLDER`")
    return max(found, key=lambda path: (path / "sweep.json").stat().st_mtime)
