"""Syntax to network: names looked up, blocks called, loops unrolled, every shape worked out.

One walk over the statements as they are carried out. A mistake is reported with its place and the
chain of calls down to it, and the walk goes on: what leaves the statement is then unknown, and what
depends on it is quiet. What this does not do: count, lint, or choose names (see `naming`).
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, NoReturn

from ..dsl.diagnostics import Diagnostic, Edit, Label, SpecError, has_errors, in_order
from ..dsl.program import Program
from ..dsl.source import Span
from ..dsl.syntax import (
    Body,
    Branches,
    Call,
    Expression,
    For,
    If,
    Let,
    Name,
    Parameter,
    Repeat,
    Statement,
    String,
)
from ..dsl.syntax import (
    Network as NetworkSyntax,
)
from . import forms
from .blame import call_chain, shape_problem
from .budget import DEFAULT_LAYERS, expansion
from .calls import BlockCalls
from .evaluate import POISON, Env, describe, evaluate, number, truth
from .graph import AuxHead, Network, Node, Scope
from .layers import Layers, input_shape, refuse_body, unknown_layer
from .mend import mended
from .naming import assign_names
from .ops.base import REGISTRY, Op
from .problems import Problem, Quiet, did_you_mean
from .scoping import (
    BlockRef,
    Module,
    build_modules,
    check_module_name,
)
from .settle import settle
from .shapes import Shape, ShapeError
from .unused import calls_in, unused_definitions, unused_label
from .values import Word, show
from .vocabulary import FORMS, layer_words

MAX_CALL_DEPTH = 60
MAX_NESTING = 64
MAX_MISTAKES = 50

Arriving = Node | None
"""What flows into a statement; None where a mistake has spoilt it."""


class Elaboration(NamedTuple):
    """A network, where there is one without mistakes, and what is to be said about the spec."""

    network: Network | None
    diagnostics: list[Diagnostic]


def elaborate(
    program: Program,
    *,
    network: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    max_layers: int = DEFAULT_LAYERS,
) -> Network:
    """The network of a spec; raises SpecError with every mistake in it."""
    result = examine(
        program,
        network=network,
        overrides=overrides,
        input_shape=input_shape,
        classes=classes,
        max_layers=max_layers,
    )
    if result.network is None:
        raise SpecError(result.diagnostics)
    return result.network


def examine(
    program: Program,
    *,
    network: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    max_layers: int = DEFAULT_LAYERS,
    needs_network: bool = True,
) -> Elaboration:
    """The same, with mistakes and warnings as data; a file of blocks alone may be looked at too."""

    def once(variant: Program) -> _Elaborator:
        walk = _Elaborator(variant, input_shape, classes, max_layers)
        walk.result = walk.run(network, overrides or {}, needs_network)
        return walk

    collecting = gc.isenabled()
    gc.disable()  # a hundred thousand nodes and no garbage among them
    try:
        walk = once(program)
        if walk.proposals:
            walk.diagnostics = mended(
                program, walk.diagnostics, walk.proposals, lambda v: once(v).diagnostics
            )
        diagnostics = in_order([*program.warnings, *walk.diagnostics])
        return Elaboration(None if has_errors(diagnostics) else walk.result, diagnostics)
    finally:
        if collecting:
            gc.enable()


class _GiveUp(Exception):
    pass


class _Elaborator:
    def __init__(
        self, program: Program, input_shape: Shape | None, classes: int | None, max_layers: int
    ) -> None:
        self.program = program
        self.input_shape = input_shape
        self.classes = classes
        self.max_layers = max_layers
        self.diagnostics: list[Diagnostic] = []
        self.proposals: dict[int, Sequence[tuple[Edit, ...]]] = {}
        """Changes that may mend a mistake, by the id of its diagnostic."""
        self.reported: dict[tuple[str, Span | None], int] = {}
        self.modules, problems = build_modules(program)
        self.diagnostics += problems
        self.words = layer_words()
        self.nodes: list[Node] = []
        self.aux: list[AuxHead] = []
        self.steps = 0
        self.arriving: Arriving = None
        self.has_input = False
        self.calls: list[BlockRef] = []
        self.module: Module = self.modules[program.main.source]
        self.globals: dict[Module, Env] = {}
        self.block_calls = BlockCalls(self.new_env)
        self.layers = Layers()
        self.used_labels: set[int] = set()
        self.labels: dict[int, tuple[Name, Scope | Node]] = {}
        self.made: dict[object, tuple[Op, Shape]] = {}
        self.depth = 0
        self.region = program.main.source.span(0, len(program.main.source.text))
        """The text of the body being carried out."""
        self.allowed: list[tuple[Span, str]] = []
        self.result: Network | None = None
        """Where a warning is silenced: a region of text, a code."""

    # ---- the whole ----

    def run(
        self, wanted: str | None, overrides: Mapping[str, object], needs_network: bool
    ) -> Network | None:
        syntax = self.choose(wanted, needs_network)
        if syntax is None:
            self.check_uncalled()
            return None
        try:
            over = expansion(self.program, self.modules, syntax, overrides, self.max_layers)
            if over is not None:
                raise over
            network = self.carry_out(syntax, overrides)
        except Problem as problem:
            self.report(problem.diagnostic, None)
            return None
        except (Quiet, _GiveUp):
            return None
        self.check_uncalled()
        if network is not None and not has_errors(self.diagnostics):
            self.diagnostics += unused_definitions(self.program.main, self.block_calls.used)
            self.warn_of_labels(network)
        return network

    def check_uncalled(self) -> None:
        """At least the words of blocks that nothing calls; their shapes are anybody's guess."""
        for ref in self.module.own_blocks:
            if id(ref.block) in self.block_calls.used:
                continue
            known = {p.name.value for p in ref.block.parameters} | set(ref.module.blocks)
            for call in calls_in(ref.block):
                if call.head.value not in known | self.words:
                    self.report(
                        unknown_layer(call.head.value, call, ref.module.blocks).diagnostic, None
                    )

    def warn_of_labels(self, network: Network) -> None:
        with_weights = {id(scope) for n in network.nodes if n.weights for scope in n.scope.chain()}
        for key, (label, item) in self.labels.items():
            names_weights = item.weights if isinstance(item, Node) else key in with_weights
            if key not in self.used_labels and not names_weights:
                self.report(unused_label(label, item.span), None)

    def allow(self, call: Call, region: Span) -> None:
        """Enters the warnings that `allow` silences in a region of text."""
        if not call.arguments:
            raise Problem(
                "missing-argument",
                "`allow` needs the code of a warning",
                call.head.span,
                help='write `allow "wide-fc"`, with the code in the brackets of the warning',
            )
        for argument in call.arguments:
            code = argument.value
            if not isinstance(code, String) or argument.name is not None:
                raise Problem(
                    "argument",
                    "the code of a warning is text",
                    argument.span,
                    help=f'write `allow "{argument.span.text}"`',
                    edits=(Edit(argument.span, f'"{argument.span.text}"'),),
                )
            self.allowed.append((region, code.value))

    def choose(self, wanted: str | None, needs_network: bool) -> NetworkSyntax | None:
        """The network asked for, else the last of the file: what stands before it is for it."""
        networks = self.module.networks
        name = self.program.main.source.name
        if wanted is not None:
            if wanted in networks:
                return networks[wanted]
            listed = ", ".join(networks) or "none"
            message = f"there is no network `{wanted}` in {name}; there is {listed}"
            self.diagnostics.append(Diagnostic("no-network", message, file=name))
            return None
        if not networks:
            help = "write one: `network Name { input 3x224x224 … }`"
            if needs_network and not has_errors(self.diagnostics):
                self.diagnostics.append(
                    Diagnostic("no-network", f"{name} holds no network", file=name, help=help)
                )
            return None
        return list(networks.values())[-1]

    def carry_out(self, syntax: NetworkSyntax, overrides: Mapping[str, object]) -> Network | None:
        self.syntax = syntax
        root = Scope("network", syntax.name.value, syntax.name.span, None)
        env = self.new_env(self.module)
        for call in self.module.allowed:
            self.allow(call, self.region)
        values = self.parameters(syntax.parameters, env, overrides, root)
        inner = Env(env, values)
        output = self.body(syntax.body, root, inner, None)
        if not self.has_input and not has_errors(self.diagnostics):
            span = syntax.name.span
            help = "write `input 3x224x224` (channels x height x width) as its first line"
            self.report(Diagnostic("no-input", "this network has no input", span, help=help), root)
        if has_errors(self.diagnostics) or output is None:
            return None
        if len(self.nodes) == 1:
            span = syntax.name.span
            help = "write a layer behind the input"
            self.report(Diagnostic("empty", "this network has no layers", span, help=help), root)
            return None
        root.output = output
        assign_names(root)
        network = Network(
            syntax.name.value,
            self.nodes,
            output,
            tuple(self.aux),
            root,
            self.program,
            values,
            self.module.sections,
        )
        network.allowed = tuple(self.allowed)
        settle(network)
        return network

    def new_env(self, module: Module) -> Env:
        """The names that a file defines with `let`."""
        if module not in self.globals:
            env = Env()
            env.arriving = self.look_around
            self.globals[module] = env
            for let in module.lets.values():
                env.values[let.name.value] = self.value_or_poison(let.value, env, module)
        return self.globals[module]

    def look_around(self, name: str) -> object:
        """What arrives at this point, by the names that a spec has for it."""
        if name == "classes":
            return self.classes if self.classes is not None else 10
        if name not in ("channels", "height", "width"):
            raise KeyError(name)
        if self.arriving is None:
            raise Quiet if self.has_input else KeyError(name)
        shape = self.arriving.shape
        if len(shape) == 3:
            return shape[("channels", "height", "width").index(name)]
        if name == "channels":
            return shape[0]
        raise KeyError(name)

    def value_or_poison(self, node: Expression, env: Env, module: Module) -> object:
        try:
            return self.block_calls.value(node, env, module)
        except Problem as problem:
            self.report(problem.diagnostic, None)
        except Quiet:
            pass
        return POISON

    def parameters(
        self,
        parameters: Sequence[Parameter],
        env: Env,
        given: Mapping[str, object],
        scope: Scope,
    ) -> dict[str, object]:
        """A network's parameters: what was asked for on the command line, else their defaults."""
        values: dict[str, object] = {}
        names = [parameter.name.value for parameter in parameters]
        for name in given:
            if name not in names:
                help, _ = did_you_mean(name, names, scope.span)
                listed = ", ".join(f"`{n}`" for n in names) or "none"
                message = f"{scope.word} has no parameter `{name}`; it has {listed}"
                self.report(Diagnostic("unknown-parameter", message, scope.span, help=help), scope)
        for parameter in parameters:
            name = parameter.name.value
            if name in values:
                self.twice(parameter.name)
            if name in given:
                values[name] = given[name]
            elif parameter.default is None:
                help = f"give it one: `{name}=…`"
                message = f"the parameter `{name}` of a network needs a default"
                span = parameter.name.span
                self.report(Diagnostic("missing-default", message, span, help=help), scope)
                values[name] = POISON
            else:
                values[name] = self.value_or_poison(
                    parameter.default, Env(env, values), self.module
                )
        return values

    def twice(self, name: Name) -> None:
        self.report(
            Diagnostic("duplicate-name", f"`{name.value}` is defined twice", name.span), None
        )

    # ---- reporting ----

    def report(
        self,
        diagnostic: Diagnostic,
        scope: Scope | None,
        proposals: Sequence[tuple[Edit, ...]] = (),
    ) -> None:
        """Once for each place, however often it is carried out."""
        key = (diagnostic.code, diagnostic.span)
        self.reported[key] = self.reported.get(key, 0) + 1
        if self.reported[key] > 1:
            return
        notes = (*diagnostic.notes, *call_chain(scope))
        diagnostic = replace(diagnostic, notes=notes)
        self.diagnostics.append(diagnostic)
        if proposals:
            self.proposals[id(diagnostic)] = proposals
        if len(self.diagnostics) >= MAX_MISTAKES:
            raise _GiveUp

    # ---- statements ----

    def body(self, body: Body | Branches, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        """Carries statements out one after the other; what leaves the last."""
        if isinstance(body, Branches):
            bar = Span(body.span.source, body.paths[0].span.start, body.paths[0].span.start + 1)
            self.report(
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
                f"more than {MAX_NESTING} bodies inside one another",
                Span(body.span.source, start, start + 1),
            )
        outer_region, self.region = self.region, body.span
        inner = Env(env)
        for statement in body.statements:
            arriving = self.statement(statement, scope, inner, arriving)
        self.region = outer_region
        self.depth -= 1
        return arriving

    def statement(
        self, statement: Statement, scope: Scope, env: Env, arriving: Arriving
    ) -> Arriving:
        self.count_step(statement.span, scope)
        self.arriving = arriving
        try:
            leaving = self.carry_out_statement(statement, scope, env, arriving)
        except Problem as problem:
            self.report(problem.diagnostic, scope, problem.proposals)
            return None
        except Quiet:
            return None
        return leaving

    def count_step(self, span: Span, scope: Scope) -> None:
        """Statements without layers take time too."""
        self.steps += 1
        if self.steps > 10 * self.max_layers:
            self.over_budget(span, scope)

    def carry_out_statement(
        self, statement: Statement, scope: Scope, env: Env, arriving: Arriving
    ) -> Arriving:
        if isinstance(statement, Call):
            return self.call(statement, scope, env, arriving)
        if isinstance(statement, Repeat):
            return self.repeat(statement, scope, env, arriving)
        if isinstance(statement, For):
            return self.loop(statement, scope, env, arriving)
        if isinstance(statement, If):
            return self.choice(statement, scope, env, arriving)
        assert isinstance(statement, Let)
        name = statement.name.value
        if name in env.values:
            raise Problem(
                "duplicate-name",
                f"`{name}` has a value here already",
                statement.name.span,
                help="a name keeps its value: take another one",
            )
        env.values[name] = POISON
        env.values[name] = self.block_calls.value(statement.value, env, self.module)
        return arriving

    def choice(self, statement: If, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        taken: Body | Branches | None = statement.otherwise
        for arm in statement.arms:
            if truth(arm.condition, env):
                taken = arm.body
                break
        inner = self.labelled(scope, statement.label, "if", statement.span)
        leaving = self.body(taken, inner, env, arriving) if taken else arriving
        return self.named(statement.label, scope, inner, leaving)

    def labelled(self, scope: Scope, label: Name | None, word: str, span: Span) -> Scope:
        """A scope for a statement that has a label; else the one around it serves."""
        if label is None:
            return scope
        return Scope("form", word, span, scope, label.value)

    def repeat(self, statement: Repeat, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
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
        if value > self.max_layers:
            self.over_budget(statement.count.span, scope)
        index = statement.index
        names = () if index is None else (index,)
        rounds = [()] * value if index is None else [(i,) for i in range(value)]
        return self.rounds(statement, "repeat", names, rounds, scope, env, arriving)

    def loop(self, statement: For, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        items = evaluate(statement.items, env)
        if not isinstance(items, (list, tuple)):
            raise Problem(
                "type",
                f"`for` goes through a list; this is {describe(items)}",
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
                    f"{len(names)} names, but item {position + 1} of the list holds {number_of}",
                    statement.items.span,
                    labels=(
                        Label(
                            Span(names[0].span.source, names[0].span.start, names[-1].span.end),
                            f"{len(names)} names",
                        ),
                    ),
                    help=f"every item is a tuple: `({', '.join(n.value for n in names)})`",
                )
            rounds.append(tuple(item))
        return self.rounds(statement, "for", names, rounds, scope, env, arriving)

    def rounds(
        self,
        statement: Repeat | For,
        word: str,
        names: Sequence[Name],
        rounds: Sequence[tuple[object, ...]],
        scope: Scope,
        env: Env,
        arriving: Arriving,
    ) -> Arriving:
        label = statement.label.value if statement.label else None
        outer = Scope("loop", word, statement.span, scope, label, count=len(rounds))
        values: dict[str, object] = {}
        inner = Env(env, values)
        for index, items in enumerate(rounds):
            self.count_step(statement.span, scope)
            iteration = Scope(
                "iteration", word, statement.span, outer, index=index, count=len(rounds)
            )
            values.update(zip((n.value for n in names), items, strict=True))
            arriving = self.body(statement.body, iteration, inner, arriving)
            iteration.output = arriving
        return self.named(statement.label, scope, outer, arriving)

    def named(self, label: Name | None, scope: Scope, item: Scope, leaving: Arriving) -> Arriving:
        item.output = leaving
        if label is not None:
            self.remember(label, scope, item)
        return leaving

    def remember(self, label: Name, scope: Scope, item: Scope | Node) -> None:
        """Enters a label where references look for it: in the scope whose names it joins."""
        check_module_name(label, "label")
        owner = next(s for s in scope.chain() if s.has_name)
        if label.value in owner.named:
            known = owner.named[label.value]
            raise Problem(
                "duplicate-label",
                f"two things here are called `{label.value}`",
                label.span,
                labels=(Label(known.span, "the other"),),
                help="labels are unique in their scope: choose another",
            )
        owner.named[label.value] = item
        self.labels[id(item)] = (label, item)

    # ---- calls ----

    def call(self, call: Call, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        word = call.head.value
        if env.has(word):
            value = env.find(word)
            if value is POISON:
                raise Quiet
            if isinstance(value, BlockRef):
                return self.call_block(value, call, scope, env, arriving)
            if not isinstance(value, Word):
                raise Problem(
                    "not-a-layer",
                    f"`{word}` is {describe(value)} here, and no layer or block",
                    call.head.span,
                    help="hand a block or a layer to this parameter",
                )
            word = str(value)
        ref = self.module.blocks.get(word)
        if ref is not None:
            return self.call_block(ref, call, scope, env, arriving)
        if word in FORMS:
            if word == "input":
                return self.input(call, scope, env, arriving)
            self.need_input(call)
            return forms.FORMS[word](self, call, scope, env, arriving)
        return self.layer(word, call, scope, env, arriving)

    def need_input(self, call: Call) -> None:
        if not self.has_input:
            self.has_input = True  # said once
            raise Problem(
                "no-input",
                "nothing arrives here: the network's input is not known yet",
                call.head.span,
                help="write `input 3x224x224` (channels x height x width) as its first line",
                edits=self.first_line("input 3x224x224"),
            )

    def first_line(self, text: str) -> tuple[Edit, ...]:
        """The change that puts a statement in front of all others of the network."""
        statements = self.syntax.body.statements if isinstance(self.syntax.body, Body) else ()
        if not statements:
            return ()
        span = statements[0].span
        return (Edit(Span(span.source, span.start, span.start), f"{text}, "),)

    def input(self, call: Call, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        if scope.kind == "network" and self.has_input and self.nodes:
            raise Problem(
                "second-input",
                "a network has one input",
                call.head.span,
                labels=(Label(self.nodes[0].span, "the first"),),
                help="take one of them out",
                edits=(Edit(call.span, ""),),
            )
        if scope.kind != "network":
            raise Problem(
                "misplaced-input",
                "`input` is the first line of a network, not part of a block or path",
                call.head.span,
                help="take it out",
                edits=(Edit(call.span, ""),),
            )
        self.has_input = True
        shape = self.input_shape or input_shape(call, env)
        op = REGISTRY["input"](shape=shape)
        return self.add(op, (), shape, call.span, scope, call.label)

    def call_block(
        self, ref: BlockRef, call: Call, scope: Scope, env: Env, arriving: Arriving
    ) -> Arriving:
        block = ref.block
        self.block_calls.used.add(id(block))
        refuse_body(call, f"the block `{block.name.value}`")
        if ref in self.calls or len(self.calls) >= MAX_CALL_DEPTH:
            raise self.recursion(ref, call)
        values = self.block_calls.values(ref, call, env, self.module)
        label = call.label.value if call.label else None
        inner = Scope(
            "block", block.name.value, call.span, scope, label, arguments=tuple(values.items())
        )
        outer_module, self.module = self.module, ref.module
        self.calls.append(ref)
        try:
            leaving = self.body(block.body, inner, Env(self.new_env(ref.module), values), arriving)
        finally:
            self.calls.pop()
            self.module = outer_module
        return self.named(call.label, scope, inner, leaving)

    def recursion(self, ref: BlockRef, call: Call) -> Problem:
        name = ref.block.name.value
        if ref not in self.calls:
            message = f"blocks call one another more than {MAX_CALL_DEPTH} deep"
            return Problem("recursion", message, call.head.span)
        names = [str(r) for r in self.calls[self.calls.index(ref) :]]
        return Problem(
            "recursion",
            f"`{name}` calls itself",
            call.head.span,
            labels=(Label(ref.block.name.span, "the block"),),
            notes=(" -> ".join([*names, name]),),
            help="a block cannot contain itself; say how often with `repeat n { … }`",
        )

    # ---- layers ----

    def layer(self, word: str, call: Call, scope: Scope, env: Env, arriving: Arriving) -> Arriving:
        op = self.layers.operation(word, call, env, self.module.blocks)
        self.need_input(call)
        if arriving is None:
            return None
        return self.apply(op, (arriving,), call, scope)

    def apply(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        call: Call,
        scope: Scope,
    ) -> Node:
        """A node for an operation, once the shapes that arrive fit."""
        try:
            arriving = tuple([node.shape for node in inputs])
            key = (id(op), arriving)  # the entry keeps the operation, and so its id, alive
            known = self.made.get(key)
            if known is None:
                known = self.made[key] = op, op.output(*arriving)
            shape = known[1]
        except ShapeError as error:
            raise shape_problem(error, op, inputs, call) from None
        return self.add(op, inputs, shape, call.span, scope, call.label)

    def add(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        shape: Shape,
        span: Span,
        scope: Scope,
        label: Name | None = None,
    ) -> Node:
        """Enters a node into the network."""
        if len(self.nodes) >= self.max_layers:
            self.over_budget(span, scope)
        name = label.value if label else None
        node = Node(len(self.nodes), op, inputs, shape, span, scope, name)
        self.nodes.append(node)
        scope.children.append(node)
        if label is not None:
            self.remember(label, scope, node)
        return node

    def over_budget(self, span: Span, scope: Scope) -> NoReturn:
        self.report(
            Diagnostic(
                "limit",
                f"this spec comes to more than {self.max_layers:,} layers",
                span,
                label="the budget is used up here",
                help="repeat less, or raise the budget with `--max-layers`",
            ),
            scope,
        )
        raise _GiveUp
