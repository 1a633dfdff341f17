"""Applies `--set` to sections: `--set train.epochs=3`, `--set train.optimizer.lr=0.1`. The text
after the first `=` is parsed as in a spec: `--set train.optimizer="adam lr=1e-3"` replaces a whole
directive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...dsl.diagnostics import Diagnostic
from ...dsl.syntax import Call
from ..diagnose.blame import statement_span
from ..language.evaluate import evaluate_arguments
from ..language.overrides import SectionOverride
from ..language.problems import Problem, Quiet
from .directive import Context, Directive, Origin, directives
from .foreign_directives import heads
from .read import Reader, verify


def apply(
    overrides: Sequence[SectionOverride], reader: Reader, context: Context
) -> list[Diagnostic]:
    """Replaces directives; returns the errors.

    A directive whose replacement has an error is also removed, so that it causes no further error.
    """
    diagnostics: list[Diagnostic] = []
    for override in overrides:
        try:
            _apply(override, reader, context)
        except Problem as problem:
            diagnostics.append(problem.diagnostic)
            _mark_failed(override, reader)
        except Quiet:
            _mark_failed(override, reader)
    return diagnostics


def in_effect(overrides: Sequence[SectionOverride]) -> list[SectionOverride]:
    """Those that no later one replaces: a run that goes on again and again with `--set` keeps one
    value for each name."""
    kept: list[SectionOverride] = []
    for override in reversed(overrides):
        if not any(_replaces(later, override) for later in kept):
            kept.append(override)
    return kept[::-1]


def _replaces(later: SectionOverride, earlier: SectionOverride) -> bool:
    """Whether nothing is left of an override when a later one is applied."""
    if later.section != earlier.section or later.call is None or earlier.call is None:
        return later.section == earlier.section and later.call is None
    if later.call.head.value != earlier.call.head.value:
        return False
    if later.argument:
        return later.argument == earlier.argument
    if str(later) == str(earlier) and not earlier.argument:
        return True
    word = later.call.head.value
    kinds = [
        kind for kind in set(directives(later.section).values()) if kind.head() == word
    ]  # a directive that can occur twice, as a loss of each output, replaces the one it is like
    return bool(kinds) and all(
        kind.key is Directive.key and (kind.set_together or not kind.several) for kind in kinds
    )


def _mark_failed(override: SectionOverride, reader: Reader) -> None:
    assert override.call is not None
    section = override.section
    word = _head(reader, section, override.call.head.value)
    reader.failed.add((section, word))
    directives = reader.directives.setdefault(section, [])
    directives[:] = [old for old in directives if old.head() != word]


def _apply(override: SectionOverride, reader: Reader, context: Context) -> None:
    section, call = override.section, override.call
    if call is None:
        reader.directives[section] = []
        return
    directives = reader.directives.setdefault(section, [])
    word = _head(reader, section, call.head.value)
    same = [index for index, old in enumerate(directives) if old.head() == word]
    keys = {directives[index].key for index in same}
    if len(same) > 1 and not override.argument and directives[same[0]].set_together:
        directives[:] = [old for old in directives if old.head() != word]
        same = []
    if len(same) > 1 and (override.argument or len(keys) < len(same)):
        raise Problem(
            "conflict",
            f"`{word}` occurs {len(same)} times in `{section}`",
            call.head.span,
            help="change the spec itself",
        )
    directive = _made(override, call, reader, context, directives[same[0]] if same else None)
    if len(same) > 1 or (same and directive.key not in (word, directives[same[0]].key)):
        # It names an input or an output: that of another one stays.
        same = [index for index in same if directives[index].key == directive.key]
    if same:
        directives[same[0]] = directive
    else:
        directives.append(directive)


def _head(reader: Reader, section: str, word: str) -> str:
    kind = directives(reader.vocabulary(section)).get(word)
    return kind.head() if kind else word


def _made(
    override: SectionOverride, call: Call, reader: Reader, context: Context, old: Directive | None
) -> Directive:
    section, word = override.section, call.head.value
    if override.argument and word in heads(reader.vocabulary(section)):
        known = directives(reader.vocabulary(section))
        base = old if old is not None and not old.off else _usual(known, word, context)
        if base is not None:
            return _changed(base, call, reader)
    return reader.directive(section, call)


def _usual(known: Mapping[str, type[Directive]], word: str, context: Context) -> Directive | None:
    for name, kind in known.items():
        if name.split(" ")[0] == word and not kind.several:
            return kind.usual(context)
    return None


def _changed(base: Directive, call: Call, reader: Reader) -> Directive:
    """The directive with another value for one argument."""
    (argument,) = evaluate_arguments(call.arguments, reader.env)
    name, value = base.one(argument)
    places = {**(base.origin.places if base.origin else {}), name: argument.node.span}
    changed = base.replace(**{name: value}).placed(
        Origin(statement_span(call), places, call.head.span)
    )
    verify(changed, call)
    return changed
