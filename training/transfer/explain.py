"""`cnn explain FILE transfer`: counted, decided and shown without training. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from ...compiler.network import Network
from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.policy import LITTLE, MUCH, decide
from ...compiler.plan.strategy import strategy_of
from ...compiler.report.explain.transfer import explain_decision, explain_transfer
from ...compiler.report.style import PLAIN, Style, wrapped
from ..data.sources.count_images import count_training


def explained(network: Network, plan: TrainPlan, base: Path, style: Style = PLAIN) -> list[str]:
    """As lines; none where there is no transfer. Raises SpecError where a policy needs to count
    data that is not there."""
    transfer = plan.transfer
    if transfer is None:
        return []
    found: list[str] = []
    if transfer.policy is not None:
        count = count_training(plan, base)
        if count is None:
            return wrapped(
                "policy: decided when there is data to be counted: under"
                f" {LITTLE} images a class are little, {MUCH:,} and more are much.",
                style,
            )
        decision = decide(network, transfer, count, network.output.shape[0])
        transfer = decision.transfer
        found += [*explain_decision(decision, style), ""]
    return [*found, *explain_transfer(strategy_of(network, transfer), plan, style)]
