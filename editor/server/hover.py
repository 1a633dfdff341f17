"""What is known about the word under the cursor, as Markdown: what it came to here, then what it
means.
"""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types as lsp

from ...compiler.language.vocabulary import SECTIONS
from ...compiler.network import Node, Scope
from ...compiler.plan.describe import describe, describe_sweep
from ...compiler.plan.make import plan, sweep_plan
from ...compiler.report.figures import exact, share, short
from ...compiler.report.style import Style
from ...compiler.report.words import Unknown, explain
from ...compiler.shapes import text as shape_text
from ...dsl.diagnostics import SpecError
from ...dsl.source import Span
from ...dsl.syntax import Block, Call, Name, Parameter, Statement, walk
from .document import Document, Version
from .executed import Executed, inputs_of, scopes, shape_of
from .names import Symbol
from .positions import offset, range_of, text_of
from .signature import fields_of, signature_of

_FIRST_LINES = 14
"""Of the text of `cnn help`."""


def hover(document: Document, at: lsp.Position) -> lsp.Hover | None:
    version = document.now
    place = offset(version.source, at)
    found = _found(version, place)
    if found is None:
        return None
    span, parts = found
    text = "\n\n".join(part for part in parts if part)
    if not text:
        return None
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), range_of(span))


def _found(version: Version, place: int) -> tuple[Span, list[str]] | None:
    symbol = version.names.at(place)
    call = call_at(version, place)
    if call is not None and call.head.span.start <= place <= call.head.span.end:
        came_to = [_settings(version, call), *_came_to(version, call)]
        return call.head.span, [*came_to, _meaning(version, call, symbol)]
    if symbol is not None:
        span = next(each for each in symbol.places if each.start <= place <= each.end)
        return span, list(_named(version, symbol))
    if call is None:
        return None
    for argument in call.arguments:
        if argument.name is not None:
            span = argument.name_span
        elif isinstance(argument.value, Name):
            span = argument.value.span
        else:
            continue
        if span.start <= place <= span.end:
            text = version.source.text[span.start : span.end]
            return span, [_argument(version, call, text)]
    return None


def call_at(version: Version, place: int) -> Call | None:
    """The innermost call whose head or arguments stand at an offset."""
    found = None
    for statement in version.spec.statements:
        if not statement.span.start <= place <= statement.span.end:
            continue
        for node in walk(statement):
            if isinstance(node, Call) and node.span.start <= place <= node.span.end:
                body = node.body
                if body is None or not body.span.start < place < body.span.end:
                    found = node
    return found


# ---- what it came to ---------------------------------------------------------------------------


def _came_to(version: Version, call: Call) -> Iterator[str]:
    executed = version.executed
    items = executed.at(call.span) if executed is not None else []
    if executed is None or not items:
        return
    item = items[0]
    shapes = " and ".join(map(shape_text, dict.fromkeys(inputs_of(item))))
    yield f"`{shapes}` → `{shape_of(item)}`" if shapes else f"`{shape_of(item)}`"
    yield _costs(executed, item)
    if len(items) > 1:
        others = dict.fromkeys(map(shape_of, items))
        listed = ", ".join(f"`{shape}`" for shape in list(others)[:6])
        more = ", …" if len(others) > 6 else ""
        yield f"Executed {len(items)} times; it leaves {listed}{more}."


def _costs(executed: Executed, item: Node | Scope) -> str:
    cost, total = executed.cost(item), executed.total
    lines: list[str] = []
    if cost.parameters:
        part = share(cost.parameters, total.parameters)
        lines.append(f"{exact(cost.parameters)} parameters ({part})")
    if cost.macs:
        lines.append(f"{exact(cost.macs)} multiply-adds ({share(cost.macs, total.macs)})")
    if isinstance(item, Node) and item.inputs:
        from ...compiler.analysis import analyse

        field = analyse(executed.network).fields[item.index]
        sizes = getattr(field, "axes", None)
        if sizes:
            lines.append(f"receptive field {'x'.join(str(axis.size) for axis in sizes)}")
    return ", ".join(lines)


