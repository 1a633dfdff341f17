"""Reads the section `sweep`: what is searched, and its directives, with errors at their place.
Every end of a range, and every choice, is checked by the directive that takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import (
    Argument,
    Binary,
    Body,
    Call,
    Expression,
    List,
    Name,
    Number,
    Percent,
    Range,
    Setting,
    Statement,
    Tuple,
)
from ..diagnose.blame import first_line
from ..language.evaluate import Env, evaluate_arguments
from ..language.foreign import folded
from ..language.overrides import OverrideError, SectionOverride, read_override
from ..language.problems import MAX_MISTAKES, Problem, Quiet
from ..language.signature import ArgumentError
from ..language.values import Interval, Text, Word, literal, show
from ..network import Network
from .directive import Context, directives
from .search_space import Search, combinations
from .sweep_directives import Limit, Metric, Prune, Sampler, Storage, SweepSeed, Trials
from .sweep_places import Place, Places

SECTION = "sweep"
MAX_CHOICES = 1000
MAX_SEARCHED = 100
_CHECKED = 24
"""Choices of one line that are checked: the rest is when its trial comes."""

Errors = Callable[[SectionOverride], list[Diagnostic]]
"""The errors that a spec has with an override, and not without."""


class SweepPlan(NamedTuple):
    """The section `sweep`."""

    searches: tuple[Search, ...]
    trials: Trials
    metric: Metric
    sampler: Sampler
    prune: Prune | None
    storage: Storage | None
    seed: SweepSeed
    limit: Limit | None

    @property
    def trial_count(self) -> int:
        """How many trials there are, with the spec as written."""
        every = combinations(self.searches)
        if self.sampler.method == "grid" and not self.trials.written and every is not None:
            return every + 1
        return self.trials.count


def plan_of(searches: Sequence[Search], context: Context) -> SweepPlan:
    return SweepPlan(
        tuple(searches),
        context.get(Trials),
        context.get(Metric),
        context.get(Sampler),
        context.find(Prune) if context.all(Prune) else None,
        next(iter(context.all(Storage)), None),
        context.get(SweepSeed),
        next(iter(context.all(Limit)), None),
    )


# ---- lines -----------------------------------------------------------------------------------


def directive_lines(statements: Sequence[Statement]) -> list[Statement]:
    """The statements of the section that are directives; all limits as one."""
    lines: list[Statement] = []
    limit: Call | None = None
    for statement in statements:
        if isinstance(statement, Setting):
            bound = None if statement.sign == "in" else _bound_of(statement)
        elif not isinstance(statement, Call) or is_search(statement):
            bound = None
            if not isinstance(statement, Call):
                lines.append(statement)
        elif statement.head.value == "limit" and statement.label is None and not statement.body:
            bound = statement
        else:
            bound = None
            lines.append(statement)
        if bound is not None:
            given = tuple(_limit(argument) for argument in bound.arguments)
            before = limit.arguments if limit else ()
            head = limit.head if limit else bound.head
            start = limit.span if limit else bound.span
            span = Span(start.source, start.start, bound.span.end)
            limit = Call(span, None, head, (*before, *given), None)
    return [*lines, limit] if limit else lines


def _bound_of(setting: Setting) -> Call:
    """`macs < 50M` behind a comma, as the limit that it belongs to."""
    binary = Binary(setting.span, setting.sign, setting.head, setting.value)
    return Call(setting.span, None, setting.head, (Argument(setting.span, None, binary),), None)


def _limit(argument: Argument) -> Argument:
    """`params < 300k` as the argument `params=300k`; raises Problem for another comparison."""
    value = argument.value
    if argument.name is not None or not isinstance(value, Binary):
        return argument
    if not isinstance(value.left, Name) or value.operator not in ("<", "<="):
        raise Problem(
            "argument",
            f"`{value.span.text}` is not a limit",
            value.span,
            help="write what is to stay below a number: `limit params < 300k`",
        )
    return Argument(value.span, value.left.value, value.right)


def is_search(statement: Statement) -> bool:
    """Whether a line says what is searched: a choice, or a range of numbers."""
    if isinstance(statement, Setting):
        return statement.sign == "in"
    if not isinstance(statement, Call) or statement.body is not None:
        return False
    values = [each.value for each in statement.arguments if each.name is None]
    return any(isinstance(value, Range) for value in values) or (
        bool(values) and isinstance(values[0], Name) and values[0].value in ("log", "in")
    )


# ---- what is searched ------------------------------------------------------------------------


class SearchReader:
    """Reads the lines that say what is searched; goes on after errors."""

    def __init__(self, places: Places, env: Env, errors: Errors) -> None:
        self.places = places
        self.env = env
        self.errors = errors
        self.searches: list[Search] = []
        self.diagnostics: list[Diagnostic] = []

    def read(self, statements: Sequence[Statement]) -> None:
        seen: dict[str, Search] = {}
        for statement in filter(is_search, statements):
            if len(self.diagnostics) >= MAX_MISTAKES:
                return
            assert isinstance(statement, Setting | Call)
            try:
                search = self._search(statement)
                self._must_be_new(search, seen, statement)
                self.searches.append(search)
            except Problem as problem:
                self.diagnostics.append(problem.diagnostic)
            except Quiet:
                pass

    def _must_be_new(
        self, search: Search, seen: dict[str, Search], statement: Setting | Call
    ) -> None:
        if len(seen) >= MAX_SEARCHED:
            raise Problem(
                "limit", f"more than {MAX_SEARCHED} lines are searched", statement.head.span,
                help="no number of trials searches so many dimensions: take some out",
            )  # fmt: skip
        for place, other in seen.items():
            if place == search.place:
                assert other.span is not None
                raise Problem(
                    "second-directive",
                    f"`{search.place}` is searched twice",
                    statement.head.span,
                    labels=(Label(first_line(other.span), "already searched here"),),
                    help="keep one of them",
                    edits=(Edit(statement.span, ""),),
                )
            if search.name == other.name:  # `rotate` of two sections cannot be told apart
                raise Problem(
                    "duplicate-name", f"two lines are called `{search.name}`", statement.head.span,
                    help=f"write `{search.place}`",
                    edits=(Edit(statement.head.span, search.place),),
                )  # fmt: skip
        seen[search.place] = search

    def _search(self, statement: Setting | Call) -> Search:
        if isinstance(statement, Setting):
            place = self.places.find(statement.head)
            return self._choices(statement, place, statement.value)
        if statement.label is not None:
            raise Problem(
                "no-directive", "a line of `sweep` has no label", statement.label.span,
                help="take it out",
            )  # fmt: skip
        log, range_, step = self._parts(statement)
        place = self.places.find(statement.head)
        return self._range(statement, place, range_, log=log, step=step)

    # ---- ranges ----

    def _parts(self, call: Call) -> tuple[bool, Range, Argument | None]:
        """Whether it is logarithmic, its range, and its step."""
        log, range_, step = False, None, None
        for argument in call.arguments:
            value = argument.value
            if argument.name == "step" and step is None:
                step = argument
            elif argument.name is None and isinstance(value, Range) and range_ is None:
                range_ = value
            elif argument.name is None and isinstance(value, Name) and value.value == "log":
                log = True
            else:
                names = ["step"] if argument.name else ["log"]
                text = argument.name or argument.span.text
                close = closest(text, names)
                meant = _two_numbers(call) or _scale(argument)
                raise Problem(
                    "argument",
                    f"`{argument.span.text}` is not part of a range",
                    argument.span,
                    edits=meant,
                    help=f"write `{meant[0].text}`"
                    if meant
                    else f"did you mean `{close}`?"
                    if close
                    else f"write `{call.head.value} 0..1`, `{call.head.value} log 1e-4..1e-1` or"
                    f" `{call.head.value} 0..1 step=0.1`",
                )
        if range_ is None:
            raise Problem(
                "missing-argument", f"`{call.head.value}` needs a range", call.head.span,
                help=f"write `{call.head.value} log 1e-4..1e-1`",
            )  # fmt: skip
        return log, range_, step

    def _range(
        self, call: Call, place: Place, range_: Range, *, log: bool, step: Argument | None
    ) -> Search:
        name = call.head.value
        if len(place.path) == 2:
            inner = self.places.argument_of(place)
            if inner is None or inner.field is None or inner.field.words:
                there = self.places.arguments(place)
                listed = ", ".join(f"`{each}`" for each in there[:8])
                raise Problem(
                    "argument",
                    f"it is not said which argument of `{place.path[1]}` has this range",
                    call.head.span,
                    help=f"write one of {listed}" if listed else "choose: `in [on, off]`",
                )
            place = inner
        low, high = self._number(range_.low), self._number(range_.high)
        percent = isinstance(range_.low, Percent) or isinstance(range_.high, Percent)
        whole = self._is_whole(call, place, range_, low, high)
        if low >= high:
            self._refuse_empty(range_, low, high)
        if log and low <= 0:
            raise Problem(
                "argument",
                f"a logarithmic range begins above 0, and this one at {show(low)}",
                range_.low.span,
                help=f"begin it at a small number: `log {exact_part(high)}..{show(high)}`",
            )
        steps = self._step(step, low, high, whole=whole, log=log)
        if steps is not None:
            high = low + int((high - low) / steps + 1e-9) * steps
        search = Search(
            name, str(place), low, high, log, steps, whole,
            unit="%" if percent else "", span=call.span,
        )  # fmt: skip
        if search.whole:
            search = search._replace(low=round(low), high=round(high))
        if not search.is_parameter:
            for end in (range_.low, range_.high):
                self._check_value(search, end, call, end)
        return search

    def _refuse_empty(self, range_: Range, low: float, high: float) -> None:
        if low == high:
            raise Problem(
                "argument", f"there is one value in {range_.span.text}", range_.span,
                help="give the range another end, or write the value where it belongs",
            )  # fmt: skip
        turned = f"{range_.high.span.text}..{range_.low.span.text}"
        raise Problem(
            "argument",
            f"a range goes from low to high; this one goes from {show(low)} to {show(high)}",
            range_.span,
            help=f"write `{turned}`",
            edits=(Edit(range_.span, turned),),
        )

    def _number(self, node: Expression) -> float:
        value = self._value(node)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Problem(
                "type", f"{show(value)} is not a number", node.span,
                help="a range has numbers at its ends; words are chosen: `in [a, b]`",
            )  # fmt: skip
        return value

    def _value(self, node: Expression) -> object:
        (evaluated,) = evaluate_arguments([Argument(node.span, None, node)], self.env)
        return evaluated.value

    def _is_whole(self, call: Call, place: Place, range_: Range, low: float, high: float) -> bool:
        """Whether values are whole numbers; raises Problem if they cannot be numbers."""
        ends = type(low) is int and type(high) is int
        if place.field is not None:
            try:
                kind = type(place.field.read(low))
            except ArgumentError:
                kind = type(None)  # what is wrong is said when the ends are checked
            return kind is int or (ends and (kind is type(None) or high - low > 1))
        default = self.places.parameters[place.path[0]]
        if isinstance(default, bool) or not isinstance(default, (int, float)):
            shown = show(default)
            raise Problem(
                "type",
                f"`{call.head.value}` is not a number: its default is {shown}",
                range_.span,
                help=f"choose among values: `{call.head.value} in [{shown}, …]`",
            )
        return ends and isinstance(default, int)

    def _step(
        self, step: Argument | None, low: float, high: float, *, whole: bool, log: bool
    ) -> float | None:
        if step is None:
            return None
        size = self._number(step.value)
        if log:
            raise Problem(
                "argument", "a logarithmic range has no steps", step.span,
                help="take `step` out, or `log`; or write the values: `in [0.001, 0.01, 0.1]`",
            )  # fmt: skip
        if size <= 0 or size > high - low:
            raise Problem(
                "argument",
                f"{show(size)} is not a step between {show(low)} and {show(high)}",
                step.span,
                help=f"a step is above 0 and at most {show(high - low)}",
            )
        if whole and size != int(size):
            raise Problem(
                "argument", f"values are whole numbers, and {show(size)} is not", step.span,
                help=f"write `{show(float(low))}.0..{show(float(high))}.0` for fractions",
            )  # fmt: skip
        return int(size) if whole else size

    # ---- choices ----

    def _choices(self, line: Setting, place: Place, value: Expression) -> Search:
        items = self._items(value)
        name = line.head.value
        if len(items) > MAX_CHOICES:
            raise Problem(
                "limit", f"{len(items):,} choices; at most {MAX_CHOICES:,} are allowed",
                value.span, help="write a range: `0..1 step=0.01`",
            )  # fmt: skip
        numbers = all(_is_number(each) for _, each in items)
        if len(place.path) == 2 and numbers and items:
            inner = self.places.argument_of(place)
            if inner is not None and inner.field is not None and not inner.field.words:
                place = inner
        texts = [_text(each, is_parameter=len(place.path) == 1) for _, each in items]
        if len(set(texts)) < len(texts):
            again = next(at for at, text in enumerate(texts) if text in texts[:at])
            node = items[again][0]
            raise Problem(
                "argument", f"{show(items[again][1])} is among the choices twice", node.span,
                help="take one out",
            )  # fmt: skip
        if len(texts) < 2:
            raise Problem(
                "argument",
                "there is nothing to choose among" if not texts else "there is a single choice",
                value.span,
                help=f"write several: `{name} in [16, 24, 32]`",
            )
        search = Search(name, str(place), choices=tuple(texts), span=line.span)
        if len(place.path) == 1:
            self._must_be_alike(place.path[0], items)
        else:
            for (node, each), text in list(zip(items, texts, strict=True))[:_CHECKED]:
                if isinstance(each, Text) or len(place.path) == 2:
                    self._check_text(search, text, node)
                else:
                    self._check_value(search, node, line, node)
        return search

    def _items(self, value: Expression) -> list[tuple[Expression, object]]:
        if isinstance(value, List | Tuple):
            return [(each, self._value(each)) for each in value.items]
        whole = self._value(value)
        if isinstance(whole, (list, tuple)) and not isinstance(whole, Interval):
            return [(value, each) for each in whole]
        raise Problem(
            "type", f"{show(whole)} is not a list", value.span,
            help="write the choices in brackets: `in [16, 24, 32]`; a range has no `in`",
        )  # fmt: skip

    def _must_be_alike(self, parameter: str, items: Sequence[tuple[Expression, object]]) -> None:
        """The error for a choice that is of another kind than the parameter's default."""
        default = self.places.parameters[parameter]
        kind = _kind(default)
        for node, value in items:
            if kind and _kind(value) and _kind(value) != kind:
                raise Problem(
                    "type",
                    f"`{parameter}` is {kind}, {show(default)} by default, and {show(value)} is"
                    f" {_kind(value)}",
                    node.span,
                    help=f"write {kind}",
                )

    # ---- checks by the directive itself ----

    def _check_value(
        self, search: Search, value: Expression, line: Setting | Call, at: Expression
    ) -> None:
        """The error of the directive for one value of a line."""
        section, word, *argument = search.place.split(".")
        name = ".".join(argument)
        given = Argument(value.span, name or None, value)
        call = Call(value.span, None, Name(line.head.span, word), (given,), None)
        self._report(SectionOverride(section, call, name), at)

    def _check_text(self, search: Search, text: str, at: Expression) -> None:
        if not text.strip():
            raise Problem(
                "argument", "an empty text is not a choice", at.span,
                help="write what the directive would have, or `off`",
            )  # fmt: skip
        try:
            _, override = read_override(f"{search.place}={text}", "sweep")
        except OverrideError as error:
            raise Problem(
                "argument", str(error), at.span, help="write it as `--set` does"
            ) from None
        assert isinstance(override, SectionOverride)
        self._report(override, at)

    def _report(self, override: SectionOverride, at: Expression) -> None:
        for error in self.errors(override):
            raise Problem(error.code, error.message, at.span, notes=error.notes, help=error.help)


