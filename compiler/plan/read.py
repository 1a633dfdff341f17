"""Reads sections: from statements to typed directives, with errors at their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import (
    Body,
    Branches,
    Call,
    Expression,
    Function,
    List,
    Name,
    Statement,
    String,
    Tuple,
)
from ..build.layers import refuse_body, without
from ..diagnose.blame import statement_span
from ..language.binding import Evaluated, evaluate_arguments, value_in
from ..language.evaluate import Env
from ..language.foreign import folded
from ..language.problems import MAX_MISTAKES, Problem, Quiet, did_you_mean
from ..language.signature import ArgumentError
from ..language.translate import Value
from ..language.values import Word, quoted
from ..language.vocabulary import SECTIONS, layer_words
from .directive import REGISTRY, Directive, Origin
from .foreign_directives import LISTS, directive, heads, known_elsewhere

Directives = dict[str, list[Directive]]
"""The sections and their directives."""


class Reader:
    """Reads sections one after the other, and continues after errors."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.directives: Directives = {}
        self.diagnostics: list[Diagnostic] = []
        self.failed: set[tuple[str, str]] = set()
        """Words of directives with errors: they do not count as missing."""

    def section(self, call: Call) -> None:
        """Reads all directives of a section."""
        section = call.head.value
        self.directives[section] = []
        try:
            statements = _statements(call)
        except Problem as problem:
            self.diagnostics.append(problem.diagnostic)
            return
        for statement in statements:
            if len(self.diagnostics) >= MAX_MISTAKES:
                return
            try:
                self.enter(section, self.directive(section, _call(statement, section)))
            except Problem as problem:
                self.diagnostics.append(problem.diagnostic)
                self._mark_failed(section, statement)
            except Quiet:
                self._mark_failed(section, statement)

    def _mark_failed(self, section: str, statement: Statement) -> None:
        if isinstance(statement, Call):
            self.failed.add((section, statement.head.value))

    def enter(self, section: str, directive: Directive) -> None:
        before = (
            []
            if directive.several
            else [one for one in self.directives[section] if one.head() == directive.head()]
        )
        if before:
            assert directive.origin is not None
            labels = (
                (Label(before[0].origin.head, "already given here"),) if before[0].origin else ()
            )
            raise Problem(
                "second-directive",
                f"`{directive.head()}` is given twice",
                directive.origin.head,
                labels=labels,
                help="keep one of them",
                edits=(Edit(directive.origin.span, ""),),
            )
        self.directives[section].append(directive)

    # ---- one statement ----

    def _evaluated(self, section: str, call: Call) -> Sequence[Evaluated]:
        try:
            return evaluate_arguments(call.arguments, self.env)
        except Problem as problem:
            raise _without_quotes(section, call) or problem from None

    def directive(self, section: str, call: Call) -> Directive:
        """Reads the directive of a statement."""
        words = heads(section)
        word = call.head.value
        known = REGISTRY[section]
        if word not in words:
            raise _unknown(section, call)
        refuse_body(call, f"`{word}`")
        arguments = self._evaluated(section, call)
        kinds = [one for one in known.values() if one.head() == word or word in one.synonyms]
        if _is_off(arguments) and kinds and kinds[0].may_be_off:
            return kinds[0].make().placed(_origin(call, {}), off=True)
        kind_of = known.get(word)
        if kind_of is None:
            kind_of, arguments = _by_kind(section, call, arguments)
        arguments = kind_of.arranged(arguments)
        try:
            values = kind_of.read(call, arguments, self.env, words)
        except Problem as problem:
            raise _foreign_value(section, kind_of, problem) or problem from None
        places = _places(kind_of, arguments, values)
        directive = kind_of.make(**values).placed(_origin(call, places))
        verify(directive, call)
        return directive


_PLACE = re.compile(r"(?=[\w.~-]*[/-][\w.~-])[\w.~-]*+(?:/[\w.~-]++)*+/?")
"""`data/flowers`, `/data/flowers`, `fashion-mnist`: names that parse as arithmetic."""


