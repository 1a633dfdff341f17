"""The loggers that a plan asks for."""

from __future__ import annotations

from pathlib import Path

from ...compiler.extend.load_plugin import loaded
from ...compiler.plan.log import TOOLS, Log
from ...compiler.plan.plan import TrainPlan
from ..trainer.callbacks import Callback
from .logger import Logger


def loggers_of(plan: TrainPlan, base: Path | None = None) -> list[Callback]:
    """Raises SpecError, before anything is trained, if a package is missing, or if a tool cannot be
    used as the spec says. `base` is the folder that paths in the spec are relative to."""
    return [
        _logger(tool, log, base or Path()) if tool in TOOLS else _own(tool, plan)
        for log in plan.train.logs
        for tool in log.to
    ]


def _own(word: str, plan: TrainPlan) -> Callback:
    """A callback of a plug-in that the plan uses."""
    plugins = [loaded()[identity.name] for identity in plan.plugins]
    kind = next(plugin.callbacks[word] for plugin in plugins if word in plugin.callbacks)
    callback: Callback = kind()
    return callback


def _logger(tool: str, log: Log, base: Path) -> Logger:
    match tool:
        case "csv":
            from .csv_logger import CsvLogger

            return CsvLogger()
        case "tensorboard":
            from .tensorboard_logger import TensorBoardLogger

            return TensorBoardLogger(log)
        case "mlflow":
            from .mlflow_logger import MlflowLogger

            return MlflowLogger(log, base)
        case _:
            from .wandb_logger import WandbLogger

            return WandbLogger(log)