def exact_part(high: float) -> str:
    """A thousandth of a number, as the beginning of a logarithmic range."""
    return f"{high / 1000:.0e}".replace("e-0", "e-")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: object, *, is_parameter: bool) -> str:
    """A choice as `--set` takes it: texts of directives are their words."""
    if isinstance(value, Text) and not is_parameter:
        return str(value)
    return literal(value)


def _kind(value: object) -> str:
    """What a value is, in words; "" where any other may stand for it."""
    if isinstance(value, bool):
        return "on or off"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, (Text, Word)):
        return "a word"
    if isinstance(value, (list, tuple)):
        return "a list or a size"
    return ""


# ---- the whole section -----------------------------------------------------------------------


def searched(
    call: Call, network: Network, context: Context, env: Env, errors: Errors
) -> tuple[list[Search], list[Diagnostic]]:
    """What the section searches, and the errors in that."""
    statements = call.body.statements if isinstance(call.body, Body) else ()
    reader = SearchReader(Places(network.parameters, context), env, errors)
    reader.read(statements)
    plan = plan_of(reader.searches, context)
    some = any(is_search(each) or _is_unknown(each) for each in statements)
    return reader.searches, [*reader.diagnostics, *_whole(plan, call, some=some)]


def _is_unknown(statement: Statement) -> bool:
    """Whether a line is no directive, and was perhaps meant to say what is searched."""
    return isinstance(statement, Call) and statement.head.value not in directives(SECTION)


