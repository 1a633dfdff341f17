"""A trial of a sweep as a spec of its own: the spec as written, with the trial's values in it.

    text = spec_of_trial(facts, facts.best)

Comments and layout stay; only the values are edited, and the section `sweep` goes. The text is
compiled, and gives the network and the plan of the trial.
"""

from __future__ import annotations

from pathlib import Path

from ...compiler.load_spec import load
from ...compiler.plan.write_values import write_values
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.files import read_file
from ...dsl.source import Source
from ..checkpoint.run_folder import SPEC, shown
from ..request import request_from
from .sweep_facts import SweepFacts, TrialFacts


def spec_of_trial(facts: SweepFacts, trial: TrialFacts, *, keep_sweep: bool = False) -> str:
    """The text of a trial's spec; raises SpecError if the text cannot say its values."""
    source = read_file(facts.folder / SPEC)
    named = Source(facts.spec, source.text, source.path)
    return write_values(named, facts.options, trial.set, keep_sweep=keep_sweep)


def chosen_trial(facts: SweepFacts, number: int | None) -> TrialFacts:
    """The trial with a number, else the best one; raises SpecError if there is none, or if there
    are two objectives and so no best one."""
    name = shown(facts.folder)
    if number is not None:
        found = next((trial for trial in facts.trials if trial.number == number), None)
        if found is None:
            last = max((trial.number for trial in facts.trials), default=None)
            there = "it has none yet" if last is None else f"they are numbered from 0 to {last}"
            raise SpecError([_problem(f"{name} has no trial {number}: {there}")])
        return found
    if facts.best is None:
        why = f"no trial of {name} has come to its end yet"
        if facts.complete:
            why = f"{name} compares by {' and '.join(facts.objectives)}, so that none is the best"
        numbers = ", ".join(str(trial.number) for trial in facts.front)
        help = f"choose one with --trial N; on the front are {numbers}" if numbers else ""
        raise SpecError([_problem(why, help)])
    return facts.best


def _problem(message: str, help: str = "") -> Diagnostic:
    return Diagnostic("no-trial", message, help=help)


def must_find_imports(text: str, output: Path) -> None:
    """Raises SpecError if the files that a spec imports are not beside where it is written."""
    try:
        load(Source(output.name, text, output.resolve()))
    except SpecError as error:
        first = error.diagnostics[0]
        message = f"{shown(output)} would not find what it imports: {first.message}"
        help = "write it into the folder of the spec that was swept, or copy the files there first"
        raise SpecError([Diagnostic(first.code, message, help=help)]) from None


def relative_data(text: str, facts: SweepFacts) -> list[str]:
    """The paths of the data in a spec that are relative to its folder."""
    source = Source(facts.spec, text, facts.folder / SPEC)
    options = facts.options._replace(input=None, set=())
    data = request_from(source, facts.base, options).plan.train.data
    given = [value for name, value in data.arguments.items() if name in _PATHS]
    paths = [value for value in given if isinstance(value, str)]
    return [path for path in paths if not Path(path).expanduser().is_absolute()]


_PATHS = ("path", "root", "masks", "target")
"""Arguments of `data` that name files or folders."""
