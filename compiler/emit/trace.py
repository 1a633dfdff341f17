"""A part of the spec carried out once more, with its parameters traced.

What a class is written from: the compiler's own walk over the body of a block, with values that
remember which expression they come from (`symbolic`). It makes a twin of each scope and layer of
one call. What is read through a `View` of a call is right for that call, and says how it is
computed from the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...dsl.syntax import (
    Argument,
    Binary,
    Block,
    Call,
    Expression,
    For,
    If,
    Let,
    Name,
    Repeat,
    Unary,
)
from ...dsl.syntax import walk as parts_of
from ..build.calls import BlockCalls
from ..build.graph_builder import Arriving
from ..build.scoping import BlockRef, Module
from ..build.walk import Walk
from ..diagnose.reporter import GiveUp, Reporter
from ..language.evaluate import Env, evaluate, number, truth
from ..language.fuel import Fuel
from ..language.problems import Problem, Quiet
from ..network import Network, Node, Scope
from ..ops.base import ClassName, Op
from ..shapes import Shape
from .body import is_shortcut, origin
from .symbolic import (
    Applied,
    Code,
    Constant,
    Named,
    Not,
    Operation,
    Traced,
    TracedFloat,
    TracedInt,
    TracedList,
    TracedTruth,
    all_of,
    code_of,
    negated,
    traced,
)

INDEX = "i"
_PLENTY = 10**9


class View:
    """A network as it is."""

    def shapes(self, node: Node) -> tuple[Shape, tuple[Shape, ...]]:
        """What leaves a layer and what arrives there."""
        return node.shape, node.input_shapes

    def op(self, node: Node) -> Op:
        return node.op

    def arguments(self, scope: Scope) -> Mapping[str, Any]:
        """What names stand for in a scope that is a class."""
        if is_shortcut(scope):
            return self.of_shortcut(scope)
        return {name: _found(scope, name) for name in names_of(scope)}

    def of_shortcut(self, scope: Scope) -> Mapping[str, Any]:
        first, *_, last = scope.nodes()
        return {"out_channels": self.channels(last), "stride": one_of_pair(self.op(first).stride)}  # type: ignore[attr-defined]

    def channels(self, node: Node) -> Any:
        return self.shapes(node)[0][0]

    def rounds(self, loop: Scope) -> Any:
        """How many a loop has, as the spec says it."""
        return loop.count

    def word(self, node: Node) -> Code:
        """The class of a layer that a block is handed."""
        return Constant(ClassName(node.op.word))


AS_IT_IS = View()


class Twin(View):
    """A scope of a network, with all that is inside, as it was traced."""

    def __init__(self, network: Network, scope: Scope, names: Mapping[str, str]) -> None:
        what = origin(scope)
        assert isinstance(network.walk, Walk)
        self.walk = _TracedWalk(network.walk)
        self.nodes: dict[int, Node] = {}
        self.scopes: dict[int, Scope] = {}
        self.ops: dict[int, Op] = {}
        try:
            if is_shortcut(what):
                self.project(what, names)
                return
            twin = self.walk.again(what, names)
            self.pair(what, twin)
            if what.arriving is not None and self.walk.first is not None:
                self.nodes[what.arriving.index] = self.walk.first
        except (Problem, Quiet, GiveUp, _Untraced, KeyError, ArithmeticError):
            self.nodes, self.scopes = {}, {}
        self.strides(what)

    def project(self, scope: Scope, names: Mapping[str, str]) -> None:
        """A shortcut has no text: its arguments are what it leads to, and in which steps."""
        real = list(scope.nodes())
        values = {
            name: traced(value, Named(names[name]))
            for name, value in AS_IT_IS.of_shortcut(scope).items()
        }
        steps = values["stride"]
        steps = steps if isinstance(steps, tuple) else (steps, steps)
        before = real[0].inputs[0]
        shape = (traced(before.shape[0], Named(names[""])), *before.shape[1:])
        at = Node(-1, before.op, (), shape, before.span, before.scope)
        self.nodes[before.index] = at
        for position, node in enumerate(real):
            shape = (values["out_channels"], *node.shape[1:])
            op = node.op.replace(out=shape[0], stride=steps) if position == 0 else node.op
            at = self.nodes[node.index] = Node(position, op, (at,), shape, node.span, node.scope)

    def pair(self, real: Scope, twin: Scope) -> None:
        stack = [(real, twin)]
        while stack:
            one, two = stack.pop()
            self.scopes[id(one)] = two
            if len(one.children) != len(two.children):
                raise _Untraced
            for inner, other in zip(one.children, two.children, strict=True):
                if isinstance(inner, Node) and isinstance(other, Node):
                    if inner.shape != other.shape:
                        raise _Untraced
                    self.nodes[inner.index] = other
                elif isinstance(inner, Scope) and isinstance(other, Scope):
                    stack.append((inner, other))
                else:
                    raise _Untraced

    def strides(self, scope: Scope) -> None:
        """Shortcuts go as many steps at a time as what they lie beside, all layers together."""
        for real in scope.nodes():
            twin = self.nodes.get(real.index)
            if twin is None or not (is_shortcut(real.scope) or real.op.short_word == "shortcut"):
                continue
            if not hasattr(real.op, "stride"):
                continue
            sum_ = next((n for n in self.takers(twin, scope) if n.op.kind == "merge"), None)
            steps = None if sum_ is None else stride_between(twin.inputs[0], sum_.inputs[0])
            if steps is not None and steps == real.op.stride:
                twin.op = twin.op.replace(stride=steps)

    def takers(self, twin: Node, scope: Scope) -> Iterator[Node]:
        """What takes it, or the last layer of the shortcut that it begins."""
        inside = twin.scope if is_shortcut(twin.scope) else None
        last = inside.output if inside is not None else twin
        return (node for node in self.walk.nodes if any(each is last for each in node.inputs))

    # ---- as a view ----

    def shapes(self, node: Node) -> tuple[Shape, tuple[Shape, ...]]:
        twin = self.nodes.get(node.index)
        if twin is None:
            return super().shapes(node)
        return twin.shape, twin.input_shapes

    def op(self, node: Node) -> Op:
        twin = self.nodes.get(node.index)
        if twin is None:
            return node.op
        found = self.ops.get(node.index)
        if found is None:
            found = self.ops[node.index] = _settled(node.op, twin, self.walk.switches)
        return found

    def arguments(self, scope: Scope) -> Mapping[str, Any]:
        twin = self.scopes.get(id(scope))
        if twin is None or is_shortcut(scope):
            return super().arguments(scope)
        found = {}
        for name in names_of(scope):
            value = _found(twin, name)
            if isinstance(value, bool):
                value = TracedTruth(value, self.walk.truth_of(twin, name))
            found[name] = value
        return found

    def rounds(self, loop: Scope) -> Any:
        twin = self.scopes.get(id(loop))
        return loop.count if twin is None else self.walk.counts.get(id(twin), loop.count)

    def node(self, real: Node) -> Node | None:
        return self.nodes.get(real.index)

    def word(self, node: Node) -> Code:
        twin = self.nodes.get(node.index)
        assert node.given is not None
        found = None if twin is None else self.walk.words_given.get(twin.index)
        return found if found is not None else super().word(node)

    def walk_takers(self, first: Node) -> Iterator[Node]:
        return self.takers(first, first.scope)

    def conditions(self, statement: If) -> list[Code | None] | None:
        return self.walk.choices.get(id(statement))


def text_of(scope: Scope) -> Any:
    """The text that a class comes from: of a block and of a round, its body."""
    if scope.definition is not None:
        return scope.definition.body
    if scope.kind == "iteration" and isinstance(scope.statement, For | Repeat):
        return scope.statement.body
    return scope.statement


def names_of(scope: Scope) -> tuple[str, ...]:
    """What a class of a scope takes from the spec: the parameters of a block; of anything else the
    names in its text that get a value outside."""
    if is_shortcut(scope):
        return ("out_channels", "stride")
    if scope.kind == "block" and scope.definition is not None:
        return tuple([name for name, _ in scope.arguments])
    if scope.statement is None or scope.env is None:
        return ()
    inside: Any = text_of(scope)
    key = id(inside)
    known = _NAMES.get(key)
    if known is None or known[0] is not inside:
        found = dict.fromkeys(n.value for n in parts_of(inside) if type(n) is Name)
        own = {n.name.value for n in parts_of(inside) if isinstance(n, Let)}
        known = _NAMES[key] = inside, tuple([n for n in found if n not in own])
        if len(_NAMES) > 4096:
            _NAMES.clear()
    places = {name: _place_of(scope.env, name) for name in known[1]}
    return tuple(sorted([n for n in places if places[n]], key=lambda name: places[name]))


_NAMES: dict[int, tuple[Any, tuple[str, ...]]] = {}


def _place_of(env: Env, name: str) -> tuple[int, ...]:
    """Where a name gets its value, outermost first; empty for what a whole file knows."""
    frames = []
    at: Env | None = env
    while at is not None and at.parent is not None:
        frames.append(at.values)
        at = at.parent
    for depth, values in enumerate(frames):
        if name in values:
            return len(frames) - depth, list(values).index(name)
    return ()


def _found(scope: Scope, name: str) -> Any:
    if scope.kind == "block" and scope.definition is not None:
        return dict(scope.arguments)[name]
    assert scope.env is not None
    return scope.env.find(name)


class _Untraced(Exception):
    """A twin that is not one."""


def _settled(real: Op, twin: Node, switches: Mapping[int, Mapping[str, Code]]) -> Op:
    """The operation as the network has it, with what is known about its arguments."""
    own = twin.op
    given = switches.get(twin.index, {})
    changes: dict[str, Any] = {}
    for name, value in real.__dict__.items():
        other = own.__dict__.get(name)
        if type(other) is not type(value) and not isinstance(other, type(value)):
            continue
        if isinstance(value, bool) and name in given:
            changes[name] = TracedTruth(value, given[name])
        elif other == value and other is not value:
            changes[name] = other
    return real.replace(**changes) if changes else real


def stride_between(first: Node, last: Node) -> Any:
    """The product of strides from one layer to another, each way; None where no way leads."""
    down: Any = 1
    across: Any = 1
    at = last
    while at is not first:
        if not at.inputs:
            return None
        window = at.op.window(at.shape, *at.input_shapes)
        if window == "everything" or len(at.shape) != 3:
            return None
        if any(step != int(step) for step in window.stride):
            return None  # some layer makes the map larger
        down, across = (
            _whole(step) * way for step, way in zip(window.stride, (down, across), strict=True)
        )
        at = at.inputs[0]
    return down, across


def _whole(step: Any) -> Any:
    return step if isinstance(step, int) else int(step)


def agree(first: Node, last: Node, channels_alone: bool = False) -> Code | None:
    """The question whether what leaves one layer has the shape of what leaves another."""
    steps = (1, 1) if channels_alone else stride_between(first, last)
    if steps is None or len(first.shape) != len(last.shape):
        return None
    parts: list[Code] = []
    asked = list(dict.fromkeys([code_of(steps[0]), code_of(steps[1])]))
    for code, wanted in [
        *((step, Constant(1)) for step in asked),
        (code_of(first.shape[0]), code_of(last.shape[0])),
    ]:
        if code == wanted:
            continue
        if isinstance(code, Constant) and isinstance(wanted, Constant):
            return None
        parts.append(Operation("==", code, wanted))
    if not parts:
        return None
    return all_of(parts)


class _Forgets(dict[Any, Any]):
    """A cache that holds nothing: equal values may come from different expressions."""

    def __setitem__(self, key: Any, value: Any) -> None: ...


class LocalName(NamedTuple):
    """A `let` of a block, as its class has it."""

    name: str
    code: Code


class _TracedWalk(Walk):
    def __init__(self, real: Walk) -> None:
        self.real = real
        self.files: dict[Module, Env] = {}
        fuel = Fuel()
        fuel.left = fuel.total = _PLENTY
        fuel.max_layers = _PLENTY
        super().__init__(
            real.syntax,
            real.module,
            Reporter([]),
            self.names_of_file,
            BlockCalls(self.names_of_file),
            real.input_shape,
            fuel,
        )
        self.has_input = True
        self.layers.known = _Forgets()
        self.applied = _Forgets()
        self.first: Node | None = None
        """What arrives."""
        self.own: Scope | None = None
        """The scope that becomes a class."""
        self.codes: dict[tuple[int, str], Code] = {}
        """Of what cannot carry an expression, by the names that it goes by and where these are."""
        self.switches: dict[int, dict[str, Code]] = {}
        """By the index of a layer: the expressions of its switches."""
        self.choices: dict[int, list[Code | None]] = {}
        self.counts: dict[int, Any] = {}
        self.locals: list[LocalName] = []
        self.words_given: dict[int, Code] = {}
        """By the index of a layer: the argument that it is."""
        self.optional = 0
        self.names: Mapping[str, str] = {}

    def names_of_file(self, module: Module) -> Env:
        if module not in self.files:
            real = self.real.globals_of(module)
            env = Env(None, real.values, self.fuel)

            def arriving(name: str) -> object:
                try:
                    return self.look_around(name)
                except KeyError:
                    assert real.arriving is not None
                    if name == "classes":
                        return real.arriving(name)
                    raise

            env.arriving = arriving
            self.files[module] = env
        return self.files[module]

    def again(self, what: Scope, names: Mapping[str, str]) -> Scope:
        """Carries a scope out; `names` are those of its parameters in the class."""
        self.names = names
        self.first = self.arrives(what, names)
        source = (what.definition or what).span.source
        module = next(m for m in _modules(self.real) if m.source is source)
        self.module = module
        values: dict[str, object] = {}
        env = Env(self.names_of_file(module), values)
        for name, value in AS_IT_IS.arguments(what).items():
            default = default_of(what, name)
            if name not in names and default is not None:
                values[name] = self.block_calls.value(default, env, module)
                continue
            if isinstance(value, bool):
                self.codes[id(values), name] = Named(names[name])
            values[name] = (
                traced(one_of_pair(value), Named(names[name])) if name in names else value
            )
        if what.kind == "block" and what.definition is not None:
            self.calls.append(_NOBODY)
            twin = Scope("block", what.word, what.span, None, arguments=tuple(values.items()))
            twin.definition = what.definition
            self.own = twin
            twin.output = self.body(what.definition.body, twin, env, self.first)
            return twin
        # As if it stood in a round of its own: what it refers to is found further out.
        holder = Scope("iteration", what.word, what.span, None, index=what.index)
        holder.parent = what.parent
        holder.env = env
        holder.aux = bool(what.parent and what.parent.aux)
        assert what.statement is not None
        if what.kind == "iteration":
            self.own = holder
            holder.arguments = what.arguments
            holder.statement = what.statement
            holder.output = self.body(text_of(what), holder, env, self.first)
            return holder
        self.own = holder
        self.statement(what.statement, holder, env, self.first)
        twin_ = holder.children[-1] if holder.children else None
        if self.reporter.diagnostics or not isinstance(twin_, Scope):
            raise _Untraced
        return twin_

    def arrives(self, what: Scope, names: Mapping[str, str]) -> Node | None:
        real = what.arriving
        if real is None:
            return None
        shape = (traced(real.shape[0], Named(names[""])), *real.shape[1:])
        return Node(-1, real.op, (), shape, real.span, real.scope)

    # ---- what is taken down on the way ----

    def carry_out(self, statement: Any, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        leaving = super().carry_out(statement, scope, env, arriving)
        if isinstance(statement, Let):
            name = statement.name.value
            value = env.values[name]
            if isinstance(value, bool):
                code = self.question(statement.value, env)
                if code is not None:
                    self.codes[id(env.values), name] = self.local(scope, name, code)
            elif isinstance(value, TracedInt | TracedFloat):
                env.values[name] = traced(value, self.local(scope, name, value.code))
        return leaving

    def local(self, scope: Scope, name: str, code: Code) -> Code:
        """A name for an expression, where its class gives it one."""
        if isinstance(code, Named | Constant) or self.optional or not self.is_own(scope):
            return code
        own = self.names.get(f"let {name}")
        if own is None or any(each.name == own for each in self.locals):
            return code
        self.locals.append(LocalName(own, code))
        return Named(own)

    def is_own(self, scope: Scope) -> bool:
        at: Scope | None = scope
        while at is not None and at is not self.own:
            if at.has_name:
                return False
            at = at.parent
        return at is self.own

    def choice(self, statement: If, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        if self.is_own(scope):
            self.choices.setdefault(
                id(statement), [self.question(arm.condition, env) for arm in statement.arms]
            )
        self.optional += 1
        try:
            return super().choice(statement, scope, env, arriving)
        finally:
            self.optional -= 1

    def rounds(self, statement: Any, word: str, names: Any, rounds: Any, *rest: Any) -> Arriving:
        scope, env = rest[0], rest[1]
        if isinstance(statement, Repeat):
            count = number(statement.count, env)
            if names:
                rounds = [(traced(n, Named(self.index(statement))),) for n in range(len(rounds))]
        else:
            items = evaluate(statement.items, env)
            count = len(items)
            if isinstance(items, TracedList):
                count = traced(count, Applied("len", (items.code,)))
        leaving = super().rounds(statement, word, names, rounds, *rest)
        loops = [s for s in scope.children if isinstance(s, Scope) and s.kind == "loop"]
        if loops:
            self.counts[id(loops[-1])] = count
        return leaving

    def index(self, statement: Repeat) -> str:
        return self.names.get(f"index {id(statement)}", INDEX)

    def call_block(
        self, ref: BlockRef, call: Call, scope: Scope, env: Env, arriving: Arriving
    ) -> Arriving:
        leaving = super().call_block(ref, call, scope, env, arriving)
        made = scope.children[-1]
        if isinstance(made, Scope):
            for name, argument in given_arguments(ref.block, call):
                code = self.question(argument.value, env)
                if code is not None:
                    self.codes[id(made), name] = code
        return leaving

    def layer(self, word: str, call: Call, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        node = super().layer(word, call, scope, env, arriving)
        if node is not None:
            if env.has(call.head.value) and isinstance(given := env.find(call.head.value), Traced):
                self.words_given[node.index] = given.code
            found = {}
            for argument in call.arguments:
                if argument.name is not None:
                    code = self.question(argument.value, env)
                    if code is not None and not isinstance(code, Constant):
                        found[argument.name] = code
            if found:
                self.switches[node.index] = found
        return node

    def truth_of(self, scope: Scope, name: str) -> Code:
        """The expression of a switch."""
        known = self.codes.get((id(scope), name))
        if known is None and scope.env is not None:
            known = self.named_truth(name, scope.env)
        return known or Constant(_found(scope, name))

    def named_truth(self, name: str, env: Env) -> Code | None:
        at: Env | None = env
        while at is not None:
            if name in at.values:
                value = at.values[name]
                if not isinstance(value, bool):
                    return None
                return self.codes.get((id(at.values), name), Constant(value))
            at = at.parent
        return None

    def question(self, node: Expression, env: Env) -> Code | None:
        """A condition as an expression; None for what is none."""
        try:
            return self.asked(node, env)
        except (Problem, Quiet, KeyError, ArithmeticError):
            return None

    def asked(self, node: Expression, env: Env) -> Code | None:
        if isinstance(node, Name):
            return self.named_truth(node.value, env)
        if isinstance(node, Unary) and node.operator == "not":
            of = self.asked(node.operand, env)
            return None if of is None else _fixed(negated(of))
        if not isinstance(node, Binary):
            value = evaluate(node, env)
            return Constant(value) if isinstance(value, bool) else None
        sign = node.operator
        if sign in ("and", "or"):
            left, right = self.asked(node.left, env), self.asked(node.right, env)
            if left is None or right is None:
                return None
            for one, two in ((left, right), (right, left)):
                if isinstance(one, Constant):
                    return two if one.content == (sign == "and") else one
            return Operation(sign, left, right)
        if sign not in ("==", "!=", "<", "<=", ">", ">="):
            return None
        low, high = evaluate(node.left, env), evaluate(node.right, env)
        if any(isinstance(each, str | bool) for each in (low, high)):
            return Constant(truth(node, env))
        one, two = code_of(low), code_of(high)
        if one == two or (isinstance(one, Constant) and isinstance(two, Constant)):
            return Constant(truth(node, env))
        return Operation(sign, one, two)


def _fixed(code: Code) -> Code:
    return (
        Constant(not code.of.content)
        if isinstance(code, Not) and isinstance(code.of, Constant)
        else code
    )


def default_of(scope: Scope, name: str) -> Expression | None:
    """The default of a block's parameter, where its call leaves it at that."""
    call = scope.statement
    if scope.definition is None or not isinstance(call, Call):
        return None
    for parameter in scope.definition.parameters:
        if parameter.name.value == name:
            given = dict(given_arguments(scope.definition, call))
            return None if name in given else parameter.default
    return None


def given_arguments(block: Block, call: Call) -> Iterator[tuple[str, Argument]]:
    """The arguments of a call of a block, by parameter."""
    waiting = [parameter.name.value for parameter in block.parameters]
    for argument in call.arguments:
        name = argument.name or (waiting[0] if waiting else "")
        if name in waiting:
            waiting.remove(name)
            yield name, argument


def one_of_pair(value: Any) -> Any:
    """3 for 3x3."""
    if type(value) is tuple and len(value) == 2 and value[0] == value[1]:
        return value[0]
    return value


def _modules(walk: Walk) -> Iterator[Module]:
    """The files of a program, as far as a walk has come to know them."""
    seen: set[int] = set()
    stack = [walk.module]
    while stack:
        module = stack.pop()
        if id(module) not in seen:
            seen.add(id(module))
            yield module
            stack += [ref.module for ref in module.blocks.values()]


_NOBODY: Any = object()
