"""Classes: one for each block of the spec, written from its text, after those it is made of.

What a class is written from: the steps of all calls of the block, brought together (`branches`),
and one call of each kind carried out once more with its parameters traced (`trace`). Each value of
a module is then an expression over the parameters. It is written where it comes out right in every
call that the network makes; a value for which that is not so becomes an argument of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...dsl.syntax import Let, List, Number, Percent, Size, Switch, Tuple
from ...dsl.syntax import Name as Word
from ...dsl.syntax import walk as parts_of
from ..language.evaluate import divisible
from ..language.values import Word as LayerWord
from ..language.values import python
from ..network import Node, Scope
from ..ops.base import REGISTRY, ClassName, Constructor, helper
from .body import Bodies, Body, Key, Step, is_shortcut, origin
from .branches import Arm, Choice, Item, Place, Ref, Unlike, arrange, paths_in, places, together
from .comments import Comments
from .definitions import definitions
from .forward import SHORT, Forward
from .frame import GIVEN, INDEX, NAMED, VALUE, Frame, Leaf, expand, take_apart, write
from .frame import places as leaves_of
from .layout import STEP, WIDTH, Doc, Group, statement
from .loops import Round, loop
from .source import Names, camel, docstring
from .sums import with_sums
from .symbolic import (
    Applied,
    Code,
    Constant,
    Named,
    Operation,
    code_of,
    meaning,
    negated,
    plain,
    replaced,
    traced,
)
from .trace import AS_IT_IS, Twin, View, agree, default_of, names_of, text_of

DIVISIBLE = helper(
    """\
