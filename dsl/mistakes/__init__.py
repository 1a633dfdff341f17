"""Common syntax mistakes and their error messages, one file for each topic. The order of imports is
the order in which topics are tried: a colon, for example, may be several mistakes.
"""

from __future__ import annotations

from ..trouble import Explanation, Trouble

# isort: off
from . import (
    braces,
    values,
    names,
    colons,
    control,
    imports,
    bars,
    python,
    ranges,
    separators,
    brackets,
    stray_colons,
    expressions,
)

# isort: on
from .anything_else import anything_else
from .table import TABLE

__all__ = ["TABLE", "TOPICS", "explain"]

TOPICS = (
    braces, values, names, colons, control, imports, bars, python, ranges, separators,
    brackets, stray_colons, expressions,
)  # fmt: skip


def explain(trouble: Trouble) -> Explanation:
    """The explanation for the place where the parser could not go on."""
    tried = None
    for _, _, recognise in TABLE:
        if recognise is tried:
            continue
        tried = recognise
        explanation = recognise(trouble)
        if explanation:
            return explanation
    return anything_else(trouble)
