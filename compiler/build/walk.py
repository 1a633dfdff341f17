"""The walk: executes the statements of a network in order. The output of one statement is the input
of the next. After an error the walk continues: the output of the statement is then unknown (None),
and statements that depend on it report nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Body, Branches, Call, For, If, Let, Name, OutputName, Repeat, Statement
from ...dsl.syntax import walk as parts_of
from ..diagnose.blame import arrives
from ..language.evaluate import (
    POISON,
    Env,
    describe,
    evaluate_list,
    maps_in_words,
    number,
    truth,
)
from ..language.fuel import BLOCK, MISTAKE, NOT_TAKEN, STATEMENT, OutOfFuel
from ..language.problems import Problem, Quiet
from ..language.values import MapRef, Maps, Word, show
from ..language.vocabulary import FORMS
from ..network import Node, Scope, nodes_of
from ..ops.merge import Input
from . import forms
from .calls import list_of_maps
from .forms.outputs import output_of
from .forms.paths import layer_with_body, refuse_made_paths
from .forms.references import carried_at_first, sized_by
from .graph_builder import Arriving, GraphBuilder, MaybeNode
from .input_shape import (
    input_shape,
    named_input,
    one_shape_for_several,
    refuse_second_input,
)
from .layers import refuse_body
from .scoping import BlockRef, imported_elsewhere, not_for_modules
from .skipped import not_taken

MAX_CALL_DEPTH = 60
MAX_NESTING = 64


class Walk(GraphBuilder):
    """Executes statements and collects the nodes that they create."""

    def __init__(self, *state: Any) -> None:
        super().__init__(*state)
        self.depth = 0
        """The current nesting depth of bodies."""
        self.sizes: dict[int, int] = {}

    # ---- statements ----

    def body(self, body: Body | Branches, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        """Executes statements in order; returns the output of the last."""
        if isinstance(body, Branches):
            if self.collector is not None:
                self.collector(body, scope, env)
                return input_node
            bar = Span(body.span.source, body.paths[0].span.start, body.paths[0].span.start + 1)
            self.reporter.report(
                Diagnostic(
                    "stray-bar",
                    "`|` begins a path of a merge; here there is nothing to merge",
                    bar,
                    help="write `concat { | path | path }`, or take the `|` out",
                ),
                scope,
            )
            return None
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.depth -= 1
            start = body.span.start
            raise Problem(
                "limit",
                f"more than {MAX_NESTING} nested bodies",
                Span(body.span.source, start, start + 1),
            )
        self.labels.see_lines(body)
        outer_region, self.region = self.region, body.span
        inner = Env(env)
        for statement in body.statements:
            input_node = self.statement(statement, scope, inner, input_node)
        self.region = outer_region
        self.depth -= 1
        return input_node

    def statement(
        self, statement: Statement, scope: Scope, env: Env, input_node: Arriving
    ) -> Arriving:
        fuel = self.fuel
        before = fuel.left
        fuel.spend(STATEMENT, statement.span)
        self.current, self.at = input_node, scope
        self.running = statement.span
        output: Arriving = None
        try:
            output = self.carry_out(statement, scope, env, input_node)
        except OutOfFuel as out:
            if not out.placed and before - fuel.left > fuel.total // 2:
                out.move(_head(statement))
            raise
        except Problem as problem:
            fuel.spend(MISTAKE, statement.span)
            self.reporter.problem(problem, scope)
        except Quiet:
            pass
        last_child = scope.children[-1] if scope.children else None
        if isinstance(last_child, Scope) and last_child.statement is None:
            last_child.statement, last_child.env, last_child.input = statement, env, input_node
        label = getattr(statement, "label", None)
        if output is None and label is not None:
            self.labels.enter_failed(label, scope)
        if isinstance(label, OutputName):
            try:
                output_of(self, label, scope, output)
            except Problem as problem:
                self.reporter.problem(problem, scope)
            return input_node
        return output

    def carry_out(
        self, statement: Statement, scope: Scope, env: Env, input_node: Arriving
    ) -> Arriving:
        if isinstance(statement, Call):
            return self.call(statement, scope, env, input_node)
        if isinstance(statement, Repeat):
            return self.repeat(statement, scope, env, input_node)
        if isinstance(statement, For):
            return self.loop(statement, scope, env, input_node)
        if isinstance(statement, If):
            return self.choice(statement, scope, env, input_node)
        assert isinstance(statement, Let)
        name = statement.name.value
        if name in env.values:
            raise Problem(
                "duplicate-name",
                f"`{name}` already has a value here",
                statement.name.span,
                help="a name keeps its value: use another name",
            )
        try:
            env.values[name] = self.block_calls.value(statement.value, env, self.module)
        except (Problem, Quiet):
            env.values[name] = POISON
            raise
        return input_node

    def choice(self, statement: If, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        if scope.kind == "path":
            refuse_made_paths(statement)
        taken: Body | Branches | None = statement.otherwise
        for arm in statement.arms:
            if truth(arm.condition, env):
                taken = arm.body
                break
        self.fuel.spend(NOT_TAKEN * self.statements_in(statement), statement.span)
        inner = self.labeled(scope, statement.label, "if", statement.span)
        output = self.body(taken, inner, env, input_node) if taken else input_node
        others = not_taken(statement, taken, lambda word: self.meaning(word, env))
        if others:
            Scope("form", "if", statement.span, inner).skipped = others
        return self.named(statement.label, scope, inner, output)

    def statements_in(self, statement: If) -> int:
        """The number of statements in all branches of an `if`: names count branches not taken,
        too.
        """
        known = self.sizes.get(id(statement))
        if known is None:
            number_of = sum(isinstance(node, Statement) for node in parts_of(statement))
            known = self.sizes[id(statement)] = number_of
        return known

    def meaning(self, word: str, env: Env) -> str:
        """Resolves the word of a statement for counting: a parameter may stand for a block, a form
        or a layer.
        """
        value = env.find(word) if env.has(word) else word
        if isinstance(value, BlockRef):
            return str(value)
        is_layer = isinstance(value, Word) and value not in FORMS
        if is_layer and value not in self.module.blocks and not not_for_modules(word):
            return word
        return str(value) if isinstance(value, Word) else word

    def labeled(self, scope: Scope, label: Name | None, word: str, span: Span) -> Scope:
        """A new scope for a statement with a label; otherwise the current one."""
        if label is None:
            return scope
        return Scope("form", word, span, scope, label.value)

    def repeat(self, statement: Repeat, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        value = number(statement.count, env)
        if not isinstance(value, int) or value < 0:
            raise Problem(
                "type",
                f"`repeat` takes a whole number of at least 0, not {show(value)}",
                statement.count.span,
                help=f"write `repeat floor({statement.count.span.text}) {{ … }}`"
                if isinstance(value, float) and value >= 0
                else "",
                edits=(Edit(statement.count.span, f"floor({statement.count.span.text})"),)
                if isinstance(value, float) and value >= 0
                else (),
            )
        self.fuel.require(value, statement.count.span)
        index = statement.index
        names = () if index is None else (index,)
        rounds = [()] * value if index is None else [(i,) for i in range(value)]
        return self.rounds(statement, "repeat", names, rounds, scope, env, input_node)

    def loop(self, statement: For, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        items = evaluate_list(statement.items, env)
        if isinstance(items, list):
            items = list_of_maps(items, statement.items, env, self.labels, scope) or items
        if isinstance(items, Maps):
            scope.reads_list(items)
            items = [items.item(position) for position in range(len(items))]
        if isinstance(items, MapRef):
            raise Problem(
                "list-of-maps",
                f"`for` loops over a list, and `{statement.items.span.text}` is one map",
                statement.items.span,
                help=f"a list of several is `[{statement.items.span.text}, other]`; `list"
                " { | path | path }` makes one of paths",
            )
        if not isinstance(items, (list, tuple)):
            raise Problem(
                "type",
                f"`for` loops over a list; this is {describe(items)}",
                statement.items.span,
                help="to count, write `repeat n as i { … }`"
                if isinstance(items, int)
                else "write one: `for width in [64, 128] { … }`",
            )
        names = statement.names
        rounds: list[tuple[object, ...]] = []
        for position, item in enumerate(items):
            if len(names) == 1:
                rounds.append((item,))
                continue
            if not isinstance(item, (tuple, list)) or len(item) != len(names):
                number_of = len(item) if isinstance(item, (tuple, list)) else 1
                raise Problem(
                    "destructuring",
                    f"{len(names)} names, but item {position + 1} of the list has {number_of}",
                    statement.items.span,
                    labels=(
                        Label(
                            Span(names[0].span.source, names[0].span.start, names[-1].span.end),
                            f"{len(names)} names",
                        ),
                    ),
                    help=f"every item is a tuple: `({', '.join(n.value for n in names)})`"
                    + ("" if position else _counted(names, number_of, statement.items.span.text))
                    if not isinstance(item, MapRef)
                    else f"an item is one map; for its position, write `for {names[0].value} in"
                    f" {statement.items.span.text} as {names[-1].value}`",
                )
            rounds.append(tuple(item))
        if statement.index is not None:
            names = (*names, statement.index)
            rounds = [(*items, position) for position, items in enumerate(rounds)]
        return self.rounds(statement, "for", names, rounds, scope, env, input_node)

    def rounds(
        self,
        statement: Repeat | For,
        word: str,
        names: Sequence[Name],
        rounds: Sequence[tuple[object, ...]],
        scope: Scope,
        env: Env,
        input_node: Arriving,
    ) -> Arriving:
        if scope.kind == "path":
            refuse_made_paths(statement)
        label = statement.label.value if statement.label else None
        outer = Scope("loop", word, statement.span, scope, label, count=len(rounds))
        outer.maps = state = carried_at_first(self, statement, scope)
        for index, items in enumerate(rounds):
            self.fuel.spend(STATEMENT * (1 + len(state)), statement.span)
            iteration = Scope(
                "iteration", word, statement.span, outer, index=index, count=len(rounds)
            )
            iteration.arguments = tuple(zip((n.value for n in names), items, strict=True))
            iteration.statement, iteration.input = statement, input_node
            iteration.env = inner = Env(env, dict(iteration.arguments))
            iteration.maps = {**state, **maps_named(dict(iteration.arguments))}
            input_node = self.body(statement.body, iteration, inner, input_node)
            iteration.output = input_node
            state = iteration.carried or dict.fromkeys(state)
        outer.carried = state
        for name, node in state.items():
            self.labels.rebind(name, scope, node)
        return self.named(statement.label, scope, outer, input_node)

    # ---- calls ----

    def call(self, call: Call, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        word = call.head.value
        given = None
        if env.has(word):
            given, value = word, env.find(word)
            if value is POISON:
                raise Quiet
            if isinstance(value, BlockRef):
                return self.call_block(value, call, scope, env, input_node)
            if not isinstance(value, Word):
                hidden = word in self.words or word in self.module.blocks
                raise Problem(
                    "not-a-layer",
                    f"`{word}` is {describe(value)} here, not a layer or block",
                    call.head.span,
                    help=f"a parameter or `let` hides the layer `{word}`: give it another name"
                    if hidden
                    else f"continue from it with `from {word}`"
                    if isinstance(value, MapRef | Maps)
                    else "pass a block or a layer as this parameter",
                )
            word = str(value)
        ref = self.module.blocks.get(word)
        if ref is not None:
            return self.call_block(ref, call, scope, env, input_node)
        if word in self.module.misnamed:
            raise Quiet
        if word in FORMS:
            if word == "input":
                return self.input(call, scope, env, input_node)
            self.need_input(call)
            if word in forms.FORMS_OF_LISTS:
                return forms.FORMS_OF_LISTS[word](self, word, call, scope, env, input_node)
            one = self.one_map(input_node, call)
            return forms.FORMS[word](self, word, call, scope, env, one)
        output = self.layer(word, call, scope, env, self.one_map(input_node, call))
        if given is not None and output is not None and not not_for_modules(given):
            output.given = given
        return output

    def one_map(self, value: Arriving, call: Call) -> MaybeNode:
        """What arrives at a layer, or at a form that takes one map; raises Problem for a list."""
        if not isinstance(value, Maps):
            return value
        word = call.head.value
        if word not in self.words and word not in self.module.blocks:
            return None  # the word is what is wrong
        raise Problem(
            "list-of-maps",
            f"`{word}` takes one map, and {maps_in_words(value)} arrives",
            call.head.span,
            labels=(arrives(value.nodes[-1]),),
            help=self.for_each(value, word),
        )

    def for_each(self, value: Maps, word: str) -> str:
        """What to write where a list arrives in place of a map."""
        assert self.at is not None
        name, first = value.name, ""
        if not (name.isidentifier() and name in self.labels.visible(self.at)):
            in_block = any(around.definition for around in self.at.chain())
            name = "input" if in_block else "maps"
            first = "" if in_block else "label the list, `maps: list { … }`, and "
        return (
            f"{first}for each of its maps, write `list {{ for map in {name} {{ | from map, {word} …"
            f" }} }}`; or go on from one: `from {name}[0]`"
        )

    def need_input(self, call: Call) -> None:
        if not self.has_input:
            self.has_input = True  # reported once
            raise Problem(
                "no-input",
                "there is no input yet: the network's input has not been given",
                call.head.span,
                help="write `input 3x224x224` (channels x height x width) as its first line",
                edits=self.first_line("input 3x224x224"),
            )

    def first_line(self, text: str) -> tuple[Edit, ...]:
        """The edit that inserts a statement as the first of the network."""
        statements = self.syntax.body.statements if isinstance(self.syntax.body, Body) else ()
        if not statements:
            return ()
        span = statements[0].span
        return (Edit(Span(span.source, span.start, span.start), f"{text}, "),)

    def input(self, call: Call, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        """Executes `input 3x224x224` or `input name 3x224x224`: what arrives after it."""
        if scope.kind != "network":
            raise Problem(
                "misplaced-input",
                "`input` is a line of a network, not part of a block or path",
                call.head.span,
                help="an empty path passes on what arrives: take it out"
                if scope.kind == "path" and not call.arguments
                else "take it out",
                edits=(Edit(call.span, ""),),
            )
        is_first, self.has_input = not self.has_input, True
        name, call = named_input(call)
        first = next((node for node in self.nodes if not node.inputs), None)
        if first is not None and not is_first:
            refuse_second_input(call, name, first)
        for left in nodes_of(input_node):
            if left.inputs:
                self.left_at[left.index] = call.head.span
        shape = self.input_shape or input_shape(call, env)
        if first is not None and not is_first and self.input_shape is not None:
            # What follows can still be checked, so the input is there all the same.
            self.reporter.report(one_shape_for_several(call, first, self.input_shape), scope)
            own = input_shape(call, env)
            shape = shape if own[0] == shape[0] else own
        op = Input(shape=shape)
        node = self.add(op, (), shape, call.span, scope, name)
        scope.input = scope.input or node
        return node

    def call_block(
        self, ref: BlockRef, call: Call, scope: Scope, env: Env, input_node: Arriving
    ) -> Arriving:
        block = ref.block
        self.block_calls.used.add(id(block))
        if ref.is_invalid:
            raise Quiet
        refuse_body(call, f"the block `{block.name.value}`")
        if ref in self.calls or len(self.calls) >= MAX_CALL_DEPTH:
            raise self.recursion(ref, call)
        self.fuel.spend(BLOCK, call.span)
        values = self.block_calls.values(ref, call, env, self.module, self.labels, scope)
        label = call.label.value if call.label else None
        inner = Scope(
            "block", block.name.value, call.span, scope, label, arguments=tuple(values.items())
        )
        inner.definition, inner.input = block, input_node
        inner.maps = maps_named(values)
        outer_module, self.module = self.module, ref.module
        own = Env(self.globals_of(ref.module), values)
        own.block, own.network = block, self.syntax
        self.calls.append(ref)
        try:
            output = self.body(block.body, inner, own, input_node)
        finally:
            self.calls.pop()
            self.module = outer_module
        return self.named(call.label, scope, inner, output)

    def recursion(self, ref: BlockRef, call: Call) -> Problem:
        name = ref.block.name.value
        if ref not in self.calls:
            message = f"block calls are nested more than {MAX_CALL_DEPTH} deep"
            return Problem("recursion", message, call.head.span)
        names = [str(r) for r in self.calls[self.calls.index(ref) :]]
        return Problem(
            "recursion",
            f"`{name}` calls itself",
            call.head.span,
            labels=(Label(ref.block.name.span, "the block"),),
            notes=(" -> ".join([*names, name]),),
            help="a block cannot contain itself; for repetition write `repeat n { … }`",
        )

    # ---- layers ----

    def layer(
        self, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
    ) -> MaybeNode:
        try:
            op = self.layers.operation(word, call, env, self.module, input_node)
        except Problem as problem:
            if problem.diagnostic.code != "unknown-layer":
                raise
            elsewhere = imported_elsewhere(word, call, self.module)
            if elsewhere is not None:
                raise elsewhere from None
            if not self.labels.knows(call.head, scope):
                raise
            raise Problem(
                "unknown-layer",
                f"`{word}` is a label, not a layer",
                call.head.span,
                help=f"continue from what it names, `from {word}`, or merge it with what arrives,"
                f" `concat {word}`; `from` takes one label, and `concat a b` merges several",
            ) from None
        self.need_input(call)
        if input_node is None:
            return None
        if call.body is not None:
            return layer_with_body(self, op, call, call.body, scope, env, input_node)
        inputs = (
            (input_node, *sized_by(self, op, call, scope, env)) if op.sized_by else (input_node,)
        )
        return self.apply(op, inputs, call, scope, call.label)


def maps_named(values: Mapping[str, object]) -> dict[str, Node | Maps | None]:
    """The maps, and lists of maps, among the values of a block's parameters or a loop's names."""
    found: dict[str, Node | Maps | None] = {}
    for name, value in values.items():
        if isinstance(value, MapRef | Maps):
            found[name] = value.node if isinstance(value, MapRef) else value
    return found


def _counted(names: Sequence[Name], number_of: int, items: str) -> str:
    """For `for i, width in widths`, where one name too many may be meant for the position."""
    if len(names) != number_of + 1:
        return ""
    rest = ", ".join(name.value for name in names[1:])
    shown = items if len(items) < 40 and "\n" not in items else "…"
    return f"; for the position of each, write `for {rest} in {shown} as {names[0].value}`"


def _head(statement: Statement) -> Span:
    """The part of a statement that sets the amount of work: a count or a list."""
    match statement:
        case Call():
            return statement.head.span
        case Repeat():
            return statement.count.span
        case For():
            return statement.items.span
    return statement.span
