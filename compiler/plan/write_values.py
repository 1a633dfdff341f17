"""Writes values given with `--set` into the text of a spec, whose comments and layout stay.

    text = write_values(source, options, ["width=24", "train.optimizer.lr=0.03"])

Only values are edited: defaults of parameters, arguments of directives; directives that the spec
lacks are added. What is written is compiled again, and must be the network and the plan that the
values gave beside the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span
from ...dsl.syntax import Body, Call
from ...dsl.syntax import Network as NetworkSyntax
from ..build.elaborate import elaborate
from ..build.scoping import sections_of
from ..diagnose.blame import statement_span
from ..language.overrides import SectionOverride, divide, read_override
from ..language.vocabulary import SECTIONS
from ..load_spec import load
from ..network import Network
from ..shapes import text as shape_text
from ..spec_options import Options
from .directive import Directive
from .make import examine, plan

SWEEP = "sweep"


class _Change(NamedTuple):
    start: int
    end: int
    text: str


def write_values(
    source: Source, options: Options, set: Sequence[str] = (), *, keep_sweep: bool = False
) -> str:
    """The text of a spec with the values of `options.set` and `set` written into it, and without
    its section `sweep`. Raises SpecError if the text cannot say them."""
    texts = [*options.set, *set]
    given = [read_override(text, "--set") for text in texts]
    parameters, overrides = divide(given)
    program = load(source)
    network = elaborate(
        program,
        network=options.network,
        overrides=parameters,
        input_shape=options.input,
        classes=options.classes,
    )
    main = _main(program.main.statements, network.name)
    changes = [*_parameters(main, {text.partition("=")[0].strip(): text for text in texts})]
    if options.input is not None:
        changes += _input(network, options)
    sections = sections_of(program)
    before = examine(program, sections, network).context.given
    after = examine(program, sections, network, overrides).context.given
    for section in SECTIONS:
        if section != SWEEP:
            old, new = list(before.get(section, ())), list(after.get(section, ()))
            changes += _section(source, section, sections.get(section), old, new, overrides)
    sweep = next(
        (
            each
            for each in program.main.statements
            if isinstance(each, Call) and each.head.value == SWEEP
        ),
        None,
    )
    if sweep is not None and not keep_sweep:
        changes.append(_without(source.text, sweep.span))
    text = _changed(source.text, changes)
    _must_be_same(Source(source.name, text, source.path), options, network, overrides)
    return text


def _main(statements: Sequence[object], name: str) -> NetworkSyntax:
    return next(
        each for each in statements if isinstance(each, NetworkSyntax) and each.name.value == name
    )


def _changed(text: str, changes: Sequence[_Change]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new.replace("\n", newline) + text[end:]
    return text


# ---- the network -----------------------------------------------------------------------------


def _parameters(network: NetworkSyntax, texts: Mapping[str, str]) -> Iterator[_Change]:
    for parameter in network.parameters:
        text = texts.get(parameter.name.value)
        if text is None:
            continue
        value = text.partition("=")[2].strip()
        if parameter.default is not None:
            yield _replaced(parameter.default.span, value)
        else:
            yield _after(parameter.name.span, f"={value}")


def _input(network: Network, options: Options) -> Iterator[_Change]:
    assert options.input is not None
    body = _main(network.program.main.statements, network.name).body
    for call in body.statements if isinstance(body, Body) else ():
        if isinstance(call, Call) and call.head.value == "input" and call.arguments:
            last = call.arguments[-1].span
            yield _Change(call.arguments[0].span.start, last.end, shape_text(options.input))


def _replaced(span: Span, text: str) -> _Change:
    return _Change(span.start, span.end, text)


def _after(span: Span, text: str) -> _Change:
    return _Change(span.end, span.end, text)


# ---- sections --------------------------------------------------------------------------------


def _section(
    source: Source,
    section: str,
    call: Call | None,
    old: Sequence[Directive],
    new: Sequence[Directive],
    overrides: Sequence[SectionOverride],
) -> Iterator[_Change]:
    """What changes a section from some directives to others. Overrides replace directives where
    they are, and add others at the end; or the whole section is off."""
    if len(new) < len(old):
        assert call is not None
        if not new:
            yield _without(source.text, call.span)
            return
        inside = "".join(f"\n  {_as_given(each, section, overrides)}" for each in new)
        yield _replaced(call.span, f"{section} {{{inside}\n}}")
        return
    for before, after in zip(old, new, strict=False):
        if before != after or before.off != after.off:
            assert call is not None
            yield from _directive(section, _statement(call, before), before, after, overrides)
    added = [_as_given(each, section, overrides) for each in new[len(old) :]]
    if added and call is not None:
        yield _added(source.text, call, added)
    elif added:
        inside = "".join(f"\n  {line}" for line in added)
        end = len(source.text)
        gap = "\n" if source.text.endswith("\n") else "\n\n"
        yield _Change(end, end, f"{gap}{section} {{{inside}\n}}\n")


def _statement(section: Call, directive: Directive) -> Call:
    """The statement of a directive in the spec."""
    assert isinstance(section.body, Body)
    assert directive.span is not None
    return next(
        each
        for each in section.body.statements
        if isinstance(each, Call) and each.head.span.start == directive.span.start
    )


def _directive(
    section: str,
    call: Call,
    before: Directive,
    after: Directive,
    overrides: Sequence[SectionOverride],
) -> Iterator[_Change]:
    written = _given(after, section, overrides)
    whole = _replaced(statement_span(call), _as_given(after, section, overrides))
    if type(before) is not type(after) or before.off or after.off or "" in written:
        yield whole
        return
    places = before.origin.places if before.origin else {}
    added, changes = "", []
    for name, field in after.fields.items():
        value = getattr(after, name)
        if value == getattr(before, name):
            continue
        text = None if value is None else field.show(value)
        text = str(written[name]) if name in written else text
        argument = next((a for a in call.arguments if a.span == places.get(name)), None)
        listed = field.many and (argument is None or argument.name is None)
        if text is None or listed or (field.is_flag and argument is not None):
            yield whole
            return
        if field.is_flag:
            added += f" {name}"
        elif argument is None:
            added += f" {name}={text}"
        else:
            changes.append(_replaced(argument.value.span, text))
    yield from changes
    if added:
        yield _after(statement_span(call), added)


def _given(
    directive: Directive, section: str, overrides: Sequence[SectionOverride]
) -> dict[str, SectionOverride]:
    """The values given for a directive, by argument; "" for the whole, after which only arguments
    given later count."""
    given: dict[str, SectionOverride] = {}
    for each in overrides:
        if each.section == section and each.call and each.call.head.value == directive.head():
            if not each.argument:
                given.clear()
            given[each.argument] = each
    return given


def _as_given(directive: Directive, section: str, overrides: Sequence[SectionOverride]) -> str:
    """A directive as it was given or, if arguments of it were given, as one would write it: without
    those that are left at their default."""
    given = _given(directive, section, overrides)
    if directive.off:
        return str(directive)
    if given.keys() == {""}:
        call = given[""].call
        assert call is not None
        return call.span.text
    parts = [directive.word]
    for field in directive.fields.values():
        value = getattr(directive, field.name)
        if value is None or field.is_usual(value) or (field.many and not value):
            continue
        text = str(given[field.name]) if field.name in given else field.show(value)
        bare = field.many or (field.required and not field.keyword_only)
        parts.append(field.name if field.is_flag else text if bare else f"{field.name}={text}")
    return " ".join(parts)


def _added(text: str, call: Call, lines: Sequence[str]) -> _Change:
    """Directives added at the end of a section."""
    body = call.body
    assert isinstance(body, Body)
    if not body.statements:
        start = body.span.start + 1
        inside = "".join(f"\n  {line}" for line in lines)
        rest = text[start : body.span.end - 1]
        return _Change(start, start, inside if "\n" in rest else f"{inside}\n")
    last = body.statements[-1].span
    line_end = _line_end(text, last.end)
    if line_end > body.span.end - 1:  # the brace is on the same line
        return _Change(last.end, last.end, "".join(f", {line}" for line in lines))
    first_end = _line_start(text, last.start)
    indent = text[first_end : last.start]
    indent = indent[: len(indent) - len(indent.lstrip())]
    if first_end <= body.span.start:  # on the line of the opening brace
        indent += "  "
    return _Change(line_end, line_end, "".join(f"\n{indent}{line}" for line in lines))


# ---- text ------------------------------------------------------------------------------------


def _line_start(text: str, place: int) -> int:
    return max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1


def _line_end(text: str, place: int) -> int:
    found = re.compile(r"\r\n|\n|\r").search(text, place)
    return found.start() if found else len(text)


def _without(text: str, span: Span) -> _Change:
    """Takes out a section, with the comments right above it and the blank lines before them."""
    start, end = _line_start(text, span.start), _line_end(text, span.end)
    alone = not text[start : span.start].strip() and not text[span.end : end].split("#")[0].strip()
    if not alone:  # it shares its lines with others
        return _Change(span.start, span.end, "")
    above = start
    while above > 0 and text[_line_start(text, above - 1) : above].lstrip().startswith("#"):
        above = _line_start(text, above - 1)
    start = above or start  # comments at the top of the file are about all of it
    before, after = text[:start].rstrip(), text[end:].lstrip("\r\n")
    gaps = text[len(before) : start], text[end : len(text) - len(after)]
    gap = "\n\n" if any(each.count("\n") > 1 for each in gaps) else "\n"
    return _Change(
        len(before), len(text) - len(after), gap if before and after else "\n" * bool(before)
    )


# ---- the proof -------------------------------------------------------------------------------


def _must_be_same(
    written: Source, options: Options, network: Network, overrides: Sequence[SectionOverride]
) -> None:
    """Raises SpecError unless the text gives the network and the plan by itself."""
    wanted = plan(network, overrides, needs_data=False)
    again = elaborate(load(written), network=options.network, classes=options.classes)
    got = plan(again, needs_data=False)
    what = ""
    if _described(again) != _described(network):
        what = "network"
    elif got.to_json() != wanted.to_json():
        what = "plan"
    if what:
        message = f"the text with these values does not give the same {what}"
        help = "give the values beside the spec: `--set NAME=VALUE`"
        raise SpecError([Diagnostic("not-written", message, file=written.name, help=help)])


def _described(network: Network) -> list[object]:
    layers: list[object] = [
        (node.name, node.op, tuple(source.index for source in node.inputs), node.shape)
        for node in network.nodes
    ]
    heads = [(head.node.index, head.weight) for head in network.aux]
    return [*layers, heads, [output.node.index for output in network.outputs]]
