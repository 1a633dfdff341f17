"""`cnn explain FILE transfer`: frozen layers, learning rates, and the memory that freezing saves.

Training prints it, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...analysis.memory import Memory
from ...analysis.setting import Setting
from ...plan.plan import TrainPlan
from ...plan.policy import Decision
from ...plan.strategy import Group, Stage, Strategy, trainable
from ..figures import data_size, exact, share
from ..grid import Column, grid
from ..style import BOLD, PLAIN, Style, wrapped


def explain_transfer(strategy: Strategy, plan: TrainPlan, style: Style = PLAIN) -> list[str]:
    """One line for each part, and a summary for each stage."""
    if not strategy.groups:
        return []
    rate = float(plan.train.optimizer.arguments["lr"])
    columns = [
        Column[Group]("part", lambda group: group.name, yields=1, least=12, optional=False),
        Column[Group]("weights", lambda group: exact(group.weights), right=True),
        Column[Group]("", lambda group: _state(group, strategy)),
        Column[Group]("lr", lambda group: _rate(group, strategy, rate), right=True),
    ]
    lines = list(grid([columns], strategy.groups, style))
    for number, stage in enumerate(strategy.stages):
        lines += ["", *_summary(strategy, stage, plan, number, style)]
    return lines


def _state(group: Group, strategy: Strategy) -> str:
    """`frozen until epoch 5`, `learns from the start`."""
    since = next(
        (stage.epoch for stage in strategy.stages if _free(group, stage) == group.weights), None
    )
    first = _free(group, strategy.stages[0])
    if since == 1:
        return "initialized at random" if _is_new(group, strategy) else "trained"
    if since is not None:
        return f"frozen, trained from epoch {since} on"
    return f"{exact(group.weights - first)} frozen" if first else "frozen"


def _is_new(group: Group, strategy: Strategy) -> bool:
    return all(node.name in strategy.new_layers for node in group.nodes)


def _free(group: Group, stage: Stage) -> int:
    return sum(trainable(node) for node in group.nodes if node.index not in stage.frozen)


def _rate(group: Group, strategy: Strategy, rate: float) -> str:
    last = strategy.stages[-1]
    factors = {
        strategy.factors.get(node.index, 1.0)
        for node in group.nodes
        if node.index not in last.frozen
    }
    return " ".join(f"{rate * factor:.3g}" for factor in sorted(factors))


def _summary(
    strategy: Strategy, stage: Stage, plan: TrainPlan, number: int, style: Style
) -> list[str]:
    when = f"from epoch {stage.epoch} on, " if number else ""
    return wrapped(f"{when}{counts(strategy, stage)}; {needed(strategy, stage, plan)}", style)


def counts(strategy: Strategy, stage: Stage) -> str:
    """`11,176,512 weights are frozen, 1,026 learn (< 0.1 % of them)`."""
    whole = sum(group.weights for group in strategy.groups)
    free = sum(_free(group, stage) for group in strategy.groups)
    if free == whole:
        return f"all {exact(whole)} weights are trained"
    return (
        f"{exact(whole - free)} weights are frozen, {exact(free)} are trained "
        f"({share(free, whole)} of"
        " them)"
    )


def needed(strategy: Strategy, stage: Stage, plan: TrainPlan) -> str:
    """The memory of a training step; if layers are frozen, compared with training all of them."""
    batch, optimizer = plan.train.batch.size, plan.train.optimizer.memory
    all_learn, now = (
        Memory(strategy.network, Setting(optimizer=optimizer, frozen=frozen)).training.at(batch)
        for frozen in (frozenset[int](), stage.frozen)
    )
    instead = f" instead of {data_size(all_learn)}" if stage.frozen else ""
    return f"a batch of {exact(batch)} needs {data_size(now)} of memory{instead}"


def decision_in_words(decision: Decision) -> str:
    """The decision of a policy in one line, for the start of training."""
    directives = ", ".join(f"`{directive}`" for directive in decision.directives)
    return f"policy: {decision.reason}. The same, written out: {directives or 'nothing is frozen'}"


def explain_decision(decision: Decision, style: Style = PLAIN) -> list[str]:
    """The decision of a policy: the reason, and the equivalent directives."""
    lines = [str(directive) for directive in decision.directives]
    return [
        *wrapped(f"policy: {decision.reason}.", style, code=BOLD),
        *wrapped("The same, written out:", style, code=""),
        *(lines_of(lines)),
    ]


def lines_of(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines or ("# nothing is frozen",)]
