"""What differs between two runs: parameters and statements of the network, and the plan, by its
structure. Comments and layout do not count, nor does a value that is written where it is the
default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from ...compiler.plan.plan_differences import Change, changes
from .run_facts import RunFacts
from .spec_structure import END, SpecStructure, structure_of

SEED = "train.seed"
NETWORK = "network"


def run_changes(before: RunFacts, now: RunFacts) -> list[Change]:
    """What differs between two runs: `width` 16 and 32, `train.optimizer.lr` 0.1 and 0.05, a
    statement of the `network`. Of a run whose files cannot be read, nothing is known."""
    found = network_changes(before, now)
    if before.plan is not None and now.plan is not None:
        found += changes(before.plan, now.plan)
    return found


def main_changes(before: RunFacts, now: RunFacts, all: Sequence[Change]) -> list[Change]:
    """Those that somebody wrote. What no spec and no option names follows from them: the
    `weight_decay` of another optimizer, a warm-up that depends on the number of epochs."""
    texts = (before.spec, now.spec, *before.options.set, *now.options.set)
    words = {word for text in texts if text for word in _WORD.findall(text)}
    main = [each for each in all if each.name == NETWORK or each.name.split(".")[-1] in words]
    return main or list(all)


_WORD = re.compile(r"[^\W\d]\w*")


def network_changes(before: RunFacts, now: RunFacts) -> list[Change]:
    """What differs in the networks of two runs, as their specs have them."""
    if before.spec is None or now.spec is None:
        return []
    if before.spec == now.spec and before.options == now.options:
        return []
    one, other = _structure(before), _structure(now)
    if one is None or other is None:
        names = [
            run.network if structure else f"{run.network} (its spec cannot be read)"
            for run, structure in ((before, one), (now, other))
        ]
        return [Change(NETWORK, *names)] if before.spec != now.spec else []
    found = _parameters(before, one, now, other)
    if before.network != now.network and before.network and now.network:
        # Of another network everything may differ: its name says it.
        return [Change(NETWORK, before.network, now.network), *found]
    return found + _statements(one, other)


def _structure(run: RunFacts) -> SpecStructure | None:
    return structure_of(run.spec or "", run.options.network)


def _parameters(
    before: RunFacts, one: SpecStructure, now: RunFacts, other: SpecStructure
) -> list[Change]:
    old = {**one.parameters, **before.parameter_values}
    new = {**other.parameters, **now.parameter_values}
    return [
        Change(name, old.get(name, ""), new.get(name, ""))
        for name in dict.fromkeys((*old, *new))
        if old.get(name, "") != new.get(name, "")
    ]


def _statements(one: SpecStructure, other: SpecStructure) -> list[Change]:
    """The statements that differ; those that stand for one another are one change."""
    old, new = one.statements, other.statements
    if old == new:
        return []
    found: list[Change] = []
    for kind, i, i2, j, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        left = [text for text in old[i:i2] if text != END]
        right = [text for text in new[j:j2] if text != END]
        if len(left) == len(right):
            found += [Change(NETWORK, *pair) for pair in zip(left, right, strict=True)]
        else:
            found.append(Change(NETWORK, ", ".join(left), ", ".join(right)))
    return [each for each in found if each.before != each.now]
