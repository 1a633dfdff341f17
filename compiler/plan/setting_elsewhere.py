"""Settings of other tools as `--set` has them: `batch_size` is `train.batch`, `lr` the `lr` of the
optimizer, `train.optimizer.lr`.
"""

from __future__ import annotations

from collections.abc import Collection

from ...dsl.parser import read
from ...dsl.source import Source
from ...dsl.syntax import Call
from ..language.evaluate import Env, evaluate_arguments
from ..language.problems import Problem, Quiet
from ..language.translate import Value, value_of
from ..language.vocabulary import SECTIONS, layer_words
from .directive import directives
from .foreign_directives import advice, directive, heads


def setting_elsewhere(name: str, value: str, sections: Collection[str] = ()) -> tuple[str, str]:
    """What `--set` takes for a word with a value (or none, ""): `train.epochs=5`, with `…` for a
    value that does not fit; or "" and advice, if there is any. The sections of a spec go before
    those that it lacks.
    """
    given = [_value(value)] if value else []
    for section in sorted(SECTIONS, key=lambda each: bool(sections) and each not in sections):
        if section == "sweep" or (section == "augment" and name in layer_words()):
            continue  # `dropout` is a layer, not `erase`
        found = directive(section, name, given, {}) or directive(section, name, [], {})
        if found is not None and found.text:
            return f"{section}.{_as_setting(section, found.text, value)}", ""
    for section in SECTIONS:
        told = advice(section, name)
        if told:
            return "", told
    return "", ""


def _value(text: str) -> Value:
    try:
        return value_of(float(text) if "." in text or "e" in text else int(text))
    except ValueError:
        return value_of(text)


def _as_setting(section: str, text: str, value: str) -> str:
    """A directive as a setting: `optimizer sgd lr=0.1` becomes `optimizer.lr=0.1`, `batch 16`
    becomes `batch=16`."""
    word, _, rest = text.partition(" ")
    last = rest.rpartition(" ")[2]
    key, equals, given = last.partition("=")
    if not equals:
        return f"{word}={rest if rest and _fits(section, text) else '…'}"
    shown = given if value and _fits(section, text) else "…"
    return f"{word}.{key}={shown}"


def _fits(section: str, text: str) -> bool:
    """Whether a section takes a directive."""
    spec, problems = read(Source("--set", text))
    call = spec.statements[0] if len(spec.statements) == 1 and not problems else None
    known = directives(section)
    first, _, kind = " ".join(text.split(" ")[:2]).partition(" ")
    of_kind = known.get(f"{first} {kind}")
    declared = of_kind or known.get(first)
    if not isinstance(call, Call) or declared is None:
        return False
    try:
        given = evaluate_arguments(call.arguments[bool(of_kind) :], Env())
        declared.read(call, declared.arranged(given), Env(), heads(section))
    except (Problem, Quiet):
        return False
    return True