def divisible(value: float, by: int = 8) -> int:
    nearest = max(by, int(value + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * value else nearest
"""
)
assert divisible(30) == 32  # as the language has it

_SEQUENTIAL_METHODS = frozenset({"append", "extend", "insert", "pop"})
_NO_VALUE = (ArithmeticError, TypeError, KeyError, IndexError)
"""An expression that means nothing in some call."""
_OFTEN = 3
"""A width that stands in a class so many times gets a name."""

Read = Callable[[View, Scope], Any]
"""The value of an argument in a call, as a view shows it."""


@dataclass
class Parameter:
    """An argument of a class."""

    name: str
    read: Read
    values: list[Any] = field(default_factory=list)
    """In each call."""
    default: Any = ...
    """`...` where there is none."""

    @property
    def usual(self) -> Any:
        """As in Leaf: rates have to be given, by name."""
        is_rate = self.default is ... and any(type(value) is float for value in self.values)
        return NAMED if is_rate else self.default

    @property
    def annotation(self) -> str:
        return " | ".join(dict.fromkeys(_type(value) for value in self.values))


def _type(value: Any) -> str:
    if isinstance(value, ClassName):
        return "type[nn.Module]"
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(_type, value))}]"
    if isinstance(value, list):
        return f"list[{_type(value[0])}]" if value else "list[int]"
    return type(value).__name__


class Definition(NamedTuple):
    """A class, as those see it that call it."""

    name: str
    parameters: tuple[Parameter, ...]

    def call(self, view: View, scope: Scope) -> Round:
        items = tuple([Leaf(p.usual, p.name) for p in self.parameters])
        return Frame(self.name, items), tuple([p.read(view, scope) for p in self.parameters])


class Contents(NamedTuple):
    """What a class holds and does."""

    items: Sequence[Item]
    outputs: tuple[Ref, ...]
    made: Mapping[Key, tuple[Frame, Sequence[Code]]]
    """By step: how its module is made."""
    conditions: Mapping[int, Code | None]
    """By the id of an arm; None for `else`."""
    local: Sequence[tuple[str, Code]] = ()


class Class(NamedTuple):
    """The text of a class."""

    name: str
    lines: tuple[str, ...]


class _Call(NamedTuple):
    """One of the scopes that become a class."""

    scope: Scope
    body: Body
    kind: int
    """Which of the kinds of calls it is."""
    names: dict[str, Any]
    """What the arguments of the class are in it."""


class Classes:
    """Writes the classes of a network's parts."""

    def __init__(self, bodies: Bodies, comments: Comments, names: Names) -> None:
        self.bodies = bodies
        self.comments = comments
        self.names = names
        self.written: list[Class] = []
        self.helpers: dict[str, None] = {}
        """Sources of the classes that layers come with, in the order in which they are needed."""
        self.definitions: dict[int, Definition] = {}
        """By the id of a scope: what it is a call of."""
        self.steps: dict[int, dict[Key, Step]] = {}
        """By the id of a scope that is a class."""
        self.handed: dict[int, bool] = {}
        """The layers that blocks are handed as classes, by index, and whether these are told to
        work in place."""

    def write(self, root: Scope) -> Contents:
        """Writes the classes of all that a network is made of; returns the network's own steps."""
        for scopes in definitions(root, self.bodies):
            for alike in self.kinds(scopes):
                self.define(alike)
        return self.as_it_is(self.bodies.body(root))

    def as_it_is(self, body: Body) -> Contents:
        """The contents of a class that there is one of, and that takes no arguments."""
        items, outputs = arrange([body], {})
        made = {}
        for step in body.steps:
            if self.is_made(step):
                frame, values = self.made(step, AS_IT_IS)
                made[step.key] = frame, list(map(code_of, values))
        return Contents(items, outputs, made, {})

    # ---- how modules are made ----

    @staticmethod
    def is_made(step: Step) -> bool:
        """Whether a line of the constructor makes a module for it."""
        return bool(step.name) and not (step.template.startswith("{m}[") and step.loop is None)

    def made(self, step: Step, view: View) -> Round:
        """How the module of a step is made."""
        if step.loop is not None:
            chain = self.bodies.is_chain(step.loop)
            return loop(self.rounds(step.loop, view), view.rounds(step.loop), chain)
        item = step.item
        if not isinstance(item, Node):
            return self.definitions[id(item)].call(view, item)
        shape, arriving = view.shapes(item)
        text = view.op(item).torch(shape, *arriving)
        if text.helper:
            self.helpers.setdefault(text.helper)
        assert text.module is not None
        inplace = self.handed.get(item.index)
        if inplace is None:
            return take_apart(text.module)
        kind = traced(ClassName(text.module.name), view.word(item))
        items = (Leaf(name=item.given or ""), *([Leaf(False, "inplace")] if inplace else []))
        return Frame(GIVEN, items), (kind, True)[: len(items)]

    def rounds(self, scope: Scope, view: View) -> list[Round]:
        found: list[Round] = []
        for part in self.bodies.rounds(scope):
            if self.bodies.is_empty(part):
                found.append((Frame("nn.Identity", ()), ()))
            elif origin(part).kind == "loop" and self.bodies.is_chain(part):
                inner = origin(part)
                found.append(loop(self.rounds(part, view), view.rounds(inner), chain=True))
            else:
                found.append(self.definitions[id(part)].call(view, part))
        return found

    # ---- which calls are one class ----

    def kinds(self, scopes: Sequence[Scope]) -> list[list[Scope]]:
        """The calls that one class can stand for: mostly all that come from one place."""
        bodies = with_sums([self.bodies.body(scope) for scope in scopes])
        for scope, body in zip(scopes, bodies, strict=True):
            self.steps[id(scope)] = {step.key: step for step in body.steps}
        groups: dict[object, list[Scope]] = {}
        samples: dict[object, Body] = {}
        for scope, body in zip(scopes, bodies, strict=True):
            kind = _structure(body)
            groups.setdefault(kind, []).append(scope)
            samples.setdefault(kind, body)
        paths = self.paths(scopes[0])
        found: list[tuple[list[Body], list[Scope]]] = []
        for kind in sorted(groups, key=lambda each: -len(samples[each].steps)):
            for known, own in found[:8]:
                try:
                    arrange([*known, samples[kind]], paths)
                except Unlike:
                    continue
                known.append(samples[kind])
                own += groups[kind]
                break
            else:
                found.append(([samples[kind]], list(groups[kind])))
        position = {id(scope): number for number, scope in enumerate(scopes)}
        ordered = [sorted(own, key=lambda s: position[id(s)]) for _, own in found]
        return sorted(ordered, key=lambda own: position[id(own[0])])

    def paths(self, scope: Scope) -> dict[tuple[str, int], Any]:
        region = text_of(origin(scope))
        return {} if region is None else paths_in(region)

    def define(self, scopes: Sequence[Scope]) -> None:
        """The class of calls, or the classes, if one cannot say what all of them are."""
        try:
            self.class_of(scopes)
            return
        except Unlike:
            pass
        kinds: dict[object, list[Scope]] = {}
        for scope in scopes:
            made = tuple(
                [
                    self.made(step, AS_IT_IS)[0]
                    for step in self.steps[id(scope)].values()
                    if self.is_made(step)
                ]
            )
            kinds.setdefault((made, _structure(self.bodies.body(scope))), []).append(scope)
        for alike in kinds.values():
            self.class_of(alike)

    # ---- a class ----

    def class_of(self, scopes: Sequence[Scope]) -> None:
        writer = _ClassWriter(self, scopes)
        contents = writer.contents()
        name = self.names.free(self.class_name(scopes[0]), "Part")
        definition = Definition(name, tuple(writer.parameters))
        for scope in scopes:
            self.definitions[id(scope)] = definition
        self.written.append(Class(name, tuple(self.text(name, scopes[0], contents, writer))))

    def text(self, name: str, scope: Scope, contents: Contents, writer: _ClassWriter) -> list[str]:
        codes = [code for _, each in contents.made.values() for code in each]
        if any("divisible(" in str(code) for code in [*codes, *(c for _, c in contents.local)]):
            self.helpers.setdefault(DIVISIBLE)
        body = writer.calls[0].body
        chain = is_chain(contents, body)
        base = "nn.Sequential" if chain else "nn.Module"
        if self.bodies.is_list(scope):
            base = "nn.ModuleList"
        lines = [f"class {name}({base}):"]
        described = self.described(scope)
        flags = Flags(contents, [p.name for p in writer.parameters])
        made = assignments(contents, flags)
        if len(made) == 1 and not writer.parameters and base != "nn.Module":
            made = [f"{STEP * 2}super().__init__()"]
        lines += [*described, *([""] if described else []), *_signature(writer.parameters), *made]
        if not chain:
            lines += ["", *self.forward(body, contents, flags)]
        return lines

    def forward(self, body: Body, contents: Contents, flags: Flags) -> list[str]:
        inputs = ["x", "y", "z", *(f"x{n}" for n in range(4, 100))][: len(body.inputs)]
        tensors = ["Tensor | None" if head else "Tensor" for head in body.heads]
        result = tensors[0] if len(tensors) == 1 else f"tuple[{', '.join(tensors)}]"
        arguments = ("self", *(f"{name}: Tensor" for name in inputs))
        names = Names([*inputs, *SHORT, "paths"])
        items, outputs = flags.without_alone(contents)
        heads = {
            v: names.free("aux") for v, is_aux in zip(outputs, body.heads, strict=True) if is_aux
        }
        if all(body.heads):
            heads = {}
        writer = Forward(items, outputs, inputs, names, flags.questions, heads=heads)
        signature = statement(Group("def forward(", arguments, f") -> {result}:"), 1)
        return [*signature, *writer.write()]

    def described(self, scope: Scope) -> list[str]:
        what = origin(scope)
        if what.definition is None:
            return []
        span = what.definition.span
        return docstring(self.comments.above(span.source, span.line), 1)

    def class_name(self, scope: Scope) -> str:
        what = origin(scope)
        if what.kind == "block" or what.word == "if":
            return camel(what.label or what.word) if what.definition is None else camel(what.word)
        label = what.label
        if what.kind == "iteration" and what.parent is not None:
            words = [
                part.op.short_word for part in self.bodies.parts(scope) if isinstance(part, Node)
            ]
            if len(words) <= 3 and len(words) == len(list(self.bodies.parts(scope))):
                return "".join(map(_spelled, words))
            label = what.parent.label or "blocks"
            return camel(label.rstrip("s") if label.endswith("s") else f"{label}_block")
        return camel(label or what.word)


def _structure(body: Body) -> object:
    """How a body is put together."""
    steps = tuple([(s.key, s.name, s.template, s.operands) for s in body.steps])
    return steps, body.outputs, body.heads, len(body.inputs)


class _ClassWriter:
    """Works out what is written in a class: arguments, expressions, conditions."""

    def __init__(self, classes: Classes, scopes: Sequence[Scope]) -> None:
        self.classes = classes
        bodies = with_sums([classes.bodies.body(scope) for scope in scopes])
        self.kinds: list[Body] = []
        known: dict[object, int] = {}
        kind_of = []
        for body in bodies:
            key = _structure(body)
            if key not in known:
                known[key] = len(self.kinds)
                self.kinds.append(body)
            kind_of.append(known[key])
        self.items, self.outputs = arrange(self.kinds, classes.paths(scopes[0]))
        if len(self.kinds) > 1 and classes.bodies.is_list(scopes[0]):
            raise Unlike
        self.hand_over(bodies)
        self.parameters, self.python_names = self.arguments_of(scopes, bodies)
        self.calls = self.distinct(scopes, bodies, kind_of)
        self.twins = self.traced()
        self.local: list[tuple[str, Code]] = []
        for twin, _ in self.twins:
            for name, code in twin.walk.locals:
                if all(name != own for own, _ in self.local):
                    self.local.append((name, code))
        for call in self.calls:
            for name, code in self.local:
                with suppress(*_NO_VALUE):
                    call.names[name] = code.value(call.names)

    # ---- arguments ----

    def hand_over(self, bodies: Sequence[Body]) -> None:
        """Layers that a block is handed become arguments, where nothing but their class differs."""
        found: dict[str, list[Node]] = {}
        for body in bodies:
            for step in body.steps:
                if isinstance(step.item, Node) and step.item.given is not None and step.name:
                    found.setdefault(step.item.given, []).append(step.item)
        for nodes in found.values():
            modules = [n.op.torch(n.shape, *n.input_shapes).module for n in nodes]
            if any(map(_is_special, modules)):
                continue
            inplace = all(("inplace", True, False) in m.options for m in modules if m is not None)
            for node in nodes:
                self.classes.handed[node.index] = inplace

    def arguments_of(
        self, scopes: Sequence[Scope], bodies: Sequence[Body]
    ) -> tuple[list[Parameter], dict[str, str]]:
        """What arrives, then the names that the text of the spec can use there."""
        what = origin(scopes[0])
        words = names_of(what)
        taken = Names([*(made.name for made in self.classes.written), INDEX, VALUE])
        found: list[Parameter] = []
        python_names: dict[str, str] = {}
        tables = [AS_IT_IS.arguments(origin(scope)) for scope in scopes]
        defaults = _defaults(what)
        handed = {
            node.given
            for body in bodies
            for step in body.steps
            if isinstance(node := step.item, Node) and node.index in self.classes.handed
        }
        for word in words:
            expressions = [default_of(origin(scope), word) for scope in scopes]
            if all(each is not None and not isinstance(each, _LITERALS) for each in expressions):
                continue  # it is what others are, in each call
            values = [_plain(table.get(word)) for table in tables]
            if word in handed and all(isinstance(value, LayerWord) for value in values):
                values = [class_of_layer(value) for value in values]
            elif not all(map(_is_value, values)):
                continue
            name = python_names[word] = taken.free("index" if word == INDEX else word)
            found.append(Parameter(name, _argument(word), values, _default(values, defaults, word)))
        arriving = what.arriving
        if arriving is not None:
            wanted = "in_channels" if len(arriving.shape) > 1 else "in_features"
            name = python_names[""] = taken.free(wanted)
            shapes = [origin(scope).arriving.shape for scope in scopes]  # type: ignore[union-attr]
            found.insert(0, Parameter(name, _channels, [shape[0] for shape in shapes]))
        elif what.kind == "block" and bodies[0].inputs:
            name = python_names[""] = taken.free("in_channels")
            found.insert(
                0,
                Parameter(name, _first_input(self.classes), [b.inputs[0].shape[0] for b in bodies]),
            )
        region = text_of(what)
        for part in parts_of(region) if region is not None else ():
            if isinstance(part, Let) and f"let {part.name.value}" not in python_names:
                python_names[f"let {part.name.value}"] = taken.free(part.name.value)
        self.taken = taken
        return found, python_names

    def distinct(
        self, scopes: Sequence[Scope], bodies: Sequence[Body], kind_of: Sequence[int]
    ) -> list[_Call]:
        """The calls, of those that are the same in all one."""
        self.stands: list[int] = []
        found: dict[object, int] = {}
        calls: list[_Call] = []
        for number, (scope, body) in enumerate(zip(scopes, bodies, strict=True)):
            names = {p.name: p.values[number] for p in self.parameters}
            modules = [
                (id(step.item.op), step.item.shape, step.item.input_shapes)
                if isinstance(step.item, Node)
                else repr(self.classes.made(step, AS_IT_IS))
                for step in body.steps
                if self.classes.is_made(step)
            ]
            key = kind_of[number], repr(names), tuple(modules)
            if key not in found:
                found[key] = len(calls)
                calls.append(_Call(scope, body, kind_of[number], names))
            self.stands.append(found[key])
        for parameter in self.parameters:
            parameter.values = [call.names[parameter.name] for call in calls]
        return calls

    def traced(self) -> list[tuple[Twin, _Call]]:
        """A call of each kind, carried out once more. Of those of a kind the one with most rounds,
        since that says most about loops."""
        most: dict[object, _Call] = {}
        for call in self.calls:
            types = tuple(map(_type, call.names.values()))
            known = most.get((call.kind, types))
            if known is None or _rounds_in(call) > _rounds_in(known):
                most[call.kind, types] = call
        network = self.classes.bodies.network
        found = []
        for call in [*most.values()][:16]:
            what = origin(call.scope)
            if what.kind != "loop" and not self.classes.bodies.is_list(call.scope):
                found.append((Twin(network, call.scope, self.python_names), call))
        return found

    # ---- contents ----

    def contents(self) -> Contents:
        made = {}
        for place in places(self.items):
            if self.classes.is_made(place.step):
                made[place.step.key] = self.module(place)
        conditions: dict[int, Code | None] = {}
        self.ask(self.items, conditions)
        items = together(self.items, conditions)
        contents = Contents(items, self.outputs, made, conditions, self.local)
        contents = self.with_widths(contents)
        return self.without_unused(contents)

    def having(self, place: Place) -> list[_Call]:
        return [call for call in self.calls if call.kind in place.calls]

    def step(self, call: _Call, key: Key) -> Step | None:
        return self.classes.steps[id(call.scope)].get(key)

    def module(self, place: Place) -> tuple[Frame, list[Code]]:
        key = place.step.key
        calls = self.having(place)
        made: list[Round] = []
        for call in calls:
            step = self.step(call, key)
            assert step is not None
            made.append(self.classes.made(step, AS_IT_IS))
        candidates: list[Round] = []
        for twin, call in self.twins:
            step = self.step(call, key)
            if step is not None and twin.nodes:
                candidates.append(self.classes.made(step, twin))
        if place.step.loop is not None:
            for frame, values in candidates:
                codes = list(map(code_of, values))
                if all(self.comes_to(frame, codes, c, m) for c, m in zip(calls, made, strict=True)):
                    return frame, codes
        (frame, *others) = dict.fromkeys(frame for frame, _ in made)
        if others:
            raise Unlike
        alike = [values for own, values in candidates if own == frame]
        codes = []
        for number, leaf in enumerate(leaves_of(frame)):
            own = [values[number] for _, values in made]
            codes.append(self.value(leaf, [v[number] for v in alike], own, calls, key, number))
        return frame, codes

    @staticmethod
    def comes_to(frame: Frame, codes: Sequence[Code], call: _Call, made: Round) -> bool:
        wanted = expand(made[0], iter([Constant(plain(v)) for v in made[1]]), {})
        try:
            return bool(_rounded(expand(frame, iter(codes), call.names)) == _rounded(wanted))
        except _NO_VALUE:
            return False

    def value(
        self,
        leaf: Leaf,
        candidates: Sequence[Any],
        own: Sequence[Any],
        calls: Sequence[_Call],
        key: Key,
        number: int,
    ) -> Code:
        """The expression for a value that is right in all calls; an argument if there is none."""
        codes = dict.fromkeys(map(code_of, candidates))
        if all(_equal(value, own[0]) for value in own):
            codes[Constant(own[0])] = None
        for code in codes:
            if self.holds(code, own, calls):
                return code
        return self.argument(leaf, own, calls, _leaf_of(self.classes, key, number, own[0]))

    def holds(self, code: Code, wanted: Sequence[Any], calls: Sequence[_Call]) -> bool:
        try:
            return all(
                _equal(code.value(call.names), value)
                for call, value in zip(calls, wanted, strict=True)
            )
        except _NO_VALUE:
            return False

    def argument(
        self, leaf: Leaf, own: Sequence[Any], calls: Sequence[_Call], read: Read, name: str = ""
    ) -> Code:
        """An argument for what differs from call to call in a way that the text does not say."""
        values = dict(zip(map(id, calls), own, strict=True))
        whole = [values.get(id(call), own[0]) for call in self.calls]
        for parameter in self.parameters:
            if parameter.name in self.derived and parameter.values == whole:
                return Named(parameter.name)
        wanted = name or leaf.name or ("channels" if isinstance(own[0], int) else VALUE)
        name = self.taken.free(wanted)
        default = leaf.usual if type(leaf.usual) in (bool, int) else ...
        self.parameters.append(Parameter(name, read, whole, default))
        self.derived.add(name)
        for call, value in zip(self.calls, whole, strict=True):
            call.names[name] = value
        return Named(name)

    @property
    def derived(self) -> set[str]:
        """The arguments that the spec does not have."""
        return self.__dict__.setdefault("_derived", set())  # type: ignore[no-any-return]

    # ---- conditions ----

    def ask(self, items: Sequence[Item], found: dict[int, Code | None]) -> None:
        for item in items:
            if isinstance(item, Choice):
                self.ask_choice(item, found)
                for arm in item.arms:
                    self.ask(arm.items, found)

    def ask_choice(self, choice: Choice, found: dict[int, Code | None]) -> None:
        around = frozenset(choice.missing.union(*(arm.calls for arm in choice.arms)))
        calls = [call for call in self.calls if call.kind in around]
        for codes in self.answers(choice):
            if self.right(choice, codes, calls):
                codes = [None if code is None else self.with_locals(code) for code in codes]
                found.update({id(arm): code for arm, code in zip(choice.arms, codes, strict=True)})
                return
        if len(choice.arms) > 1:
            raise Unlike
        (arm,) = choice.arms
        present = [call.kind in arm.calls for call in calls]
        named = next((p.step.name for p in places(arm.items) if p.step.name), "optional")
        key = next(places(arm.items)).step.key
        read: Read = lambda view, scope: key in self.classes.steps[id(scope)]  # noqa: E731
        found[id(arm)] = self.argument(Leaf(False), present, calls, read, f"has_{named}")

    def answers(self, choice: Choice) -> Iterator[list[Code | None]]:
        """Conditions for the arms of a choice, as each traced call has them; None is `else`."""
        statement = next((arm.statement for arm in choice.arms if arm.statement), None)
        if statement is not None:
            for twin, _ in self.twins:
                asked = twin.conditions(statement)
                if asked is not None:
                    yield from _by_arm(choice, asked)
        if len(choice.arms) == 1:
            for alone in (False, True):
                for twin, call in self.twins:
                    code = self.implied(choice.arms[0], twin, call, alone)
                    if code is not None:
                        yield [code]

    def implied(self, arm: Arm, twin: Twin, call: _Call, alone: bool) -> Code | None:
        """What a residual asks: whether its body has the shape of its input."""
        if call.kind not in arm.calls:
            return None
        for place in places(arm.items):
            step = self.step(call, place.step.key)
            if step is None:
                continue
            nodes = list(step.item.nodes()) if isinstance(step.item, Scope) else [step.item]
            first = twin.node(nodes[0]) if nodes else None
            if first is None:
                continue
            if first.op.kind == "merge" and len(first.inputs) == 2:
                return agree(first.inputs[1], first.inputs[0], alone)
            if first.op.short_word == "shortcut" or first.scope.word == "shortcut":
                taker = next((n for n in twin.walk_takers(first) if n.op.kind == "merge"), None)
                if taker is not None:
                    code = agree(first.inputs[0], taker.inputs[0], alone)
                    return None if code is None else negated(code)
        return None

    def right(self, choice: Choice, codes: Sequence[Code | None], calls: Sequence[_Call]) -> bool:
        for call in calls:
            taken = None
            for arm, code in zip(choice.arms, codes, strict=True):
                try:
                    if code is None or code.value(call.names):
                        taken = arm
                        break
                except _NO_VALUE:
                    return False
            if (taken is None) != (call.kind in choice.missing):
                return False
            if taken is not None and call.kind not in taken.calls:
                return False
        return True

    def with_locals(self, code: Code) -> Code:
        """A condition that a `let` of the spec has a name for goes by that."""
        for name, own in self.local:
            if meaning(own) == meaning(code):
                return Named(name)
        return code

    # ---- names ----

    def with_widths(self, contents: Contents) -> Contents:
        """With names for widths that the class would work out again and again."""
        often: Counter[Code] = Counter()
        for place in places(contents.items):
            if place.step.key not in contents.made:
                continue
            frame, codes = contents.made[place.step.key]
            for leaf, code in zip(leaves_of(frame), codes, strict=True):
                if leaf.usual is ... and isinstance(code, Operation | Applied):
                    often[code] += 1
        for condition in set(contents.conditions.values()):
            often.update(
                code for code in often if condition is not None and _holds(condition, code)
            )
        leaving = {code_of(shape[0]) for shape in self.leaving()}
        names: dict[Code, Code] = {}
        local = list(contents.local)
        for code, count in often.items():
            if count >= _OFTEN and INDEX not in code.names():
                wanted = "out_channels" if code in leaving else "hidden"
                if (
                    code not in leaving
                    and isinstance(code, Operation)
                    and str(code).endswith("// 2")
                ):
                    wanted = "half"
                name = self.taken.free(wanted)
                names[code] = Named(name)
                local.append((name, code))
        if not names:
            return contents
        made = {
            key: (frame, [replaced(code, names) for code in codes])
            for key, (frame, codes) in contents.made.items()
        }
        conditions = {
            key: None if code is None else replaced(code, names)
            for key, code in contents.conditions.items()
        }
        return contents._replace(made=made, conditions=conditions, local=local)

    def leaving(self) -> Iterator[Any]:
        for twin, call in self.twins:
            step, _ = call.body.outputs[0]
            if step >= 0:
                item = call.body.steps[step].item
                node = item if isinstance(item, Node) else item.output
                if node is not None:
                    yield twin.shapes(node)[0]

    def without_unused(self, contents: Contents) -> Contents:
        used: set[str] = set()
        for _, codes in contents.made.values():
            for code in codes:
                used |= code.names()
        for condition in contents.conditions.values():
            used |= condition.names() if condition is not None else set()
        local: list[tuple[str, Code]] = []
        for name, code in reversed(contents.local):
            if name in used:
                used |= code.names()
                local.insert(0, (name, code))
        kept = [p for p in self.parameters if p.name in used]
        self.parameters = sorted(kept, key=lambda p: (p.default is not ..., p.usual is not ...))
        return contents._replace(local=local)


def _holds(code: Code, part: Code) -> bool:
    return code == part or any(_holds(each, part) for each in code.parts())


def _by_arm(choice: Choice, asked: Sequence[Code | None]) -> Iterator[list[Code | None]]:
    """The questions of an `if` for those of its arms that calls take."""
    own = {arm.number for arm in choice.arms}
    found: list[Code | None] = []
    for arm in choice.arms:
        if arm.number < 0:
            return
        parts: list[Code] = []
        for number in range(min(arm.number, len(asked))):
            code = asked[number]
            if number in own or code == Constant(False):
                continue
            if code is None:
                return
            parts.append(negated(code))
        if arm.number < len(asked):
            code = asked[arm.number]
            if code is None:
                return
            parts.append(code)
        if not parts:
            found.append(None)
            continue
        whole = parts[0]
        for part in parts[1:]:
            whole = Operation("and", whole, part)
        found.append(whole)
    if choice.missing and found and found[-1] is None:
        return
    yield found


_LITERALS = (Number, Switch, Size, Tuple, List, Percent)


def _argument(word: str) -> Read:
    def read(view: View, scope: Scope) -> Any:
        value = view.arguments(origin(scope))[word]
        if isinstance(value, LayerWord):
            return traced(class_of_layer(value), code_of(value))
        return _one(value)

    return read


def _channels(view: View, scope: Scope) -> Any:
    arriving = origin(scope).arriving
    assert arriving is not None
    return view.channels(arriving)


def _first_input(classes: Classes) -> Read:
    return lambda view, scope: view.channels(classes.bodies.body(scope).inputs[0])


def _leaf_of(classes: Classes, key: Key, number: int, otherwise: Any) -> Read:
    def read(view: View, scope: Scope) -> Any:
        step = classes.steps[id(scope)].get(key)
        if step is None:
            return otherwise
        return classes.made(step, view)[1][number]

    return read


def class_of_layer(word: str) -> ClassName:
    """`nn.ReLU` for `relu`."""
    shape = (8, 8, 8)
    module = REGISTRY[str(word)]().torch(shape, shape).module
    return ClassName(module.name if module is not None else "")


def _defaults(what: Scope) -> dict[str, Any]:
    if is_shortcut(what):
        return {"stride": 1}
    if what.definition is None:
        return {}
    return {
        p.name.value: p.default.value
        for p in what.definition.parameters
        if isinstance(p.default, Number | Switch | Word)
    }


def _default(values: Sequence[Any], defaults: Mapping[str, Any], word: str) -> Any:
    default = defaults.get(word, ...)
    if isinstance(values[0], ClassName):
        try:
            return class_of_layer(default) if isinstance(default, str) else ...
        except (KeyError, TypeError):
            return ...
    if isinstance(default, str) or any(type(value) is not type(default) for value in values):
        default = ...
    if default is ... and all(type(value) is bool for value in values):
        return False  # nobody reads `Part(16, False)`
    return default


def _one(value: Any) -> Any:
    """3 for 3x3."""
    if type(value) is tuple and len(value) == 2 and value[0] == value[1]:
        return value[0]
    return value


def _plain(value: Any) -> Any:
    return _one(plain(value))


def _is_value(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(type(each) in (int, float) for each in value)
    return type(value) in (int, float, bool)


def _equal(one: Any, two: Any) -> bool:
    one, two = plain(one), plain(two)
    if isinstance(one, float) and isinstance(two, int | float) and not isinstance(two, bool):
        return f"{one:.14g}" == f"{two:.14g}"
    if isinstance(one, bool) != isinstance(two, bool):
        return False
    return bool(one == two)


def _rounded(made: Any) -> Any:
    """For comparison: sums of rates may be a rounding apart."""
    if isinstance(made, tuple):
        return tuple(map(_rounded, made))
    if isinstance(made, list):
        return list(map(_rounded, made))
    if isinstance(made, bool):
        return "bool", made
    return f"{made:.14g}" if isinstance(made, float) else made


def _rounds_in(call: _Call) -> int:
    scope = origin(call.scope)
    return sum(
        part.count for part in scope.parts if isinstance(part, Scope) and part.kind == "loop"
    )


def _is_special(module: Constructor | None) -> bool:
    """Whether more than its class says how a layer is made."""
    if module is None or module.arguments:
        return True
    return any(value != usual for name, value, usual in module.options if name != "inplace")


class Flags:
    """How `forward` asks what the constructor was told: by attributes."""

    def __init__(self, contents: Contents, arguments: Sequence[str] = ()) -> None:
        self.kept: dict[Code, str] = {}
        """By condition: the attribute that keeps it."""
        self.questions: dict[int, str] = {}
        """By the id of an arm; empty for `else`."""
        self.alone: set[int] = set()
        """The ids of choices that are nn.Identity where they are not made."""
        self.known: set[str] = set()
        """Arguments that are kept as they are."""
        names = {place.step.name for place in places(contents.items)}
        self.look(contents, contents.items, names)

    def look(self, contents: Contents, items: Sequence[Item], names: set[str]) -> None:
        for item in items:
            if isinstance(item, Place):
                continue
            if _stands_alone(item):
                self.alone.add(id(item))
                continue
            asked = [contents.conditions[id(arm)] for arm in item.arms]
            several = sum(condition is not None for condition in asked) > 1
            for arm, condition in zip(item.arms, asked, strict=True):
                if condition is None:
                    self.questions[id(arm)] = ""
                elif several and names.isdisjoint(condition.names() - self.known):
                    # Several questions: what they ask about is kept, not the answers.
                    for name in sorted(condition.names()):
                        self.kept[Named(name)] = name
                        names.add(name)
                        self.known.add(name)
                    by: dict[Code, Code] = {Named(n): Named(f"self.{n}") for n in condition.names()}
                    self.questions[id(arm)] = str(replaced(condition, by))
                else:
                    if condition not in self.kept:
                        self.kept[condition] = Names(names).free(_flag(condition, arm))
                        names.add(self.kept[condition])
                    self.questions[id(arm)] = f"self.{self.kept[condition]}"
                self.look(contents, arm.items, names)

    def lines(self) -> list[str]:
        return [f"{STEP * 2}self.{name} = {condition}" for condition, name in self.kept.items()]

    def without_alone(self, contents: Contents) -> tuple[list[Item], tuple[Ref, ...]]:
        """The steps of `forward`, to which these are there always."""
        stands: dict[Ref, Ref] = {}

        def ref(found: Ref) -> Ref:
            while found in stands:
                found = stands[found]
            return found

        def changed(items: Sequence[Item]) -> list[Item]:
            made: list[Item] = []
            for item in items:
                if isinstance(item, Place):
                    operands = tuple(map(ref, item.operands))
                    made.append(Place(item.step, operands, item.calls))
                elif id(item) in self.alone:
                    (place,) = item.arms[0].items
                    assert isinstance(place, Place)
                    made += changed([place])
                    stands[item.value] = place.value
                else:
                    arms = []
                    for arm in item.arms:
                        inner = changed(arm.items)
                        own = Arm(inner, arm.calls, ref(arm.exit), arm.statement, arm.number)
                        self.questions[id(own)] = self.questions[id(arm)]
                        self.kept_alive.append(own)
                        arms.append(own)
                    entry = None if item.entry is None else ref(item.entry)
                    made.append(Choice(arms, item.value, entry, item.missing))
            return made

        self.kept_alive: list[Arm] = []
        items = changed(contents.items)
        return items, tuple(map(ref, contents.outputs))


def _flag(condition: Code, arm: Arm) -> str:
    """What the answer to a question is called."""
    text = str(condition)
    if text.isidentifier():
        return text
    plain_ = re.fullmatch(r"(\w+) (?:!=|>) [01]", text)
    if plain_ and plain_[1] not in _OPTIONS:
        return plain_[1]
    place = next(places(arm.items))
    if place.step.name:
        return f"has_{place.step.name}"
    item = place.step.item
    return item.scope.word if isinstance(item, Node) else item.word


_OPTIONS = frozenset({"stride", "kernel", "width", "groups", "dilation", "padding", "in_channels"})
"""Names that everybody knows as sizes, not as answers."""


def _stands_alone(choice: Choice) -> bool:
    """Whether a step that is not always there can be nn.Identity where it is missing."""
    if len(choice.arms) != 1 or len(choice.arms[0].items) != 1:
        return False
    (place,) = choice.arms[0].items
    if not isinstance(place, Place) or place.step.template != "{m}({0})" or place.step.zero:
        return False
    return choice.entry == place.operands[0] and choice.arms[0].exit == place.value


def assignments(contents: Contents, flags: Flags) -> list[str]:
    """The lines of a constructor that make what a class holds."""
    lines = [f"{STEP * 2}super().__init__()"]
    lines += [f"{STEP * 2}{name} = {code}" for name, code in contents.local]
    lines += flags.lines()
    _assign(contents, contents.items, flags, 2, lines)
    return lines


def _assign(
    contents: Contents, items: Sequence[Item], flags: Flags, indent: int, lines: list[str]
) -> None:
    for item in items:
        if isinstance(item, Place):
            _make(contents, item, indent, lines)
        elif id(item) in flags.alone:
            (place,) = item.arms[0].items
            assert isinstance(place, Place)
            condition = contents.conditions[id(item.arms[0])]
            lines += _or_identity(contents, place, condition, indent)
        else:
            word = "if"
            left_out: list[Code] = []
            for arm in item.arms:
                condition = contents.conditions[id(arm)]
                inner: list[str] = []
                _assign(contents, arm.items, flags, indent + 1, inner)
                if not inner:
                    if condition is not None:
                        left_out.append(negated(condition))
                    continue
                asked = [*left_out, *([] if condition is None else [condition])]
                left_out = left_out if word == "if" else []
                if not asked or (condition is None and word == "elif"):
                    lines.append(f"{STEP * indent}else:")
                else:
                    whole = asked[0]
                    for part in asked[1:]:
                        whole = Operation("and", whole, part)
                    lines.append(f"{STEP * indent}{word} {whole}:")
                word = "elif"
                lines += inner


def _make(contents: Contents, place: Place, indent: int, lines: list[str]) -> None:
    if place.step.key not in contents.made:
        return
    doc = doc_of(contents, place)
    if place.step.name.isdigit():  # the place in a list
        lines += statement(Group("self.append(", (doc,), ")"), indent)
    else:
        lines += statement(doc, indent, before=f"self.{place.step.name} = ")
    if place.step.zero:
        lines.append(f"{STEP * indent}nn.init.zeros_(self.{place.step.name}.weight)")


def _or_identity(
    contents: Contents, place: Place, condition: Code | None, indent: int
) -> list[str]:
    doc, name = doc_of(contents, place), place.step.name
    line = f"{STEP * indent}self.{name} = {doc} if {condition} else nn.Identity()"
    if len(line) <= WIDTH:
        return [line]
    return [
        f"{STEP * indent}self.{name}: nn.Module = nn.Identity()",
        f"{STEP * indent}if {condition}:",
        *statement(doc, indent + 1, before=f"self.{name} = "),
    ]


def doc_of(contents: Contents, place: Place) -> Doc:
    frame, codes = contents.made[place.step.key]
    return write(frame, iter(codes), _is_usual)


def _is_usual(usual: Any, code: Code) -> bool:
    if not isinstance(code, Constant):
        return False
    return code == Constant(usual) or python(code.content) == python(usual)


def _signature(parameters: Sequence[Parameter]) -> list[str]:
    texts = [
        f"{p.name}: {p.annotation}" + ("" if p.default is ... else f" = {python(p.default)}")
        for p in parameters
    ]
    return statement(Group("def __init__(", ("self", *texts), ") -> None:"), 1)


# ---- questions about classes --------------------------------------------------------------------


def is_chain(contents: Contents, body: Body) -> bool:
    """Whether each step takes what leaves the one before, so that nobody has to write `forward`."""
    expected: Ref = (-1, 0)
    for item in contents.items:
        place: Item = item
        if isinstance(item, Choice):
            if not _stands_alone(item):
                return False
            (place,) = item.arms[0].items
        assert isinstance(place, Place)
        simple = place.step.template == "{m}({0})" and place.step.name not in _SEQUENTIAL_METHODS
        if not simple or place.operands != (expected,) or place.step.zero:
            return False
        expected = item.value
    return contents.outputs == (expected,) and len(body.inputs) == 1


def _spelled(word: str) -> str:
    """A word of the language in the name of a class."""
    return word.upper() if len(word) <= 2 else camel(word)
