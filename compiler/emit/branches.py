"""Combines the calls of one block: steps that all calls have, and choices, which are its `if`s.

Calls of a block differ where an `if` of its text took another arm, and where a residual has a
shortcut, or a sum, in some of them only. Both become choices in one class. Calls that differ in any
other way (because another block was passed to them, for example) are `Unlike` and become separate
classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...dsl.syntax import Arm as ArmSyntax
from ...dsl.syntax import Body as BodySyntax
from ...dsl.syntax import Branches, Call, For, If, Node, Repeat
from .body import Body
from .code import Code
from .steps import Key, Step

Ref = tuple[object, int]
"""A value in a class: the key of the step that computes it (negative: an input), and which of its
outputs it is."""

Path = tuple[tuple[If, int], ...]
"""The `if`s around a statement, each with the arm that contains it."""


class Unlike(Exception):
    """Calls that cannot share one class."""


@dataclass(eq=False)
class Place:
    """A step of a class, with its operands."""

    step: Step
    operands: tuple[Ref, ...]
    calls: frozenset[int]
    """The kinds of calls that contain it."""
    numbers: dict[str, Code] = field(default_factory=dict)
    """The numbers in its call, over the arguments of the class."""
    texts: dict[str, str] = field(default_factory=dict)
    """The same as they stand in `forward`."""

    @property
    def value(self) -> Ref:
        return self.step.key, 0


@dataclass(eq=False)
class Arm:
    items: list[Item]
    calls: frozenset[int]
    exit: Ref
    statement: If | None
    number: int
    """The number of the arm in the statement; -1 if there is no statement."""
    condition: Code | None = None
    """The condition, over the arguments of the class; None for `else`."""
    question: str = ""
    """The text of the condition in `forward`; empty for `else`."""


@dataclass(eq=False)
class Choice:
    """Alternative groups of steps, at most one of which is executed."""

    arms: list[Arm]
    value: Ref
    entry: Ref | None = None
    """The value that is passed on if no arm is taken."""
    missing: frozenset[int] = field(default_factory=frozenset)


Item = Place | Choice


def places(items: Sequence[Item]) -> Iterator[Place]:
    """All steps, in order."""
    for item in items:
        if isinstance(item, Place):
            yield item
        else:
            for arm in item.arms:
                yield from places(arm.items)


def arms_in(items: Sequence[Item]) -> Iterator[Arm]:
    """All arms of choices, nested ones included."""
    for item in items:
        if isinstance(item, Choice):
            for arm in item.arms:
                yield arm
                yield from arms_in(arm.items)


def arrange(
    kinds: Sequence[Body], paths: dict[tuple[str, int], Path]
) -> tuple[list[Item], tuple[Ref, ...]]:
    """The steps of all kinds of calls, and the outputs of the class."""
    if len({(len(body.inputs), body.heads) for body in kinds}) > 1:
        raise Unlike
    whole = _Arrangement(kinds, paths)
    items = whole.arranged({n: list(body.steps) for n, body in enumerate(kinds)}, 0)
    outputs = whole.common_operands(
        {n: tuple([whole.ref(n, ref) for ref in body.outputs]) for n, body in enumerate(kinds)}
    )
    for choice in reversed(whole.choices):  # those inside others first
        if choice.missing and choice.entry is None:  # where it is missing, nothing reads it
            choice.entry = _first_read(choice.arms[0].items[0])
            if choice.entry is None:
                raise Unlike
    for choice in whole.choices:
        whole.chain_entries(choice)
    return items, outputs


class _Arrangement:
    def __init__(self, kinds: Sequence[Body], paths: dict[tuple[str, int], Path]) -> None:
        self.kinds = kinds
        self.paths = paths
        self.alias: list[dict[Ref, Ref]] = [{} for _ in kinds]
        """For each kind: the value of a choice, by the values that it replaces."""
        self.choices: list[Choice] = []
        self.users: list[dict[Ref, set[Key]]] = []
        for body in kinds:
            users: dict[Ref, set[Key]] = {}
            for step in body.steps:
                for operand in step.operands:
                    users.setdefault(_named(body, operand), set()).add(step.key)
            for ref in body.outputs:
                users.setdefault(_named(body, ref), set()).add(("output",))
            self.users.append(users)

    def ref(self, kind: int, ref: tuple[int, int]) -> Ref:
        return self.resolve(kind, _named(self.kinds[kind], ref))

    def resolve(self, kind: int, ref: Ref) -> Ref:
        alias = self.alias[kind]
        while ref in alias:
            ref = alias[ref]
        return ref

    def path(self, step: Step, level: int) -> tuple[If, int] | None:
        span = step.item.span
        path = self.paths.get((span.source.name, span.start), ())
        return path[level] if level < len(path) else None

    def arranged(self, steps: dict[int, list[Step]], level: int) -> list[Item]:
        if len(steps) == 1:
            ((kind, own),) = steps.items()
            return [self.place({kind: step}) for step in own]
        tokens: dict[int, dict[object, list[Step]]] = {}
        for kind, own in steps.items():
            result = tokens[kind] = {}
            for step in own:
                around = self.path(step, level)
                token: object = step.key if around is None else id(around[0])
                result.setdefault(token, []).append(step)
        items: list[Item] = []
        for token in _merged([list(result) for result in tokens.values()]):
            having = [kind for kind in steps if token in tokens[kind]]
            arms: dict[int, list[int]] = {}
            for kind in having:
                around = self.path(tokens[kind][token][0], level)
                arms.setdefault(-1 if around is None else around[1], []).append(kind)
            own_steps = {kind: tokens[kind][token] for kind in having}
            if len(having) == len(steps) and len(arms) == 1:
                if isinstance(token, int):
                    items += self.arranged(own_steps, level + 1)
                else:
                    items.append(self.place({kind: one[0] for kind, one in own_steps.items()}))
                continue
            items.append(self.choice(arms, own_steps, frozenset(steps), level))
        return items

    def place(self, own: dict[int, Step]) -> Place:
        step = next(iter(own.values()))
        if len({(each.name, each.template, each.outputs) for each in own.values()}) > 1:
            raise Unlike
        operands = {
            kind: tuple([self.ref(kind, ref) for ref in each.operands])
            for kind, each in own.items()
        }
        return Place(step, self.common_operands(operands), frozenset(own))

    def common_operands(self, operands: dict[int, tuple[Ref, ...]]) -> tuple[Ref, ...]:
        """The operands of a step for all kinds of calls; where they differ, a choice."""
        if len({len(refs) for refs in operands.values()}) > 1:
            raise Unlike
        columns = zip(*operands.values(), strict=True)
        return tuple(
            [self.common_ref(dict(zip(operands, column, strict=True))) for column in columns]
        )

    def common_ref(self, refs: dict[int, Ref]) -> Ref:
        different = {*refs.values()}
        if len(different) == 1:
            return different.pop()
        for choice in reversed(self.choices):
            others = {kind: ref for kind, ref in refs.items() if ref != choice.value}
            if choice.value in different and choice.missing >= others.keys():
                entry = self.common_ref(others)
                if choice.entry in (None, entry):
                    choice.entry = entry
                    return choice.value
        raise Unlike

    def choice(
        self,
        arms: dict[int, list[int]],
        steps: dict[int, list[Step]],
        around: frozenset[int],
        level: int,
    ) -> Choice:
        choice = Choice([], (("choice", len(self.choices)), 0), missing=around - steps.keys())
        self.choices.append(choice)
        path = self.path(next(iter(steps.values()))[0], level)
        statement = None if path is None else path[0]
        for number, having in sorted(arms.items()):
            exits = {kind: self.exit(kind, steps[kind]) for kind in having}
            inner = self.arranged(
                {kind: steps[kind] for kind in having}, level + (path is not None)
            )
            resolved = {self.resolve(kind, exit) for kind, exit in exits.items()}
            if len(resolved) != 1:
                raise Unlike
            choice.arms.append(Arm(inner, frozenset(having), resolved.pop(), statement, number))
        for arm in choice.arms:
            for kind in arm.calls:
                self.alias[kind][arm.exit] = choice.value
        return choice

    def chain_entries(self, choice: Choice) -> None:
        """Connects a choice to the choice before it, if both would pass the same value on."""
        taken = frozenset().union(*[arm.calls for arm in choice.arms])
        for before in self.choices:
            if choice.entry == before.value and before.entry and before.missing >= taken:
                for arm in choice.arms:  # they read what the other has passed on
                    _reconnect(arm.items, before.entry, before.value)
        first = choice.arms[0].items[0]
        if choice.entry is None or not isinstance(first, Place) or not first.operands:
            return
        for before in self.choices:
            same = before.value == first.operands[0] and before.entry == choice.entry
            if same and before.missing >= choice.missing:
                choice.entry = before.value

    def exit(self, kind: int, own: Sequence[Step]) -> Ref:
        """The only value of some steps that other steps read."""
        keys = {step.key for step in own}
        exits = [
            (step.key, n)
            for step in own
            for n in range(max(1, step.outputs))
            if self.users[kind].get((step.key, n), set()) - keys
        ]
        if len(exits) != 1:
            raise Unlike
        return exits[0]


def _first_read(item: Item) -> Ref | None:
    """The value that a step or a choice reads first."""
    if isinstance(item, Choice):
        return item.entry
    return item.operands[0] if item.operands else None


def _reconnect(items: Sequence[Item], old: Ref, new: Ref) -> None:
    """Lets steps read another value."""
    for item in items:
        if isinstance(item, Place):
            item.operands = tuple([new if ref == old else ref for ref in item.operands])
            continue
        item.entry = new if item.entry == old else item.entry
        for arm in item.arms:
            arm.exit = new if arm.exit == old else arm.exit
            _reconnect(arm.items, old, new)


def with_identities(
    items: Sequence[Item], optional: dict[Key, Code], renamed: dict[Ref, Ref]
) -> list[Item]:
    """Replaces choices between one step and nothing by a step that is always there, and is an
    nn.Identity otherwise. Enters the conditions of these steps in `optional`, and their values in
    `renamed`."""

    def ref(value: Ref) -> Ref:
        return renamed.get(value, value)

    result: list[Item] = []
    for item in items:
        lone = _single_step(item)
        if isinstance(item, Choice) and lone is not None:
            assert item.arms[0].condition is not None
            optional[lone.step.key] = item.arms[0].condition
            renamed[item.value] = lone.value
            item = lone
        if isinstance(item, Place):
            item.operands = tuple(map(ref, item.operands))
        else:
            item.entry = None if item.entry is None else ref(item.entry)
            for arm in item.arms:
                arm.items = with_identities(arm.items, optional, renamed)
                arm.exit = ref(arm.exit)
        result.append(item)
    return result


def _single_step(item: Item) -> Place | None:
    if isinstance(item, Place) or len(item.arms) != 1 or len(item.arms[0].items) != 1:
        return None
    (place,) = item.arms[0].items
    if not isinstance(place, Place) or place.step.template != "{m}({0})" or place.step.zero:
        return None
    is_single = item.entry == place.operands[0] and item.arms[0].exit == place.value
    return place if is_single else None


def _named(body: Body, ref: tuple[int, int]) -> Ref:
    step, output = ref
    return (step, output) if step < 0 else (body.steps[step].key, output)


def _merged(sequences: Sequence[Sequence[object]]) -> list[object]:
    """One order of all tokens that keeps the order of each sequence."""
    order: list[object] = []
    for sequence in sorted(sequences, key=len, reverse=True):
        at = 0
        for token in sequence:
            if token in order:
                position = order.index(token)
                if position < at:
                    raise Unlike
                at = position + 1
            else:
                order.insert(at, token)
                at += 1
    return order


def paths_in(region: Node) -> dict[tuple[str, int], Path]:
    """The `if`s around each statement of a block or loop body, by the start of the statement."""
    result: dict[tuple[str, int], Path] = {}

    def visit(node: object, path: Path) -> None:
        if isinstance(node, BodySyntax):
            for statement in node.statements:
                visit(statement, path)
        elif isinstance(node, Branches):
            for inner in node.paths:
                visit(inner, path)
        elif isinstance(node, If):
            result[node.span.source.name, node.span.start] = path
            for number, arm in enumerate([*node.arms, node.otherwise]):
                if arm is not None:
                    body = arm.body if isinstance(arm, ArmSyntax) else arm
                    visit(body, path if node.label else (*path, (node, number)))
        elif isinstance(node, Call | For | Repeat):
            result[node.span.source.name, node.span.start] = path
            if isinstance(node, Call):
                result[node.head.span.source.name, node.head.span.start] = path
            if node.body is not None and not isinstance(node, For | Repeat):
                visit(node.body, path)

    visit(region, ())
    return result
