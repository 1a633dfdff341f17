"""Executes a part of the spec a second time, with traced parameters.

A class is written from the `Twin` of one call: the compiler's own walk executes the text of the
block again, with values that carry the expression they come from (`traced_values`). The result is a
copy of each scope and layer whose arguments are expressions. The walk also records the conditions
of `if` statements, the number of iterations of loops and the names of `let` statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dsl.syntax import (
    Argument,
    Binary,
    Branches,
    Call,
    Conditional,
    Expression,
    If,
    Item,
    Let,
    Name,
    Repeat,
    Unary,
    makers_of,
)
from ..build.calls import BlockCalls
from ..build.graph_builder import Arriving
from ..build.labels import Labels
from ..build.scoping import BlockRef, Module
from ..build.shortcuts import strides_along
from ..build.walk import Walk
from ..diagnose.reporter import GiveUp, Reporter
from ..language.evaluate import Env, evaluate, number, truth
from ..language.fuel import Fuel
from ..language.problems import Problem, Quiet
from ..language.values import MapRef, Maps, Word
from ..network import Network, Node, Scope, nodes_of
from ..ops.base import Op
from ..shapes import axes_of
from . import code as codes
from .code import INDEX, OPPOSITE, Code, Constant, Named, Operation, all_of, negated
from .lists import MapList
from .scope_kinds import is_shortcut, origin
from .scopes import (
    default_of,
    given_arguments,
    names_of,
    one_of_pair,
    text_of,
    unchanged,
    value_of,
)
from .traced_values import Traced, TracedFloat, TracedInt, code_of, plain, traced

_UNLIMITED = 10**9
_NO_CALLER: Any = object()


class Untraced(Exception):
    """The second execution did not give the same layers."""


class _NoCache(dict[Any, Any]):
    """A cache that stays empty: equal values may come from different expressions."""

    def __setitem__(self, key: Any, value: Any) -> None: ...


class _TracedLabels(Labels):
    """Labels outside of what is executed name layers of the network; of lists that the class is
    given, the copies are meant."""

    def __init__(self, walk: TracedWalk) -> None:
        super().__init__(walk.syntax)
        self.walk = walk

    def value(self, argument: Argument, scope: Scope) -> Node | Maps:
        value = super().value(argument, scope)
        if not isinstance(value, Maps):
            return value
        real, items = self.walk.real.nodes, self.walk.items
        return Maps(
            value.name,
            [
                items.get(node.index, node)
                if 0 <= node.index < len(real) and real[node.index] is node
                else node
                for node in value
            ],
        )


class TracedWalk(Walk):
    """Executes one scope; `names` maps its parameters to their names in the class."""

    def __init__(self, real: Walk, names: Mapping[str, str]) -> None:
        self.real = real
        self.names = names
        self.files: dict[Module, Env] = {}
        fuel = Fuel()
        fuel.left = fuel.total = fuel.max_layers = _UNLIMITED
        calls = BlockCalls(self.names_of_file)
        super().__init__(
            real.syntax,
            real.module,
            Reporter([]),
            self.names_of_file,
            calls,
            real.input_shape,
            fuel,
        )
        self.has_input = True
        self.labels = _TracedLabels(self)
        self.layers.known = _NoCache()
        self.applied = _NoCache()
        self.first: Node | Maps | None = None
        """The input of the scope."""
        self.given: dict[int, Node] = {}
        """What the scope is given by name, by the index of the real layer."""
        self.items: dict[int, Node] = {}
        """The same for the maps of lists that it is given."""
        self.lists: list[tuple[Code, tuple[int, ...]]] = []
        """The lists of maps that it is given: their name in the class, and their channels."""
        self.own: Scope | None = None
        """The scope that becomes the class."""
        self.conditions: dict[tuple[int, str], tuple[dict[str, object], Code]] = {}
        """The expressions of booleans, which cannot carry one: by the id of a table of names, and a
        name in it."""
        self.choices: dict[int, list[Code | None]] = {}
        """The conditions of each `if`, by its id."""
        self.locals: list[tuple[str, Code]] = []
        """The names from `let` statements that the class defines, with their expressions."""
        self.optional = 0

    def names_of_file(self, module: Module) -> Env:
        if module not in self.files:
            real = self.real.globals_of(module)
            env = Env(None, real.values, self.fuel)

            def look_around(name: str) -> object:
                if name == "classes" and real.look_around is not None:
                    return real.look_around(name)
                return self.look_around(name)

            env.look_around, env.labeled = look_around, self.value_of_label
            env.chosen = self.chosen
            self.files[module] = env
        return self.files[module]

    def execute(self, what: Scope, inputs: Sequence[Node]) -> Scope:
        """Executes a scope, whose class has these inputs; returns the copy."""
        for place, read in enumerate(inputs):
            if isinstance(read, MapList) and f"list {place}" in self.names:
                self.copied(Maps("", read.nodes), self.names[f"list {place}"])
        if what.input is not None:
            self.first = self.copied(what.input, self.names[""])
        maps: dict[str, Node | Maps | None] = {}
        for name, given in what.maps.items():
            if given is not None and nodes_of(given) == nodes_of(what.input):
                maps[name] = self.first
            elif given is not None and f"map {name}" in self.names:
                maps[name] = self.copied(given, self.names[f"map {name}"])
        self.module = self.module_of((what.definition or what).span.source)
        values: dict[str, object] = {}
        env = Env(self.names_of_file(self.module), values)
        for name in names_of(what):
            value, default = value_of(unchanged, what, name), default_of(what, name)
            if name in self.names:
                code: Code = Named(self.names[name])
                if isinstance(value, bool):
                    self.conditions[id(values), name] = values, code
                value = traced(one_of_pair(value), code)
            elif default is not None:
                value = self.block_calls.value(default, env, self.module)
            values[name] = value
        if what.definition is not None:
            self.calls.append(_NO_CALLER)
            twin = Scope("block", what.word, what.span, None, arguments=tuple(values.items()))
            twin.definition = what.definition
        else:
            # Treated as an iteration of its own: the names it refers to belong to scopes around it.
            twin = Scope("iteration", what.word, what.span, None, index=what.index)
            twin.parent, twin.statement = what.parent, what.statement
            twin.arguments, twin.env = what.arguments, env
            twin.aux = bool(what.parent and what.parent.aux)
        self.own = twin
        twin.maps, twin.input = maps, self.first
        if isinstance(text_of(what), Branches):
            self.collector = self.made_path
        if twin.definition is not None or what.kind == "iteration":
            twin.output = self.body(text_of(what), twin, env, self.first)
        else:
            self.statement(what.statement, twin, env, self.first)  # type: ignore[arg-type]
            inner = twin.children[-1] if twin.children else None
            if not isinstance(inner, Scope):
                raise Untraced
            twin = inner
        if self.reporter.diagnostics:
            raise Untraced
        for (_, name), (table, code) in self.conditions.items():
            table[name] = code
        return twin

    def copied(self, value: Node | Maps, name: str) -> Node | Maps:
        """What a scope is given, with the channels that the class has by this name."""
        nodes, whole = nodes_of(value), Named(name)
        if isinstance(value, Maps):
            self.lists.append((whole, tuple([node.shape[0] for node in nodes])))
            own = [_with_channels(n, _item(whole, k, len(nodes))) for k, n in enumerate(nodes)]
            for node, each in zip(nodes, own, strict=True):
                self.items.setdefault(node.index, each)
            return Maps(value.name, own)
        alone = self.given[value.index] = _with_channels(value, whole)
        return alone

    def made_list(self, maps: Maps) -> Maps:
        """Maps with the channels of a list that the class is given have them from it."""
        widths = tuple([plain(node.shape[0]) for node in maps])
        for whole, given in self.lists:
            if widths == given:
                for number, node in enumerate(maps):
                    code = _item(whole, number, len(widths))
                    node.shape = (traced(widths[number], code), *node.shape[1:])
                return maps
        for node in maps:  # what depended on the number of a round does not any more
            if INDEX in code_of(node.shape[0]).names():
                node.shape = (plain(node.shape[0]), *node.shape[1:])
        return maps

    def made_path(self, branches: Branches, around: Scope, env: Env) -> None:
        """Executes a path that a loop makes."""
        self.collector = None
        for path in branches.paths:
            if makers_of(path):
                raise Untraced
            inner = Scope("path", "path", path.span, around)
            inner.output = self.body(path, inner, env, self.first)

    def module_of(self, source: object) -> Module:
        """The module that a source belongs to, among those reachable from the main file."""
        known = {id(self.real.module): self.real.module}
        stack = [*known.values()]
        while stack:
            module = stack.pop()
            if module.source is source:
                return module
            for ref in module.blocks.values():
                if id(ref.module) not in known:
                    known[id(ref.module)] = ref.module
                    stack.append(ref.module)
        raise Untraced

    # ---- recorded during execution ----

    def carry_out(self, statement: Any, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        output = super().carry_out(statement, scope, env, input_node)
        if isinstance(statement, Let):
            name = statement.name.value
            value = env.values[name]
            if isinstance(value, bool):
                code = self.condition(statement.value, env)
                if code is not None:
                    code = self.local(scope, name, code)
                    self.conditions[id(env.values), name] = env.values, code
            elif isinstance(value, TracedInt | TracedFloat):
                env.values[name] = traced(value, self.local(scope, name, value.code))
        return output

    def local(self, scope: Scope, name: str, code: Code) -> Code:
        """The name of an expression in the class, if the class defines one; else the expression."""
        own = self.names.get(f"let {name}")
        if isinstance(code, Named | Constant) or self.optional or not self.is_own(scope):
            return code
        if own is None or own in dict(self.locals):
            return code
        self.locals.append((own, code))
        return Named(own)

    def is_own(self, scope: Scope) -> bool:
        at: Scope | None = scope
        while at is not None and at is not self.own and not at.has_name:
            at = at.parent
        return at is self.own

    def choice(self, statement: If, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        if self.is_own(scope):
            conditions = [self.condition(arm.condition, env) for arm in statement.arms]
            self.choices.setdefault(id(statement), conditions)
        self.optional += 1
        try:
            return super().choice(statement, scope, env, input_node)
        finally:
            self.optional -= 1

    def rounds(self, statement: Any, word: str, names: Any, rounds: Any, *rest: Any) -> Arriving:
        scope, env = rest[0], rest[1]
        if isinstance(statement, Repeat):
            count = number(statement.count, env)
            if names:
                rounds = [(traced(n, Named(INDEX)),) for n in range(len(rounds))]
        else:
            count = len(rounds)
            whole = _list_of(rounds)
            if whole is not None:
                rounds = [_indexed(items, n, whole) for n, items in enumerate(rounds)]
                count = traced(len(rounds), codes.function("len", whole))
        output = super().rounds(statement, word, names, rounds, *rest)
        for child in scope.children[-1:]:
            if isinstance(child, Scope) and child.kind == "loop":
                child.count = count  # type: ignore[assignment]
        return output

    def call_block(
        self, ref: BlockRef, call: Call, scope: Scope, env: Env, input_node: Arriving
    ) -> Arriving:
        output = super().call_block(ref, call, scope, env, input_node)
        made = scope.children[-1]
        assert isinstance(made, Scope)
        values = dict(made.arguments)
        for name, argument in given_arguments(ref.block, call):
            if isinstance(values[name], bool):
                code = self.condition(argument.value, env)
                if code is not None:
                    values[name] = code
        made.arguments = tuple(values.items())
        return output

    def call(self, call: Call, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        output = super().call(call, scope, env, input_node)
        word = call.head.value
        if isinstance(output, Node) and output.given is not None and env.has(word):
            given = env.find(word)
            if isinstance(given, Traced):
                output.given = traced(Word(word), given.code)
        return output

    # ---- conditions ----

    def chosen(self, node: Conditional | Item, env: Env, value: Any) -> Any:
        """The value of a conditional expression, with both of its sides; an item of a list."""
        if isinstance(node, Item):
            items, index = code_of(evaluate(node.value, env)), code_of(evaluate(node.index, env))
            if isinstance(items, Constant) and isinstance(index, Constant):
                return value
            return (
                value
                if isinstance(value, Traced)
                else traced(value, codes.Chosen(None, items, index))
            )
        condition = self.condition(node.condition, env)
        if condition is None or isinstance(condition, Constant):
            return value
        sides: list[Code] = []
        for side in (node.value, node.otherwise):
            try:
                sides.append(code_of(evaluate(side, env)))
            except (Problem, Quiet):  # what is not taken may have no value here
                return value
        return traced(value, codes.conditional(sides[0], condition, sides[1]))

    def condition(self, node: Expression, env: Env) -> Code | None:
        """A condition as an expression; None if it cannot be expressed."""
        try:
            return self.condition_of(node, env)
        except (Problem, Quiet, KeyError, ArithmeticError):
            return None

    def condition_of(self, node: Expression, env: Env) -> Code:
        if isinstance(node, Name):
            while node.value not in env.values and env.parent is not None:
                env = env.parent
            known = self.conditions.get((id(env.values), node.value))
            if known is not None:
                return known[1]
        elif isinstance(node, Unary) and node.operator == "not":
            return negated(self.condition_of(node.operand, env))
        elif isinstance(node, Binary) and node.operator in ("and", "or"):
            return Operation(
                node.operator, self.condition_of(node.left, env), self.condition_of(node.right, env)
            )
        elif isinstance(node, Binary) and node.operator in OPPOSITE:
            sides = evaluate(node.left, env), evaluate(node.right, env)
            one, two = map(code_of, sides)
            if one != two and any(isinstance(e, Traced) and not isinstance(e, str) for e in sides):
                return Operation(node.operator, one, two)
        return Constant(truth(node, env))


def _item(whole: Code, number: int, count: int) -> Code:
    """The channels of a map of a list."""
    return codes.Item((number, count), whole)


def _with_channels(node: Node, code: Code) -> Node:
    """A copy of a layer whose number of channels has an expression."""
    shape = (traced(plain(node.shape[0]), code), *node.shape[1:])
    return Node(-1, node.op, (), shape, node.span, node.scope)


def _list_of(rounds: Sequence[Sequence[Any]]) -> Code | None:
    """The list that a loop over maps goes through, if the class is given it."""
    found: set[Code] = set()
    for place, items in enumerate(rounds):
        code = code_of(items[0].node.shape[0]) if isinstance(items[0], MapRef) else None
        if not isinstance(code, codes.Item) or code.content != (place, len(rounds)):
            return None
        found.add(code.parts[0])
    return found.pop() if len(found) == 1 else None


def _indexed(items: Sequence[Any], number: int, whole: Code) -> tuple[Any, ...]:
    """The values of a loop's names in a round, as expressions of its number."""
    index = Named(INDEX)
    node = _with_channels(items[0].node, codes.Chosen(None, whole, index))
    rest = [traced(value, index) for value in items[1:]]
    return (MapRef(items[0].name, node), *rest)


