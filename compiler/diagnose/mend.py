"""Fixes that are known to work: proposed where a mistake is found, tried before they are shown.

A proposal is a change to the text. It is made to a copy, the copy is compiled, and the proposal is
offered only if the mistake is gone and no other has come. So whatever a `help:` line says to write
because of a shape has been written and checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ...dsl.diagnostics import Diagnostic, Edit, has_errors
from ...dsl.parser import read
from ...dsl.program import Program
from ...dsl.source import Source, Span
from ...dsl.syntax import Body, Branches, Call, Name, walk
from ..ops.base import REGISTRY, Op

Proposal = tuple[Edit, ...]

MAX_TRIALS = 12
_MAX_CHARACTERS = 50_000
"""Longer specs are not compiled again and again for the sake of a hint."""


def mended(
    program: Program,
    diagnostics: Sequence[Diagnostic],
    proposals: dict[int, Iterable[Proposal]],
    errors_of: Callable[[Program], list[Diagnostic]],
) -> list[Diagnostic]:
    """The diagnostics, with the first proposal of each that holds put into its help."""
    if not proposals or len(program.main.source.text) > _MAX_CHARACTERS:
        return list(diagnostics)
    trials = 0
    found = []
    for diagnostic in diagnostics:
        for proposal in proposals.get(id(diagnostic), ()):
            if trials >= MAX_TRIALS:
                break
            trials += 1
            changed = _with_edits(program, proposal)
            if changed is not None and _is_better(errors_of(changed), diagnostics, proposal):
                help = f"write `{_written(program.main.source, proposal)}`"
                diagnostic = replace(diagnostic, help=help, edits=proposal)
                break
        found.append(diagnostic)
    return found


def _is_better(
    after: Sequence[Diagnostic], before: Sequence[Diagnostic], proposal: Proposal
) -> bool:
    left = [d for d in after if d.severity == "error"]
    return len(left) < sum(d.severity == "error" for d in before)


def _with_edits(program: Program, proposal: Proposal) -> Program | None:
    """The program with its main file changed; None where that is not possible."""
    source = program.main.source
    if not proposal or any(edit.span.source is not source for edit in proposal):
        return None
    changed = Source(source.name, apply(source.text, proposal), source.path)
    spec, problems = read(changed)
    if has_errors(problems):
        return None
    imports = dict(program.imports)
    # Imports stand as they stood: a fix does not touch them.
    imports[changed] = imports.pop(source)
    return replace(program, main=spec, files=(*program.files[:-1], spec), imports=imports)


def apply(text: str, edits: Sequence[Edit]) -> str:
    """A text with changes made to it."""
    for edit in sorted(edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _written(source: Source, proposal: Proposal) -> str:
    """What to write: the statements around the changes, as they would be."""
    start = min(edit.span.start for edit in proposal)
    end = max(edit.span.end for edit in proposal)
    text = source.text
    while start > 0 and text[start - 1] not in "\n\r{,|}":
        start -= 1
    while end < len(text) and text[end] not in "\n\r{,|}#":
        end += 1
    inside = [
        Edit(Span(source, e.span.start - start, e.span.end - start), e.text) for e in proposal
    ]
    changed = apply(text[start:end], inside)
    return " … ".join(part.strip() for part in changed.splitlines() if part.strip())


# ---- proposals -------------------------------------------------------------------------------


def layer_calls(body: Body | Branches) -> Iterator[tuple[Call, type[Op]]]:
    """The layers written in a body, with their operation."""
    for node in walk(body):
        if isinstance(node, Call):
            op = operation_of(node)
            if op is not None:
                yield node, op


def operation_of(call: Call) -> type[Op] | None:
    word = call.head.value
    if word in REGISTRY:
        return REGISTRY[word]
    for argument in call.arguments:
        if isinstance(argument.value, Name) and f"{word} {argument.value.value}" in REGISTRY:
            return REGISTRY[f"{word} {argument.value.value}"]
    return None


def end_of(call: Call) -> int:
    return call.arguments[-1].span.end if call.arguments else call.head.span.end


def pad_all(body: Body | Branches) -> Proposal:
    """`same` for every layer of a body that could have it and pads in no other way."""
    edits = []
    for call, op in layer_calls(body):
        if "same" not in op.fields:
            continue
        words = {a.value.value for a in call.arguments if isinstance(a.value, Name)}
        named = {a.name for a in call.arguments}
        if {"same", "same_upper", "global", "adaptive"} & words or "pad" in named:
            continue
        if "kernel" in op.fields and _is_one(call, op):
            continue
        at = end_of(call)
        edits.append(Edit(call.span.source.span(at, at), " same"))
    return tuple(edits)


def _is_one(call: Call, op: type[Op]) -> bool:
    """Whether a layer looks at single places, so that there is nothing to pad."""
    order = [field.name for field in op.signature().positional]
    values = [a.value for a in call.arguments if a.name is None and not isinstance(a.value, Name)]
    named = [a.value for a in call.arguments if a.name == "kernel"]
    place = order.index("kernel")
    given = named or values[place : place + 1]
    if not given:
        return bool(op.fields["kernel"].default == (1, 1))
    return given[0].span.text in ("1", "1x1", "(1, 1)")


def give_channels(body: Body | Branches, channels: int) -> Proposal:
    """As many filters as are needed for the last layer of a body that chooses its own."""
    last = None
    for call, op in layer_calls(body):
        if "out" in op.fields:
            last = call
    if last is None:
        return ()
    for argument in last.arguments:
        if argument.name in (None, "out"):
            return (Edit(argument.value.span, str(channels)),)
    return ()
