"""What is compared: a run, or several that differ only in their seed, with the answers they keep.

The folds of a cross-validation are one run, whose answers are those of all folds together: each
image is answered by the network that has not seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy

from ...dsl.printable import show
from ..answers.answers_file import answers_name, read_answers
from ..answers.kept_answers import KeptAnswers, OutputAnswers
from ..checkpoint.run_files import read_record
from ..runs.run_facts import RunFacts
from ..runs.seed_groups import seed_groups
from ..sweep.sweep_folder import TRIALS, is_sweep
from ..untrusted.bad_file import BadFile
from ..untrusted.json_text import misfit, number
from .measures import Measure, measures_of

MOST = 20
"""Lines of a comparison."""


class Kind(NamedTuple):
    """What an output answers: only runs that answer the same can be compared."""

    name: str
    task: str
    classes: tuple[str, ...]


class DataOfRun(NamedTuple):
    """What the record of a run says of its data."""

    name: str
    noun: str
    kinds: tuple[Kind, ...]
    """Empty if it does not say it."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A line of the comparison."""

    name: str
    runs: tuple[RunFacts, ...]
    """Several that differ only in their seed, or one."""
    answers: tuple[KeptAnswers | None, ...]
    """Those of each run; None where they are not known."""
    data: DataOfRun

    @property
    def run(self) -> RunFacts:
        """Its run, or the first of several."""
        return self.runs[0]

    @property
    def several(self) -> bool:
        return len(self.runs) > 1

    @property
    def kept(self) -> KeptAnswers | None:
        """The answers of its first run."""
        return self.answers[0]

    @property
    def complete(self) -> bool:
        """Whether the answers of all its runs are known."""
        return all(each is not None for each in self.answers)

    @cached_property
    def measures(self) -> tuple[dict[str, Measure], ...]:
        """Of each run, its measures by their metric; none where answers are not known."""
        return tuple(
            {
                measure.metric: measure
                for output in (answers.outputs if answers is not None else ())
                for measure in measures_of(output)
            }
            for answers in self.answers
        )

    @property
    def seconds(self) -> float | None:
        """The mean duration of its trainings."""
        known = [run.seconds for run in self.runs if run.seconds is not None]
        return fmean(known) if known else None

    @property
    def seeds(self) -> str:
        seeds = [str(run.seed) for run in self.runs if run.seed is not None]
        return ", ".join(seeds)

    def metrics(self, run: RunFacts, part: str) -> dict[str, float]:
        """What is recorded of one of its runs."""
        return dict(run.metrics if part == "val" else run.test)


Evaluate = Callable[[RunFacts, str], KeptAnswers | None]
"""Finds the answers of a run that keeps none; None if that is not possible."""


def contenders_of(
    runs: Sequence[RunFacts], part: str, evaluate: Evaluate, *, grouped: bool = True
) -> list[Contender]:
    """The lines of a comparison of these runs. Runs that differ only in their seed are one line,
    unless nothing else would be left to compare with."""
    groups = seed_groups(runs) if grouped else []
    if len(groups) < 2:
        groups = [[run] for run in runs]
    names = dict(zip([id(run) for run in runs], _names(runs), strict=True))
    found = []
    for group in groups:
        name = names[id(group[0])]
        if len(group) > 1:
            name = f"{_common_name([names[id(run)] for run in group])} ({len(group)} seeds)"
        answers = tuple(_answers(run, part, evaluate) for run in group)
        found.append(Contender(name, tuple(group), answers, _data(group[0], answers[0])))
    return _with_different_names(found)


def _names(runs: Sequence[RunFacts]) -> list[str]:
    """The shortest ends of their paths that tell them apart."""
    parts = [_parts(run.folder.absolute()) for run in runs]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(set(parts)):
            return [show(name) for name in names]
    return [show(str(run.folder)) for run in runs]


def _parts(folder: Path) -> tuple[str, ...]:
    """The parts of a path; that of a trial, which is named by its number alone, says what it is."""
    if folder.parent.name == TRIALS and is_sweep(folder.parent.parent):
        return (*folder.parent.parent.parts, f"trial {folder.name}")
    return folder.parts


def _common_name(names: Sequence[str]) -> str:
    """What the names of several runs begin with; the first of them if that is nothing."""
    letters = zip(*names, strict=False)
    same = list(takewhile(lambda each: len(set(each)) == 1, letters))
    common = "".join(each[0] for each in same).rstrip("-_./ 0123456789")
    return common if len(common) > 1 else names[0]


