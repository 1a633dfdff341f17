"""A part of the spec carried out once more, with its parameters traced.

A class is written from a `Twin` of one call: the compiler's own walk carries the text of the block
out again, with values that remember which expression they come from (`traced_values`), and makes a
twin of each scope and layer. On the way it takes down which questions the text asks, how many
rounds its loops have, and what its `let`s are called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dsl.syntax import Binary, Call, Expression, If, Let, Name, Repeat, Unary
from ..build.calls import BlockCalls
from ..build.graph_builder import MaybeNode
from ..build.scoping import BlockRef, Module
from ..build.walk import Walk
from ..diagnose.reporter import GiveUp, Reporter
from ..language.evaluate import Env, evaluate, number, truth
from ..language.fuel import Fuel
from ..language.problems import Problem, Quiet
from ..language.values import Word
from ..network import Network, Node, Scope
from ..ops.base import Op
from .body import is_shortcut, origin
from .code import INDEX, OPPOSITE, Code, Constant, Named, Operation, all_of, negated
from .scopes import (
    as_it_is,
    default_of,
    given_arguments,
    names_of,
    one_of_pair,
    text_of,
    value_of,
)
from .traced_values import Traced, TracedFloat, TracedInt, code_of, traced

_PLENTY = 10**9
_NOBODY: Any = object()


class Untraced(Exception):
    """A twin that is not one."""


class _Forgets(dict[Any, Any]):
    """A cache that holds nothing: equal values may come from different expressions."""

    def __setitem__(self, key: Any, value: Any) -> None: ...


class TracedWalk(Walk):
    """Carries a scope out; `names` are those of its parameters in the class."""

    def __init__(self, real: Walk, names: Mapping[str, str]) -> None:
        self.real = real
        self.names = names
        self.files: dict[Module, Env] = {}
        fuel = Fuel()
        fuel.left = fuel.total = fuel.max_layers = _PLENTY
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
        self.layers.known = _Forgets()
        self.applied = _Forgets()
        self.first: Node | None = None
        """What arrives."""
        self.own: Scope | None = None
        """The scope that becomes a class."""
        self.truths: dict[tuple[int, str], tuple[dict[str, object], Code]] = {}
        """By the id of a table of names, and a name in it: the expression of a switch, which cannot
        carry one."""
        self.choices: dict[int, list[Code | None]] = {}
        """By the id of an `if`: its questions."""
        self.locals: list[tuple[str, Code]] = []
        """The `let`s that the class has."""
        self.optional = 0

    def names_of_file(self, module: Module) -> Env:
        if module not in self.files:
            real = self.real.globals_of(module)
            env = Env(None, real.values, self.fuel)

            def arriving(name: str) -> object:
                if name == "classes" and real.look_around is not None:
                    return real.look_around(name)
                return self.look_around(name)

            env.look_around = arriving
            self.files[module] = env
        return self.files[module]

    def again(self, what: Scope) -> Scope:
        """The twin of a scope."""
        arriving = what.input
        if arriving is not None:
            shape = (traced(arriving.shape[0], Named(self.names[""])), *arriving.shape[1:])
            self.first = Node(-1, arriving.op, (), shape, arriving.span, arriving.scope)
        self.module = self.module_of((what.definition or what).span.source)
        values: dict[str, object] = {}
        env = Env(self.names_of_file(self.module), values)
        for name in names_of(what):
            value, default = value_of(as_it_is, what, name), default_of(what, name)
            if name in self.names:
                code: Code = Named(self.names[name])
                if isinstance(value, bool):
                    self.truths[id(values), name] = values, code
                value = traced(one_of_pair(value), code)
            elif default is not None:
                value = self.block_calls.value(default, env, self.module)
            values[name] = value
        if what.definition is not None:
            self.calls.append(_NOBODY)
            twin = Scope("block", what.word, what.span, None, arguments=tuple(values.items()))
            twin.definition = what.definition
        else:
            # As if it stood in a round of its own: what it refers to is found further out.
            twin = Scope("iteration", what.word, what.span, None, index=what.index)
            twin.parent, twin.statement = what.parent, what.statement
            twin.arguments, twin.env = what.arguments, env
            twin.aux = bool(what.parent and what.parent.aux)
        self.own = twin
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
        for (_, name), (table, code) in self.truths.items():
            table[name] = code
        return twin

    def module_of(self, source: object) -> Module:
        """The file of a text, among those that a walk has come to know."""
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

    # ---- what is taken down on the way ----

    def carry_out(self, statement: Any, scope: Scope, env: Env, arriving: MaybeNode) -> MaybeNode:
        leaving = super().carry_out(statement, scope, env, arriving)
        if isinstance(statement, Let):
            name = statement.name.value
            value = env.values[name]
            if isinstance(value, bool):
                code = self.question(statement.value, env)
                if code is not None:
                    code = self.local(scope, name, code)
                    self.truths[id(env.values), name] = env.values, code
            elif isinstance(value, TracedInt | TracedFloat):
                env.values[name] = traced(value, self.local(scope, name, value.code))
        return leaving

    def local(self, scope: Scope, name: str, code: Code) -> Code:
        """A name for an expression, where its class gives it one."""
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

    def choice(self, statement: If, scope: Scope, env: Env, arriving: MaybeNode) -> MaybeNode:
        if self.is_own(scope):
            asked = [self.question(arm.condition, env) for arm in statement.arms]
            self.choices.setdefault(id(statement), asked)
        self.optional += 1
        try:
            return super().choice(statement, scope, env, arriving)
        finally:
            self.optional -= 1

    def rounds(self, statement: Any, word: str, names: Any, rounds: Any, *rest: Any) -> MaybeNode:
        scope, env = rest[0], rest[1]
        if isinstance(statement, Repeat):
            count = number(statement.count, env)
            if names:
                rounds = [(traced(n, Named(INDEX)),) for n in range(len(rounds))]
        else:
            count = len(rounds)
        leaving = super().rounds(statement, word, names, rounds, *rest)
        for child in scope.children[-1:]:
            if isinstance(child, Scope) and child.kind == "loop":
                child.count = count  # type: ignore[assignment]
        return leaving

    def call_block(
        self, ref: BlockRef, call: Call, scope: Scope, env: Env, arriving: MaybeNode
    ) -> MaybeNode:
        leaving = super().call_block(ref, call, scope, env, arriving)
        made = scope.children[-1]
        assert isinstance(made, Scope)
        values = dict(made.arguments)
        for name, argument in given_arguments(ref.block, call):
            if isinstance(values[name], bool):
                code = self.question(argument.value, env)
                if code is not None:
                    values[name] = code
        made.arguments = tuple(values.items())
        return leaving

    def call(self, call: Call, scope: Scope, env: Env, arriving: MaybeNode) -> MaybeNode:
        leaving = super().call(call, scope, env, arriving)
        word = call.head.value
        if leaving is not None and leaving.given is not None and env.has(word):
            given = env.find(word)
            if isinstance(given, Traced):
                leaving.given = traced(Word(word), given.code)
        return leaving

    # ---- questions ----

    def question(self, node: Expression, env: Env) -> Code | None:
        """A condition as an expression; None for what is none."""
        try:
            return self.asked(node, env)
        except (Problem, Quiet, KeyError, ArithmeticError):
            return None

    def asked(self, node: Expression, env: Env) -> Code:
        if isinstance(node, Name):
            while node.value not in env.values and env.parent is not None:
                env = env.parent
            known = self.truths.get((id(env.values), node.value))
            if known is not None:
                return known[1]
        elif isinstance(node, Unary) and node.operator == "not":
            return negated(self.asked(node.operand, env))
        elif isinstance(node, Binary) and node.operator in ("and", "or"):
            return Operation(node.operator, self.asked(node.left, env), self.asked(node.right, env))
        elif isinstance(node, Binary) and node.operator in OPPOSITE:
            sides = evaluate(node.left, env), evaluate(node.right, env)
            one, two = map(code_of, sides)
            if one != two and any(isinstance(e, Traced) and not isinstance(e, str) for e in sides):
                return Operation(node.operator, one, two)
        return Constant(truth(node, env))


class Twin:
    """A scope of a network, with all that is inside, as it was traced."""

    def __init__(self, network: Network, scope: Scope, names: Mapping[str, str]) -> None:
        what = origin(scope)
        assert isinstance(network.walk, Walk)
        self.walk = TracedWalk(network.walk, names)
        self.nodes: dict[int, Node] = {}
        """By the index of a layer."""
        self.scopes: dict[int, Scope] = {}
        """By the id of a scope."""
        try:
            if is_shortcut(what):
                self.project(what, names)
            else:
                self.pair(what, self.walk.again(what))
                if what.input is not None and self.walk.first is not None:
                    self.nodes[what.input.index] = self.walk.first
                self.strides(what)
        except (Problem, Quiet, GiveUp, Untraced, KeyError, ArithmeticError):
            self.nodes, self.scopes = {}, {}

    def of(self, item: Any) -> Any:
        """The twin of a layer or scope; itself, where it has none."""
        if isinstance(item, Node):
            return self.nodes.get(item.index, item)
        return self.scopes.get(id(item), item)

    def project(self, scope: Scope, names: Mapping[str, str]) -> None:
        """A shortcut has no text: its arguments are what it leads to, and in which steps."""
        out, stride = (
            traced(value_of(as_it_is, scope, name), Named(names[name]))
            for name in ("out_channels", "stride")
        )
        real = list(scope.nodes())
        before = real[0].inputs[0]
        shape = (traced(before.shape[0], Named(names[""])), *before.shape[1:])
        at = self.nodes[before.index] = Node(-1, before.op, (), shape, before.span, before.scope)
        for node in real:
            op = node.op
            if node is real[0]:
                pair = stride if isinstance(stride, tuple) else (stride, stride)
                op = op.replace(out=out, stride=pair)
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

    # ---- what residuals ask ----

    def strides(self, scope: Scope) -> None:
        """Shortcuts go as many steps at a time as what they lie beside, all layers together."""
        for real in scope.nodes():
            twin = self.nodes[real.index]
            if not (is_shortcut(real.scope) or real.op.short_word == "shortcut"):
                continue
            steps = self.beside(twin)
            if hasattr(real.op, "stride") and steps is not None and steps == real.op.stride:
                twin.op = twin.op.replace(stride=steps)

    def beside(self, twin: Node) -> Any:
        """The strides of what a shortcut lies beside."""
        sum_ = self.sum_of(twin)
        return None if sum_ is None else stride_between(twin.inputs[0], sum_.inputs[0])

    def sum_of(self, twin: Node) -> Node | None:
        """What adds the shortcut that begins with a layer."""
        last = twin.scope.output if is_shortcut(twin.scope) else twin
        taking = (n for n in self.walk.nodes if any(each is last for each in n.inputs))
        return next((n for n in taking if n.op.kind == "merge"), None)

    def question(self, real: Node, channels_alone: bool) -> Code | None:
        """What a residual asks so that there is this sum, or this shortcut: whether its body has
        the shape of its input."""
        node = self.nodes.get(real.index)
        if node is None:
            return None
        if node.op.kind == "merge" and len(node.inputs) == 2:
            return agree(node.inputs[1], node.inputs[0], channels_alone)
        if node.op.short_word == "shortcut" or node.scope.word == "shortcut":
            sum_ = self.sum_of(node)
            code = agree(node.inputs[0], sum_.inputs[0], channels_alone) if sum_ else None
            return None if code is None else negated(code)
        return None


def _settled(real: Op, twin: Op) -> Op:
    """The operation as the network has it, with what is known about its arguments."""
    changes: dict[str, Any] = {}
    for name, value in real.__dict__.items():
        other = twin.__dict__.get(name)
        same = other is not value and other == value
        if same and isinstance(other, type(value)):
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
        window = at.window
        if window == "everything" or len(at.shape) != 3:
            return None
        if any(step != int(step) for step in window.stride):
            return None  # some layer makes the map larger
        steps = [step if isinstance(step, int) else int(step) for step in window.stride]
        down, across = steps[0] * down, steps[1] * across
        at = at.inputs[0]
    return down, across


def agree(first: Node, last: Node, channels_alone: bool = False) -> Code | None:
    """The question whether what leaves one layer has the shape of what leaves another."""
    steps: Sequence[Any] | None = () if channels_alone else stride_between(first, last)
    if steps is None or len(first.shape) != len(last.shape):
        return None
    asked: list[tuple[Code, Code]] = [(code_of(step), Constant(1)) for step in steps]
    asked = list(dict.fromkeys([*asked, (code_of(first.shape[0]), code_of(last.shape[0]))]))
    parts = [Operation("==", one, two) for one, two in asked if one != two]
    if any(all(isinstance(side, Constant) for side in part.parts) for part in parts):
        return None
    return all_of(parts) if parts else None