def verify(directive: Directive, call: Call) -> None:
    """Raises Problem if arguments contradict each other."""
    try:
        directive.check()
    except ArgumentError as error:
        raise Problem(
            "argument",
            error.message,
            statement_span(call),
            notes=(f"it is written `{directive.signature()}`",),
            help=error.help,
            edits=without(error.drop, call),
        ) from None


def _without_quotes(section: str, call: Call) -> Problem | None:
    """The error for a path, or a name with a hyphen, that was parsed as arithmetic on unknown
    names.
    """
    word = call.head.value
    kinds = {name: kind for name, kind in REGISTRY[section].items() if kind.head() == word}
    fields = [field for kind in kinds.values() for field in kind.fields.values()]
    paths = {field.name for field in fields if field.write is quoted}
    if not paths:
        return None
    span = statement_span(call)
    for match in re.finditer(r"(?<!\S)(?:(\w+)=)?([^\s=,]+)", span.text):
        name, text = match.groups()
        if not _PLACE.fullmatch(text) or (name and name not in paths):
            continue
        place = Span(span.source, span.start + match.start(2), span.start + match.end(2))
        instead = folded(text)
        known = {folded(name.partition(" ")[2]): name for name in kinds if " " in name}
        if instead in known:
            kind = known[instead].partition(" ")[2]
            return Problem(
                "unknown-kind", f"there is no `{word} {text}`", place,
                help=f"in a spec it is written `{known[instead]}`", edits=(Edit(place, kind),),
            )  # fmt: skip
        return Problem(
            "quotes", "a path is written between double quotes", place,
            help=f'write `"{text}"`', edits=(Edit(place, f'"{text}"'),),
        )  # fmt: skip
    return None


def _foreign_value(section: str, kind: type[Directive], problem: Problem) -> Problem | None:
    """The error for a foreign word as the value of a directive: `metrics accuracy`."""
    diagnostic = problem.diagnostic
    place = diagnostic.span
    if place is None or diagnostic.code not in ("argument", "unknown-flag") or diagnostic.edits:
        return None
    word = place.text.rpartition("=")[2]
    instead, what = known_elsewhere(section).get(folded(word), ("", ""))
    here = instead.removeprefix(f"{kind.word} ")
    if not instead.startswith(f"{kind.word} ") or "=" in here:
        here = ""
    if not here and not what:
        return None
    at = Span(place.source, place.end - len(word), place.end)
    return Problem(
        diagnostic.code, diagnostic.message, place, notes=diagnostic.notes,
        help=f"in a spec it is called `{here}`" if here else what,
        edits=(Edit(at, here),) if here else (),
    )  # fmt: skip


def _is_off(arguments: Sequence[Evaluated]) -> bool:
    """Whether it is `ema off` or `freeze none`."""
    if len(arguments) != 1 or arguments[0].node.name is not None:
        return False
    value = arguments[0].value
    return value is False or (isinstance(value, Word) and value == "none")


def _origin(call: Call, places: Mapping[str, Span]) -> Origin:
    return Origin(statement_span(call), places, call.head.span)


def _places(
    kind: type[Directive], arguments: Sequence[Evaluated], values: Mapping[str, object]
) -> dict[str, Span]:
    """The place of each argument, by name."""
    waiting = [field.name for field in kind.signature().positional if field.name in values]
    places: dict[str, Span] = {}
    for node, value in arguments:
        if node.name is not None:
            name = node.name
        elif isinstance(value, Word) and value in kind.fields and kind.fields[value].is_flag:
            name = str(value)
        else:
            name = waiting[0] if waiting else ""
        if name in waiting and not kind.fields[name].many:
            waiting.remove(name)
        if name in places:  # one value of several
            places[name] = Span(node.span.source, places[name].start, node.span.end)
        elif name in kind.fields:
            places[name] = node.span
    return places


# ---- statements of a section -----------------------------------------------------------------