def _with_different_names(contenders: Iterable[Contender]) -> list[Contender]:
    found: list[Contender] = []
    for each in contenders:
        name, number = each.name, 2
        while any(name == other.name for other in found):
            name, number = f"{each.name} #{number}", number + 1
        found.append(replace(each, name=name))
    return found


# ---- answers -----------------------------------------------------------------------------------


def _answers(run: RunFacts, part: str, evaluate: Evaluate) -> KeptAnswers | None:
    """What a run keeps, if it is of its best weights; else what an evaluation finds."""
    if run.kind == "folds":
        return joined([_answers(member, part, evaluate) for member in run.members])
    known = kept_answers(run, part)
    return known if known is not None else evaluate(run, part)


def kept_answers(run: RunFacts, part: str) -> KeptAnswers | None:
    """The answers that a run keeps; None if it keeps none, or those of other weights."""
    try:
        answers = read_answers(run.folder, part)
    except BadFile:
        return None
    best = None if run.members else run.best_epoch
    return answers if answers.epoch == best and answers.part == part else None


def why_not_kept(run: RunFacts, part: str) -> str:
    """Why the answers of a run are not those in its folder, in words that continue its name."""
    try:
        answers = read_answers(run.folder, part)
    except BadFile as error:
        if error.kind == "missing":
            return "keeps no answers"
        return f"keeps answers that cannot be used: {answers_name(part)} {error}"
    return f"keeps the answers of epoch {answers.epoch}, and its best one is {run.best_epoch} now"


def joined(parts: Sequence[KeptAnswers | None]) -> KeptAnswers | None:
    """The answers of the folds of a cross-validation as those of one run; None if they are not
    complete, or if images are answered twice."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    first = known[0]
    kinds = [[_kind(output) for output in part.outputs] for part in known]
    ids = numpy.concatenate([part.ids for part in known])
    if any(each != kinds[0] for each in kinds) or len(numpy.unique(ids)) < len(ids):
        return None
    starts = numpy.cumsum([0, *(len(part.ids) for part in known)])
    outputs = []
    for place, output in enumerate(first.outputs):
        every = [part.outputs[place] for part in known]
        if any(each.arrays.keys() != output.arrays.keys() for each in every):
            return None
        arrays = {
            name: numpy.concatenate([each.arrays[name] for each in every]) for name in output.arrays
        }
        rows = [each.rows + start for each, start in zip(every, starts, strict=False)]
        outputs.append(replace(output, rows=numpy.concatenate(rows), arrays=arrays))
    names = tuple(name for part in known for name in part.names)
    return replace(
        first,
        epoch=None,
        images=sum(part.images for part in known),
        ids=ids,
        names=names if len(names) == len(ids) else (),
        outputs=tuple(outputs),
    )


def _kind(output: OutputAnswers) -> Kind:
    return Kind(output.name, output.task, output.classes)


# ---- data --------------------------------------------------------------------------------------

_DATASET = {"name": str, "noun": str, "task": str, "classes": [str], "answers": [dict]}
_ANSWER = {"output": str, "task": str, "classes": [str]}


def _data(run: RunFacts, answers: KeptAnswers | None) -> DataOfRun:
    recorded = _recorded_data(_record(run.folder).get("dataset"))
    if answers is None:
        return recorded
    return DataOfRun(recorded.name, answers.noun, tuple(map(_kind, answers.outputs)))


def _recorded_data(dataset: Any) -> DataOfRun:
    if misfit(dataset, _DATASET) or any(misfit(each, _ANSWER) for each in dataset["answers"]):
        return DataOfRun("", "image", ())
    kinds = [
        Kind(each["output"], each["task"], tuple(each["classes"])) for each in dataset["answers"]
    ] or [Kind("", dataset["task"], tuple(dataset["classes"]))]
    return DataOfRun(show(dataset["name"]), dataset["noun"], tuple(kinds))


def figures_of_classes(run: RunFacts) -> dict[str, dict[str, float]]:
    """What the record of a run says of each class on the validation set: `{"cat": {"f1": 0.8}}`."""
    result = _record(run.folder).get("result") or {}
    each = result.get("per_class")
    if not isinstance(each, dict) or misfit(each, {str: {str: (None, number)}}):
        return {}
    return {
        name: {key: float(value) for key, value in figures.items() if value is not None}
        for name, figures in each.items()
    }


def _record(folder: Path) -> dict[str, Any]:
    try:
        return read_record(folder)
    except BadFile:
        return {}
