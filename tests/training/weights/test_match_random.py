"""Networks drawn at random, under names that say nothing, put down in any order."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.weights.match import Match, match
from networks import network
from random_networks import specs

from ..foreign import LETTERS, Foreign, holding

# Networks, modules and graphs are made for each.
_FEWER = settings(
    max_examples=settings().max_examples // 3, suppress_health_check=list(HealthCheck)
)


def drawn(text: str) -> Network:
    try:
        return network(text)
    except SpecError:  # some do not fit together
        assume(False)
        raise


def renamed(found: Network, seed: int) -> dict[str, str]:
    chance = random.Random(seed)
    return {name: "".join(chance.choices(LETTERS, k=8)) for name in holding(found)}


def wrong(found: Match, names: dict[str, str]) -> list[str]:
    """Rows of ours that would get what belongs to another."""
    rights = {}
    for row in found.rows:
        name = max(
            (name for name in names if row.target.startswith(f"{name}.")), key=len, default=""
        )
        rights[row.target] = names.get(name, "") + row.target.removeprefix(name)
    return [
        f"{row.target} from {row.source}"
        for row in found.rows
        if row.target and row.source and row.status != "reinitialized"
        if row.source != rights[row.target]
    ]


@_FEWER
@given(specs(), st.integers(0, 1000))
def test_a_module_is_matched_rightly_or_not_at_all(text: str, seed: int) -> None:
    """What is alike is ambiguous, on both sides; nothing else is left over. If its order decides,
    everything has a partner."""
    mine = drawn(text)
    names = renamed(mine, seed)
    order = random.Random(seed).sample(holding(mine), len(names))
    module = Foreign(mine, names, order)
    found = match(mine, module)
    assert wrong(found, names) == []
    assert {row.status for row in found.rows} <= {"matched", "ambiguous"}
    assert len(found.having("ambiguous", in_target=True)) == len(
        found.having("ambiguous", in_target=False)
    )
    assert match(mine, module, by_order=True).complete


@_FEWER
@given(specs(), st.integers(0, 1000))
def test_a_dict_is_matched_rightly_or_not_at_all(text: str, seed: int) -> None:
    """In the order written; and in any order as far as nothing is told by order, which is said."""
    mine = drawn(text)
    names = renamed(mine, seed)
    weights = Foreign(mine, names, holding(mine)).state_dict()
    assert wrong(match(mine, weights), names) == []
    keys = random.Random(seed).sample(list(weights), len(weights))
    shuffled = match(mine, {key: weights[key] for key in keys})
    by_order = {row.target for row in shuffled.rows if row.target and row.evidence == "order"}
    assert all(problem.split()[0] in by_order for problem in wrong(shuffled, names))
    assert all("by order" in row.notes for row in shuffled.rows if row.target in by_order)
