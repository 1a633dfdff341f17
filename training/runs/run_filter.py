"""`--where "top1 > 90% and params < 300k"`: a condition in the language of specs, evaluated for
each run. What a run has no value of fulfils no comparison.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from ...compiler.language.evaluate import Env, truth
from ...compiler.language.fuel import Fuel
from ...compiler.language.problems import Problem, Quiet
from ...compiler.language.values import Text, Word
from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit, SpecError, has_errors
from ...dsl.parser import read
from ...dsl.source import Source, Span
from ...dsl.syntax import Binary, Duration, Expression, Let, Name, Node, Number, Path, Percent, walk
from .run_facts import DAMAGED, KILLED, RUNNING, RunFacts
from .run_values import FACTS, SYNONYMS, Values, is_metric_name, is_share_name

MAX_CHARACTERS = 2000
ORIGIN = "--where"
_LET = "let where = "
STATES = (
    RUNNING, "done", "early_stop", "callback_stop", "pruned", "interrupted", "diverged", "stopped",
    KILLED, DAMAGED,
)  # fmt: skip
_UNITS = {"k": "e3", "M": "e6", "G": "e9"}
_WITH_UNIT = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![\w.])(\d+(?:\.\d+)?)([kMG])(?!\w)')
_DAYS = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![\w.])(\d+(?:\.\d+)?)d(?!\w)')
_OF_WORDS = re.compile(
    r'"(?:[^"\\]|\\.)*"'
    r"|\b(name|tag|note|network|spec|device)(\s*[=!]=\s*)([^\s\"()]+)"
)
"""A comparison with a word that is not in quotes: names of runs are not names of the language."""
_PLAIN = re.compile(r"[A-Za-z_]\w*|\d+", re.ASCII)
_SIGNS = (
    (re.compile(r"=>"), ">="),
    (re.compile(r"=<"), "<="),
    (re.compile(r"&&"), "and"),
    (re.compile(r"\|\|"), "or"),
    (re.compile(r"(?<![<>=!])=(?!=)"), "=="),
)
"""Signs of other languages."""
_ORDER = ("<", "<=", ">", ">=")
_MISSING = float("nan")
"""NaN is neither less nor more than anything, nor equal to it."""


class Condition:
    """A condition on runs. Raises SpecError for a text that is not one."""

    def __init__(self, text: str) -> None:
        self._expression = _parsed(text)

    def matching(self, runs: Sequence[RunFacts]) -> list[RunFacts]:
        """The runs that fulfil it. Raises SpecError for names that none of them has."""
        values = [Values(run) for run in runs]
        if not values:
            return []
        known = _Known(values)
        self._check(known)
        try:
            return [each.run for each in values if self._holds(each, known)]
        except Problem as problem:
            raise SpecError([problem.diagnostic]) from None

    def _holds(self, values: Values, known: _Known) -> bool:
        env = _RunEnv(values, known)
        try:
            return truth(self._expression, env)
        except Quiet:
            return False
        except Problem:
            if env.missed:  # a sum with a value that is missing is missing, too
                return False
            raise

    def _check(self, known: _Known) -> None:
        """Raises SpecError for names that no run has, and for what can never hold."""
        words: set[int] = set()
        for node in walk(self._expression):
            if not isinstance(node, Binary):
                continue
            if node.operator in ("==", "!="):
                words |= set(_compared_words(node, known))
            if node.operator in (*_ORDER, "==", "!="):
                _check_share(node)
            if node.operator in _ORDER:
                _check_order(node)
        for node in walk(self._expression):
            if isinstance(node, Name) and id(node) not in words and not known.has(node.value):
                raise SpecError([known.unknown(node)])


class _RunEnv(Env):
    """The names and values of a run."""

    __slots__ = ("known", "missed", "run_values")

    def __init__(self, values: Values, known: _Known) -> None:
        super().__init__(fuel=Fuel())
        self.run_values = values
        self.known = known
        self.missed = False

    def find(self, name: str) -> object:
        value = self.run_values.get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            if not self.known.has(name):
                raise KeyError(name)
            self.missed = True
            return _MISSING
        if isinstance(value, datetime):
            return Text(value.isoformat(" "))
        # A bare word would be a name that has no value.
        return Text(value) if isinstance(value, Word) else value


class _Known:
    """The names that runs have values of."""

    def __init__(self, values: Sequence[Values]) -> None:
        self._values = values
        self._all: set[str] | None = None

    @property
    def names(self) -> set[str]:
        if self._all is None:
            self._all = set().union(*(each.names() for each in self._values))
        return self._all

    def has(self, name: str) -> bool:
        return name in FACTS or name in SYNONYMS or is_metric_name(name) or name in self.names

    def unknown(self, node: Name) -> Diagnostic:
        return unknown_name(node.value, self.names, node.span)


def unknown_name(name: str, names: set[str], span: Span | None = None) -> Diagnostic:
    """The error for a name that no run has a value of."""
    metrics = sorted(each for each in names if is_metric_name(each))
    plan = {each for each in names if "." in each and not is_metric_name(each)}
    parameters = sorted(names - plan - {*metrics} - {*FACTS})
    notes = [f"of every run: {', '.join(FACTS)}"]
    notes += [f"metrics: {', '.join(metrics)}"] if metrics else []
    notes += [f"parameters of networks: {', '.join(parameters[:20])}"] if parameters else []
    notes += [f"values of plans, like train.optimizer.lr: {len(plan)} of them"] if plan else []
    close = closest(name, {*names, *SYNONYMS}) or _last_part(name, plan)
    return Diagnostic(
        "unknown-name",
        f"no run has a value named `{name}`",
        span,
        notes=tuple(notes),
        help=f"did you mean `{close}`?" if close else "",
        edits=(Edit(span, close),) if close and span is not None else (),
    )


def _last_part(name: str, plan: set[str]) -> str:
    """`train.optimizer.lr` for `lr`."""
    return min((each for each in plan if each.endswith(f".{name}")), key=len, default="")


def _compared_words(node: Binary, known: _Known) -> Iterator[int]:
    """The operands of `==` that are words, not names of values: `done` of `state == done`."""
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if not isinstance(side, Name) or not isinstance(other, Name) or known.has(side.value):
            continue
        if not known.has(other.value):
            continue
        fact = SYNONYMS.get(other.value, other.value)
        if fact in FACTS and not FACTS[fact].words:
            continue
        if fact == "state" and side.value not in STATES:
            close = closest(side.value, STATES)
            raise SpecError([
                Diagnostic(
                    "unknown-name",
                    f"`{side.value}` is not a state of a run",
                    side.span,
                    help=f"did you mean `{close}`?" if close else f"states are {', '.join(STATES)}",
                    edits=(Edit(side.span, close),) if close else (),
                )
            ])  # fmt: skip
        yield id(side)


def _check_share(node: Binary) -> None:
    """Raises SpecError if a metric between 0 and 1 is compared with a number that it never has:
    reports show it in percent, so `top1 > 90` is easily written."""
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if not isinstance(side, Name) or not is_share_name(side.value):
            continue
        if isinstance(other, Number) and not isinstance(other, Percent) and other.value > 1:
            text = other.span.text
            raise SpecError([
                Diagnostic(
                    "value",
                    f"`{side.value}` is between 0 and 1, never {text}",
                    other.span,
                    help=f"write `{text}%`, or {other.value / 100:g}",
                    edits=(Edit(other.span, f"{text}%"),),
                )
            ])  # fmt: skip


def _check_order(node: Binary) -> None:
    """Raises SpecError if a date or a word is to be less or more than something."""
    for side in (node.left, node.right):
        fact = SYNONYMS.get(side.value, side.value) if isinstance(side, Name) else ""
        if fact in FACTS and (FACTS[fact].words or fact == "started"):
            help = "write `age < 24h`" if fact == "started" else f"write `{fact} == …`"
            message = f"`{side.span.text}` is text, which is not less or more than anything"
            raise SpecError([Diagnostic("type", message, side.span, help=help)])


# ---- parsing ---------------------------------------------------------------------------------


def _with_units(text: str) -> str:
    """`300k` as `300e3`, `2d` as `48h`, and `name == net-4` with quotes."""
    text = _OF_WORDS.sub(_quoted, text)
    text = _DAYS.sub(lambda match: f"{24 * float(match[1]):.6f}h" if match[1] else match[0], text)
    return _WITH_UNIT.sub(lambda match: match[1] + _UNITS[match[2]] if match[1] else match[0], text)


def _quoted(match: re.Match[str]) -> str:
    if not match[1] or _PLAIN.fullmatch(match[3]):
        return match[0]
    return f'{match[1]}{match[2]}"{match[3]}"'


def _other_sign(text: str) -> str:
    """What to write in place of a sign of another language; "" if there is none."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    return next((right for sign, right in _SIGNS if sign.search(bare)), "")


