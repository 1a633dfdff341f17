"""The output of `cnn report`, by format."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis import Analysis
from .explain.network import moment
from .figures import data_size, exact, plural
from .style import BOLD, Style, wrapped
from .table import table, title


def report(analyses: Sequence[Analysis], format: str, *, depth: int | None, style: Style) -> str:
    """The report as text; JSON and CSV list all layers, whatever the depth."""
    if format != "table":
        from . import data  # not needed by most

        if format == "json":
            return data.as_json(analyses)
        if format == "csv":
            return data.as_csv(analyses)
        return data.as_markdown(analyses, depth)
    return "\n\n".join(
        table(each, batch=each.setting.batch, depth=depth, style=style) for each in analyses
    )


FIT_FORMATS = ("table", "json")


def fit(analyses: Sequence[Analysis], format: str, limit: int, style: Style) -> str:
    """The largest batches that can be trained in this many bytes: `cnn report --fit`."""
    if format == "json":
        import json

        results = [_fit_json(analysis, limit) for analysis in analyses]
        return json.dumps(results[0] if len(results) == 1 else results, indent=2)
    return "\n\n".join(_fit_text(analysis, limit, style) for analysis in analyses)


def _fit_json(analysis: Analysis, limit: int) -> dict[str, object]:
    setting, training = analysis.setting, analysis.memory.training
    batch = training.fit(limit)
    return {
        "network": analysis.network.name,
        "file": analysis.network.program.main.source.name,
        "limit": limit,
        "precision": setting.precision,
        "optimizer": setting.optimizer.name,
        "device": setting.device,
        "batch": batch,
        "bytes": training.at(max(batch, 1)),
    }


def _fit_text(analysis: Analysis, limit: int, style: Style) -> str:
    setting, training = analysis.setting, analysis.memory.training
    setting = setting._replace(
        from_train=tuple(name for name in setting.from_train if name != "batch")
    )
    batch = training.fit(limit)
    if batch:
        answer = f"largest batch: {exact(batch)}"
        needs = f"{plural(batch, 'image')} take {data_size(training.at(batch))}"
    else:
        answer = "largest batch: none"
        needs = f"one image takes {data_size(training.at(1))}"
    reason = moment(analysis, max(batch, 1))
    lines = [
        *wrapped(title(analysis), style, code=BOLD),
        *wrapped(answer, style, code=BOLD),
        *wrapped(
            f"{needs} of {data_size(limit)}, in training with {setting.described}: {reason}.",
            style,
            code="",
        ),
        *wrapped(f"Left out: {analysis.memory.excluded}.", style),
    ]
    return "\n".join(lines)
