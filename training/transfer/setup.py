"""What a training begins with where a section says `transfer`: weights, and what of them learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from torch import nn

from ...compiler.plan.policy import decide
from ...compiler.plan.strategy import strategy_of
from ...compiler.report.explain.transfer import counts, decision_in_words, explain_transfer, needed
from ...compiler.report.style import PLAIN, wrapped
from ..data.open import Opened
from ..request import Request
from .freezing import Freezing
from .initialize import begin
from .source import Source


class Start(NamedTuple):
    freezing: Freezing | None = None
    taken: frozenset[str] = frozenset()
    """The tensors that came from somebody."""
    lines: tuple[str, ...] = ()
    """What was done, for a person who is about to see it learn."""
    table: str = ""
    """The same in full."""


class Settled(NamedTuple):
    request: Request
    lines: tuple[str, ...] = ()
    """What was decided, and why."""


def settled(request: Request, opened: Opened) -> Settled:
    """With what a policy comes to, now that the data are counted; a run that is gone on with has
    that in its plan already."""
    plan = request.plan
    transfer = plan.transfer
    if transfer is None or transfer.policy is None:
        return Settled(request)
    data = opened.dataset
    decision = decide(request.network, transfer, data.train.count, len(data.classes))
    settled = replace(request, plan=replace(plan, transfer=decision.transfer))
    return Settled(settled, (decision_in_words(decision),))


def start(
    request: Request,
    module: nn.Module,
    source: Callable[[], Source] | None,
    state: Mapping[str, Any] | None,
    decided: tuple[str, ...] = (),
) -> Start:
    """Puts weights into a module that is new, unless there is a state to go on with; raises
    SpecError for weights that do not fit. `decided` is what a policy came to, in words."""
    plan, network = request.plan, request.network
    transfer = plan.transfer
    if transfer is None or source is None:
        return Start()
    strategy = strategy_of(network, transfer)
    freezing = Freezing(strategy)
    first = strategy.stages[0]
    lines = []
    if first.frozen:
        lines.append(f"{counts(strategy, first)}; {needed(strategy, first, plan)}")
    if state is not None:
        module.load_state_dict(state["model"])
        return Start(freezing, frozenset(state.get("anchor") or ()), tuple(lines))
    begun = begin(network, transfer, strategy, source(), module)
    policy = [piece for line in decided for piece in (*wrapped(line, PLAIN), "")]
    table = "\n".join([*policy, *explain_transfer(strategy, plan), "", begun.table])
    return Start(freezing, begun.taken, (*decided, *begun.lines, *lines), table)