def _statements(call: Call) -> Sequence[Statement]:
    section = call.head.value
    if call.arguments:
        raise Problem(
            "too-many-arguments",
            f"`{section}` takes its directives in braces",
            call.arguments[0].span,
            help=f"write its contents into `{section} {{ … }}`",
        )
    if call.body is None:
        raise Problem(
            "missing-body",
            f"`{section}` needs a body",
            call.head.span,
            help=f"write `{section} {{ … }}`",
            edits=(Edit(call.head.span, f"{section} {{ }}"),),
        )
    if isinstance(call.body, Branches):
        start = call.body.paths[0].span.start
        bar = Span(call.span.source, start, start + 1)
        raise Problem(
            "stray-bar",
            "`|` begins a path of a merge; a section has directives, one a line",
            bar,
            help="take the `|` out",
        )
    assert isinstance(call.body, Body)
    return call.body.statements


def _call(statement: Statement, section: str) -> Call:
    if not isinstance(statement, Call):
        start = statement.span.start
        word = statement.span.text.split(None, 1)[0].rstrip("{(")
        raise Problem(
            "no-directive",
            f"`{word}` cannot be used in `{section}`: its lines are directives",
            Span(statement.span.source, start, start + len(word)),
            help="write each directive out"
            + ("; `let` goes at the top of the file" if word == "let" else ""),
        )
    if statement.label is not None:
        label = statement.label
        after = label.span.source.text.find(":", label.span.end) + 1
        whole = Span(label.span.source, label.span.start, after)
        raise Problem(
            "no-directive",
            "a directive has no label: it is never referred to",
            label.span,
            help="take it out",
            edits=(Edit(whole, ""),),
        )
    return statement


# ---- unknown words ---------------------------------------------------------------------------


def _listed_there(section: str, call: Call) -> Problem | None:
    """`callbacks EarlyStopping(patience=5)`: each of them is a directive here, or nothing."""
    known = known_elsewhere(section)
    lines, advice, unknown = [], [], False
    for name, positional, named in _items(call):
        written = directive(section, name, positional, named)
        if written == "":
            continue
        if written is None:
            what = known.get(folded(name), ("", ""))[1]
            advice.append(f"`{name}`: {what}" if what else "")
            unknown = unknown or "take it out" not in what
        else:
            lines.append(written if " " in written else _shown(section, written))
    if not lines and not any(advice):
        return None
    line = ", ".join(lines)
    return Problem(
        "unknown-directive",
        f"`{call.head.value}` is not a directive of `{section}`",
        call.head.span,
        notes=tuple(filter(None, advice)) if line else (),
        help=f"write `{line}`" if line else "; ".join(filter(None, advice)),
        edits=() if unknown and not line else (Edit(statement_span(call), line),),
    )


def _shown(section: str, word: str) -> str:
    """A directive that needs values, with some."""
    kind = REGISTRY[section].get(word)
    return kind.shown() if kind is not None else word


def _items(call: Call) -> Iterator[tuple[str, list[Value], dict[str, Value]]]:
    """What a list of other tools holds: names, or calls with their arguments."""
    waiting: list[Expression] = [argument.value for argument in reversed(call.arguments)]
    while waiting:
        node = waiting.pop()
        match node:
            case List(items=items) | Tuple(items=items):
                waiting += reversed(items)
            case Function(name=name, arguments=arguments):
                positional = [value_in(a.value) for a in arguments if a.name is None]
                named = {a.name: value_in(a.value) for a in arguments if a.name is not None}
                yield name.value, positional, named
            case Name(value=name) | String(value=name):
                yield name, [], {}


