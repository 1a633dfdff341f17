"""Whether a run can go on with a plan: what has changed, and what of that does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...compiler.plan.directive import Directive
from ...compiler.plan.plan import PlanError, TrainPlan, slots
from ...dsl.diagnostics import Diagnostic, Label, SpecError


def must_go_on(text: str, plan: TrainPlan, name: str) -> None:
    """Raises SpecError, with the difference, where a run was begun with another plan; `text` is
    that in its folder."""
    try:
        before = TrainPlan.from_json(text)
    except PlanError as error:
        help = "begin a new run without --resume"
        message = f"the plan of {name} cannot be read: {error}"
        raise SpecError([Diagnostic("no-run", message, help=help)]) from None
    wrong = [found for found in differences(before, plan) if not found.harmless]
    if _longer(before, plan):
        wrong = [found for found in wrong if found.word != "schedule"]
    if wrong:
        notes = [f"{found.section}: `{found.before}`, now `{found.now}`" for found in wrong]
        span = next((d.directive.span for d in wrong if d.directive and d.directive.span), None)
        labels = tuple(
            Label(d.directive.span, f"was `{d.before}`")
            for d in wrong
            if d.directive and d.directive.span and d.directive.span != span
        )
        raise SpecError([
            Diagnostic(
                "another-spec",
                f"{name} is a run of another plan, and cannot go on with this one",
                span,
                labels=labels,
                notes=tuple(notes),
                help="leave the spec out (`cnn train --resume RUN`) to go on as it was begun, or"
                " begin a new run without --resume",
            )
        ])  # fmt: skip


def _longer(before: TrainPlan, now: TrainPlan) -> bool:
    """Whether schedules differ in a warm-up alone, a share of another number of epochs."""
    if before.train.epochs == now.train.epochs:
        return False
    warmup = before.train.schedule.warmup
    return before.train.schedule == now.train.schedule.replace(warmup=warmup)


class Difference(NamedTuple):
    """A directive that says something else now."""

    section: str
    word: str
    before: str
    now: str
    directive: Directive | None

    @property
    def harmless(self) -> bool:
        return (self.section, self.word) in _MAY_CHANGE


_MAY_CHANGE = {
    ("train", word)
    for word in ("epochs", "workers", "log", "checkpoint", "metrics", "early_stop", "compile")
} | {("evaluate", "tta")}
"""What says how long, or what is shown and kept: a run can go on with others of these."""


def differences(before: TrainPlan, now: TrainPlan) -> Iterator[Difference]:
    """Of two plans, directive by directive."""
    if before.input != now.input:
        yield Difference("network", "input", str(before.input), str(now.input), None)
    for section in ("train", "evaluate", "transfer"):
        old, new = _said(getattr(before, section)), _said(getattr(now, section))
        for word in dict.fromkeys((*old, *new)):
            texts = [", ".join(map(str, said.get(word, ()))) for said in (old, new)]
            if texts[0] != texts[1]:
                last = next(iter(new.get(word, ())), None)
                yield Difference(section, word, texts[0] or "nothing", texts[1] or "nothing", last)
    texts = [", ".join(map(str, plan.augment)) for plan in (before, now)]
    if texts[0] != texts[1]:
        first = next(iter(now.augment), None)
        yield Difference("augment", "augment", texts[0] or "nothing", texts[1] or "nothing", first)


def _said(section: object) -> dict[str, tuple[Directive, ...]]:
    found: dict[str, tuple[Directive, ...]] = {}
    for slot in slots(type(section)) if section is not None else ():
        value = getattr(section, slot.name)
        found[slot.word] = value if isinstance(value, tuple) else (value,) if value else ()
    return found
