"""`policy auto similar=yes`: decides what to freeze by the amount and the similarity of the data.

             similar                             different
little       all but the head is frozen          features of an early part, frozen
in between   the first half is frozen            the first quarter is frozen
much         all learns, the early parts slowly  all learns
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..network import Network
from .directive import Directive
from .plan import TrainPlan, Transfer
from .strategy import Group, groups_of
from .transfer import Decay, Features, Freeze, FreezeAll, FreezeUntil, Head, Policy

LITTLE = 200
"""With fewer images per class, most of the network is frozen."""
MUCH = 2000
"""From this many images per class on, nothing needs to be frozen."""

Amount = Literal["little", "in between", "much"]


@dataclass(frozen=True)
class Decision:
    transfer: Transfer
    """The transfer section with the decision written out."""
    amount: Amount
    reason: str
    """The reason, in directive or two sentences."""
    directives: tuple[Directive, ...]
    """The equivalent directives."""


def decide(network: Network, transfer: Transfer, images: int, classes: int) -> Decision:
    """Decides the policy for a number of training images."""
    policy = transfer.policy
    assert policy is not None
    each = images / max(1, classes)
    amount: Amount = "little" if each < LITTLE else "much" if each >= MUCH else "in between"
    groups = [group for group in groups_of(network) if not any(n.aux for n in group.nodes)]
    directives, because = _decided(amount, policy.similar, groups)
    head = transfer.head
    if head is None and not any(isinstance(directive, Features) for directive in directives):
        head = Head.make(reset=True)
        directives.append(head)
    alike = "like" if policy.similar else "unlike"
    reason = (
        f"{images:,} images in {classes:,} classes are {each:,.0f} per class, {_AMOUNTS[amount]},"
        f" and {alike} those that the weights were trained on: {because}"
    )
    return Decision(
        replace(
            transfer,
            freeze=next(
                (directive for directive in directives if isinstance(directive, Freeze)), None
            ),
            features=next(
                (directive for directive in directives if isinstance(directive, Features)), None
            ),
            decay=next(
                (directive for directive in directives if isinstance(directive, Decay)), None
            ),
            head=head,
        ),
        amount,
        reason,
        tuple(directives),
    )


_AMOUNTS: dict[Amount, str] = {
    "little": f"which is few (under {LITTLE})",
    "in between": f"which is neither few (under {LITTLE}) nor many ({MUCH:,} or more)",
    "much": f"which is many ({MUCH:,} or more)",
}


def _decided(amount: Amount, similar: bool, groups: list[Group]) -> tuple[list[Directive], str]:
    early = _at(groups, 0.5 if similar else 0.25)
    if amount == "much":
        if similar:
            return [Decay.make(factor=0.8)], (
                "all layers can be fine-tuned without forgetting, early layers at smaller rates,"
                " since they fit already"
            )
        return [], "all layers can be trained; the pretrained weights are only a starting point"
    if amount == "in between" and early is not None:
        return [FreezeUntil.make(name=early.name)], (
            f"the layers before {early.name} are frozen, since their features are common to all"
            " images, and the rest is fine-tuned"
        )
    middle = _at(groups, 0.5)
    if similar or middle is None:
        return [FreezeAll.make()], (
            "the pretrained features already tell these classes apart, and training more layers"
            " would overfit, so only a new head is trained"
        )
    return [Features.make(name=_end(middle))], (
        f"the features of late layers are specific to other images, so they are not used:"
        f" after {_end(middle)}, all layers are the spec's own"
    )


def _at(groups: list[Group], share: float) -> Group | None:
    """The layer group at a relative depth; None if a network has too few groups."""
    return groups[round(share * (len(groups) - 1))] if len(groups) >= 4 else None


def _end(group: Group) -> str:
    """The name of the last layer of a group, for `features`."""
    if all(node.name.startswith(f"{group.name}.") for node in group.nodes):
        return group.name
    return group.nodes[-1].name


def decided(plan: TrainPlan, network: Network, images: int, classes: int) -> TrainPlan:
    """The plan with its policy replaced by directives; unchanged without a policy."""
    if plan.transfer is None or plan.transfer.policy is None:
        return plan
    decision = decide(network, plan.transfer, images, classes)
    return replace(plan, transfer=decision.transfer)


__all__ = ["LITTLE", "MUCH", "Amount", "Decision", "Policy", "decide", "decided"]
