"""The tasks of the outputs of a network: what each answers, and what its answers are called."""

from __future__ import annotations

from ..tasks.multi_task import MultiTask
from ..tasks.task import Task


def answering(task: Task) -> list[tuple[str, Task]]:
    """The task of each output, with what comes before the names of its answers: of several outputs,
    `age.` as in the names of metrics."""
    if isinstance(task, MultiTask):
        return [(f"{one.name}.", one.task) for one in task.each]
    return [("", task)]
