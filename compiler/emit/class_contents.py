"""The contents of a class: the code of each module, over the arguments of the class; conditions.

A class is written from the combined steps of all calls of a block (`branches`), and from the traced
copies of one call of each kind (`traced_walk`). An expression is written only if its value is right
in every call that the network makes; a value without such an expression becomes an additional
argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ...dsl.syntax import Let, List, Number, Percent, Size, Switch, Tuple
from ...dsl.syntax import walk as parts_of
from ..language.values import Maps, Word
from ..network import Node, Scope, nodes_of
from ..ops.base import Constructor
from .body import Body, structure
from .branches import (
    Arm,
    Choice,
    Item,
    Place,
    Ref,
    Unlike,
    arms_in,
    arrange,
    places,
    with_identities,
)
from .code import (
    INDEX,
    NO_VALUE,
    VALUE,
    Call,
    Code,
    Conditional,
    Constant,
    Either,
    Leaf,
    Named,
    Operation,
    all_of,
    conditional,
    equal_values,
    frame,
    holds,
    leaves,
    meaning,
    more_than,
    negated,
    replaced,
    with_leaves,
)
from .lists import MapList, maps_in
from .made_modules import (
    Modules,
    Parameter,
    Read,
    argument_of,
    axes_in,
    class_of_layer,
    default_for,
    defaults_of,
    input_channels,
    is_literal,
    map_channels,
    plain_pair,
    type_text,
)
from .scope_kinds import origin
from .scopes import Of, channels, default_of, names_of, one_of_pair, text_of, unchanged, value_of
from .source import Names
from .steps import Key, Step
from .traced_values import code_of
from .traced_walk import Twin

_LITERALS = (Number, Switch, Size, Tuple, List, Percent)
_KINDS = 16
"""At most this number of calls is traced."""
_OFTEN = 3
"""An expression that occurs this often in a class gets a name."""


_NONE = Named("")


class Contents(NamedTuple):
    """The modules of a class and the steps of its `forward`."""

    items: Sequence[Item]
    outputs: tuple[Ref, ...]
    made: Mapping[Key, Code]
    """The code that creates the module of each step."""
    local: Sequence[tuple[str, Code]] = ()
    """Local variables of the constructor, with their expressions."""


class _Call(NamedTuple):
    """One of the scopes that become the class."""

    scope: Scope
    body: Body
    kind: int
    """The number of its kind of call."""
    names: dict[str, Any]
    """The values of the arguments of the class."""


class Expressions:
    """Determines the contents of a class and its arguments."""

    def __init__(self, modules: Modules, scopes: Sequence[Scope], bodies: Sequence[Body]) -> None:
        self.modules = modules
        kinds: dict[object, Body] = {}
        for body in bodies:
            kinds.setdefault(structure(body), body)
        order = {kind: number for number, kind in enumerate(kinds)}
        self.items, self.outputs = arrange([*kinds.values()], modules.paths(scopes[0]))
        if len(kinds) > 1 and modules.bodies.is_list(scopes[0]):
            raise Unlike
        self.pass_layers(bodies)
        self.parameters, self.python_names = self.arguments_of(scopes, bodies)
        self.further: dict[str, list[str]] = {}
        """Arguments that the text of the spec does not have, by the name that they should have."""
        self.calls = self.distinct(scopes, bodies, [order[structure(body)] for body in bodies])
        self.twins = self.traced()
        local: dict[str, Code] = {}
        for twin, _ in self.twins:
            local |= {n: code for n, code in twin.walk.locals if n not in local}
        self.local = [*local.items()]
        for call in self.calls:
            for name, code in self.local:
                with suppress(*NO_VALUE):
                    call.names[name] = code.value(call.names)

    # ---- arguments ----

    def pass_layers(self, bodies: Sequence[Body]) -> None:
        """Makes layers that are passed to a block arguments if only their class differs."""
        found: dict[str, list[Node]] = {}
        for node in _given(bodies):
            found.setdefault(node.given, []).append(node)  # type: ignore[arg-type]
        for nodes in found.values():
            modules = [n.torch.module for n in nodes]
            if not any(map(_is_special, modules)):
                inplace = all(("inplace", True, False) in m.options for m in modules if m)
                self.modules.passed |= dict.fromkeys((node.index for node in nodes), inplace)

    def arguments_of(
        self, scopes: Sequence[Scope], bodies: Sequence[Body]
    ) -> tuple[list[Parameter], dict[str, str]]:
        """The input channels, then the names that the text of the spec can use there."""
        origins = [*map(origin, scopes)]
        what = origins[0]
        taken = self.taken = Names(
            [*(made.callee.name for made in self.modules.written), INDEX, VALUE]
        )
        found: list[Parameter] = []
        python_names: dict[str, str] = {}
        handed = {node.given for node in _given(bodies) if node.index in self.modules.passed}
        defaults = defaults_of(what)
        axes = axes_in(what)
        for word in names_of(what):
            expressions = [default_of(scope, word) for scope in origins]
            if all(each is not None and not isinstance(each, _LITERALS) for each in expressions):
                continue  # every call computes it from other parameters
            values = [plain_pair(value_of(unchanged, scope, word)) for scope in origins]
            if word in handed and all(isinstance(value, Word) for value in values):
                values = [class_of_layer(value, axes) for value in values]
            elif not all(map(is_literal, values)):
                continue
            name = python_names[word] = taken.free("index" if word == INDEX else word)
            default = default_for(values, defaults.get(word, ...), axes)
            found.append(Parameter(name, argument_of(word), values, default))
        first: Read | None = None
        wanted = "in_channels"
        if what.input is not None:
            first = input_channels
            maps = any(len(node.shape) > 1 for node in nodes_of(what.input))
            wanted = "in_channels" if maps else "in_features"
        elif what.kind == "block" and bodies[0].inputs:
            bodies_of = self.modules.bodies

            def first(of: Of, scope: Scope) -> Any:
                read = bodies_of.body(scope).inputs[0]
                return channels(of(maps_in(read)[0]))

        if first is not None:
            name = python_names[""] = taken.free(wanted)
            widths = Parameter(name, first, [first(unchanged, scope) for scope in scopes])
            widths.of_list = isinstance(what.input, Maps)
            found.insert(0, widths)
        for number, word in enumerate(what.maps):
            name = python_names[f"map {word}"] = taken.free(f"{word}_channels")
            read = map_channels(word)
            given = Parameter(name, read, [read(unchanged, scope) for scope in scopes])
            given.of_list = isinstance(what.maps[word], Maps)
            found.insert(number + (first is not None), given)
        for number, value in enumerate(bodies[0].inputs):
            if not isinstance(value, MapList) or _is_given(what, value):
                continue
            read = self.modules.list_channels(number)
            given = Parameter("", read, [read(unchanged, scope) for scope in scopes])
            given.name = taken.free(f"{value.title or 'maps'}_channels")
            given.of_list = True
            python_names[f"list {number}"] = given.name
            found.append(given)
        region = text_of(what)
        for part in parts_of(region) if region is not None else ():
            if isinstance(part, Let) and f"let {part.name.value}" not in python_names:
                python_names[f"let {part.name.value}"] = taken.free(part.name.value)
        return found, python_names

    def distinct(
        self, scopes: Sequence[Scope], bodies: Sequence[Body], kind_of: Sequence[int]
    ) -> list[_Call]:
        """The calls, without duplicates."""
        found: dict[object, _Call] = {}
        for number, (scope, body) in enumerate(zip(scopes, bodies, strict=True)):
            names = {p.name: p.values[number] for p in self.parameters}
            made = tuple(
                [
                    (id(step.item.op), step.item.shape, step.item.input_shapes)
                    if isinstance(step.item, Node)
                    else self.modules.made(step, unchanged)
                    for step in body.steps
                    if step.name or step.numbers
                ]
            )
            key = kind_of[number], repr(names), made
            if key not in found:
                found[key] = _Call(scope, body, kind_of[number], names)
        for parameter in self.parameters:
            parameter.values = [call.names[parameter.name] for call in found.values()]
        return [*found.values()]

    def traced(self) -> list[tuple[Twin, _Call]]:
        """The traced copy of one call of each kind: of the one that shows most."""
        bodies = self.modules.bodies
        most: dict[object, _Call] = {}
        for call in self.calls:
            if origin(call.scope).kind != "loop" and not bodies.is_list(call.scope):
                kind = call.kind, *map(type_text, call.names.values())
                if kind not in most or _shown(call) > _shown(most[kind]):
                    most[kind] = call
        return [
            (Twin(bodies.network, call.scope, self.python_names, call.body.inputs), call)
            for call in [*most.values()][:_KINDS]
        ]

    # ---- modules ----

    def contents(self) -> Contents:
        self.find_all_conditions(self.items)
        made = {p.step.key: self.module(p) for p in places(self.items) if p.step.name}
        for place in places(self.items):
            place.numbers |= {name: self.number(place, name) for name in place.step.numbers}
        contents = Contents(self.items, self.outputs, made, self.local)
        contents, self.parameters = without_unused(self.with_widths(contents), self.parameters)
        alone: dict[Key, Code] = {}
        stands: dict[Ref, Ref] = {}
        items = with_identities(contents.items, alone, stands)
        made = {
            key: Either(None, code, alone[key]) if key in alone else code
            for key, code in contents.made.items()
        }
        outputs = tuple([stands.get(ref, ref) for ref in contents.outputs])
        return Contents(items, outputs, made, contents.local)

    def step(self, call: _Call, key: Key) -> Step | None:
        return self.modules.steps[id(call.scope)].get(key)

    def module(self, place: Place) -> Code:
        """The code of a module: that of a traced call if it is right in all calls."""
        key = place.step.key
        calls = [call for call in self.calls if call.kind in place.calls]
        made = [
            self.modules.made(self.modules.steps[id(call.scope)][key], unchanged) for call in calls
        ]
        found: dict[Code, None] = {}
        for twin, call in self.twins:
            step = self.step(call, key)
            if step is not None and twin.nodes:
                found[self.modules.made(step, twin.of)] = None
        wanted = [code.value({}) for code in made]
        for code in found:
            if self.matches(code, wanted, calls):
                return code
        whole = frame(made[0])
        if any(frame(code) != whole for code in made):
            raise Unlike
        candidates = [[part for _, part in leaves(code)] for code in found if frame(code) == whole]
        own = [[part for _, part in leaves(code)] for code in made]
        values: list[Code] = []
        for number, (leaf, _) in enumerate(leaves(made[0])):
            column = [each[number] for each in own]
            codes = [each[number] for each in candidates]

            def part_of(step: Step, of: Of, number: int = number) -> Code:
                return [part for _, part in leaves(self.modules.made(step, of))][number]

            values.append(self.value(leaf, codes, column, calls, key, part_of))
        return with_leaves(whole, iter(values))

    def number(self, place: Place, name: str) -> Code:
        """The code of a number in a call."""

        def number_of(step: Step, of: Of) -> Code:
            return self.modules.number(step, name, of)

        key = place.step.key
        calls = [call for call in self.calls if call.kind in place.calls]
        own = [number_of(self.modules.steps[id(call.scope)][key], unchanged) for call in calls]
        codes = []
        for twin, call in self.twins:
            step = self.step(call, key)
            if step is not None and twin.nodes:
                codes.append(number_of(step, twin.of))
        return self.value(Leaf(name), codes, own, calls, key, number_of)

    def value(
        self,
        leaf: Leaf,
        candidates: Sequence[Code],
        own: Sequence[Code],
        calls: Sequence[_Call],
        key: Key,
        value_of: Callable[[Step, Of], Code],
    ) -> Code:
        """The expression of a value that is right in all calls; a new argument if there is none."""
        if not all(isinstance(code, Constant) for code in own):
            if any(code != own[0] for code in own):
                raise Unlike
            return own[0]
        values = [code.content for code in own]
        for code in dict.fromkeys(candidates):
            if self.matches(code, values, calls):
                return code
        if all(equal_values(value, values[0]) for value in values):
            return own[0]
        chosen = self.chosen(candidates, values, calls)
        if chosen is not None:
            return chosen
        modules = self.modules

        def read(of: Of, scope: Scope) -> Any:
            step = modules.steps[id(scope)].get(key)
            if step is None:
                return values[0]
            return value_of(step, of)

        return self.argument(leaf, values, calls, read)

    def chosen(
        self, candidates: Sequence[Code], values: Sequence[Any], calls: Sequence[_Call]
    ) -> Code | None:
        """A conditional expression for what depends on an `if` before: the channels after it."""
        for arm in arms_in(self.items):
            taken = [call.kind in arm.calls for call in calls]
            if arm.condition is None or all(taken) or not any(taken):
                continue
            if not all(type(value) is int for value in values):
                continue
            if not self.matches(arm.condition, taken, calls):
                continue
            sides: list[Code] = []
            for side in (True, False):
                own = [value for value, each in zip(values, taken, strict=True) if each is side]
                its = [call for call, each in zip(calls, taken, strict=True) if each is side]
                same = all(equal_values(value, own[0]) for value in own)
                codes = [*candidates, *([Constant(own[0])] if same else [])]
                simple = (code for code in codes if isinstance(code, Named | Constant))
                sides += [next((code for code in simple if self.matches(code, own, its)), _NONE)]
            if _NONE not in sides:
                return conditional(sides[0], arm.condition, sides[1])
        return None

    def matches(self, code: Code, wanted: Sequence[Any], calls: Sequence[_Call]) -> bool:
        try:
            values = [code.value(call.names) for call in calls]
            return all(map(_fits, values, wanted))
        except NO_VALUE:
            return False

    def argument(self, leaf: Leaf, own: Sequence[Any], calls: Sequence[_Call], read: Read) -> Code:
        """A new argument for a value that the text of the spec does not determine."""
        values = dict(zip(map(id, calls), own, strict=True))
        whole = [values.get(id(call), own[0]) for call in self.calls]
        usual = {int: "channels", tuple: "size"}
        wanted = leaf.name or usual.get(type(own[0]), VALUE)
        for name in self.further.setdefault(wanted, []):
            if [call.names[name] for call in self.calls] == whole:
                return Named(name)
        name = self.taken.free(wanted)
        self.further[wanted].append(name)
        of_list = leaf.name in self.modules.of_lists and type(own[0]) is tuple
        default = leaf.usual if type(leaf.usual) in (bool, int) else ...
        exact = not leaf.name
        self.parameters.append(Parameter(name, read, whole, default, of_list, is_exact=exact))
        for call, value in zip(self.calls, whole, strict=True):
            call.names[name] = value
        return Named(name)

    # ---- conditions ----

    def find_all_conditions(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Choice):
                self.find_conditions(item)
                for arm in item.arms:
                    self.find_all_conditions(arm.items)

    def find_conditions(self, choice: Choice) -> None:
        around = frozenset(choice.missing.union(*(arm.calls for arm in choice.arms)))
        calls = [call for call in self.calls if call.kind in around]
        for codes in self.candidate_conditions(choice):
            if _selects_arms(choice, codes, calls):
                for arm, code in zip(choice.arms, codes, strict=True):
                    arm.condition = None if code is None else self.with_locals(code)
                return
        raise Unlike

    def candidate_conditions(self, choice: Choice) -> Iterator[list[Code | None]]:
        """Conditions for the arms of a choice, one list for each traced call; None is `else`."""
        statement = next((arm.statement for arm in choice.arms if arm.statement), None)
        for twin, _ in self.twins:
            asked = twin.walk.choices.get(id(statement))
            if asked is not None:
                yield from _by_arm(choice, asked)
        if len(choice.arms) == 1:
            for channels_only in (False, True):
                for twin, call in self.twins:
                    code = self.implied(choice.arms[0], twin, call, channels_only)
                    if code is not None:
                        yield [code]

    def implied(self, arm: Arm, twin: Twin, call: _Call, channels_only: bool) -> Code | None:
        """The condition of a residual, if an arm is its sum or its shortcut."""
        for place in places(arm.items):
            step = self.step(call, place.step.key)
            if step is not None and isinstance(step.item, Scope) and step.item.kind == "loop":
                count = code_of(twin.of(step.item).count)
                return None if isinstance(count, Constant) else more_than(count, 0)
            if step is not None:
                nodes = step.item.nodes() if isinstance(step.item, Scope) else [step.item]
                code = twin.condition(next(iter(nodes)), channels_only)
                if code is not None:
                    return code
        return None

    def with_locals(self, code: Code) -> Code:
        """The name of a condition if a `let` of the spec defines one; else the condition."""
        for name, own in self.local:
            if meaning(own) == meaning(code):
                return Named(name)
        return code

    # ---- names ----

    def with_widths(self, contents: Contents) -> Contents:
        """Gives names to expressions that occur repeatedly in the constructor: `hidden`."""
        often: Counter[Code] = Counter()
        for made in contents.made.values():
            often.update(
                code
                for leaf, code in leaves(made)
                if leaf.usual is ... and isinstance(code, Operation | Call | Conditional)
            )
        for condition in {*_conditions(contents.items)}:
            often.update(code for code in often if holds(condition, code))
        outputs = {code_of(channels(node)) for node in self.outputs_of_class()}
        names: dict[Code, Code] = {}
        local = list(contents.local)
        for code, count in often.items():
            if count >= _OFTEN and INDEX not in code.names():
                wanted = "half" if str(code).endswith("// 2") else "hidden"
                name = self.taken.free("out_channels" if code in outputs else wanted)
                names[code] = Named(name)
                local.append((name, code))
        if not names:
            return contents
        for arm in arms_in(contents.items):
            if arm.condition is not None:
                arm.condition = replaced(arm.condition, names)
        for place in places(contents.items):
            place.numbers = {n: replaced(code, names) for n, code in place.numbers.items()}
        with_names = {key: replaced(code, names) for key, code in contents.made.items()}
        return contents._replace(made=with_names, local=local)

    def outputs_of_class(self) -> Iterator[Node]:
        """The outputs of the class, traced."""
        for twin, call in self.twins:
            step, _ = call.body.outputs[0]
            item = call.body.steps[step].item if step >= 0 else None
            node = item.output if isinstance(item, Scope) else item
            if isinstance(node, Node):
                yield twin.of(node)


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value does what another does as an argument: `(2, 2)` what 2 does, 2.0 not."""
    if isinstance(wanted, int):
        value = one_of_pair(value)
    return equal_values(value, wanted) and not (type(value) is float and type(wanted) is int)


