"""Evaluates a run that keeps no answers, if its data is there, and keeps them in its folder."""

from __future__ import annotations

from collections.abc import Callable

from ... import __version__
from ...dsl.diagnostics import SpecError
from ..answers.answers_file import answers_name, write_answers
from ..answers.collect import collected
from ..answers.kept_answers import KeptAnswers
from ..checkpoint.run_folder import shown
from ..data.loader.thread_pool import Progress
from ..inference.evaluate import assess, data_of
from ..inference.trained_model import open_run
from ..runs.run_facts import RunFacts
from ..runtime.devices import find_device


def evaluated(
    run: RunFacts, part: str, device: str, progress: Progress, note: Callable[[str], None]
) -> KeptAnswers | None:
    """The answers of a run to a part of its data; None if it cannot be evaluated. What was done is
    told to `note`."""
    name = shown(run.folder)
    try:
        model = open_run(run.folder, __version__, device=find_device(device))
        data = data_of(model, progress)
        answers = collected(assess(model, data, part, progress=progress), data, model.epoch)
    except SpecError as error:
        why = error.diagnostics[0].message if error.diagnostics else "it cannot be opened"
        note(f"{name} cannot be evaluated, and is compared without its images: {why}")
        return None
    try:
        write_answers(run.folder, answers)
    except OSError as error:
        note(f"{name} was evaluated; its answers cannot be kept: {error.strerror}")
    else:
        note(f"{name} was evaluated; its answers are in {answers_name(part)} now")
    return answers
