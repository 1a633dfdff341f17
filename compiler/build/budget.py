"""How many layers a spec will come to, worked out before the first is made.

A dry run over the statements with what is known beforehand: loops multiply, and a block called
again with the same arguments is counted once and remembered, so that blocks which double one
another forty deep cost forty steps. What depends on shapes is not known here and counts as
nothing, a round of a loop as one layer at least: the figure says when to refuse at once, and the
elaborator keeps a count of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...dsl.program import Program
from ...dsl.source import Source, Span
from ...dsl.syntax import Body, Branches, Call, Expression, For, If, Let, Network, Repeat, Statement
from ..language.evaluate import POISON, Env, evaluate, number, truth
from ..language.problems import Problem, Quiet
from ..language.values import Word
from .scoping import BlockRef, Module

DEFAULT_LAYERS = 200_000
# Statements looked at, before what is left is no longer told round from round.
_MAX_STEPS = 100_000


def expansion(
    program: Program,
    modules: Mapping[Source, Module],
    network: Network,
    overrides: Mapping[str, object],
    budget: int,
) -> Problem | None:
    """The mistake of being too large, at the statement that is; None where all is well."""
    counting = _Counting(modules, budget)
    module = modules[program.main.source]
    values: dict[str, object] = {}
    env = Env(counting.globals(module), values)
    for parameter in network.parameters:
        name = parameter.name.value
        values[name] = (
            overrides[name] if name in overrides else counting.known(parameter.default, env)
        )
    try:
        counting.body(network.body, env, module, ())
    except _TooLarge as found:
        shown = f"{found.layers:,}" if found.layers < 10**15 else f"about {float(found.layers):.0e}"
        return Problem(
            "limit",
            f"this comes to {found.qualifier}{shown} layers; a network has at most {budget:,}",
            found.span,
            help="repeat less, or raise the budget with `--max-layers`",
        )
    except RecursionError:
        pass  # the elaborator's own limit on nesting will say where
    return None


class _TooLarge(Exception):
    def __init__(self, span: Span, layers: int, qualifier: str = "") -> None:
        self.span = span
        self.layers = layers
        self.qualifier = qualifier


class _Counting:
    def __init__(self, modules: Mapping[Source, Module], budget: int) -> None:
        self.modules = modules
        self.budget = budget
        self.memo: dict[object, int] = {}
        self.visited = 0
        self.steps = 0
        self.known_globals: dict[Module, Env] = {}

    def globals(self, module: Module) -> Env:
        if module not in self.known_globals:
            env = self.known_globals[module] = Env()
            env.arriving = _unknown
            for let in module.lets.values():
                env.values[let.name.value] = self.known(let.value, env)
        return self.known_globals[module]

    def known(self, node: Expression | None, env: Env) -> object:
        """The value of an expression, POISON where it is not known yet."""
        try:
            return POISON if node is None else evaluate(node, env)
        except (Problem, Quiet):
            return POISON

    def body(
        self, body: Body | Branches, env: Env, module: Module, calls: tuple[BlockRef, ...]
    ) -> int:
        if isinstance(body, Branches):
            return sum(self.body(path, env, module, calls) for path in body.paths)
        inner = Env(env)
        return sum(self.statement(s, inner, module, calls) for s in body.statements)

    def statement(
        self, statement: Statement, env: Env, module: Module, calls: tuple[BlockRef, ...]
    ) -> int:
        self.steps += 1
        if self.steps > 5 * _MAX_STEPS:
            return 0
        layers = self.layers(statement, env, module, calls)
        if layers > self.budget:
            raise _TooLarge(_head(statement), layers)
        return layers

    def layers(
        self, statement: Statement, env: Env, module: Module, calls: tuple[BlockRef, ...]
    ) -> int:
        if isinstance(statement, Call):
            return self.call(statement, env, module, calls)
        if isinstance(statement, Let):
            env.values[statement.name.value] = self.known(statement.value, env)
            return 0
        if isinstance(statement, If):
            return self.choice(statement, env, module, calls)
        if isinstance(statement, Repeat):
            return self.repeat(statement, env, module, calls)
        if isinstance(statement, For):
            return self.loop(statement, env, module, calls)
        return 0

    def repeat(
        self, statement: Repeat, env: Env, module: Module, calls: tuple[BlockRef, ...]
    ) -> int:
        try:
            rounds = number(statement.count, env)
        except (Problem, Quiet):
            return 0
        if not isinstance(rounds, int) or rounds <= 0:
            return 0
        if rounds > self.budget:  # even rounds of nothing take their time
            raise _TooLarge(statement.count.span, rounds)
        index = statement.index
        if index is None or self.steps + rounds > _MAX_STEPS:
            values: dict[str, object] = {index.value: POISON} if index else {}
            each = self.body(statement.body, Env(env, values), module, calls)
            return rounds * max(each, 1)
        total = 0
        for number_of_round in range(rounds):
            inner = Env(env, {index.value: number_of_round})
            total += max(self.body(statement.body, inner, module, calls), 1)
            if total > self.budget:
                break
        return total

    def loop(self, statement: For, env: Env, module: Module, calls: tuple[BlockRef, ...]) -> int:
        items = self.known(statement.items, env)
        if not isinstance(items, (list, tuple)):
            return 0
        total = 0
        for item in items:
            names = [name.value for name in statement.names]
            values = item if len(names) > 1 and isinstance(item, (list, tuple)) else (item,)
            if len(values) != len(names):
                return 0
            inner = Env(env, dict(zip(names, values, strict=True)))
            total += self.body(statement.body, inner, module, calls)
        return total

    def choice(self, statement: If, env: Env, module: Module, calls: tuple[BlockRef, ...]) -> int:
        for arm in statement.arms:
            try:
                taken = truth(arm.condition, env)
            except (Problem, Quiet):
                return 0
            if taken:
                return self.body(arm.body, env, module, calls)
        return self.body(statement.otherwise, env, module, calls) if statement.otherwise else 0

    def call(self, call: Call, env: Env, module: Module, calls: tuple[BlockRef, ...]) -> int:
        word: object = call.head.value
        if env.has(call.head.value):
            word = env.find(call.head.value)
        ref = word if isinstance(word, BlockRef) else None
        if ref is None and isinstance(word, str):
            ref = module.blocks.get(word)
        if ref is None:
            self.visited += 1
            if self.visited > self.budget:
                raise _TooLarge(call.head.span, self.visited, "more than ")
            return self.body(call.body, env, module, calls) + 1 if call.body else 1
        if ref in calls:
            return 0  # a mistake of another kind
        values = self.arguments(ref, call, env, module)
        try:
            key: object = (ref, tuple((type(v), v) for v in values.values()))
            if key in self.memo:
                return self.memo[key]
        except TypeError:
            key = None
        inner = Env(self.globals(ref.module), values)
        layers = self.body(ref.block.body, inner, ref.module, (*calls, ref))
        if key is not None:
            self.memo[key] = layers
        return layers

    def arguments(self, ref: BlockRef, call: Call, env: Env, module: Module) -> dict[str, object]:
        names = [parameter.name.value for parameter in ref.block.parameters]
        given: dict[str, object] = {}
        waiting = [n for n in names if n not in {a.name for a in call.arguments}]
        for argument in call.arguments:
            value = self.known(argument.value, env)
            if isinstance(value, Word):
                value = module.blocks.get(value, value)
            name = argument.name or (waiting.pop(0) if waiting else "")
            given[name] = value
        values: dict[str, object] = {}
        inner = Env(self.globals(ref.module), values)
        for parameter in ref.block.parameters:
            name = parameter.name.value
            value = given[name] if name in given else self.known(parameter.default, inner)
            if isinstance(value, Word):
                value = ref.module.blocks.get(value, value)
            values[name] = value
        return values


def _head(statement: Statement) -> Span:
    """The part of a statement that says how much of it there is."""
    if isinstance(statement, Call):
        return statement.head.span
    if isinstance(statement, Repeat):
        return statement.count.span
    return statement.items.span if isinstance(statement, For) else statement.span


def _unknown(name: str) -> object:
    if name in ("channels", "height", "width", "classes"):
        raise Quiet
    raise KeyError(name)
