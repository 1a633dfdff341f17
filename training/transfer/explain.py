"""`cnn explain FILE transfer`: shows what `transfer` does, without training. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from ...compiler.network import Network
from ...compiler.plan.layer_names import LayerNames
from ...compiler.plan.plan import TrainPlan, Transfer
from ...compiler.plan.policy import LITTLE, MUCH, decide
from ...compiler.plan.strategy import Strategy, strategy_of
from ...compiler.report.explain.transfer import explain_decision, explain_transfer
from ...compiler.report.figures import plural
from ...compiler.report.style import PLAIN, Style, wrapped
from ..data.sources.count_images import count_training


def explained(network: Network, plan: TrainPlan, base: Path, style: Style = PLAIN) -> list[str]:
    """The explanation as lines; empty if there is no `transfer`. Raises SpecError if `policy` needs
    the number of images and the data does not exist."""
    transfer = plan.transfer
    if transfer is None:
        return []
    lines: list[str] = []
    if transfer.policy is not None:
        count = count_training(plan, base)
        if count is None:
            return wrapped(
                "policy: depends on the amount of data: fewer than"
                f" {LITTLE} images per class are few, {MUCH:,} or more are many.",
                style,
            )
        decision = decide(network, transfer, count, network.output.shape[0])
        transfer = decision.transfer
        lines += [*explain_decision(decision, style), ""]
    strategy = strategy_of(network, transfer)
    lines += explain_transfer(strategy, plan, style)
    note = _about_the_head(strategy, transfer)
    return [*lines, "", *wrapped(note, style)] if note else lines


def _about_the_head(strategy: Strategy, transfer: Transfer) -> str:
    """A note on the head: which layer it is, and where its weights come from. Whether the source
    has fitting weights is only known in training."""
    last = LayerNames(strategy.network).last
    if last is None or transfer.features is not None:
        return ""
    named = transfer.head.part if transfer.head is not None else None
    head = f"The head is {named or last.name}"
    if named is None:
        head += ", the last layer with weights; `head reset part=NAME` names another"
    if strategy.new_layers:
        return f"{head}."
    outputs = plural(last.shape[0], "output")
    return (
        f"{head}. It starts from the source's weights, which must have {outputs}, too: for other"
        " classes write `head reset`."
    )
