"""`log`: the tools that a run is logged for: TensorBoard, MLflow, W&B, CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from ...dsl.diagnostics import Label
from ..language.kinds import choice, file_name, words
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.words_in_force import words_in_force
from .directive import Context, Directive

TOOLS = ("tensorboard", "mlflow", "wandb", "csv")


def _tools() -> Any:
    """The tools, and the callbacks of plug-ins that the spec uses."""
    field = words("the tools", TOOLS)

    def read(value: object) -> Any:
        own = sorted(words_in_force().callbacks)
        return (words("the tools", (*TOOLS, *own)) if own else field).read(value)

    return replace(field, read=read)


class Log(Directive):
    """Logs for other tools, beside `metrics.jsonl`, which is always written.

    A spec may have several, or one that names several tools. Nothing is sent over the network
    unless `uri` or `mode=online` asks for it, or the tool is set up for that on this machine.
    """

    section = "train"
    word = "log"
    several = True
    set_together = True
    may_be_off = True
    example = "log tensorboard csv"
    usage = "log tensorboard/mlflow/wandb/csv uri=… experiment=… project=… entity=… mode=…"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "log": "logger logging logs",
        "log tensorboard": "tensorboard summarywriter tensorboardlogger tensorboardcallback",
        "log mlflow": "mlflow mlflowlogger mlflow_logger",
        "log wandb": "wandb wandblogger wandb_logger weights_and_biases wandbcallback"
        " wandbmetricslogger log_wandb",
        "log csv": "csv_logger csv csvlogger",
    }

    to: tuple[str, ...] = _tools()
    uri: str | None = file_name(
        "where MLflow stores runs: a server, or `sqlite:///` with a file; by default what"
        " MLFLOW_TRACKING_URI says, else a file in the run folder",
        None, keyword_only=True, example='"sqlite:///mlflow.db"', elsewhere="tracking_uri",
    )  # fmt: skip
    experiment: str | None = file_name(
        "MLflow's experiment; by default the name of the network",
        None, keyword_only=True, example='"digits"', elsewhere="experiment_name",
    )  # fmt: skip
    project: str | None = file_name(
        "the project of W&B; by default the name of the network",
        None, keyword_only=True, example='"digits"',
    )  # fmt: skip
    entity: str | None = file_name(
        "the user or team of W&B", None, keyword_only=True, example='"team"', elsewhere="team"
    )
    mode: str | None = choice(
        "whether W&B sends the run to its server, or writes files for `wandb sync`; by default it"
        " is online if you are logged in",
        ("offline", "online"), None, keyword_only=True, elsewhere={"disabled": "offline"},
    )  # fmt: skip

    def check(self) -> None:
        for name in self.to:
            if self.to.count(name) > 1:
                raise ArgumentError(f"`{name}` is given twice", help="keep one of them")
        for name, tool in _TOOL_OF.items():
            if getattr(self, name) != self.fields[name].default and tool not in self.to:
                message = f"`{name}` is an argument of `log {tool}`"
                raise ArgumentError(message, f"write `{tool}`, too, or take it out", drop=name)

    def problems(self, context: Context) -> Iterator[Problem]:
        for other in context.all(Log):
            if other is self:
                return
            twice = next((name for name in self.to if name in other.to), None)
            here, before = self.place("to"), other.place("to")
            if twice is not None and here is not None and before is not None:
                yield Problem(
                    "second-directive",
                    f"`log {twice}` is given twice",
                    here,
                    labels=(Label(before, "already given here"),),
                    help="keep one of them",
                )


_TOOL_OF = {
    "uri": "mlflow", "experiment": "mlflow",
    "project": "wandb", "entity": "wandb", "mode": "wandb",
}  # fmt: skip
"""The tool that an argument of `log` is for."""
