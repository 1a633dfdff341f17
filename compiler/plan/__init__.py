"""The training plan: the train, augment, evaluate and transfer sections, typed and checked."""

from .describe import describe
from .make import examine, plan
from .plan import PlanError, TrainPlan

__all__ = ["PlanError", "TrainPlan", "describe", "examine", "plan"]
