"""Reads sections: from statements to typed directives, with errors at their place."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import (
    Argument,
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
from ..language.binding_mistakes import value_in
from ..language.evaluate import Env, Evaluated, evaluate_arguments
from ..language.foreign import folded
from ..language.problems import MAX_MISTAKES, Problem, Quiet, did_you_mean, without_comma
from ..language.signature import ArgumentError, Field
from ..language.translate import Value, value_of
from ..language.values import Text, Word, quoted
from ..language.vocabulary import SECTIONS, layer_words
from .directive import SERIES, Directive, Origin, directives, section_of, taken_out, vocabulary
from .foreign_directives import (
    LISTS,
    NUMBERED,
    QUOTED,
    VALUES,
    directive,
    heads,
    in_another_section,
    instead_of,
    kind_elsewhere,
    known_elsewhere,
    needs_text,
)

Directives = dict[str, list[Directive]]
"""The sections and their directives."""


class Reader:
    """Reads sections one after the other, and continues after errors."""

    def __init__(self, env: Env, series: bool | None = False) -> None:
        """`series`: whether samples are series or scans; None if the network has errors."""
        self.env = env
        self.series = series
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
            if section == "sweep":  # its other lines say what is searched
                from .sweep_plan import directive_lines

                statements = directive_lines(statements)
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
            else [other for other in self.directives[section] if other.key == directive.key]
        )
        if before:
            assert directive.origin is not None
            labels = (
                (Label(before[0].origin.head, "already given here"),) if before[0].origin else ()
            )
            raise Problem(
                "second-directive",
                f"`{directive.key}` is given twice",
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
            raise _called(section, call) or _without_quotes(section, call) or problem from None

    def vocabulary(self, section: str) -> str:
        """The name of the words that a section has for the samples of the network."""
        return vocabulary(section, bool(self.series))

    def directive(self, section: str, call: Call) -> Directive:
        """Reads the directive of a statement."""
        try:
            return self._directive(self.vocabulary(section), call)
        except Problem as problem:
            if self.series is None:  # it may be right for what the network takes
                with suppress(Problem):
                    return self._directive(vocabulary(section, True), call)
            raise problem

    def _directive(self, section: str, call: Call) -> Directive:
        """Reads the directive of a statement; `section` is the name of a vocabulary."""
        words = heads(section)
        word = call.head.value
        known = directives(section)
        if word not in words:
            raise _unknown(section, call)
        refuse_body(call, f"`{word}`")
        arguments = self._evaluated(section, call)
        kinds = [kind for kind in known.values() if kind.head() == word or word in kind.synonyms]
        if _is_off(arguments) and kinds and kinds[0].may_be_off:
            return kinds[0].make().placed(_origin(call, {}), off=True)
        if _is_on(arguments) and kinds and kinds[0].may_be_off and not kinds[0].needed():
            raise Problem(
                "argument",
                f"`{word}` is on when it is written",
                arguments[0].node.span,
                help=f"write `{word}`",
                edits=taken_out(arguments[0].node.span),
            )
        kind_of = known.get(word)
        if kind_of is None:
            kind_of, arguments = _by_kind(section, call, arguments)
        arguments = kind_of.arranged(arguments)
        try:
            values = kind_of.read(call, arguments, self.env, words)
        except Problem as problem:
            better = _misplaced(kind_of, problem)
            first = call.arguments[0].span if call.arguments else None
            if better is None and first is not None and problem.diagnostic.span == first:
                better = _two_words(section, call)
            better = better or _foreign_value(section, kind_of, problem)
            raise better or _with_usage(kind_of, problem) from None
        places = _places(kind_of, arguments, values)
        directive = kind_of.make(**values).placed(_origin(call, places))
        verify(directive, call)
        return directive


_PLACE = re.compile(r"(?=[\w.~-]*[/-][\w.~-])[\w.~-]*+(?:/[\w.~-]++)*+/?")
"""`data/flowers`, `/data/flowers`, `fashion-mnist`: names that parse as arithmetic."""


def _with_usage(kind: type[Directive], problem: Problem) -> Problem:
    """The error for an unknown name without a similar one says what the directive takes: often the
    name is a word that it does not have, as in `crop center`."""
    diagnostic = problem.diagnostic
    if diagnostic.code == "unknown-name" and not diagnostic.edits and not diagnostic.notes:
        note = f"it is written `{kind.signature()}`"
        problem.diagnostic = dataclasses.replace(diagnostic, notes=(note,))
    return problem


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


def _called(section: str, call: Call) -> Problem | None:
    """The error for a kind that is called, as in Python: `optimizer Adam(lr=0.001)`."""
    first = call.arguments[0].value if call.arguments else None
    if not isinstance(first, Function) or len(call.arguments) > 1:
        return None
    written = directive(section, first.name.value, *_values_in(first.arguments))
    word = call.head.value
    if written is None or written.left_out or not written.text.startswith(f"{word} "):
        return None
    return Problem(
        "unknown-kind", f"there is no `{word} {first.span.text}`", first.span,
        help=f"write `{written.text}`", edits=(Edit(statement_span(call), written.text),),
    )  # fmt: skip


def _without_quotes(section: str, call: Call) -> Problem | None:
    """The error for a path, or a name with a hyphen, that was parsed as arithmetic on unknown
    names.
    """
    word = call.head.value
    kinds = {name: kind for name, kind in directives(section).items() if kind.head() == word}
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


def _misplaced(kind: type[Directive], problem: Problem) -> Problem | None:
    """The error for an argument that belongs to another directive."""
    diagnostic, place = problem.diagnostic, problem.diagnostic.span
    if diagnostic.code != "unknown-argument" or place is None:
        return None
    name = folded(place.text)
    help = next((text for text, names in kind.misplaced.items() if name in names.split()), "")
    if not help:
        return None
    return Problem(diagnostic.code, diagnostic.message, place, notes=diagnostic.notes, help=help)


def _foreign_value(section: str, kind: type[Directive], problem: Problem) -> Problem | None:
    """The error for a foreign word as the value of a directive: `metrics accuracy`."""
    diagnostic = problem.diagnostic
    place = diagnostic.span
    if place is None:
        return None
    keyed = all(field.keyword_only for field in kind.fields.values()) and "p" in kind.fields
    if diagnostic.code == "too-many-arguments" and keyed:
        text = f"p={place.text}"
        return Problem(
            diagnostic.code, diagnostic.message, place, notes=diagnostic.notes,
            help=f"write `{text}`", edits=(Edit(place, text),), otherwise=diagnostic.help,
        )  # fmt: skip
    word = place.text.rpartition("=")[2]
    bare = word.strip("\"'")
    special = VALUES.get(kind.head(), {}).get(bare)
    if diagnostic.code not in ("argument", "unknown-flag") or (diagnostic.edits and not special):
        return None
    instead, what = known_elsewhere(section).get(folded(bare), ("", ""))
    wanted = instead.removeprefix(f"{kind.word} ")
    if not instead.startswith(f"{kind.word} ") or "=" in wanted:
        wanted = ""
    wanted, what = special or (wanted, what)
    if special and "metric" in kind.fields and "=" not in place.text and wanted:
        wanted = f"metric={wanted}"  # `early_stop 5 val_loss`
    if wanted.startswith(f"{place.text.rpartition('=')[0]}="):
        wanted = wanted.rpartition("=")[2]
    if not wanted and not what:
        return None
    at = Span(place.source, place.end - len(word), place.end)
    return Problem(
        diagnostic.code, diagnostic.message, place, notes=diagnostic.notes,
        help=f"in a spec it is called `{wanted}`" if wanted else what,
        edits=(Edit(at, wanted),) if wanted else (),
    )  # fmt: skip


def _is_off(arguments: Sequence[Evaluated]) -> bool:
    """Whether it is `ema off` or `freeze none`."""
    if len(arguments) != 1 or arguments[0].node.name is not None:
        return False
    value = arguments[0].value
    return value is False or (isinstance(value, Word) and value == "none")


def _is_on(arguments: Sequence[Evaluated]) -> bool:
    """Whether it is `ema on`."""
    if len(arguments) != 1 or arguments[0].node.name is not None:
        return False
    value = arguments[0].value
    return value is True or (isinstance(value, Word) and value == "True")


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
            f"`{word}` cannot be used in `{section_of(section)}`: its lines are directives",
            Span(statement.span.source, start, start + len(word)),
            help="write each directive out"
            + ("; `let` goes at the top of the file" if word == "let" else ""),
        )
    if statement.label is not None:
        label = statement.label
        after = label.span.source.text.find(":", label.span.end) + 1
        if label.value in heads(section):
            rest = Span(label.span.source, after, statement_span(statement).end).text.strip()
            raise Problem(
                "no-directive",
                "a directive is a word and its arguments, without a colon between them",
                label.span,
                help=f"write `{label.value} {rest}`",
                edits=(Edit(Span(label.span.source, label.span.end, after), ""),),
            )
        if not statement.arguments and statement.body is None:
            setting = _setting(section, label.value, value_of(statement.head.value), statement)
            if setting is not None:
                raise setting
        whole = Span(label.span.source, label.span.start, after)
        raise Problem(
            "no-directive",
            "a directive has no label: it is never referred to",
            label.span,
            help="take it out",
            edits=(Edit(whole, ""),),
        )
    return statement


def _setting(section: str, name: str, value: Value, statement: Call) -> Problem | None:
    """The error for a setting of Caffe: `solver_mode: GPU`, `mirror: true`."""
    if value.text in ("true", "false"):
        value = value_of(value.text == "true")
    written = directive(section, name, [value], {})
    what = known_elsewhere(section).get(folded(name), ("", ""))[1]
    what = what or in_another_section(section, name, [value], {})
    if written is None and not what:
        return None
    span = statement_span(statement)
    text = written.text if written is not None and not written.left_out else ""
    gone = (Edit(span, ""),) if "take it out" in what else ()
    return Problem(
        "unknown-directive",
        f"`{name}` is not a directive of `{section_of(section)}`",
        span,
        help=f"in a spec it is written `{text}`" if text else what or "take it out",
        otherwise=what,
        edits=(Edit(span, text),) if text else gone,
    )


# ---- unknown words ---------------------------------------------------------------------------


def _listed_there(section: str, call: Call) -> Problem | None:
    """`callbacks EarlyStopping(patience=5)`: each of them is a directive here, or nothing."""
    known = known_elsewhere(section)
    lines, advice, unknown = [], [], False
    for name, positional, named in _items(call):
        written = directive(section, name, positional, named)
        if written is not None and not written.text:
            continue
        if written is None:
            what = known.get(folded(name), ("", ""))[1]
            advice.append(f"`{name}`: {what}" if what else "")
            unknown = unknown or "take it out" not in what
        else:
            text = written.text
            lines.append(text if " " in text else _shown(section, text))
    if not lines and not any(advice):
        return None
    line = ", ".join(lines)
    return Problem(
        "unknown-directive",
        f"`{call.head.value}` is not a directive of `{section_of(section)}`",
        call.head.span,
        notes=tuple(one for one in advice if one and "take it out" not in one) if line else (),
        help=f"write `{line}`" if line else "; ".join(filter(None, advice)),
        edits=() if unknown and not line else (Edit(statement_span(call), line),),
    )


def _shown(section: str, word: str) -> str:
    """A directive that needs values, with some."""
    kind = directives(section).get(word)
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


def _two_words(section: str, call: Call) -> Problem | None:
    """The error for a word of other tools that is written as two: `learning rate 0.1`."""
    first = call.arguments[0] if call.arguments else None
    if first is None or first.name is not None or not isinstance(first.value, Name):
        return None
    name = f"{call.head.value}_{first.value.value}"
    place = Span(call.span.source, call.head.span.start, first.span.end)
    if name in heads(section):
        return Problem(
            "unknown-directive",
            f"`{place.text}` is not a directive of `{section_of(section)}`",
            place,
            help=f"write `{name}`",
            edits=(Edit(place, name),),
        )
    if not known_elsewhere(section).get(folded(name)):
        return None
    rest = call.arguments[1:]
    written = directive(section, name, *_values_in(rest))
    text = written.text if written is not None and not written.left_out else ""
    instead, what = known_elsewhere(section)[folded(name)]
    if not text and not what:
        what = f"in a spec it is written `{instead}`"
    return Problem(
        "unknown-directive",
        f"`{place.text}` is not a directive of `{section_of(section)}`",
        place,
        help=f"write `{text}`" if text else what,
        edits=(Edit(statement_span(call), text),) if text else (),
        otherwise=what or f"in a spec it is written `{instead}`",
    )


def _unknown(section: str, call: Call) -> Problem:
    word, place = call.head.value, call.head.span
    two_words = _two_words(section, call)
    if two_words is not None:
        return two_words
    if folded(word) in LISTS:
        one_by_one = _listed_there(section, call)
        if one_by_one is not None:
            return one_by_one
    what = known_elsewhere(section).get(folded(word), ("", ""))[1]
    instead = instead_of(section, word)
    message = f"`{word}` is not a directive of `{section_of(section)}`"
    if section == "sweep" and call.arguments and not instead and not what:
        given = call.arguments[-1].value
        is_list = isinstance(given, List)
        written = f"{word} in {given.span.text}" if is_list else f"{word} in [16, 24, 32]"
        fixed = (Edit(Span(place.source, place.end, place.end), " in"),)
        return Problem(
            "unknown-directive", message, place,
            help=f"what is searched has a range, `{word} 16..64`, or choices, `{written}`",
            edits=fixed if is_list and len(call.arguments) == 1 else (),
        )  # fmt: skip
    if instead == "data" and call.arguments and isinstance(call.arguments[0].value, String):
        written = f"data folder {call.arguments[0].span.text}"
        whole = Span(place.source, place.start, call.arguments[0].span.end)
        return Problem(
            "unknown-directive", message, place,
            help=f"write `{written}`", edits=(Edit(whole, written),),
            otherwise=f"write `{written}`",
        )  # fmt: skip
    if instead:
        translated = _translated(section, call)
        free = translated is None and not needs_text(section, instead)
        joined = without_comma(place)
        if joined and call.body is None and not call.arguments:
            translated = [joined, *(translated or [])]
        replaced = (Edit(place, instead),) if free else ()
        said = f"in a spec it is written `{instead}`"
        return Problem(
            "unknown-directive", message, place,
            help=said if replaced else what or said, edits=replaced, proposals=translated or (),
            otherwise=what or said,
        )  # fmt: skip
    if what:
        taken_out = (Edit(statement_span(call), ""),)
        proposals = [taken_out] if "take it out" in what else _translated(section, call) or []
        if call.body is None and not call.arguments and (joined := without_comma(place)):
            proposals = [joined, *proposals]
        return Problem("unknown-directive", message, place, help=what, proposals=proposals)
    for other in SECTIONS:
        own_word = _written_in(other, word)
        own = word in heads(other) or word not in layer_words()  # `dropout` is a layer, not `erase`
        if other != section_of(section) and own_word and own:
            return Problem(
                "misplaced-directive",
                f"`{word}` cannot be used in `{section_of(section)}`",
                place,
                help=f"write `{own_word} …` into `{other} {{ … }}`",
            )
    if word in SECTIONS:
        nested = (
            f"`{word} {{ … }}` is a section of its own, outside `{section_of(section)} {{ … }}`"
        )
        return Problem("unknown-directive", message, place, help=nested)
    help, edits = did_you_mean(word, heads(section), place)
    joined = without_comma(place)
    if section == section_of(section):
        of_series = _of_series(section, word)
        help, edits = (of_series, ()) if of_series else (help, edits)
    if not help and word not in layer_words():
        help = in_another_section(section, word, *_arguments(call))
    if word in layer_words() and not help:
        help = f"`{word}` is part of a network: write it into `network Name {{ … }}`"
    listed = _listed(section)
    return Problem(
        "unknown-directive", message, place, help=help or listed, edits=edits, otherwise=listed,
        proposals=[joined] if joined and not edits else (),
    )  # fmt: skip


def _of_series(section: str, word: str) -> str:
    """Help for a word of series, or for what other tools call one, where samples are images."""
    name = vocabulary(section, True)
    own = SERIES.get(section, {})
    instead = word if word in own else instead_of(name, word)
    kind = own.get(instead.split(" ")[0])
    if kind is None:
        return ""
    there = "" if instead == word else f", where it is written `{instead}`"
    for_images = getattr(kind, "for_images", "")
    return f"it is for series{there}" + (f"; images have `{for_images}`" if for_images else "")


def _listed(section: str) -> str:
    series = section != section_of(section)
    kinds = [kind for kind in directives(section).values() if not series or kind.fits_series()]
    words = {kind.head() for kind in kinds}
    return f"there are {', '.join(f'`{head}`' for head in sorted(words))}"


def _arguments(call: Call) -> tuple[list[Value], dict[str, Value]]:
    return _values_in(call.arguments)


def _values_in(arguments: Sequence[Argument]) -> tuple[list[Value], dict[str, Value]]:
    positional = [value_in(a.value) for a in arguments if a.name is None]
    return positional, {a.name: value_in(a.value) for a in arguments if a.name is not None}


def _translated(section: str, call: Call) -> list[tuple[Edit, ...]] | None:
    """The directive for a line with the arguments of another tool; None if it has no arguments,
    and an empty list if not all of them have a place here.
    """
    written = directive(section, call.head.value, *_arguments(call))
    if not call.arguments:
        return None
    if written is None or written.left_out:
        return []
    return [(Edit(statement_span(call), written.text),)]


def _written_in(section: str, word: str) -> str:
    """The section's word for a foreign word; "" if it has none."""
    own = {folded(head): head for head in heads(section)}
    return own.get(folded(word)) or known_elsewhere(section).get(folded(word), ("", ""))[0]


