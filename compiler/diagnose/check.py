"""Everything that is to be said about a spec: mistakes, and warnings about what is only unwise."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit, has_errors, in_order
from ...dsl.program import Program
from ...dsl.syntax import Call
from ..build.elaborate import examine
from ..language.fuel import DEFAULT_LAYERS
from ..language.vocabulary import SECTIONS
from ..network import Network
from ..shapes import Shape
from .unused import UNUSED

TAB = "tab"
"""The one warning of the language itself."""

UNREACHED = "unreached"
"""That of sections: something is to happen after the last epoch."""


def check(
    program: Program,
    *,
    network: str | None = None,
    input_shape: Shape | None = None,
    max_layers: int = DEFAULT_LAYERS,
) -> list[Diagnostic]:
    """A file of blocks alone is well, too: it is there to be imported."""
    found = examine(
        program,
        network=network,
        input_shape=input_shape,
        max_layers=max_layers,
        needs_network=network is not None,
    )
    diagnostics = found.diagnostics
    sections = sections_of(program)
    if sections:
        from ..plan.check import check_sections

        diagnostics = [*diagnostics, *check_sections(program, sections, found.network)]
    if found.network is not None and not has_errors(found.diagnostics):
        from ..analysis.lints import RULES, lint

        diagnostics = [*diagnostics, *lint(found.network)]
        diagnostics = [d for d in diagnostics if not silenced(d, found.network)]
        diagnostics += unknown_codes(found.network, {*RULES, *UNUSED, TAB, UNREACHED})
    return in_order(diagnostics)


def sections_of(program: Program) -> dict[str, Call]:
    """train, augment, evaluate, transfer, as written in the main file."""
    found: dict[str, Call] = {}
    for statement in program.main.statements:
        if isinstance(statement, Call) and statement.head.value in SECTIONS:
            found.setdefault(statement.head.value, statement)
    return found


def unknown_codes(network: Network, codes: Collection[str]) -> Iterator[Diagnostic]:
    """What the spec silences and no warning is called."""
    told = set()
    for allowed in network.allowed:
        if allowed.code in codes or allowed.span in told:
            continue
        told.add(allowed.span)
        close = closest(allowed.code, codes)
        help = (
            f'did you mean `"{close}"`?' if close else f"the codes are {', '.join(sorted(codes))}"
        )
        yield Diagnostic(
            "unknown-code",
            f'no warning has the code `"{allowed.code}"`',
            allowed.span,
            help=help,
            edits=(Edit(allowed.span, f'"{close}"'),) if close else (),
            severity="warning",
        )


def silenced(diagnostic: Diagnostic, network: Network) -> bool:
    """Whether the spec says `allow "code"` around the place."""
    span = diagnostic.span
    if diagnostic.severity == "error" or span is None:
        return False
    return any(
        allowed.code == diagnostic.code
        and allowed.region.source is span.source
        and allowed.region.start <= span.start <= allowed.region.end
        for allowed in network.allowed
    )