def _parsed(text: str) -> Expression:
    if not text.strip():
        raise SpecError([Diagnostic("value", "the condition is empty", file=ORIGIN)])
    if len(text) > MAX_CHARACTERS:
        message = f"the condition has more than {MAX_CHARACTERS:,} characters"
        raise SpecError([Diagnostic("limit", message, file=ORIGIN)])
    plain = _with_units(text)
    spec, diagnostics = read(Source(ORIGIN, f"{_LET}{plain}"))
    statements = spec.statements
    let = statements[0] if len(statements) == 1 and not has_errors(diagnostics) else None
    if not isinstance(let, Let):
        why = next((each.message for each in diagnostics), "it is more than one expression")
        sign = _other_sign(text)
        raise SpecError([
            Diagnostic(
                "value",
                f"`{text}` is not a condition: {why}",
                file=ORIGIN,
                help=f"write `{sign}`"
                if sign
                else 'write one like "top1 > 90% and params < 300k", or'
                ' "state == done and train.optimizer.lr < 0.01"',
            )
        ])  # fmt: skip
    expression: Expression = _rewritten(let.value, Source(ORIGIN, plain))
    return expression


def _rewritten(node: Any, source: Source) -> Any:
    """The same in a text without `let`. Dotted names are names like others, and times are
    seconds."""
    if isinstance(node, Span):
        return Span(source, node.start - len(_LET), node.end - len(_LET))
    if isinstance(node, tuple):
        return tuple(_rewritten(each, source) for each in node)
    if not isinstance(node, Node):
        return node
    if isinstance(node, Path):
        return Name(_rewritten(node.span, source), node.value)
    if isinstance(node, Duration):
        return Number(_rewritten(node.span, source), node.value, node.span.text)
    written = type(node).written
    return type(node)(*(_rewritten(getattr(node, part), source) for part in written))
