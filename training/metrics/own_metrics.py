"""The metrics of plug-ins that a plan names."""

from __future__ import annotations

from ...compiler.extend.load_plugin import loaded
from ...compiler.plan.metric_names import METRICS
from ...compiler.plan.own_metric import Metric
from ...compiler.plan.plan import TrainPlan


def own_metrics(plan: TrainPlan) -> tuple[Metric, ...]:
    """Those that are shown, or decide about the best epoch, the learning rate or the end."""
    train = plan.train
    deciding = (train.checkpoint, train.early_stop, train.schedule)
    named = [*train.metrics.names, *(getattr(each, "metric", None) or "" for each in deciding)]
    words = dict.fromkeys(name.rpartition(".")[2] for name in named)
    owners = {word: METRICS[word].of_plugin for word in words if word in METRICS}
    return tuple(loaded()[owner].metrics[word]() for word, owner in owners.items() if owner)