def _unknown(section: str, call: Call) -> Problem:
    word, place = call.head.value, call.head.span
    if folded(word) in LISTS:
        one_by_one = _listed_there(section, call)
        if one_by_one is not None:
            return one_by_one
    instead, what = known_elsewhere(section).get(folded(word), ("", ""))
    message = f"`{word}` is not a directive of `{section}`"
    if instead:
        return Problem(
            "unknown-directive", message, place,
            help=f"in a spec it is written `{instead}`", edits=(Edit(place, instead),),
            proposals=_translated(section, call),
            otherwise=what or f"in a spec it is written `{instead}`",
        )  # fmt: skip
    if what:
        taken_out = (Edit(statement_span(call), ""),)
        proposals = [taken_out] if "take it out" in what else _translated(section, call)
        return Problem("unknown-directive", message, place, help=what, proposals=proposals)
    for other in SECTIONS:
        there = _written_in(other, word)
        own = word in heads(other) or word not in layer_words()  # `dropout` is a layer, not `erase`
        if other != section and there and own:
            return Problem(
                "misplaced-directive",
                f"`{word}` cannot be used in `{section}`",
                place,
                help=f"write `{there} …` into `{other} {{ … }}`",
            )
    help, edits = did_you_mean(word, heads(section), place)
    if word in layer_words() and not help:
        help = f"`{word}` is part of a network: write it into `network Name {{ … }}`"
    listed = _listed(section)
    return Problem(
        "unknown-directive", message, place, help=help or listed, edits=edits, otherwise=listed
    )


def _listed(section: str) -> str:
    words = {kind.head() for kind in REGISTRY[section].values()}
    return f"there are {', '.join(f'`{head}`' for head in sorted(words))}"


def _translated(section: str, call: Call) -> list[tuple[Edit, ...]]:
    """The directive for a line with the arguments of another tool."""
    positional = [value_in(a.value) for a in call.arguments if a.name is None]
    named = {a.name: value_in(a.value) for a in call.arguments if a.name is not None}
    written = directive(section, call.head.value, positional, named) if call.arguments else None
    return [(Edit(statement_span(call), written),)] if written else []


def _written_in(section: str, word: str) -> str:
    """The section's word for a foreign word; "" if it has none."""
    own = {folded(head): head for head in heads(section)}
    return own.get(folded(word)) or known_elsewhere(section).get(folded(word), ("", ""))[0]


def _by_kind(
    section: str, call: Call, arguments: Sequence[Evaluated]
) -> tuple[type[Directive], Sequence[Evaluated]]:
    """A directive whose kind is its first argument: `optimizer sgd`."""
    word = call.head.value
    kinds = dict(_kinds(section, word))
    for index, (node, value) in enumerate(arguments):
        if node.name is None and isinstance(value, Word) and str(value) in kinds:
            return kinds[str(value)], [a for i, a in enumerate(arguments) if i != index]
    listed = ", ".join(f"`{word} {kind}`" for kind in sorted(kinds) if kinds[kind].offered)
    first = arguments[0] if arguments and arguments[0].node.name is None else None
    if first is None or not isinstance(first.value, Word):
        at = Span(call.span.source, call.head.span.end, call.head.span.end)
        first_kind = next(iter(kinds))
        proposed = f"write `{word} {first_kind} …`; " if arguments else ""
        raise Problem(
            "missing-argument",
            f"`{word}` needs a kind",
            call.head.span,
            help=f"{proposed}there are {listed}",
            edits=(Edit(at, f" {first_kind}"),) if arguments else (),
        )
    name = str(first.value)
    instead, what = known_elsewhere(section).get(folded(name), ("", ""))
    help, edits = did_you_mean(name, kinds, first.node.span)
    if instead.startswith(f"{word} "):
        there = instead.removeprefix(f"{word} ")
        help, edits = f"in a spec it is written `{instead}`", (Edit(first.node.span, there),)
    first_kind, kind = next(iter(kinds.items()))
    waiting = kind.signature().positional
    if not (help or what) and waiting and waiting[0].takes_words and not waiting[0].words:
        help = f"write `{word} {first_kind} {name}`, or another of {listed}"
        at = Span(call.span.source, first.node.span.start, first.node.span.start)
        edits = (Edit(at, f"{first_kind} "),)
    raise Problem(
        "unknown-kind",
        f"there is no `{word} {name}`",
        first.node.span,
        help=help or what or f"there are {listed}",
        edits=edits,
    )


def _kinds(section: str, word: str) -> Iterator[tuple[str, type[Directive]]]:
    for name, kind in REGISTRY[section].items():
        if name.startswith(f"{word} "):
            yield name.split(" ", 1)[1], kind
