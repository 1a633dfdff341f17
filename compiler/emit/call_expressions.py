"""What is written in a class: the expression for each value, its arguments, its conditions.

A class is written from the steps of all calls of a block, brought together (`branches`), and one
call of each kind carried out once more with its parameters traced (`trace`). Each value of a module
is then an expression over the parameters. It is written where it comes out right in every call that
the network makes; a value for which that is not so becomes an argument of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ...dsl.syntax import Let, List, Number, Percent, Size, Switch, Tuple
from ...dsl.syntax import walk as parts_of
from ..language.values import Word as LayerWord
from ..network import Node, Scope
from ..ops.base import Constructor
from .arguments import (
    Parameter,
    Read,
    argument_of,
    channels_arriving,
    class_of_layer,
    default_for,
    defaults_of,
    is_literal,
    plain_pair,
    type_text,
)
from .body import Body, Key, Step, origin, structure
from .branches import Arm, Choice, Item, Place, Unlike, arrange, places, together
from .constructor import Contents
from .frame import INDEX, VALUE, Frame, Leaf, expand
from .frame import places as leaves_of
from .local_names import with_widths, without_unused
from .loops import Round
from .made_modules import Modules
from .source import Names
from .sums import with_sums
from .symbolic import (
    Code,
    Constant,
    Named,
    all_of,
    code_of,
    meaning,
    negated,
    plain,
)
from .trace import Twin, agree
from .view import AS_IT_IS, View, default_of, names_of, text_of

_NO_VALUE = (ArithmeticError, TypeError, KeyError, IndexError)
"""An expression that means nothing in some call."""
_LITERALS = (Number, Switch, Size, Tuple, List, Percent)


class _Call(NamedTuple):
    """One of the scopes that become a class."""

    scope: Scope
    body: Body
    kind: int
    """Which of the kinds of calls it is."""
    names: dict[str, Any]
    """What the arguments of the class are in it."""


class Expressions:
    """Works out what is written in a class: arguments, expressions, conditions."""

    def __init__(self, classes: Modules, scopes: Sequence[Scope]) -> None:
        self.classes = classes
        bodies = with_sums([classes.bodies.body(scope) for scope in scopes])
        self.kinds: list[Body] = []
        known: dict[object, int] = {}
        kind_of = []
        for body in bodies:
            key = structure(body)
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
        self.derived: set[str] = set()
        """The arguments that the spec does not have."""
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
        defaults = defaults_of(what)
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
            values = [plain_pair(table.get(word)) for table in tables]
            if word in handed and all(isinstance(value, LayerWord) for value in values):
                values = [class_of_layer(value) for value in values]
            elif not all(map(is_literal, values)):
                continue
            name = python_names[word] = taken.free("index" if word == INDEX else word)
            found.append(
                Parameter(name, argument_of(word), values, default_for(values, defaults, word))
            )
        arriving = what.arriving
        if arriving is not None:
            wanted = "in_channels" if len(arriving.shape) > 1 else "in_features"
            name = python_names[""] = taken.free(wanted)
            shapes = [origin(scope).arriving.shape for scope in scopes]  # type: ignore[union-attr]
            found.insert(0, Parameter(name, channels_arriving, [shape[0] for shape in shapes]))
        elif what.kind == "block" and bodies[0].inputs:
            name = python_names[""] = taken.free("in_channels")
            widths = [body.inputs[0].shape[0] for body in bodies]
            found.insert(0, Parameter(name, _channels_of_first_input(self.classes), widths))
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
            types = tuple(map(type_text, call.names.values()))
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
        self.ask(self.items)
        contents = Contents(together(self.items), self.outputs, made, self.local)
        contents = with_widths(contents, self.leaving(), self.taken)
        contents, self.parameters = without_unused(contents, self.parameters)
        return contents

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
        return self.argument(leaf, own, calls, _value_of(self.classes, key, number, own[0]))

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

    # ---- conditions ----

    def ask(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Choice):
                self.ask_choice(item)
                for arm in item.arms:
                    self.ask(arm.items)

    def ask_choice(self, choice: Choice) -> None:
        around = frozenset(choice.missing.union(*(arm.calls for arm in choice.arms)))
        calls = [call for call in self.calls if call.kind in around]
        for codes in self.answers(choice):
            if self.right(choice, codes, calls):
                for arm, code in zip(choice.arms, codes, strict=True):
                    arm.condition = None if code is None else self.with_locals(code)
                return
        if len(choice.arms) > 1:
            raise Unlike
        (arm,) = choice.arms
        present = [call.kind in arm.calls for call in calls]
        named = next((p.step.name for p in places(arm.items) if p.step.name), "optional")
        key = next(places(arm.items)).step.key
        read: Read = lambda view, scope: key in self.classes.steps[id(scope)]  # noqa: E731
        arm.condition = self.argument(Leaf(False), present, calls, read, f"has_{named}")

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

    def leaving(self) -> Iterator[Any]:
        """The channels of what leaves the class."""
        for twin, call in self.twins:
            step, _ = call.body.outputs[0]
            if step >= 0:
                item = call.body.steps[step].item
                node = item if isinstance(item, Node) else item.output
                if node is not None:
                    yield twin.channels(node)


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
        found.append(all_of(parts) if parts else None)
    if choice.missing and found and found[-1] is None:
        return
    yield found


def _equal(one: Any, two: Any) -> bool:
    return bool(_rounded(plain(one)) == _rounded(plain(two)))


def _rounded(made: Any) -> Any:
    """For comparison: sums of rates may be a rounding apart."""
    if isinstance(made, tuple):
        return tuple(map(_rounded, made))
    if isinstance(made, list):
        return list(map(_rounded, made))
    if isinstance(made, bool):
        return "bool", made
    return float(f"{made:.14g}") if isinstance(made, float) else made


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


def _channels_of_first_input(classes: Modules) -> Read:
    return lambda view, scope: view.channels(classes.bodies.body(scope).inputs[0])


def _value_of(classes: Modules, key: Key, number: int, otherwise: Any) -> Read:
    def read(view: View, scope: Scope) -> Any:
        step = classes.steps[id(scope)].get(key)
        if step is None:
            return otherwise
        return classes.made(step, view)[1][number]

    return read