def without_unused(
    contents: Contents, parameters: Sequence[Parameter]
) -> tuple[Contents, list[Parameter]]:
    """Removes unused local variables and arguments; moves arguments with defaults to the end."""
    codes = [*contents.made.values(), *_conditions(contents.items)]
    codes += [code for place in places(contents.items) for code in place.numbers.values()]
    used: set[str] = set().union(*[code.names() for code in codes])
    local: list[tuple[str, Code]] = []
    for name, code in reversed(contents.local):
        if name in used:
            used |= code.names()
            local.insert(0, (name, code))
    kept = [p for p in parameters if p.name in used]
    indexed = {inner for code in codes for inner in code.indexed()}
    for parameter in kept:
        parameter.is_exact |= parameter.name in indexed
    kept.sort(key=lambda p: (p.default is not ..., p.leaf.usual is not ...))
    return contents._replace(local=local), kept


def _conditions(items: Sequence[Item]) -> Iterator[Code]:
    return (arm.condition for arm in arms_in(items) if arm.condition is not None)


def _is_given(what: Scope, value: MapList) -> bool:
    """Whether a list arrives at a scope, or is given to it by name."""
    return any(nodes_of(each) == value.nodes for each in (what.input, *what.maps.values()))


def _given(bodies: Iterable[Body]) -> Iterator[Node]:
    """The layers that are passed to blocks."""
    for body in bodies:
        for step in body.steps:
            if isinstance(step.item, Node) and step.item.given is not None and step.name:
                yield step.item