def _is_folder_beside(span: Span, name: str) -> bool:
    """Whether a folder of this name stands beside the spec."""
    path = span.source.path
    return path is not None and name.isidentifier() and os.path.isdir(path.parent / name)


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
    first_kind, kind = next(iter(kinds.items()))
    waiting = kind.signature().positional
    takes_text = bool(waiting) and waiting[0].write is quoted
    switch = isinstance(first.value, bool) if first is not None else False
    names_kind = first is not None and isinstance(first.value, Text) and not takes_text
    if first is None or not (isinstance(first.value, Word) or switch or names_kind):
        whole = statement_span(call)
        rest = whole.text[len(word) :]
        why = NUMBERED.get(word, "") if first is not None and isinstance(first.value, int) else ""
        if first is not None and isinstance(first.value, Text):
            why = QUOTED.get(word, "")
        if why:
            raise Problem(
                "missing-argument", f"`{word}` needs a kind", call.head.span,
                notes=(f"there are {listed}",), help=why,
                edits=(Edit(whole, f"{word} {first_kind}{rest}"),) if word in QUOTED else (),
            )  # fmt: skip
        proposed = f"write `{word} {first_kind} …`; " if arguments else ""
        raise Problem(
            "missing-argument",
            f"`{word}` needs a kind",
            call.head.span,
            help=f"{proposed}there are {listed}",
            otherwise=f"there are {listed}",
            edits=(Edit(whole, f"{word} {first_kind}{rest}"),) if arguments else (),
        )
    name = first.node.span.text.strip('"') if switch or names_kind else str(first.value)
    rest = statement_span(call).text[len(word) :].replace(first.node.span.text, "", 1).strip()
    instead, what = known_elsewhere(section).get(folded(name), ("", ""))
    edits: tuple[Edit, ...]
    help, edits = did_you_mean(name, kinds, first.node.span)
    here, why = kind_elsewhere(word, name)
    if "folder" in kinds and _is_folder_beside(call.span, name):
        text = f'folder "{name}"'
        help, edits, what = f"write `{word} {text}`", (Edit(first.node.span, text),), ""
    elif name in kinds:
        help, edits = f"write `{word} {name}`", (Edit(first.node.span, name),)
    elif instead.startswith(f"{word} "):
        positional, named = _arguments(call)
        written = directive(section, name, positional[1:], named) if rest else None
        help, edits = f"in a spec it is written `{instead}`", ()
        if not rest:
            edits = (Edit(first.node.span, instead.removeprefix(f"{word} ")),)
        elif written is not None and not written.left_out:
            edits = (Edit(statement_span(call), written.text),)
    elif here and (rest or not takes_text):
        instead = f"{word} {here}"
        help, edits = f"in a spec it is written `{instead}`", (Edit(first.node.span, here),)
    elif here:
        help, edits = f"write `{kinds[here].shown()}`", ()
    elif why:
        help, edits, what = why, (), why
    elif not (help or what or rest or switch) and waiting and _is_free(waiting[0]):
        help = f"write `{word} {first_kind} {name}`, or another of {listed}"
        edits = (Edit(first.node.span, f"{first_kind} {name}"),)
    raise Problem(
        "unknown-kind",
        f"there is no `{word} {name}`",
        first.node.span,
        help=help or what or f"there are {listed}",
        otherwise=what or f"there are {listed}",
        edits=edits,
    )


def _is_free(field: Field) -> bool:
    """Whether an argument takes any name."""
    return field.takes_words and not field.words


def _kinds(section: str, word: str) -> Iterator[tuple[str, type[Directive]]]:
    for name, kind in directives(section).items():
        if name.startswith(f"{word} "):
            yield name.split(" ", 1)[1], kind