def _settings(version: Version, call: Call) -> str:
    """A section, or a directive, with every default filled in."""
    network, word = version.network, call.head.value
    if network is None or call.span.source is not version.source:
        return ""
    try:
        made = plan(network, needs_data=False)
    except SpecError:
        return ""
    lines: list[str] = []
    if word == "sweep":
        try:
            lines = describe_sweep(sweep_plan(network))
        except SpecError:
            return ""
    elif word in SECTIONS:
        lines = describe(made, word)
    else:
        lines = [str(each) for each in made.directives() if each.span == call.span]
    return "\n".join(["```cnn", *lines, "```"]) if lines else ""


# ---- what it means -----------------------------------------------------------------------------


def _meaning(version: Version, call: Call, symbol: Symbol | None) -> str:
    if symbol is not None and isinstance(symbol.node, Block):
        return _block(version, symbol.node)
    word = call.head.value
    plain = [argument.value for argument in call.arguments[:1] if argument.name is None]
    two = f"{word} {plain[0].value}" if plain and isinstance(plain[0], Name) else word
    for each in (two, word):
        try:
            return _shortened(explain(each, Style(width=80)).text)
        except Unknown:
            continue
    return ""


def _shortened(text: str) -> str:
    lines = text.rstrip().split("\n")
    more = ["…"] if len(lines) > _FIRST_LINES else []
    return "\n".join(["```text", *lines[:_FIRST_LINES], *more, "```"])


def _block(version: Version, block: Block) -> str:
    lines = [f"```cnn\n{signature_of(block)}\n```"]
    executed = version.executed
    calls = executed.calls.get(block.span, []) if executed is not None else []
    if executed is not None and calls:
        costs = [executed.cost(scope) for scope in calls]
        parameters = sum(cost.parameters for cost in costs)
        macs = sum(cost.macs for cost in costs)
        total = executed.total
        times = f"{len(calls)} calls" if len(calls) > 1 else "One call"
        lines.append(
            f"{times}: {short(parameters)} parameters ({share(parameters, total.parameters)}),"
            f" {short(macs)} multiply-adds ({share(macs, total.macs)})"
        )
    return "\n\n".join(lines)


def _named(version: Version, symbol: Symbol) -> Iterator[str]:
    executed = version.executed
    node = symbol.node
    if isinstance(node, Block):
        yield _block(version, node)
        return
    if symbol.kind == "network" and executed is not None:
        total = executed.total
        yield (
            f"**{symbol.name}**: {exact(total.parameters)} parameters,"
            f" {exact(total.macs)} multiply-adds, {len(executed.network.nodes):,} layers"
        )
        return
    if symbol.kind in ("label", "input"):
        yield f"`{symbol.name}`: a label"
        if isinstance(node, Statement) and executed is not None:
            items = executed.at(node.span)
            if items:
                yield f"`{shape_of(items[0])}`"
        lines = dict.fromkeys(str(use.line) for use in symbol.uses)
        yield f"read in line {', '.join(lines)}" if lines else "never read"
        return
    yield f"`{symbol.name}`: a {'name of a loop' if symbol.kind == 'loop name' else symbol.kind}"
    if isinstance(node, Parameter) and node.default is not None:
        yield f"default: `{text_of(node.default.span)}`"
    values = _values(executed, symbol) if executed is not None else []
    if values:
        more = ", …" if len(values) > 8 else ""
        yield f"here: {', '.join(f'`{value}`' for value in values[:8])}{more}"


def _values(executed: Executed, symbol: Symbol) -> list[str]:
    """The different values that a parameter or the name of a loop has."""
    from ...compiler.language.values import show

    found: dict[str, None] = {}
    for scope in scopes(executed.network.root):
        around = symbol.within
        definition = scope.definition.span if scope.definition is not None else scope.span
        if around is not None and definition == around:
            for name, value in scope.arguments:
                if name == symbol.name:
                    found[show(value)] = None
    if not found and symbol.name in executed.network.parameters:
        found[show(executed.network.parameters[symbol.name])] = None
    return list(found)


def _argument(version: Version, call: Call, name: str) -> str:
    field = fields_of(
        version.names, call.head.value, [text_of(a.span) for a in call.arguments]
    ).get(name)
    if field is None:
        return ""
    default = "" if field.required or field.is_flag else f" Default: `{field.default_text}`."
    return f"`{name}` of `{call.head.value}`: {field.doc}.{default}"
