"""The report's table of a cross-validation: the metrics of each fold."""

from __future__ import annotations

from collections.abc import Mapping

from ..metrics.fold_table import FoldTable
from .contents import Contents
from .markup import Html, element, section, table


def folds(contents: Contents) -> Html | None:
    result = contents.record.get("result")
    recorded = result.get("folds") if isinstance(result, Mapping) else None
    if not isinstance(recorded, Mapping):
        return None
    each, shown = recorded.get("each"), recorded.get("shown")
    if not isinstance(each, list) or not each or not all(isinstance(one, Mapping) for one in each):
        return None
    names = [str(name) for name in shown] if isinstance(shown, list) else []
    found = FoldTable.of(each, names)
    head, *rows = found.rows(contents.outcome.metrics)
    said = (
        f"Each network was trained on {len(each) - 1} of {len(each)} folds and measured on the"
        " other one. The last row, and everything on this page, is about all images together, each"
        " with the network that was not trained on it."
    )
    return section(
        "folds", "Folds", element("p", said, class_="faint"), table("Metrics by fold", head, rows)
    )