def _by_arm(choice: Choice, asked: Sequence[Code | None]) -> Iterator[list[Code | None]]:
    """The conditions of an `if`, for those of its arms that calls take."""
    own = {arm.number for arm in choice.arms}
    if any(arm.number < 0 for arm in choice.arms):
        return
    alone = [None if n >= len(asked) else asked[n] for n in (arm.number for arm in choice.arms)]
    if not choice.missing:
        yield [*alone[:-1], None]
    if all(code is not None for code in alone):
        yield [*alone]
    found: list[Code | None] = []
    for arm in choice.arms:
        parts = [
            None if code is None else negated(code)
            for number, code in enumerate(asked[: arm.number])
            if number not in own and code != Constant(False)
        ]
        parts += asked[arm.number : arm.number + 1]
        if None in parts:
            return
        found.append(all_of(parts) if parts else None)  # type: ignore[arg-type]
    if not (choice.missing and found[-1] is None):
        yield found


def _selects_arms(choice: Choice, codes: Sequence[Code | None], calls: Sequence[_Call]) -> bool:
    """Whether conditions select the right arm in each call."""
    for call in calls:
        taken = None
        for arm, code in zip(choice.arms, codes, strict=True):
            try:
                if code is None or code.value(call.names):
                    taken = arm
                    break
            except NO_VALUE:
                return False
        if (taken is None) != (call.kind in choice.missing):
            return False
        if taken is not None and call.kind not in taken.calls:
            return False
    return True


def _shown(call: _Call) -> tuple[int, int]:
    """How much a call shows: of loops, and of what depends on a stride, if it is not 1."""
    parts = origin(call.scope).parts
    rounds = [part.count for part in parts if isinstance(part, Scope) and part.kind == "loop"]
    return sum(rounds), sum(value != 1 for value in call.names.values() if type(value) is int)


def _is_special(module: Constructor | None) -> bool:
    """Whether a layer has arguments besides its class."""
    if module is None or module.arguments:
        return True
    return any(value != usual for name, value, usual in module.options if name != "inplace")