def _whole(plan: SweepPlan, call: Call, *, some: bool) -> Iterator[Diagnostic]:
    """Errors about the section as a whole; `some`: whether a line says what is searched."""
    if not some and isinstance(call.body, Body):
        yield Diagnostic(
            "missing-directive", "`sweep` does not say what is searched", call.head.span,
            help="write a line like `train.optimizer.lr log 1e-4..1e-1`",
        )  # fmt: skip
    if plan.sampler.method == "grid":
        for search in plan.searches:
            if search.size is None and search.span is not None:
                yield Diagnostic(
                    "argument",
                    f"`sampler grid` goes through all values, and `{search.name}` has no end of"
                    " them",
                    first_line(search.span),
                    help="write the values: `in [0.01, 0.1]`, or a `step=`",
                )


def _two_numbers(call: Call) -> tuple[Edit, ...]:
    """The range of `lr log 1e-4 1e-1`."""
    ends = [a for a in call.arguments if a.name is None and isinstance(a.value, Number)]
    if len(ends) != 2:
        return ()
    low, high = (each.span for each in ends)
    return (Edit(Span(low.source, low.start, high.end), f"{low.text}..{high.text}"),)


def _scale(argument: Argument) -> tuple[Edit, ...]:
    """The word of a logarithmic scale: `lr log_uniform 1e-4..1e-1`."""
    value = argument.value
    name = value.value if argument.name is None and isinstance(value, Name) else ""
    return (Edit(argument.span, "log"),) if folded(name) in ("loguniform", "logarithmic") else ()
