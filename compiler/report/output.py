"""The output of `cnn report`, by format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import Analysis
from .style import Style
from .table import table

if TYPE_CHECKING:
    from .fit import Limit
    from .part import PartOfNetwork


def report(
    analyses: Sequence[Analysis | PartOfNetwork], format: str, *, depth: int | None, style: Style
) -> str:
    """The report as text; JSON and CSV list all layers, whatever the depth."""
    if format != "table":
        from . import data  # not needed by most

        if format == "json":
            return data.as_json(analyses)
        if format == "csv":
            return data.as_csv(analyses)
        return data.as_markdown(analyses, depth)
    return "\n\n".join(_as_table(each, depth, style) for each in analyses)


def _as_table(each: Analysis | PartOfNetwork, depth: int | None, style: Style) -> str:
    if isinstance(each, Analysis):
        return table(each, batch=each.setting.batch, depth=depth, style=style)
    from .part import part_text

    return part_text(each, depth, style)


FIT_FORMATS = ("table", "json")


def fit(analyses: Sequence[Analysis], format: str, limit: Limit, style: Style) -> str:
    """The largest batches that can be trained in this memory: `cnn report --fit`, `--card`."""
    from .fit import fit_json, fit_text

    if format == "json":
        return fit_json(analyses, limit)
    return "\n\n".join(fit_text(analysis, limit, style) for analysis in analyses)