class Twin:
    """The traced copy of a scope and of everything inside it."""

    def __init__(
        self, network: Network, scope: Scope, names: Mapping[str, str], inputs: Sequence[Node]
    ) -> None:
        what = origin(scope)
        assert isinstance(network.walk, Walk)
        self.walk = TracedWalk(network.walk, names)
        self.nodes: dict[int, Node] = {}
        """Traced nodes, by the index of the real one."""
        self.scopes: dict[int, Scope] = {}
        """Traced scopes, by the id of the real one."""
        try:
            if is_shortcut(what):
                self.project(what, names)
            else:
                self.pair(what, self.walk.execute(what, inputs))
                self.nodes |= self.walk.items | self.walk.given
                if isinstance(what.input, Node) and isinstance(self.walk.first, Node):
                    self.nodes[what.input.index] = self.walk.first
                self.strides(what)
        except (Problem, Quiet, GiveUp, Untraced, KeyError, ArithmeticError):
            self.nodes, self.scopes = {}, {}

    def of(self, item: Any) -> Any:
        """The traced copy of a layer or scope; the item itself if there is none."""
        if isinstance(item, Node):
            return self.nodes.get(item.index, item)
        return self.scopes.get(id(item), item)

    def project(self, scope: Scope, names: Mapping[str, str]) -> None:
        """Traces a shortcut, which has no text: its arguments are output channels and stride."""
        out, stride = (
            traced(value_of(unchanged, scope, name), Named(names[name]))
            for name in ("out_channels", "stride")
        )
        real = list(scope.nodes())
        before = real[0].inputs[0]
        shape = (traced(before.shape[0], Named(names[""])), *before.shape[1:])
        at = self.nodes[before.index] = Node(-1, before.op, (), shape, before.span, before.scope)
        for node in real:
            op = node.op
            if node is real[0]:
                axes = axes_of(node.shape)
                strides = stride if isinstance(stride, tuple) else (stride,) * axes
                op = op.replace(out=out, stride=strides)
            shape = (out, *node.shape[1:])
            at = self.nodes[node.index] = Node(0, op, (at,), shape, node.span, node.scope)

    def pair(self, real: Scope, twin: Scope) -> None:
        stack: list[tuple[Any, Any]] = [(real, twin)]
        while stack:
            one, two = stack.pop()
            if type(one) is not type(two):
                raise Untraced
            if isinstance(one, Node):
                if one.shape != two.shape:
                    raise Untraced
                two.op = _settled(one.op, two.op)
                self.nodes[one.index] = two
                continue
            if len(one.children) != len(two.children):
                raise Untraced
            self.scopes[id(one)] = two
            stack += zip(one.children, two.children, strict=True)

    # ---- residuals ----

    def strides(self, scope: Scope) -> None:
        """Gives shortcuts the product of the strides of the path beside them."""
        for real in scope.nodes():
            twin = self.nodes[real.index]
            if not (is_shortcut(real.scope) or real.op.short_word == "shortcut"):
                continue
            steps = self.beside(twin)
            if hasattr(real.op, "stride") and steps is not None and steps == real.op.stride:
                twin.op = twin.op.replace(stride=steps)

    def beside(self, twin: Node) -> Any:
        """The strides of the path beside a shortcut."""
        sum_ = self.sum_of(twin)
        return None if sum_ is None else strides_along(twin.inputs[0], sum_.inputs[0])

    def sum_of(self, twin: Node) -> Node | None:
        """The sum that a shortcut, given by its first layer, ends in."""
        last = twin.scope.output if is_shortcut(twin.scope) else twin
        taking = (n for n in self.walk.nodes if any(each is last for each in n.inputs))
        return next((n for n in taking if n.op.kind == "merge"), None)

    def condition(self, real: Node, channels_only: bool) -> Code | None:
        """The condition under which a residual has this sum or this shortcut: whether the shape of
        its body equals that of its input."""
        node = self.nodes.get(real.index)
        if node is None:
            return None
        if node.op.kind == "merge" and len(node.inputs) == 2:
            return agree(node.inputs[1], node.inputs[0], channels_only)
        if node.op.short_word == "shortcut" or node.scope.word == "shortcut":
            sum_ = self.sum_of(node)
            code = agree(node.inputs[0], sum_.inputs[0], channels_only) if sum_ else None
            return None if code is None else negated(code)
        return None


def _settled(real: Op, twin: Op) -> Op:
    """The operation of the network, with the expressions of those arguments that are traced."""
    changes: dict[str, Any] = {}
    for name, value in real.__dict__.items():
        other = twin.__dict__.get(name)
        same = other is not value and other == value
        kinds = (int, float) if type(value) is float else type(value)
        if same and isinstance(other, kinds):
            changes[name] = other
    return real.replace(**changes) if changes else real


def agree(first: Node, last: Node, channels_only: bool = False) -> Code | None:
    """The condition that the outputs of two layers have the same shape."""
    steps: Sequence[Any] | None = () if channels_only else strides_along(first, last)
    if steps is None or len(first.shape) != len(last.shape):
        return None
    conditions: list[tuple[Code, Code]] = [(code_of(step), Constant(1)) for step in steps]
    conditions = list(
        dict.fromkeys([*conditions, (code_of(first.shape[0]), code_of(last.shape[0]))])
    )
    parts = [Operation("==", one, two) for one, two in conditions if one != two]
    if any(all(isinstance(side, Constant) for side in part.parts) for part in parts):
        return None
    return all_of(parts) if parts else None
