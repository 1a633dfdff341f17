"""What a plan may say and training does not do yet: it is refused, not left out in silence."""

from __future__ import annotations

from collections.abc import Iterator

from ..compiler.plan.directive import Directive
from ..compiler.plan.plan import TrainPlan
from ..dsl.diagnostics import Diagnostic, SpecError


def refuse_what_is_missing(plan: TrainPlan) -> None:
    """Raises SpecError with everything that would have to be left out."""
    found = [
        Diagnostic(
            "not-yet",
            f"`{directive.word}` is understood, but training does not do it yet",
            directive.span,
            help="take it out",
        )
        for directive in _missing(plan)
    ]
    if found:
        raise SpecError(found)


def _missing(plan: TrainPlan) -> Iterator[Directive]:
    transfer = plan.transfer
    if transfer is None:
        return
    if transfer.cache is not None:
        yield transfer.cache
