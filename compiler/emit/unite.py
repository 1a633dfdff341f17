"""Bodies that come from one statement of the spec, brought together to be one class.

Where some of them lack a step (a shortcut, what stands in an `if`), it becomes optional: where it
is missing, what would go into it takes its place. Bodies for which that does not work out, because
they are connected in another way, become classes of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .body import Body, Key, Ref, Step
from .frame import UNKNOWN, Value, leaf_count

Operand = tuple[Key | int, int]
"""As Ref, but by the key of a step, or the number of an input."""


class Place(NamedTuple):
    """A step of a class: what it is in each of the bodies."""

    step: Step
    """As it is where it is."""
    operands: tuple[Operand, ...]
    present: tuple[bool, ...]
    """In which bodies it is."""
    instead: int
    """Where it is missing: which operand takes its place."""
    leaves: tuple[tuple[Value, ...], ...]
    """By body."""

    @property
    def optional(self) -> bool:
        return not all(self.present)


class Union(NamedTuple):
    """The steps of a class, the bodies that it stands for, and what it gives."""

    bodies: tuple[Body, ...]
    places: tuple[Place, ...]
    outputs: tuple[Operand, ...]


def unite(bodies: Sequence[Body]) -> list[Union]:
    """As few classes as the bodies can be, each with the bodies it is for."""
    kinds: dict[object, list[Body]] = {}
    for body in bodies:
        kinds.setdefault(_structure(body), []).append(body)
    whole = _united(bodies, list(kinds.values()))
    if whole is not None:
        return [whole]
    groups: list[list[list[Body]]] = []
    # The largest first, so that others can be parts of it.
    for kind in sorted(kinds.values(), key=lambda each: -len(each[0].steps)):
        for group in groups:
            tried = [*group, kind]
            if _united([body for each in tried for body in each], tried) is not None:
                group.append(kind)
                break
        else:
            groups.append([kind])
    found = []
    for group in groups:
        union = _united([body for each in group for body in each], group)
        assert union is not None
        found.append(union)
    return found


def _structure(body: Body) -> object:
    """All but the values."""
    steps = tuple([(s.key, s.name, s.template, s.operands, s.frame) for s in body.steps])
    return steps, body.outputs, body.heads, len(body.inputs)


def _united(bodies: Sequence[Body], kinds: Sequence[Sequence[Body]]) -> Union | None:
    """All of them as one class, if they can be."""
    samples = [kind[0] for kind in kinds]
    if len({(len(body.inputs), body.heads) for body in samples}) > 1:
        return None
    order = _merged_order(samples)
    if order is None:
        return None
    steps: dict[Key, Step] = {}
    for body in samples:
        for step in body.steps:
            known = steps.setdefault(step.key, step)
            alike = (known.name, known.template, known.frame, known.outputs)
            if alike != (step.name, step.template, step.frame, step.outputs):
                return None
    connected = [_connections(body) for body in samples]
    position = {key: n for n, key in enumerate(order)}
    operands = {
        key: _latest([ways[key] for ways, _ in connected if key in ways], position) for key in order
    }
    outputs = _latest([given for _, given in connected], position)
    instead = _replacements(order, operands, outputs, connected)
    if instead is None:
        return None
    return Union(tuple(bodies), _places(order, steps, operands, instead, bodies), outputs)


def _places(
    order: Sequence[Key],
    steps: dict[Key, Step],
    operands: dict[Key, tuple[Operand, ...]],
    instead: dict[Key, int],
    bodies: Sequence[Body],
) -> tuple[Place, ...]:
    own = [{step.key: step.leaves for step in body.steps} for body in bodies]
    places = []
    for key in order:
        frame = steps[key].frame
        missing = (UNKNOWN,) * (leaf_count(frame) if frame else 0)
        present = tuple([key in each for each in own])
        leaves = tuple([each.get(key, missing) for each in own])
        places.append(Place(steps[key], operands[key], present, instead[key], leaves))
    return tuple(places)


def _merged_order(bodies: Sequence[Body]) -> list[Key] | None:
    """An order of all steps that is the order in each body; None where they contradict."""
    order: list[Key] = []
    for body in sorted(bodies, key=lambda each: -len(each.steps)):
        at = 0
        for step in body.steps:
            if step.key in order:
                found = order.index(step.key)
                if found < at:
                    return None
                at = found + 1
            else:
                order.insert(at, step.key)
                at += 1
    return order


def _connections(body: Body) -> tuple[dict[Key, tuple[Operand, ...]], tuple[Operand, ...]]:
    def named(ref: Ref) -> Operand:
        step, output = ref
        return (step, output) if step < 0 else (body.steps[step].key, output)

    ways = {step.key: tuple([named(ref) for ref in step.operands]) for step in body.steps}
    return ways, tuple([named(ref) for ref in body.outputs])


def _latest(found: Sequence[tuple[Operand, ...]], position: dict[Key, int]) -> tuple[Operand, ...]:
    """Of what goes into a step in different bodies: what all the steps between have worked on."""

    def rank(operand: Operand) -> int:
        key = operand[0]
        return key if isinstance(key, int) else position[key]

    length = max(map(len, found))
    return tuple(
        [max((each[n] for each in found if n < len(each)), key=rank) for n in range(length)]
    )


def _replacements(
    order: Sequence[Key],
    operands: dict[Key, tuple[Operand, ...]],
    outputs: tuple[Operand, ...],
    connected: Sequence[tuple[dict[Key, tuple[Operand, ...]], tuple[Operand, ...]]],
) -> dict[Key, int] | None:
    """Which operand takes the place of each step that is missing somewhere, so that all bodies come
    out as they are; None where nothing does."""
    instead: dict[Key, int] = {}
    for key in order:
        missing = [ways for ways, _ in connected if key not in ways]
        if missing and not operands[key]:
            return None
        instead[key] = 0
    optional = [k for k in order if any(k not in ways for ways, _ in connected)]
    # A merge can go on from either side: the body of a residual comes first, the shortcut second.
    for choice in range(1 + max([len(operands[k]) > 1 for k in optional], default=0)):
        for key in optional:
            instead[key] = min(choice, len(operands[key]) - 1)
        if all(_comes_out(order, operands, outputs, instead, *each) for each in connected):
            return instead
    return None


def _comes_out(
    order: Sequence[Key],
    operands: dict[Key, tuple[Operand, ...]],
    outputs: tuple[Operand, ...],
    instead: dict[Key, int],
    ways: dict[Key, tuple[Operand, ...]],
    given: tuple[Operand, ...],
) -> bool:
    stands_for: dict[Operand, Operand] = {}
    for key in order:
        resolved = tuple([stands_for.get(operand, operand) for operand in operands[key]])
        if key not in ways:
            stands_for[key, 0] = resolved[instead[key]]
        elif resolved != ways[key]:
            return False
    return tuple([stands_for.get(operand, operand) for operand in outputs]) == given
