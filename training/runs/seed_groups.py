"""Groups of runs that differ only in their seed: one line of a table, with mean and deviation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...compiler.plan.train import Seed
from .run_facts import RunFacts
from .spec_structure import structure_of


def seed_groups(runs: Iterable[RunFacts]) -> list[list[RunFacts]]:
    """The runs in groups, in the order of their first ones. A run whose plan or spec cannot be
    read, and one with members, is alone. No group has a seed twice: a run that repeats another
    says nothing of other seeds, and is in a group of its own."""
    groups: list[list[RunFacts]] = []
    alike: dict[object, list[list[RunFacts]]] = {}
    for run in runs:
        others = alike.setdefault(_without_seed(run), [])
        group = next((one for one in others if all(run.seed != own.seed for own in one)), None)
        if group is None:
            group = []
            others.append(group)
            groups.append(group)
        group.append(run)
    return groups


def _without_seed(run: RunFacts) -> object:
    """What runs that differ only in their seed have in common."""
    plan, text = run.plan, run.spec
    if plan is None or text is None or run.members:
        return id(run)
    alike = replace(plan, train=replace(plan.train, seed=Seed(value=0))).to_json()
    structure = structure_of(text, run.options.network)
    parameters = dict(structure.parameters) if structure else {}
    parameters |= run.parameter_values
    statements = structure.statements if structure else (text,)
    return alike, statements, tuple(sorted(parameters.items())), run.network
