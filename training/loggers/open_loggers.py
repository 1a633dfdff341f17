"""The loggers that a plan asks for."""

from __future__ import annotations

from pathlib import Path

from ...compiler.plan.log import Log
from ...compiler.plan.plan import TrainPlan
from .logger import Logger


def loggers_of(plan: TrainPlan, base: Path | None = None) -> list[Logger]:
    """Raises SpecError, before anything is trained, if a package is missing, or if a tool cannot be
    used as the spec says. `base` is the folder that paths in the spec are relative to."""
    return [_logger(tool, log, base or Path()) for log in plan.train.logs for tool in log.to]


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
