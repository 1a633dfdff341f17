"""A comparison for programs: unrounded values."""

from __future__ import annotations

from typing import Any

from .confusion_changes import class_changes, confusion_changes
from .contender import Contender
from .differences import Differences
from .run_comparison import Comparison, Standing, output_of
from .sentences import sentences
from .telling_images import telling_images

_CONFUSIONS = 100


def comparison_json(comparison: Comparison, differences: Differences) -> dict[str, Any]:
    contenders = comparison.contenders
    return {
        "part": comparison.part,
        "images": comparison.images,
        "runs": [_contender(comparison, differences, place) for place in range(len(contenders))],
        "outputs": [
            {"name": kind.name, "task": kind.task, "classes": kind.classes}
            for kind in comparison.kinds
        ],
        "by_metric": [
            {
                "metric": each.metric,
                "label": each.label,
                "title": each.title,
                "higher_is_better": each.higher,
                "runs": list(map(_standing, each.standings)),
            }
            for each in comparison.decisive
        ],
        "sentences": list(sentences(comparison)),
        "settings": [{"name": each.name, "values": each.values} for each in differences.settings],
        "changes": [
            _changes(comparison, differences, place, other)
            for place, other in enumerate(contenders[1:], 1)
        ],
        "notes": comparison.notes,
    }


def _contender(comparison: Comparison, differences: Differences, place: int) -> dict[str, Any]:
    each = comparison.contenders[place]
    return {
        "name": each.name,
        "runs": [
            {
                "folder": str(run.folder),
                "state": run.state,
                "seed": run.seed,
                "epochs": run.epochs,
                "best_epoch": run.best_epoch,
                "seconds": run.seconds,
                "metrics": each.metrics(run, comparison.part),
            }
            for run in each.runs
        ],
        "parameters": differences.parameters(place),
        "macs": differences.macs(place),
        "seconds": each.seconds,
        "has_answers": each.complete,
    }


def _standing(standing: Standing) -> dict[str, Any]:
    against, tested = standing.against, standing.against.tested if standing.against else None
    return {
        "name": standing.name,
        "value": standing.value,
        "values": standing.values,
        "deviation": standing.deviation,
        "interval": standing.interval,
        "interval_by": standing.how or None,
        "against_first": None
        if against is None
        else {
            "test": tested.name if tested else None,
            "over": "seeds" if against.over_seeds else "images",
            "reason": against.reason or None,
            "difference": tested.difference if tested else None,
            "interval": tested.interval if tested else None,
            "p": tested.p if tested else None,
            "p_holm": against.p,
            "only_first": tested.counts[0] if tested and any(tested.counts) else None,
            "only_this": tested.counts[1] if tested and any(tested.counts) else None,
            "samples": tested.samples if tested else None,
        },
    }


def _changes(
    comparison: Comparison, differences: Differences, place: int, other: Contender
) -> dict[str, Any]:
    first = comparison.first
    each = []
    for by_metric in comparison.decisive:
        telling = telling_images(first, other, by_metric.metric)
        confusions = confusion_changes(first, other, output_of(first, by_metric.metric))
        each.append(
            {
                "metric": by_metric.metric,
                "confusions": [change._asdict() for change in confusions[:_CONFUSIONS]],
                "images": None
                if telling is None
                else {
                    "only_first": telling.firsts,
                    "only_this": telling.others,
                    "only_first_shown": [image._asdict() for image in telling.only_first],
                    "only_this_shown": [image._asdict() for image in telling.only_other],
                },
            }
        )
    return {
        "name": other.name,
        "statements": [change._asdict() for change in differences.statements(other)],
        "network": differences.networks_line(place) or None,
        "classes": [change._asdict() for change in class_changes(first, other)],
        "by_metric": each,
    }
