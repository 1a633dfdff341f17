"""The compiler's own walk over the text of a block, with values that remember expressions.

Besides the graph it takes down which questions the text asks, how many rounds its loops have, and
what its `let`s are called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...dsl.syntax import (
    Binary,
    Call,
    Expression,
    If,
    Let,
    Name,
    Repeat,
    Unary,
)
from ..build.calls import BlockCalls
from ..build.graph_builder import Arriving
from ..build.scoping import BlockRef, Module
from ..build.walk import Walk
from ..diagnose.reporter import Reporter
from ..language.evaluate import Env, evaluate, number, truth
from ..language.fuel import Fuel
from ..language.problems import Problem, Quiet
from ..network import Node, Scope
from .frame import INDEX
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
    code_of,
    negated,
    traced,
)
from .view import (
    AS_IT_IS,
    default_of,
    given_arguments,
    one_of_pair,
    text_of,
    value_in,
)

_PLENTY = 10**9


class Untraced(Exception):
    """A twin that is not one."""


class _Forgets(dict[Any, Any]):
    """A cache that holds nothing: equal values may come from different expressions."""

    def __setitem__(self, key: Any, value: Any) -> None: ...


class LocalName(NamedTuple):
    """A `let` of a block, as its class has it."""

    name: str
    code: Code


class TracedWalk(Walk):
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
            raise Untraced
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
        return known or Constant(value_in(scope, name))

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
