"""Which of two results is better, by the metric that selects the best epoch."""

from __future__ import annotations

from collections.abc import Mapping

from ...compiler.plan.metric_names import TRAIN_LOSS, metric_named


def is_better(metric: str, value: float, than: float | None, by: float = 0.0) -> bool:
    """Whether a result is better by more than `by`; NaN never is."""
    if value != value:
        return False
    if than is None:
        return True
    return value > than + by if metric_named(metric).higher else value < than - by


def is_best(metric: str, metrics: Mapping[str, float], best: Mapping[str, float] | None) -> bool:
    """Whether an epoch is the best so far. If two epochs have the same result, the one with the
    lower loss is better; of two with the same training loss, which may not have been validated,
    the first one."""
    if best is None:
        return is_better(metric, metrics[metric], None)
    if metric != TRAIN_LOSS and metrics[metric] == best[metric]:
        return is_better("loss", metrics["loss"], best["loss"])
    return is_better(metric, metrics[metric], best[metric])
