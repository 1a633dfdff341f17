"""The names of a text: where each is defined, and where it is used. They are read off the syntax
tree alone, so that they are known while the network has mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from ...compiler.language.vocabulary import SECTIONS
from ...dsl.program import Program
from ...dsl.source import Source, Span
from ...dsl.syntax import (
    Block,
    Body,
    Branches,
    Call,
    Expression,
    For,
    If,
    Import,
    Let,
    Name,
    Network,
    Parameter,
    Path,
    Repeat,
    Spec,
    Statement,
    arms_of,
    walk,
)  # fmt: skip

Kind = Literal["block", "network", "parameter", "let", "label", "loop name", "input"]


class Symbol:
    """A name with its definition and its uses."""

    def __init__(self, kind: Kind, name: str, span: Span, within: Span | None) -> None:
        self.kind = kind
        self.name = name
        self.span = span
        """The name where it is defined."""
        self.within = within
        """Where it can be used; None: in the whole file, and in those that import it."""
        self.uses: list[Span] = []
        self.in_sections: list[Span] = []
        """Words of sections that are written like this label, and may mean it."""
        self.node: Block | Network | Parameter | Let | Statement | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    @property
    def places(self) -> list[Span]:
        return [self.span, *self.uses]


class Scope(NamedTuple):
    """Names that are known in a part of the text, those around it too."""

    span: Span
    own: dict[str, Symbol]
    around: Scope | None

    def find(self, name: str) -> Symbol | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.own:
                return scope.own[name]
            scope = scope.around
        return None


class Names:
    """All names of a file; blocks of imported files, too, with their definition there."""

    def __init__(self, spec: Spec, program: Program | None) -> None:
        self.symbols: list[Symbol] = []
        self.scopes: list[Scope] = []
        """In the order written, outer ones first."""
        self.imports: list[tuple[Span, Source]] = []
        """The file that the path of an `import` names."""
        self._keys: list[tuple[Symbol, str, Span]] = []
        """Arguments of blocks that are given by name: `unit width=64`."""
        source = spec.source
        top = Scope(Span(source, 0, len(source.text)), {}, None)
        self.scopes.append(top)
        for statement, imported in _imported(spec, program):
            self.imports.append((statement.path.span, imported.source))
            for each in imported.statements:
                if isinstance(each, Block):
                    self._define(top, "block", each.name, None).node = each
                    for parameter in each.parameters:
                        aside = Scope(each.span, {}, None)
                        self._define(aside, "parameter", parameter.name, each.span).node = parameter
        for each in spec.statements:
            if isinstance(each, Block | Network):
                kind: Kind = "block" if isinstance(each, Block) else "network"
                self._define(top, kind, each.name, None).node = each
            elif isinstance(each, Let):
                self._define(top, "let", each.name, top.span).node = each
        for each in spec.statements:
            self._statement(each, top)
        self._use_keys()
        self._use_in_sections(spec)

    # ---- collecting ----

    def _define(self, scope: Scope, kind: Kind, name: Name, within: Span | None) -> Symbol:
        symbol = Symbol(kind, name.value, name.span, within)
        scope.own[name.value] = symbol
        self.symbols.append(symbol)
        return symbol

    def _inner(self, span: Span, around: Scope) -> Scope:
        scope = Scope(span, {}, around)
        self.scopes.append(scope)
        return scope

    def _statement(self, statement: Statement, scope: Scope) -> None:
        if isinstance(statement, Block | Network):
            inner = self._inner(statement.span, scope)
            for parameter in statement.parameters:
                if parameter.default is not None:
                    self._expression(parameter.default, inner)
                symbol = self._define(inner, "parameter", parameter.name, inner.span)
                symbol.node = parameter
            self._body(statement.body, inner)
        elif isinstance(statement, Let):
            self._expression(statement.value, scope)
        elif isinstance(statement, Call):
            self._use(statement.head.value, statement.head.span, scope)
            block = scope.find(statement.head.value)
            for argument in statement.arguments:
                if block is not None and argument.name is not None:
                    self._keys.append((block, argument.name, argument.name_span))
                self._expression(argument.value, scope)
            if statement.body is not None:
                self._body(statement.body, self._inner(statement.body.span, scope))
        elif isinstance(statement, Repeat):
            self._expression(statement.count, scope)
            inner = self._inner(statement.span, scope)
            if statement.index is not None:
                self._define(inner, "loop name", statement.index, inner.span)
            self._body(statement.body, inner)
        elif isinstance(statement, For):
            self._expression(statement.items, scope)
            inner = self._inner(statement.span, scope)
            for name in statement.names:
                self._define(inner, "loop name", name, inner.span)
            if statement.index is not None:
                self._define(inner, "loop name", statement.index, inner.span)
            self._body(statement.body, inner)
        elif isinstance(statement, If):
            for arm in statement.arms:
                self._expression(arm.condition, scope)
            for body in arms_of(statement):
                self._body(body, self._inner(body.span, scope))

    def _body(self, body: Body | Branches, scope: Scope) -> None:
        paths = body.paths if isinstance(body, Branches) else (body,)
        for path in paths:
            inner = self._inner(path.span, scope) if isinstance(body, Branches) else scope
            for statement in path.statements:
                label = getattr(statement, "label", None)
                if isinstance(label, Name):
                    self._label(scope, inner, label, statement)
                if isinstance(statement, Let):
                    self._define(inner, "let", statement.name, inner.span).node = statement
                elif isinstance(statement, Call) and statement.head.value == "input":
                    self._input(statement, inner)
            for statement in path.statements:
                self._statement(statement, inner)

    def _label(self, around: Scope, inner: Scope, label: Name, statement: Statement) -> None:
        """A label in a path is known after the paths, too."""
        symbol = self._define(inner, "label", label, inner.span)
        symbol.node = statement
        scope: Scope | None = around
        while scope is not None and scope.around is not None:
            scope.own.setdefault(label.value, symbol)
            scope = scope.around
        symbol.within = _definition_around(inner).span

    def _input(self, statement: Call, scope: Scope) -> None:
        names = [each.value for each in statement.arguments if each.name is None]
        if len(names) > 1 and isinstance(names[0], Name):
            self._define(scope, "input", names[0], scope.span).node = statement

    def _expression(self, value: Expression, scope: Scope) -> None:
        for node in walk(value):
            if isinstance(node, Path):
                first = node.parts[0]
                start = node.span.start
                self._use(first, Span(node.span.source, start, start + len(first)), scope)
            elif isinstance(node, Name):
                self._use(node.value, node.span, scope)

    def _use_keys(self) -> None:
        parameters = {
            (symbol.within, symbol.name): symbol
            for symbol in self.symbols
            if symbol.kind == "parameter"
        }
        for block, name, span in self._keys:
            if block.node is not None:
                parameter = parameters.get((block.node.span, name))
                if parameter is not None:
                    parameter.uses.append(span)

    def _use_in_sections(self, spec: Spec) -> None:
        """Sections name labels of the network: `freeze stem`, `loss mask dice`."""
        labels = {symbol.name: symbol for symbol in self.symbols if symbol.kind == "label"}
        for section in spec.statements:
            if not isinstance(section, Call) or section.head.value not in SECTIONS:
                continue
            if section.head.value == "sweep":
                self._use_in_sweep(section)
            for node in walk(section):
                heads = isinstance(node, Call)
                first = node.parts[0] if isinstance(node, Path) else getattr(node, "value", None)
                if heads or not isinstance(node, Name | Path) or first not in labels:
                    continue
                start = node.span.start
                span = Span(node.span.source, start, start + len(first))
                labels[first].in_sections.append(span)

    def _use_in_sweep(self, section: Call) -> None:
        """A sweep names parameters of the network: `width in [16, 24]`."""
        own = {symbol.name: symbol for symbol in self.parameters()}
        for statement in section.body.statements if isinstance(section.body, Body) else ():
            head = getattr(statement, "head", None)
            if isinstance(head, Name) and head.value in own:
                own[head.value].uses.append(head.span)

    def parameters(self) -> list[Symbol]:
        """The parameters of the main network, which is the last."""
        networks = [s.node for s in self.symbols if s.kind == "network"]
        last = networks[-1] if networks else None
        nodes = {id(each) for each in last.parameters} if isinstance(last, Network) else set()
        return [s for s in self.symbols if s.kind == "parameter" and id(s.node) in nodes]

    def _use(self, name: str, span: Span, scope: Scope) -> None:
        symbol = scope.find(name)
        if symbol is not None and span != symbol.span:
            symbol.uses.append(span)

    # ---- asking ----

    def at(self, offset: int) -> Symbol | None:
        """The symbol whose name stands at an offset, or ends there."""
        for symbol in self.symbols:
            for span in symbol.places:
                if span.source is self.scopes[0].span.source and span.start <= offset <= span.end:
                    return symbol
        return None

    def known(self, offset: int) -> Mapping[str, Symbol]:
        """All names that can be used at an offset."""
        found: dict[str, Symbol] = {}
        for scope in self.scopes:
            if scope.span.start <= offset <= scope.span.end:
                found.update(scope.own)
        return found


def _definition_around(scope: Scope) -> Scope:
    """The scope of the block or network around."""
    while scope.around is not None and scope.around.around is not None:
        scope = scope.around
    return scope


def _imported(spec: Spec, program: Program | None) -> Iterator[tuple[Import, Spec]]:
    if program is not None:
        yield from program.imports.get(spec.source, ())
